package reconcile

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/llm-config-manager/lcm/internal/apply"
	"github.com/llm-config-manager/lcm/internal/gitrepo"
	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/state"
	"github.com/llm-config-manager/lcm/internal/store"
	"github.com/llm-config-manager/lcm/internal/trust"
)

// A state file that was put back whole, as it was once, authenticates. What the targets were given since
// betrays it: the ratchet moves before anything is written, so that no mark is ever ahead of the state. The targets are
// asked once, by the first pass of a process, which is when the file may have been another.

// behindRule is the refusal of every revision while the state is older than what the targets hold.
const behindRule = "trust/state-behind"

// unaskedError is why a target is given nothing: it could not be asked since the start.
type unaskedError struct{ error }

func (e unaskedError) Error() string {
	return "it cannot be asked whether it was given something newer than the state knows of: " + e.error.Error()
}

func (e unaskedError) Unwrap() error { return e.error }

var errNotYet = errors.New("no pass did so yet")

// notBehind refuses to go on from a state that is older than some target. A target that does not answer
// stops nobody but itself: it is asked again by the next pass, and given nothing until then.
func (r *Reconciler) notBehind(ctx context.Context, ratchet state.Ratchet, v trust.Verified) (*trust.Refusal, error) {
	for _, name := range slices.Sorted(maps.Keys(r.unasked)) {
		marks, err := r.marksOf(ctx, name)
		if err != nil {
			r.Log.Warn("target cannot be asked what it was given", "target", name, "error", err)
			r.unasked[name] = err
			continue
		}
		for _, head := range []lcm.Revision{v.Revision(), ratchet.Accepted} {
			if marks, err = r.unknown(marks, head); err != nil {
				return nil, err
			}
		}
		if len(marks) > 0 {
			return &trust.Refusal{Commit: v.Revision(), Rule: behindRule, Reason: fmt.Sprintf("target %s was given %s, which the state never accepted, and the head of the branch is not built on that: "+
				"the state is an old one, and so may be the head; put the newest state back, or the branch to what is built on that", name, short(marks))}, nil
		}
		delete(r.unasked, name)
	}
	return nil, nil
}

// unknown returns those of some marks that the state never accepted, and that are not on the way to head either.
func (r *Reconciler) unknown(marks []lcm.Revision, head lcm.Revision) ([]lcm.Revision, error) {
	left := map[lcm.Revision]bool{}
	for _, m := range marks {
		_, accepted, err := r.State.AcceptedAt(m)
		if err != nil {
			return nil, err
		}
		if !accepted {
			left[m] = true
		}
	}
	for at := head; at != "" && len(left) > 0; {
		delete(left, at)
		c, err := r.Repo.Commit(at)
		switch {
		case errors.Is(err, gitrepo.ErrMissing) || err == nil && len(c.Parents) == 0:
			at = ""
		case err != nil:
			return nil, err
		default:
			at = c.Parents[0]
		}
	}
	return slices.Sorted(maps.Keys(left)), nil
}

// marks returns the revisions that the targets' markers of this repository name, sorted. That a target
// cannot tell is an error.
func (r *Reconciler) marks(ctx context.Context) ([]lcm.Revision, error) {
	var marks []lcm.Revision
	for name := range r.Targets {
		some, err := r.marksOf(ctx, name)
		if err != nil {
			return nil, &UnknownError{name, err}
		}
		marks = append(marks, some...)
	}
	slices.Sort(marks)
	return slices.Compact(marks), nil
}

func (r *Reconciler) marksOf(ctx context.Context, target string) ([]lcm.Revision, error) {
	t := r.Targets[target]
	all, err := t.Namespaces(ctx, r.Tenants)
	if err != nil {
		return nil, err
	}
	found := make([]store.Marker, len(all))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(apply.Parallel)
	for i, ns := range all {
		g.Go(func() (err error) {
			found[i], err = t.Marker(ctx, ns)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	var marks []lcm.Revision
	for _, m := range found {
		if m.Repository == r.Repository && lcm.ValidRevision(string(m.Revision)) {
			marks = append(marks, m.Revision)
		}
	}
	slices.Sort(marks)
	return slices.Compact(marks), nil
}

// anchor has some target name the revision in the marker of one namespace, where the pass gave none anything: a
// commit that only revokes a key changes nothing in the targets, and yet an older state must be told from the one that knows
// of it. It is best effort: a target that fails says so when it is given something.
func (r *Reconciler) anchor(ctx context.Context, v trust.Verified, report *Report) error {
	for _, n := range report.Plan.Namespaces {
		if len(n.Held) == 0 && len(n.Changes) > 0 {
			return nil
		}
	}
	inhabited, err := r.State.Inhabited("")
	for i, done := 0, false; err == nil && !done && i < len(inhabited); i++ {
		done, err = r.anchorIn(ctx, v, inhabited[i])
	}
	return errors.Join(err, ctx.Err())
}

// anchorIn sets the marker of a namespace in the first target that holds some of it and takes it. One that is not
// whole is left alone.
func (r *Reconciler) anchorIn(ctx context.Context, v trust.Verified, ns lcm.Namespace) (bool, error) {
	inventory, open, err := r.State.Inventory(ns)
	if err != nil || open != nil {
		return false, err
	}
	if n, err := r.State.Namespace(ns); err != nil || n.Pending() {
		return false, err
	}
	marker := store.Marker{Repository: r.Repository, Revision: v.Revision(), Phase: store.Whole, Term: r.term.number}
	for _, target := range slices.Sorted(maps.Keys(inventory)) {
		t, ok := r.stores[target]
		if !ok || len(inventory[target]) == 0 || r.unasked[target] != nil || r.term.barred[target] != nil {
			continue
		}
		was, err := t.Marker(ctx, ns)
		if was.Term < marker.Term { // that alone is no reason to write
			was.Term = marker.Term
		}
		if err == nil && was != marker {
			err = t.Apply(ctx, store.Batch{Namespace: ns, Marker: marker})
		}
		if err == nil {
			return true, nil
		}
		r.Log.Warn("target cannot be told the revision", "target", target, "error", err)
	}
	return false, nil
}
