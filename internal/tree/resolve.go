package tree

import (
	"slices"
	"strings"

	"github.com/llm-config-manager/lcm/internal/diag"
	"github.com/llm-config-manager/lcm/internal/lcm"
)

// state is what is known of a key in an environment.
type state int

const (
	absent state = iota // nothing bears the key, or a Tombstone does
	broken              // something does, and cannot be read or resolved
	found
)

// resolution is what a key resolves to, references not yet followed.
type resolution struct {
	state    state
	entry    *Entry // if found
	findings []diag.Finding
}

// Resolve says what each key is in a namespace. All findings concern this namespace: those of every
// file in its layers, and those of resolving it. Entries with a finding are left out.
func (t *Tree) Resolve(ns lcm.Namespace) *Resolved {
	r := &Resolved{Namespace: ns}
	if _, ok := t.chains[ns.Environment]; !ok {
		r.Findings = append(r.Findings, diag.Errorf(start(layerDir(ns.Service, ns.Environment)), "layout/environment",
			"the environment %q is not declared in %s", ns.Environment, SettingsFile))
		return r
	}
	v := t.view()
	for _, layer := range t.chains[ns.Environment] {
		r.Findings = append(r.Findings, v.layer(ns.Service, layer).findings...)
	}
	g := newGraph(v)
	for _, key := range v.keys(ns) {
		res := g.resolve(ns.Key(key))
		r.Findings = append(r.Findings, res.findings...)
		if res.state == found {
			r.Entries = append(r.Entries, res.entry)
		}
	}
	g.follow(r)
	r.Entries = slices.DeleteFunc(r.Entries, func(e *Entry) bool { return !t.route(r, e) })
	r.Passed = v.passed(ns, r.Entries)
	r.Findings = diag.Sort(r.Findings)
	return r
}

// passed returns the documents of the layers of a namespace that no entry is made of, sorted by file.
func (v *view) passed(ns lcm.Namespace, entries []*Entry) (out []*Document) {
	used := map[*Document]bool{}
	for _, e := range entries {
		for _, d := range e.Documents {
			used[d] = true
		}
	}
	for _, name := range v.chains[ns.Environment] {
		for d := range v.layer(ns.Service, name).all() {
			if !used[d] {
				out = append(out, d)
			}
		}
	}
	slices.SortFunc(out, func(a, b *Document) int { return strings.Compare(a.File, b.File) })
	return out
}

// route sets an entry's target.
func (t *Tree) route(r *Resolved, e *Entry) bool {
	route, ok := t.Route(r.Namespace, e.Kind)
	if e.Target = route.Target; !ok {
		r.Findings = append(r.Findings, diag.Errorf(start(e.Origin.File), "route/none",
			"no route of %s matches this %s: add one", SettingsFile, e.Kind))
	}
	return ok
}

// keys returns every key that a layer of the namespace defines, sorted; what it resolves to may be nothing.
func (v *view) keys(ns lcm.Namespace) []string {
	all := map[string]bool{}
	for _, name := range v.chains[ns.Environment] {
		l := v.layer(ns.Service, name)
		for k := range l.docs {
			all[k] = true
		}
		for k := range l.prompts {
			all[k] = true
		}
	}
	return sortedKeys(all)
}

// resolveKey finds a key's document up the chain.
func (v *view) resolveKey(a lcm.Address) resolution {
	return v.resolveFrom(a, v.chains[a.Environment])
}

// resolveFrom looks in the given rest of the chain. What is not inheritable is passed over even where
// it would only be merged onto: its values are not for this environment.
func (v *view) resolveFrom(a lcm.Address, chain []string) resolution {
	for i, name := range chain {
		l := v.layer(a.Service, name)
		if l.broken[a.Key] {
			return resolution{state: broken}
		}
		if set, ok := l.prompts[a.Key]; ok {
			return v.resolvePrompt(a, set, name)
		}
		d, ok := l.docs[a.Key]
		switch {
		case !ok || name != a.Environment && !d.Metadata.Inheritable:
			continue
		case d.Kind == lcm.KindTombstone:
			return resolution{}
		case d.Metadata.Merge == mergeDeep:
			return v.merged(a, d, name, chain[i+1:])
		}
		return resolution{state: found, entry: plainEntry(a, d, name)}
	}
	return resolution{}
}

func plainEntry(a lcm.Address, d *Document, environment string) *Entry {
	return &Entry{
		Address: a, Kind: d.Kind, Metadata: d.Metadata, Spec: d.Spec,
		Origin: Origin{d.File, environment}, Documents: []*Document{d},
	}
}

// merged merges d onto what the rest of the chain resolves to.
func (v *view) merged(a lcm.Address, d *Document, environment string, rest []string) resolution {
	parent := v.resolveFrom(a, rest)
	refuse := func(rule, format string, args ...any) resolution {
		parent.findings = append(parent.findings, diag.Errorf(d.YAML.Position("metadata", "merge"), rule, format, args...))
		return resolution{state: broken, findings: parent.findings}
	}
	switch {
	case parent.state == broken:
		return parent
	case parent.state == absent:
		return refuse("merge/nothing", "there is nothing to merge onto: no environment further up has this key, or it may not be inherited")
	case parent.entry.Kind == lcm.KindSecret || parent.entry.Kind == lcm.KindPromptTemplate:
		return refuse("merge/forbidden", "a %s is never merged: remove merge, or write replace", parent.entry.Kind)
	case parent.entry.Kind != d.Kind:
		return refuse("merge/kind", "this %s would be merged onto a %s: only the same kind can be", d.Kind, parent.entry.Kind)
	}
	res := resolution{state: found, entry: plainEntry(a, d, environment), findings: parent.findings}
	e := res.entry
	lost := func(at []string) {
		res.state = broken
		res.findings = append(res.findings, diag.Errorf(d.YAML.Position(join([]string{"spec"}, at...)...), "merge/reference",
			"merging puts a reference and other fields into one map: delete with null what does not belong there"))
	}
	e.Spec = mergePatch(parent.entry.Spec, d.Spec, nil, lost).(map[string]any)
	e.Documents = append(e.Documents, parent.entry.Documents...)
	e.Metadata.Classification = lcm.Strictest(d.Metadata.Classification, parent.entry.Metadata.Classification)
	return res
}
