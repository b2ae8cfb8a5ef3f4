package check

import (
	"context"
	"slices"
	"strings"

	"github.com/llm-config-manager/lcm/internal/diag"
	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/leak"
	"github.com/llm-config-manager/lcm/internal/schema"
	"github.com/llm-config-manager/lcm/internal/tree"
)

// Namespace checks what one namespace resolves to. opened holds the opened secrets by key; nil where
// they can't be opened, as in the linter. The findings of resolution itself are not repeated. It is safe
// for concurrent use.
func (r *Rules) Namespace(ctx context.Context, res *tree.Resolved, opened map[string]lcm.Secret) []diag.Finding {
	var out []diag.Finding
	facts := newFacts(res)
	for _, e := range res.Entries {
		findings := r.standing(e)
		if s, ok := opened[e.Address.Key]; ok && !diag.Failed(findings) {
			findings = append(findings, r.openedSecret(e, s)...)
		}
		// A document of the wrong shape is not put before the policies: they would only say it again.
		if !diag.Failed(findings) {
			findings = append(findings, r.policies(ctx, e, facts)...)
		}
		out = append(out, findings...)
	}
	return out
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
	r.mu.Lock()
	known, ok := r.alone[key]
	r.mu.Unlock()
	if ok {
		return known
	}
	known = r.shape(e)
	r.mu.Lock()
	r.alone[key] = known[:len(known):len(known)]
	r.mu.Unlock()
	return known
}

// shape checks what a document is made of. Where a credential stands in the clear, that is the mistake; that
// it does not fit its place either goes without saying.
func (r *Rules) shape(e *tree.Entry) []diag.Finding {
	var out []diag.Finding
	if e.Kind == lcm.KindSecret {
		out = r.envelope(e.Documents[0])
	}
	leaks := leaked(e)
	for _, v := range r.schema.Check(e.Kind, e.Value()) {
		f := diag.Errorf(at(e, v), v.Rule, "%s", v.Message)
		if !slices.ContainsFunc(leaks, func(l diag.Finding) bool { return l.Position == f.Position }) {
			out = append(out, f)
		}
	}
	return append(out, leaks...)
}

// leaked finds credentials in the clear.
func leaked(e *tree.Entry) (out []diag.Finding) {
	if e.Kind == lcm.KindPromptTemplate {
		value := e.Value()
		for _, hit := range leak.Scan(value) {
			out = append(out, diag.Errorf(e.LinePosition(lineOf(value, hit.Path), hit.Path...), hit.Rule, "%s", hit.Message))
		}
		return out
	}
	// Each file is searched as it was written: what another layer overrides is disclosed all the same.
	for _, d := range e.Documents {
		for _, hit := range leak.Scan(d.Value) {
			out = append(out, diag.Errorf(d.YAML.Position(hit.Path...), hit.Rule, "%s", hit.Message))
		}
	}
	return out
}

// lineOf counts the lines above the credential in the text at path.
func lineOf(value any, path []string) int {
	for _, step := range path {
		m, _ := value.(map[string]any)
		value = m[step]
	}
	text, _ := value.(string)
	for i, line := range strings.Split(text, "\n") {
		if leak.Contains(line) {
			return i
		}
	}
	return 0
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

func (r *Rules) policies(ctx context.Context, e *tree.Entry, facts facts) []diag.Finding {
	in, ok := r.input(e, facts)
	if !ok {
		return nil
	}
	verdicts, err := r.policy.Evaluate(ctx, in)
	if err != nil {
		return []diag.Finding{diag.Errorf(e.Position(), "policy/failed", "the policies could not be evaluated: %v", err)}
	}
	var out []diag.Finding
	for _, v := range verdicts {
		out = append(out, diag.Finding{Position: e.Position(v.Path...), Severity: v.Severity, Rule: v.Rule, Message: v.Message})
	}
	return out
}

func at(e *tree.Entry, v schema.Violation) diag.Position {
	if v.Key {
		return e.KeyPosition(v.Path...)
	}
	return e.Position(v.Path...)
}
