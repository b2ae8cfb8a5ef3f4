package reconcile

import (
	"context"
	"slices"

	"github.com/llm-config-manager/lcm/internal/diag"
	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/plan"
	"github.com/llm-config-manager/lcm/internal/tree"
)

// refHeld is the rule by which a namespace is held for another's sake: it is looked at in every pass.
const refHeld = "ref/held"

// holding holds plans back, before anything is written.
type holding struct {
	js    []*judged
	plans []plan.Namespace // of the same namespaces, in the same order
	held  map[lcm.Namespace]bool
}

// hold holds, of what checks let pass, what would delete more than it may, and then all that refers to a
// namespace that is held, in this pass or since an earlier one, for whatever reason.
func (r *Reconciler) hold(ctx context.Context, t *tree.Tree, j *job, js []*judged, plans []plan.Namespace, o Options) (err error) {
	_, end := r.stage(ctx, "hold")
	defer end(&err)
	budget, err := r.deleteBudget(t, j)
	if err != nil {
		return err
	}
	pending, err := r.State.Pending()
	if err != nil {
		return err
	}
	h := &holding{js, plans, map[lcm.Namespace]bool{}}
	for ns, n := range pending {
		h.held[ns] = len(n.Held) > 0
	}
	for _, p := range plans {
		h.held[p.Namespace] = len(p.Held) > 0
	}
	h.dependents()
	for _, i := range h.order() { // what is held for another's sake uses nothing up
		if h.dependent(i); h.held[js[i].namespace] {
			continue
		}
		if js[i].pause != nil {
			if err := budget.foresee(&plans[i]); err != nil {
				return err
			}
			continue
		}
		if err := budget.hold(&plans[i]); err != nil {
			return err
		}
		h.held[js[i].namespace] = len(plans[i].Held) > 0
	}
	h.dependents()
	for i, j := range js {
		if len(plans[i].Held) == 0 && !j.waits(plans[i]) {
			j.drift = slices.DeleteFunc(j.drift, func(d drift) bool { return d.unwanted })
		}
	}
	return budget.record(o)
}

// dependents holds what refers to what is held, and so on until nothing more is added.
func (h *holding) dependents() {
	for again := true; again; {
		again = false
		for i := range h.js {
			again = h.dependent(i) || again
		}
	}
}

// dependent holds one namespace if it refers to one that is held, and reports whether it did so just now.
func (h *holding) dependent(i int) bool {
	j := h.js[i]
	if h.held[j.namespace] {
		return false
	}
	at := slices.IndexFunc(j.services, func(s lcm.Service) bool { return h.held[s.In(j.namespace.Environment)] })
	if at < 0 {
		return false
	}
	j.findings = append(j.findings, diag.Errorf(diag.Position{File: folder(j.namespace), Line: 1, Column: 1}, refHeld,
		"it refers to %s, which is held", j.services[at].In(j.namespace.Environment)))
	h.plans[i], h.held[j.namespace] = heldPlan(j), true
	return true
}

// order lists the namespaces so that each comes after those that it refers to, as far as they do not refer to each
// other.
func (h *holding) order() []int {
	at, done, out := map[lcm.Namespace]int{}, make([]bool, len(h.js)), make([]int, 0, len(h.js))
	for i, j := range h.js {
		at[j.namespace] = i
	}
	var visit func(int)
	visit = func(i int) {
		if done[i] {
			return
		}
		done[i] = true
		for _, s := range h.js[i].services {
			if on, here := at[s.In(h.js[i].namespace.Environment)]; here {
				visit(on)
			}
		}
		out = append(out, i)
	}
	for i := range h.js {
		visit(i)
	}
	return out
}

// heldPlan changes nothing, and says why.
func heldPlan(j *judged) plan.Namespace {
	return plan.Namespace{Namespace: j.namespace, Changes: []plan.Change{}, Held: errorsOf(j.findings)}
}

func folder(ns lcm.Namespace) string { return "namespaces/" + ns.String() }
