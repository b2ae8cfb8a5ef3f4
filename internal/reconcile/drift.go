package reconcile

import (
	"cmp"
	"context"
	"maps"
	"reflect"
	"slices"
	"time"

	"github.com/llm-config-manager/lcm/internal/apply"
	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/plan"
	"github.com/llm-config-manager/lcm/internal/state"
	"github.com/llm-config-manager/lcm/internal/store"
)

// drift is one difference.
type drift struct {
	state.Drift
	left     bool // it is only reported
	unwanted bool // the revision wants no such entry there: it only counts if the namespace is held
	alone    bool // nothing else is to be done about it: the revision wants what was put there
	restored bool // it was put right although the namespace is held
}

// Bounds of what is remembered of one namespace.
const (
	maxOpenDrift = 50
	maxPastDrift = 10
	pastDrift    = 30 * 24 * time.Hour
)

// drifted notes what a target holds otherwise than it was put there, and what of it is to be left so. An entry that
// the repository changed since is written all the same.
func (r *Reconciler) drifted(ctx context.Context, j *judged, l look, h *plan.Holding) {
	j.listed = append(j.listed, l.target)
	items := map[string]store.Item{}
	for _, item := range h.Listing.Items {
		items[item.Key] = item
	}
	target := r.Targets[l.target]
	for _, e := range l.expected() {
		key := e.Address.Key
		o, owned := l.owned[key]
		if !owned || l.unfinished && (l.cut[key].Meta != o.Meta || slices.Contains(l.deleted, key)) {
			continue // nothing was put there, or a pass of ours was cut off that may have done it
		}
		item, there := items[key]
		kind := kindOf(o, item, there, h)
		if kind == "" {
			continue
		}
		d := drift{Drift: state.Drift{Address: e.Address, Target: l.target, Kind: kind, Fields: []string{}}, unwanted: e.Target == ""}
		ignored := target.ignores(e.Address)
		same := e.Meta.Digest == o.Meta.Digest
		if d.alone = same && !d.unwanted; same && (ignored || target.ReportDrift) {
			d.left, h.Leave[key] = true, true
		}
		if ignored {
			continue
		}
		if there {
			describe(ctx, r.stores[l.target], e, o, &d.Drift)
		}
		j.drift = append(j.drift, d)
	}
}

// expected are the entries that are wanted, and, without target and value, those that were put there and are not.
func (l look) expected() []plan.Entry {
	out, wanted := slices.Clone(l.wanted), map[string]bool{}
	for _, e := range l.wanted {
		wanted[e.Address.Key] = true
	}
	for _, key := range slices.Sorted(maps.Keys(l.owned)) {
		if !wanted[key] {
			out = append(out, plan.Entry{Address: l.namespace.Key(key), Meta: l.owned[key].Meta})
		}
	}
	return out
}

// kindOf tells how an entry differs from what was put there; "" if it does not.
func kindOf(o state.Owned, item store.Item, there bool, h *plan.Holding) state.DriftKind {
	switch {
	case !there:
		return state.DriftMissing
	case item.Meta == (store.Meta{}) && h.Holds[item.Key]:
		return state.DriftMark
	case item.Meta.Repository != o.Meta.Repository || item.Meta.ID != o.Meta.ID:
		return state.DriftForeign
	case item.Stale && !h.Holds[item.Key], h.Differs[item.Key]:
		return state.DriftValue
	case item.Stale, item.Meta != o.Meta:
		return state.DriftMark
	}
	return ""
}

func (t Target) ignores(a lcm.Address) bool {
	return slices.ContainsFunc(t.IgnoreDrift, func(p lcm.Pattern) bool { return p.Match(a.String()) })
}

// describe adds where the value differs, unless it is a secret, and who changed it when, if the target tells. What
// can't be found out is left out: it decides nothing.
func describe(ctx context.Context, t store.Target, e plan.Entry, o state.Owned, d *state.Drift) {
	if d.Kind == state.DriftValue && !e.Secret && e.Value != nil && e.Meta.Digest == o.Meta.Digest {
		if stands, _, err := t.Get(ctx, e.Address); err == nil {
			d.Fields = plan.Differing(stands, e.Value, false)
		}
	}
	if w, ok := t.(store.Witness); ok && (d.Kind == state.DriftValue || d.Kind == state.DriftForeign) {
		if by, at, err := w.LastChange(ctx, e.Address); err == nil {
			d.By, d.At = by, at
		}
	}
}

// survey looks for drift in a namespace that checks hold, by the inventory alone: what it should hold is told by
// another revision, which is read only where something differs.
func (r *Reconciler) survey(ctx context.Context, j *judged, looks []look, o Options) {
	if !o.Everything {
		return
	}
	for _, l := range looks {
		h := r.holding(ctx, l)
		if h.Err == nil {
			r.drifted(ctx, j, l, &h)
		}
	}
}

// settle tells how the drift of a namespace stands after a pass; nil if as before. What the pass corrected, and what
// is as it should be for another reason, is past.
func (r *Reconciler) settle(j *judged, p plan.Namespace, result apply.Result) (*state.Drifts, error) {
	before, err := r.State.Drifts(j.namespace)
	if err != nil {
		return nil, err
	}
	now, failed := r.Now(), failures(p, result)
	for i := range j.drift {
		d := &j.drift[i]
		d.Found = now
		if k := slices.IndexFunc(before.Open, d.Same); k >= 0 {
			d.Found = before.Open[k].Found
		}
		if !d.left && len(p.Held) == 0 && !j.waits(p) && failed[d.Target] == nil || d.restored {
			d.Corrected = now
		}
	}
	for _, d := range before.Open {
		if slices.Contains(j.listed, d.Target) && !slices.ContainsFunc(j.drift, func(n drift) bool { return n.Same(d) }) {
			d.Corrected = now
			j.drift = append(j.drift, drift{Drift: d})
		}
	}
	after := drifts(before, j, now)
	if reflect.DeepEqual(after, before) {
		return nil, nil
	}
	return &after, nil
}

// drifts sorts what was found into what is open and what is past, within bounds.
func drifts(before state.Drifts, j *judged, now time.Time) state.Drifts {
	after := state.Drifts{Past: before.Past}
	for _, d := range before.Open {
		if !slices.Contains(j.listed, d.Target) { // nobody could look
			after.Open = append(after.Open, d)
		}
	}
	for _, d := range j.drift {
		if d.Corrected.IsZero() {
			after.Open = append(after.Open, d.Drift)
		} else {
			after.Past = append(slices.Clip(after.Past), d.Drift)
		}
	}
	slices.SortStableFunc(after.Open, func(a, b state.Drift) int {
		return cmp.Or(cmp.Compare(a.Address.Key, b.Address.Key), cmp.Compare(a.Target, b.Target))
	})
	if n := len(after.Open) - maxOpenDrift; n > 0 {
		after.Open, after.More = after.Open[:maxOpenDrift], n
	}
	if len(after.Past) > len(before.Past) { // else nothing is written for its sake
		after.Past = slices.DeleteFunc(slices.Clone(after.Past), func(d state.Drift) bool { return now.Sub(d.Corrected) > pastDrift })
		after.Past = after.Past[max(0, len(after.Past)-maxPastDrift):]
	}
	return after
}
