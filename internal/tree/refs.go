package tree

import (
	"slices"
	"strings"

	"github.com/llm-config-manager/lcm/internal/diag"
	"github.com/llm-config-manager/lcm/internal/lcm"
)

// link is one {ref: …} as it stands in an entry's spec.
type link struct {
	path   []string // of the reference in the spec
	to     lcm.Address
	origin *Document
	at     diag.Position
	rule   string // what is wrong with how it is written, if anything
	why    string
}

// links finds the references of an entry. A Secret's are not looked for: its data are ciphertext.
func links(e *Entry) []link {
	if e.Kind == lcm.KindSecret {
		return nil
	}
	var out []link
	var walk func(v any, path []string)
	walk = func(v any, path []string) {
		switch v := v.(type) {
		case map[string]any:
			if isReference(v) {
				out = append(out, newLink(e, v["ref"], path))
				return
			}
			for _, k := range sortedKeys(v) {
				walk(v[k], join(path, k))
			}
		case []any:
			for i, c := range v {
				walk(c, join(path, index(i)))
			}
		}
	}
	walk(e.Spec, nil)
	return out
}

func newLink(e *Entry, ref any, path []string) link {
	full := join(join([]string{"spec"}, path...), "ref")
	l := link{path: path, at: e.Position(full...)}
	l.origin, _ = e.locate(full)
	s, _ := ref.(string)
	service, key := e.Address.Service, s
	if rest, ok := strings.CutPrefix(s, "/"); ok {
		i := strings.LastIndexByte(rest, '/')
		if service, ok = parseService(rest[:max(i, 0)]); !ok {
			key = ""
		} else {
			key = rest[i+1:]
		}
	}
	l.to = service.In(e.Address.Environment).Key(key)
	switch {
	case !lcm.ValidName(key) || lcm.Reserved(key):
		l.rule, l.why = "ref/syntax", "a reference is a key of the same service, or /org/project/service/key"
	case service.Org != e.Address.Org:
		l.rule, l.why = "ref/tenant", "a reference stays within its tenant"
	}
	return l
}

// follow checks the references of the entries of a namespace and writes them as absolute addresses.
// Messages name no environment: a mistake in a base document is the same one wherever it is inherited.
func (g *graph) follow(r *Resolved) {
	for _, e := range r.Entries {
		if n := g.node(e.Address); n.order == 0 {
			g.visit(n)
		}
	}
	bad := map[lcm.Address]bool{}
	for _, c := range g.cycles {
		if slices.ContainsFunc(c, func(n *node) bool { return n.address.Namespace == r.Namespace }) {
			r.Findings = append(r.Findings, cycleFinding(c))
		}
		for _, n := range c {
			bad[n.address] = true
		}
	}
	r.Entries = slices.DeleteFunc(r.Entries, func(e *Entry) bool {
		findings := g.check(e)
		r.Findings = append(r.Findings, findings...)
		return len(findings) > 0 || bad[e.Address]
	})
	r.Services = g.services(r.Namespace.Service)
}

// check judges each reference of an entry and makes it absolute.
func (g *graph) check(e *Entry) (findings []diag.Finding) {
	links := g.node(e.Address).links
	for _, l := range links {
		if rule, why := g.judge(e, l); rule != "" {
			findings = append(findings, diag.Errorf(l.at, rule, "%s", why))
		}
		e.References = append(e.References, Reference{Path: l.path, To: l.to, Origin: l.origin})
	}
	if len(links) > 0 && len(findings) == 0 {
		e.Spec = absolute(e.Spec, e.References).(map[string]any)
	}
	return findings
}

func (g *graph) judge(e *Entry, l link) (rule, why string) {
	if l.rule != "" {
		return l.rule, l.why
	}
	switch to := g.node(l.to); {
	case to.state == absent:
		return "ref/dangling", "there is no " + shown(l.to) + " in the same environment"
	case to.state == broken || l.to.Service == e.Address.Service || to.entry.Kind != lcm.KindSecret:
		return "", "" // a broken document has its own finding
	case !slices.Contains(to.entry.Metadata.SharedWith, e.Address.Service.String()):
		return "ref/not-shared", "the metadata.sharedWith of the Secret " + shown(l.to) + " does not name " + e.Address.Service.String()
	}
	return "", ""
}

// shown is an address without its environment.
func shown(a lcm.Address) string { return "/" + a.Service.String() + "/" + a.Key }

// absolute copies a spec, with each reference as the whole address.
func absolute(v any, refs []Reference) any {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, c := range v {
			out[k] = absolute(c, below(refs, k))
		}
		if len(refs) == 1 && len(refs[0].Path) == 0 {
			out["ref"] = refs[0].To.String()
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, c := range v {
			out[i] = absolute(c, below(refs, index(i)))
		}
		return out
	}
	return v
}

// below returns the references whose path goes on with a step, without it.
func below(refs []Reference, step string) (out []Reference) {
	for _, r := range refs {
		if len(r.Path) > 0 && r.Path[0] == step {
			out = append(out, Reference{Path: r.Path[1:], To: r.To})
		}
	}
	return out
}
