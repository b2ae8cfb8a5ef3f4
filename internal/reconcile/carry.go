package reconcile

import (
	"context"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/llm-config-manager/lcm/internal/apply"
	"github.com/llm-config-manager/lcm/internal/diag"
	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/plan"
	"github.com/llm-config-manager/lcm/internal/state"
	"github.com/llm-config-manager/lcm/internal/store"
	"github.com/llm-config-manager/lcm/internal/trust"
)

// plan lists the targets of each namespace and computes the difference. A namespace that is held has a
// plan without changes.
func (r *Reconciler) plan(ctx context.Context, v trust.Verified, js []*judged, o Options) (_ []plan.Namespace, err error) {
	ctx, end := r.stage(ctx, "plan")
	defer end(&err)
	plans := make([]plan.Namespace, len(js))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(apply.Parallel)
	for i, j := range js {
		g.Go(func() (err error) {
			plans[i], err = r.planOne(ctx, v, j, o)
			return err
		})
	}
	return plans, g.Wait()
}

func (r *Reconciler) planOne(ctx context.Context, v trust.Verified, j *judged, o Options) (plan.Namespace, error) {
	looks, err := r.looks(j, o)
	if err != nil {
		return plan.Namespace{}, err
	}
	if j.held() {
		r.survey(ctx, j, looks, o)
		return heldPlan(j), nil
	}
	var holdings []plan.Holding
	for _, l := range looks {
		h := r.holding(ctx, l)
		if h.Err == nil {
			r.drifted(ctx, j, l, &h)
		}
		holdings = append(holdings, h)
	}
	owner := r.owner(v)
	return plan.Compute(owner, j.namespace, j.entries, holdings)
}

// look is one target as it is looked at for one namespace.
type look struct {
	namespace  lcm.Namespace
	target     string
	wanted     []plan.Entry
	owned      map[string]state.Owned // the inventory
	cut        map[string]state.Owned // what passes intended that did not come to their end
	unfinished bool                   // there were such passes
	deleted    []string               // what they were to delete
	values     bool                   // every value is compared, and not only where a mark can't be believed
	differing  map[string]bool        // what differed the last time: compared by value in any case
}

// looks lists the targets that hold something of a namespace, or are to.
func (r *Reconciler) looks(j *judged, o Options) ([]look, error) {
	inventory, open, err := r.State.Inventory(j.namespace)
	if err != nil {
		return nil, err
	}
	drifts, err := r.State.Drifts(j.namespace)
	if err != nil {
		return nil, err
	}
	wanted, differing, cut := map[string][]plan.Entry{}, map[string]map[string]bool{}, state.Inventory{}
	for _, e := range j.entries {
		wanted[e.Target] = append(wanted[e.Target], e)
	}
	for _, d := range drifts.Open {
		if differing[d.Target] == nil {
			differing[d.Target] = map[string]bool{}
		}
		differing[d.Target][d.Address.Key] = true
	}
	var deletes map[string][]string
	if open != nil {
		cut, deletes = open.Inventory, open.Deletes
	}
	targets := slices.Concat(slices.Collect(maps.Keys(wanted)), slices.Collect(maps.Keys(inventory)), slices.Collect(maps.Keys(cut)))
	slices.Sort(targets)
	var out []look
	for _, t := range slices.Compact(targets) {
		out = append(out, look{j.namespace, t, wanted[t], inventory[t], cut[t], open != nil, deletes[t], o.Everything, differing[t]})
	}
	return out, nil
}

// holding asks a target what it holds. What a pass that was cut off was about to write counts as ours,
// and where a mark can't be believed the value itself is compared.
func (r *Reconciler) holding(ctx context.Context, l look) plan.Holding {
	h := plan.Holding{Target: l.target, Owned: maps.Clone(l.owned), Holds: map[string]bool{}, Differs: map[string]bool{}, Leave: map[string]bool{},
		Intended: map[string]store.Meta{}, Adopt: r.Targets[l.target].Adopt}
	if h.Owned == nil {
		h.Owned = map[string]state.Owned{}
	}
	for key, o := range l.cut {
		h.Intended[key] = o.Meta
		if _, ok := h.Owned[key]; !ok {
			h.Owned[key] = o
		}
	}
	t, ok := r.stores[l.target]
	if !ok {
		h.Err = fmt.Errorf("target %q is not configured", l.target)
		return h
	}
	if why := r.unasked[l.target]; why != nil {
		h.Err = unaskedError{why}
		return h
	}
	if why := r.term.barred[l.target]; why != nil {
		h.Err = barredError{why}
		return h
	}
	if h.Listing, h.Err = t.List(ctx, l.namespace); h.Err == nil {
		h.Err = r.compare(ctx, t, l, &h)
	}
	return h
}

// compare compares values: where a mark can't be believed, and wherever it is asked for.
func (r *Reconciler) compare(ctx context.Context, t store.Target, l look, h *plan.Holding) error {
	values := map[string]plan.Entry{}
	for _, e := range l.wanted {
		values[e.Address.Key] = e
	}
	for _, item := range h.Listing.Items {
		e, want := values[item.Key]
		_, recorded := h.Owned[item.Key] // what a pass that was cut off was about to write, too
		marked := item.Meta.Repository == r.Repository && !item.Stale
		doubtful := item.Stale || !marked && (recorded || h.Adopt != plan.AdoptNone)
		closely := marked && (l.values || l.differing[item.Key]) && item.Meta.Digest == e.Meta.Digest
		if !want || !doubtful && !closely {
			continue
		}
		holds, err := t.Holds(ctx, l.namespace, item.Key, e.Value)
		if err != nil {
			return err
		}
		h.Holds[item.Key], h.Differs[item.Key] = doubtful && holds, closely && !holds
	}
	return nil
}

// together is how many namespaces are written between one record of intents and that of their outcomes.
const together = 256

// carryOut carries out plans that were made from these namespaces, in the same order.
func (r *Reconciler) carryOut(ctx context.Context, v trust.Verified, job *job, js []*judged, plans []plan.Namespace, o Options, report *Report) error {
	defer job.lapses.carriedOut(ctx, r.Tracer)
	for from := 0; from < len(js); from += together {
		to := min(from+together, len(js))
		if err := r.carryOutSome(ctx, v, job, js[from:to], plans[from:to], o, report); err != nil {
			return err
		}
		for i := from; i < to; i++ { // what was carried out is not held until the last is
			js[i].entries, plans[i].Batches, plans[i].Inventory = nil, nil, nil
		}
	}
	return nil
}

// carryOutSome records the intents, applies, and records the outcomes. A crash between leaves the intents
// open, and the next pass does it again.
func (r *Reconciler) carryOutSome(ctx context.Context, v trust.Verified, job *job, chunk []*judged, plans []plan.Namespace, o Options, report *Report) error {
	if o.DryRun {
		r.detail(ctx, chunk, plans, report)
		report.add(chunk, plans, nil)
		return ctx.Err()
	}
	done, err := r.write(ctx, chunk, o)
	if err != nil {
		return err
	}
	defer done()
	l := job.lapses
	var ready []plan.Namespace
	intents := map[lcm.Namespace]state.Intent{}
	for i, p := range plans {
		if len(p.Held) == 0 && len(p.Batches) > 0 && !chunk[i].waits(p) {
			ready = append(ready, p)
			intents[p.Namespace] = state.Intent{Revision: v.Revision(), At: r.Now(), Inventory: p.Inventory, Deletes: p.Deletes}
		}
	}
	began := time.Now()
	err = r.State.Begin(intents)
	if l.intent.took(began, err == nil); err != nil {
		return fmt.Errorf("recording what is about to be written: %w", err)
	}
	began = time.Now()
	results, err := apply.Run(writing{job.last, ctx}, job.begin, v, ready, l.timed(r.stores))
	if l.apply.took(began, err == nil && !anyFailed(results)); err != nil {
		return err
	}
	if job.stopped(ctx) != nil {
		chunk, plans = begun(chunk, plans, ready, results)
	}
	began = time.Now()
	outcomes, err := r.outcomes(v, chunk, plans, results)
	if err != nil {
		return err
	}
	report.add(chunk, plans, results)
	err = r.State.End(outcomes, r.Now())
	r.active.wrote(outcomes)
	if l.outcome.took(began, err == nil); err != nil {
		return fmt.Errorf("recording what was written: %w", err)
	}
	return job.stopped(ctx)
}

// stopped is why no further namespace is begun; nil while one may be.
func (b bounds) stopped(ctx context.Context) error {
	if err := b.begin.Err(); err != nil {
		return err
	}
	return ctx.Err()
}

// begun leaves out the namespaces that were to be written when the pass was stopped, and that nothing was begun of.
func begun(chunk []*judged, plans, ready []plan.Namespace, results map[lcm.Namespace]apply.Result) (js []*judged, ps []plan.Namespace) {
	left := map[lcm.Namespace]bool{}
	for _, p := range ready {
		_, done := results[p.Namespace]
		left[p.Namespace] = !done
	}
	for i, p := range plans {
		if !left[p.Namespace] {
			js, ps = append(js, chunk[i]), append(ps, p)
		}
	}
	return js, ps
}

func anyFailed(results map[lcm.Namespace]apply.Result) bool {
	for _, r := range results {
		for _, err := range r {
			if err != nil {
				return true
			}
		}
	}
	return false
}

// outcomes tells, of each namespace, where it stands now; those that stand where they stood are left out.
func (r *Reconciler) outcomes(v trust.Verified, chunk []*judged, plans []plan.Namespace, results map[lcm.Namespace]apply.Result) (map[lcm.Namespace]state.Outcome, error) {
	out := map[lcm.Namespace]state.Outcome{}
	for i, p := range plans {
		before, err := r.State.Namespace(p.Namespace)
		if err != nil {
			return nil, err
		}
		inventory, open, err := r.State.Inventory(p.Namespace)
		if err != nil {
			return nil, err
		}
		o := r.outcome(v, chunk[i], p, results[p.Namespace], before, open != nil)
		if o.Drifts, err = r.settle(chunk[i], p, results[p.Namespace]); err != nil {
			return nil, err
		}
		o.Ended = o.Ended && open != nil
		if open != nil && len(p.Held) == 0 && !chunk[i].waits(p) {
			o.Deleted = gone(inventory, p.Inventory, o.State.Failed)
		}
		if !o.Ended && o.Drifts == nil && reflect.DeepEqual(o.State, before) && (o.Inventory == nil || reflect.DeepEqual(o.Inventory, inventory)) {
			continue
		}
		out[p.Namespace] = o
	}
	return out, nil
}

// outcome tells where one namespace stands. wrote says that something was written for it: by this pass, or by
// one that was cut off.
func (r *Reconciler) outcome(v trust.Verified, j *judged, p plan.Namespace, result apply.Result, before state.Namespace, wrote bool) state.Outcome {
	now := before
	now.Held, now.Doomed, now.Failed, now.Services, now.Waits = nil, nil, nil, nil, 0
	for _, s := range j.services {
		now.Services = append(now.Services, s.String())
	}
	if len(p.Held) > 0 {
		now.Held = p.Held
		doomed := slices.ContainsFunc(p.Held, func(f diag.Finding) bool { return f.Rule == deletesHeld })
		if doomed {
			now.Doomed = p.Deletes
		}
		if before.Since == "" || !reflect.DeepEqual(before.Held, now.Held) {
			now.Since = v.Revision()
		}
		return state.Outcome{State: now, Consent: !doomed} // a consent that was not enough is none
	}
	if j.waits(p) {
		if now.Waits = j.waiting(p); now.Waits == 0 {
			now.Since = ""
		} else if before.Since == "" {
			now.Since = v.Revision()
		}
		return state.Outcome{State: now, Consent: true}
	}
	now.Failed = slices.Sorted(maps.Keys(failures(p, result)))
	if len(now.Failed) > 0 {
		if before.Since == "" {
			now.Since = v.Revision()
		}
		left := r.afterFailure(p, now.Failed)
		return state.Outcome{State: now, Inventory: left, Consent: remain(p.Deletes, left)}
	}
	now.Since = ""
	if wrote || now.Revision == "" && len(j.entries) > 0 {
		now.Revision, now.At = v.Revision(), r.Now()
	}
	return state.Outcome{State: now, Inventory: p.Inventory, Ended: true, Consent: remain(p.Deletes, p.Inventory)}
}

// remain reports whether some entries, by target, are still in an inventory.
func remain(entries map[string][]string, inv state.Inventory) bool {
	for target, keys := range entries {
		if slices.ContainsFunc(keys, func(key string) bool { _, ok := inv[target][key]; return ok }) {
			return true
		}
	}
	return false
}

// gone counts what the inventory loses by target, except in targets that failed: what this pass deleted,
// and what a pass deleted that failed or was cut off before it could say so.
func gone(before, after state.Inventory, failed []string) map[string]int {
	out := map[string]int{}
	for target, owned := range before {
		for key := range owned {
			if _, keep := after[target][key]; !keep && !slices.Contains(failed, target) {
				out[target]++
			}
		}
	}
	return out
}

// afterFailure is the inventory when some targets failed: theirs stays what it was, and the open intent
// covers what they may have taken.
func (r *Reconciler) afterFailure(p plan.Namespace, failed []string) state.Inventory {
	before, _, err := r.State.Inventory(p.Namespace)
	if err != nil {
		return nil
	}
	out := state.Inventory{}
	for target, owned := range p.Inventory {
		if slices.Contains(failed, target) {
			owned = before[target]
		}
		out[target] = owned
	}
	return out
}

// failures joins the targets that could not be listed with those that could not be written.
func failures(p plan.Namespace, result apply.Result) map[string]error {
	out := maps.Clone(p.Unlisted)
	if out == nil {
		out = map[string]error{}
	}
	for target, err := range result {
		if err != nil {
			out[target] = err
		}
	}
	return out
}
