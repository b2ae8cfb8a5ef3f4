package check

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/llm-config-manager/lcm/internal/diag"
	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/policy"
	"github.com/llm-config-manager/lcm/internal/schema"
	"github.com/llm-config-manager/lcm/internal/tree"
)

// Known is what only the daemon knows of a namespace, by key.
type Known struct {
	Opened map[string]lcm.Secret
	// Changes are who answers for the entries. They are needed only if the rules ask, and then an entry
	// without any is refused.
	Changes map[string][]*Change
	// Past is what was before the state that the namespace is compared with, and Since names that state.
	Past  Past
	Since string
}

// Change is one step that brought a document to its present state.
type Change = policy.Change

// Asks reports whether rules of the repository's own look at input.change.
func (r *Rules) Asks() bool { return len(r.policy.Askers()) > 0 }

// Namespace checks what one namespace resolves to, and that nothing in its files is disclosed. before is the
// repository as it was when the namespace was last accepted, for rules that compare; nil if it never was, or the
// linter was given nothing to compare with. known is nil in the linter, which opens nothing and knows nobody. The
// findings of resolution itself are not repeated. It is safe for concurrent use.
func (r *Rules) Namespace(ctx context.Context, res *tree.Resolved, before *tree.Tree, known *Known) []diag.Finding {
	key, keeps := r.keyOf(res, known)
	if findings, ok := r.recall(key, keeps, res); ok {
		return findings
	}
	r.fresh.Add(1)
	findings, yielded := r.namespace(ctx, res, before, known)
	r.gather(res.Namespace.Service, func(g *gathered) { g.add(yielded) })
	if keeps && ctx.Err() == nil {
		r.remember(key, findings, yielded)
	}
	return findings
}

// Fresh counts the namespaces that were judged, and not found among what is kept.
func (r *Rules) Fresh() int { return int(r.fresh.Load()) }

// namespace judges, and tells what else it came upon.
func (r *Rules) namespace(ctx context.Context, res *tree.Resolved, before *tree.Tree, known *Known) ([]diag.Finding, gathered) {
	var out []diag.Finding
	facts := newFacts(res)
	var sound []*tree.Entry
	for _, e := range res.Entries {
		findings := r.standing(e)
		if known != nil && !diag.Failed(findings) {
			if s, ok := known.Opened[e.Address.Key]; ok {
				findings = append(findings, r.openedSecret(e, s)...)
			}
		}
		// A document of the wrong shape is not put before the policies: they would only say it again.
		if !diag.Failed(findings) {
			findings = append(findings, r.policies(ctx, e, facts, known)...)
			sound = append(sound, e)
		}
		out = append(out, findings...)
	}
	past := r.past
	if known != nil {
		past = known.Past
	}
	out = append(out, r.versions(ctx, res, before, past)...)
	more, yielded := r.together(facts, sound)
	out = append(out, more...)
	for _, d := range res.Passed {
		out = append(out, r.passed(d)...)
	}
	return append(out, beside(r.layers(res.Namespace), res.Findings, out)...), yielded
}

// maxKnown bounds what once keeps, as a number of findings about files and layers: services come one after another.
const maxKnown = 4000

// once keeps the findings that a key stands for: most documents are inherited by several environments.
func (r *Rules) once(key string, find func() []diag.Finding) []diag.Finding {
	r.mu.Lock()
	known, ok := r.known[key]
	if !ok {
		known, ok = r.old[key]
	}
	r.mu.Unlock()
	if !ok {
		known = find()
		known = known[:len(known):len(known)]
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.known) >= cmp.Or(r.most, maxKnown) {
		r.old, r.known = r.known, map[string][]diag.Finding{}
	}
	r.known[key] = known
	return known
}

// standing is what can be said of an entry without its environment. A document that resolves to itself is
// looked at once, however many environments inherit it.
func (r *Rules) standing(e *tree.Entry) []diag.Finding {
	if len(e.Documents) != 1 {
		return r.shape(e)
	}
	key := e.Documents[0].File
	if r.ownCUE && len(e.References) > 0 {
		key += "\x00" + e.Address.Environment // which the repository's own constraints see in the references
	}
	return r.once(key, func() []diag.Finding { return r.shape(e) })
}

// shape checks what a document is made of. Where a credential stands in the clear, that is the mistake; that
// it does not fit its place either goes without saying.
func (r *Rules) shape(e *tree.Entry) []diag.Finding {
	var out, leaks []diag.Finding
	for _, d := range e.Documents {
		leaks = append(leaks, r.leaked(d)...)
	}
	if e.Kind == lcm.KindSecret {
		out = r.envelope(e.Documents[0])
	}
	for _, v := range r.schema.Check(e.Kind, e.Value()) {
		f := diag.Errorf(at(e, v), v.Rule, "%s", v.Message)
		if !slices.ContainsFunc(leaks, func(l diag.Finding) bool { return l.Position == f.Position }) {
			out = append(out, f)
		}
	}
	if e.Kind == lcm.KindPromptTemplate && len(leaks) == 0 {
		out = append(out, prompts(e)...)
	}
	return append(out, leaks...)
}

// passed checks a document that is no part of any entry. What another one overrides is disclosed all the
// same; a Tombstone has nowhere else to be judged; the rest may be judged where it counts.
func (r *Rules) passed(d *tree.Document) []diag.Finding {
	out := r.leaked(d)
	if d.Kind != lcm.KindTombstone {
		return out
	}
	return append(out, r.once(d.File, func() []diag.Finding {
		return Violations(d.YAML, r.schema.Check(d.Kind, d.Value))
	})...)
}

// openedSecret checks the values of a secret's fields. The sentences are fixed: no value is in them.
func (r *Rules) openedSecret(e *tree.Entry, s lcm.Secret) []diag.Finding {
	kind, _ := e.Spec["type"].(string)
	var out []diag.Finding
	for _, v := range r.schema.CheckOpened(kind, s.Reveal()) {
		v.Path = append([]string{"spec", "data"}, v.Path...)
		out = append(out, diag.Errorf(at(e, v), v.Rule, "%s", v.Message))
	}
	return out
}

func (r *Rules) policies(ctx context.Context, e *tree.Entry, facts facts, known *Known) []diag.Finding {
	in, ok := r.input(e, facts)
	if !ok {
		return nil
	}
	if known != nil && r.Asks() {
		if in.Changes = known.Changes[e.Address.Key]; len(in.Changes) == 0 {
			return []diag.Finding{diag.Errorf(e.Position(), "policy/change", "%s", unknownChange)}
		}
	}
	began := time.Now()
	verdicts, err := r.policy.Evaluate(ctx, in)
	if r.evaluated != nil {
		r.evaluated(time.Since(began), err != nil || slices.ContainsFunc(verdicts, func(v policy.Verdict) bool { return v.Severity == diag.Error }))
	}
	if wrong := new(policy.OutputError); errors.As(err, &wrong) {
		return []diag.Finding{diag.Errorf(wrong.Position, "policy/output", "%s", wrong.Message)}
	}
	if err != nil {
		return []diag.Finding{diag.Errorf(e.Position(), "policy/failed", "the policies could not be evaluated: %v", err)}
	}
	var out []diag.Finding
	for _, v := range verdicts {
		out = append(out, diag.Finding{Position: e.Position(v.Path...), Severity: v.Severity, Rule: v.Rule, Message: v.Message})
	}
	return out
}

const unknownChange = "rules of the repository's own ask who changed this, and the daemon does not know: too many steps changed it or something with it; change it once more, by itself"

func at(e *tree.Entry, v schema.Violation) diag.Position {
	if v.Key {
		return e.KeyPosition(v.Path...)
	}
	return e.Position(v.Path...)
}
