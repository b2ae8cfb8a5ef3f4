package reconcile

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/llm-config-manager/lcm/internal/apply"
	"github.com/llm-config-manager/lcm/internal/diag"
	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/plan"
	"github.com/llm-config-manager/lcm/internal/state"
	"github.com/llm-config-manager/lcm/internal/tree"
	"github.com/llm-config-manager/lcm/internal/trust"
)

// restore puts back what somebody changed in namespaces that are held, or wait for a window, as it was at the revision
// that each serves. What can't be put back is as it was found, and told.
func (r *Reconciler) restore(ctx context.Context, job *job, js []*judged, plans []plan.Namespace, o Options) (err error) {
	ctx, end := r.stage(ctx, "restore")
	defer end(&err)
	if o.DryRun {
		return nil
	}
	for i, j := range js {
		if len(plans[i].Held) == 0 && !j.waits(plans[i]) || !j.restores() || !slices.ContainsFunc(j.drift, drift.restorable) {
			continue
		}
		if err := r.restoreOne(ctx, job, j, o); err != nil {
			r.Log.Warn("what differs in a namespace that is held or waits can't be put right", "namespace", j.namespace.String(), "error", err)
		}
	}
	return ctx.Err()
}

// restores reports whether what somebody changed is put right even if nothing else is done.
func (j *judged) restores() bool { return j.pause == nil || j.pause.restores }

func (d drift) restorable() bool { return !d.left && d.Kind != state.DriftForeign }

func (r *Reconciler) restoreOne(ctx context.Context, job *job, j *judged, o Options) error {
	known, err := r.State.Namespace(j.namespace)
	if err != nil || known.Revision == "" {
		return err
	}
	v, err := r.believedAt(ctx, known.Revision)
	if err != nil {
		return err
	}
	was, err := r.entriesAt(ctx, v, job, j.namespace)
	if err != nil {
		return err
	}
	looks, err := r.looks(was, Options{Everything: true}) // of what differs alone, the values
	if err != nil {
		return err
	}
	done, err := r.write(ctx, []*judged{j}, o)
	if err != nil {
		return err
	}
	defer done()
	ctx = writing{job.last, ctx}
	for _, l := range looks {
		if j.restores() { // it may have been suspended meanwhile
			err = errors.Join(err, r.putBack(ctx, v, j, l))
		}
	}
	return err
}

// believedAt earns a revision that was accepted once again, from the introduction on.
func (r *Reconciler) believedAt(ctx context.Context, rev lcm.Revision) (trust.Verified, error) {
	cfg := r.trustConfig(r.clock(Options{DryRun: true}))
	cfg.Cache = &r.trusted
	v, err := trust.Verify(ctx, r.Repo, cfg, "", rev)
	if err == nil && v.Revision() != rev {
		err = fmt.Errorf("%s is not believed any more", rev.Short())
	}
	return v, err
}

// entriesAt are the entries that a namespace had at a revision, without secrets that do not open, or that were burned since.
func (r *Reconciler) entriesAt(ctx context.Context, v trust.Verified, job *job, ns lcm.Namespace) (*judged, error) {
	t := tree.Glance(v.FS())
	if t == nil {
		return nil, fmt.Errorf("the settings of %s can't be read any more", v.Revision().Short())
	}
	resolved := t.Resolve(ns)
	opened, findings, err := r.open(ctx, v, resolved, job.burned)
	if err != nil {
		return nil, err
	}
	out := &judged{namespace: ns}
	for _, e := range resolved.Entries {
		if slices.ContainsFunc(findings, func(f diag.Finding) bool { return f.File == e.Origin.File }) {
			continue
		}
		entry, err := r.entry(e, opened[e.Address.Key], origin{})
		if err != nil {
			return nil, err
		}
		out.entries = append(out.entries, entry)
	}
	return out, nil
}

// putBack writes to one target what differs there, and only what is then just as it was put there before.
func (r *Reconciler) putBack(ctx context.Context, v trust.Verified, j *judged, l look) error {
	differs := func(key string) bool {
		return slices.ContainsFunc(j.drift, func(d drift) bool { return d.restorable() && d.Target == l.target && d.Address.Key == key })
	}
	l.wanted = slices.DeleteFunc(slices.Clone(l.wanted), func(e plan.Entry) bool {
		return !differs(e.Address.Key) || e.Meta.Digest != l.owned[e.Address.Key].Meta.Digest
	})
	h := r.holding(ctx, l)
	if h.Err != nil || len(l.wanted) == 0 {
		return h.Err
	}
	maps.DeleteFunc(h.Owned, func(key string, _ state.Owned) bool {
		return !slices.ContainsFunc(l.wanted, func(e plan.Entry) bool { return e.Address.Key == key })
	})
	p, err := plan.Compute(r.owner(v), j.namespace, l.wanted, []plan.Holding{h})
	if err != nil || len(p.Held) > 0 {
		return err
	}
	for _, b := range p.Batches {
		for _, c := range b.Changes {
			if c.Meta != l.owned[c.Key].Meta {
				return fmt.Errorf("%s would not be what it was in target %s", c.Key, l.target)
			}
		}
	}
	results, err := apply.Run(ctx, ctx, v, []plan.Namespace{p}, r.stores)
	if err == nil {
		err = results[j.namespace][l.target]
	}
	for i := range j.drift {
		d := &j.drift[i]
		d.restored = d.restored || err == nil && d.Target == l.target && slices.ContainsFunc(l.wanted, func(e plan.Entry) bool { return e.Address == d.Address })
	}
	return err
}
