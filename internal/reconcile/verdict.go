package reconcile

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/plan"
	"github.com/llm-config-manager/lcm/internal/trust"
)

// Verdict is what trust says of one commit of the protected branch.
type Verdict struct {
	Commit  lcm.Revision
	Step    *trust.Step      // how it was believed; nil if it was not
	Loosens []plan.Loosening // what the step permits that was not permitted before it
	Refusal *trust.Refusal   // why it was refused; nil too for a commit behind the refused one, which was not judged
}

// Verdicts judges every commit from a revision, exclusive, to another: from the introduction to the
// branch's head, unless they say otherwise. It needs no targets and changes nothing, but fetches. A
// refusal is a verdict; an error means that nothing could be judged.
func Verdicts(ctx context.Context, cfg Config, from, to lcm.Revision) ([]Verdict, error) {
	r := &Reconciler{Config: cfg.withDefaults()}
	head, err := r.fetch(ctx, Options{Revision: to})
	if err != nil {
		return nil, err
	}
	if from == "" {
		from = cfg.Introduction
	}
	seen := r.clock(Options{DryRun: true})
	v, err := trust.Verify(ctx, r.Repo, r.trustConfig(seen), from, head)
	refusal := new(trust.Refusal)
	if err != nil && !errors.As(err, &refusal) {
		return nil, fmt.Errorf("verifying: %w", err)
	}
	if seen.err != nil {
		return nil, seen.err
	}
	var out []Verdict
	for _, s := range v.Steps() {
		loosens, err := r.loosened([]trust.Step{s})
		if err != nil {
			return nil, err
		}
		out = append(out, Verdict{Commit: s.Commit, Step: &s, Loosens: loosens})
	}
	if err == nil {
		return out, nil
	}
	rest, ok := r.behind(v.Revision(), head)
	if !ok {
		rest = []lcm.Revision{head} // history was rewritten, or the head cannot be read: there is no way to it
	}
	for i, rev := range rest {
		verdict := Verdict{Commit: rev}
		if i == 0 {
			verdict.Refusal = refusal
		}
		out = append(out, verdict)
	}
	return out, nil
}

// behind lists the first-parent chain from a revision, exclusive, to the head, oldest first.
func (r *Reconciler) behind(believed, head lcm.Revision) ([]lcm.Revision, bool) {
	var out []lcm.Revision
	for at := head; at != believed; {
		c, err := r.Repo.Commit(at)
		if err != nil || len(c.Parents) == 0 {
			return nil, false
		}
		out = append(out, at)
		at = c.Parents[0]
	}
	slices.Reverse(out)
	return out, true
}
