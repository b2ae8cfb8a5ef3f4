package reconcile

import (
	"github.com/llm-config-manager/lcm/internal/plan"
	"github.com/llm-config-manager/lcm/internal/trust"
)

// loosened tells what steps permit by their changes of the settings and what was not permitted before them.
func (r *Reconciler) loosened(steps []trust.Step) (out []plan.Loosening, err error) {
	for _, s := range steps {
		if !trust.ChangesSettings(s.Changed) {
			continue
		}
		before, err := r.Repo.Tree(s.Parent)
		if err != nil {
			return nil, err
		}
		after, err := r.Repo.Tree(s.Commit)
		if err != nil {
			return nil, err
		}
		for _, l := range trust.Loosened(before, after, s.Changed) {
			out = append(out, plan.Loosening{Revision: s.Commit, File: l.File, What: l.What})
		}
	}
	return out, nil
}
