package reconcile

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/llm-config-manager/lcm/internal/apply"
	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/plan"
	"github.com/llm-config-manager/lcm/internal/state"
	"github.com/llm-config-manager/lcm/internal/store"
	"github.com/llm-config-manager/lcm/internal/trust"
)

// Office is what one of several replicas holds while it makes passes, and no other does. All fields are required. A State
// that is shared is loaded whenever it is held.
type Office struct {
	// Enter returns a context that ends, if not with ctx, before another replica can hold the office, and the number of
	// the term; an error, if this one does not hold it.
	Enter func(ctx context.Context) (context.Context, context.CancelFunc, uint64, error)
	// Exceeded gives the office back, since a target has seen a higher term.
	Exceeded func(term uint64)
	// Role tells who holds it.
	Role func() StatusReplica
}

// StatusReplica is what this replica is among several.
type StatusReplica struct {
	Name   string     `json:"name"`
	Role   string     `json:"role"`   // leader or follower
	Leader string     `json:"leader"` // the replica that leads; "" for none, as far as is known
	Term   uint64     `json:"term"`   // of the leader
	Since  *time.Time `json:"since"`  // the term; null for none
	Error  string     `json:"error"`  // why it can't be told who leads
}

// The roles.
const (
	Leader   = "leader"
	Follower = "follower"
)

// term is what a reconciler knows of the term that it makes passes in.
type term struct {
	number uint64
	raised map[string]bool  // targets in which the leaders before this one can't write any more
	barred map[string]error // those that could not be told
}

// enter begins a pass in the term that there is. What a term before it remembered of the state may be another's work by now.
func (r *Reconciler) enter(ctx context.Context) (context.Context, context.CancelFunc, error) {
	if r.Office == nil {
		return ctx, func() {}, nil
	}
	ctx, leave, number, err := r.Office.Enter(ctx)
	if err != nil {
		return nil, nil, err
	}
	if number != r.term.number {
		r.term = term{number: number, raised: map[string]bool{}}
		r.kept, r.before = Receipt{}, nil
		r.seen.forget()
		r.active.forget()
		r.whole.Store(nil)
		for name := range r.Targets {
			r.unasked[name] = errNotYet
		}
	}
	return ctx, leave, nil
}

// mayPass says why this replica makes no passes, if it is not the one that does.
func (r *Reconciler) mayPass(ctx context.Context) error {
	if r.Office == nil {
		return nil
	}
	_, leave, _, err := r.Office.Enter(ctx)
	if err == nil {
		leave()
	}
	return err
}

func (s *sightings) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fetched, s.failure, s.last, s.recorded = time.Time{}, "", nil, nil
}

// owner is who writes in this pass.
func (r *Reconciler) owner(v trust.Verified) plan.Owner {
	return plan.Owner{Repository: r.Repository, Revision: v.Revision(), Version: r.State.Version, Term: r.term.number}
}

// raise keeps the leaders before this one out of the targets, before the first is listed: where they may still have a
// write under way, and nowhere else, there is an intent that has not ended, and it is in the state, where they can't
// record another. A target that can't be told is given nothing until it can.
func (r *Reconciler) raise(ctx context.Context, o Options) error {
	if r.term.number == 0 || o.DryRun || len(r.term.raised) == len(r.Targets) {
		return nil
	}
	open, err := r.State.OpenIntents()
	if err != nil {
		return err
	}
	r.term.barred = map[string]error{}
	for name := range r.Targets {
		if r.term.raised[name] {
			continue
		}
		if err := r.raiseIn(ctx, name, open); err != nil {
			r.Log.Warn("target can't be told that there is another leader", "target", name, "error", err)
			r.term.barred[name] = err
			continue
		}
		r.term.raised[name] = true
	}
	return ctx.Err()
}

func (r *Reconciler) raiseIn(ctx context.Context, target string, open map[lcm.Namespace]state.Intent) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(apply.Parallel)
	for ns, i := range open {
		_, wrote := i.Inventory[target]
		if wrote || len(i.Deletes[target]) > 0 {
			g.Go(func() error { return store.Raise(ctx, r.stores[target], ns, r.Repository, r.term.number) })
		}
	}
	return g.Wait()
}

// barredError is why a target is given nothing in this term.
type barredError struct{ error }

func (e barredError) Error() string {
	return "it cannot be told that there is another leader: " + e.error.Error()
}

func (e barredError) Unwrap() error { return e.error }

// guarded is a target that notices that a later leader has written to it.
type guarded struct {
	store.Target
	office *Office
}

func (o *Office) guard(t store.Target) store.Target {
	if o == nil {
		return t
	}
	return guarded{t, o}
}

// Apply implements store.Writer. The context of a pass ends with the term by the clock, also in a process that was stopped.
func (g guarded) Apply(ctx context.Context, b store.Batch) error {
	if ctx.Err() != nil {
		return fmt.Errorf("%s: %w", b.Namespace, context.Cause(ctx))
	}
	err := g.Target.Apply(ctx, b)
	if fenced := (*store.FencedError)(nil); errors.As(err, &fenced) {
		g.office.Exceeded(fenced.Term)
	}
	return err
}

// LastChange implements store.Witness. Of a target that is none, nothing is known.
func (g guarded) LastChange(ctx context.Context, addr lcm.Address) (who string, at time.Time, err error) {
	if w, ok := g.Target.(store.Witness); ok {
		return w.LastChange(ctx, addr)
	}
	return "", time.Time{}, nil
}

// Down implements store.Fallible.
func (g guarded) Down() *store.Down {
	if f, ok := g.Target.(store.Fallible); ok {
		return f.Down()
	}
	return nil
}

// leads tells of the replicas, and reports whether this one knows what else there is to tell.
func (s *Status) leads(r *Reconciler) bool {
	role := r.Office.Role()
	s.Replica = &role
	_, _, err := r.State.Ratchet()
	switch {
	case role.Error != "":
		s.NotReady = append(s.NotReady, "it can't be told who leads: "+role.Error)
	case role.Role == Leader && errors.Is(err, state.ErrNotLoaded):
		s.NotReady = append(s.NotReady, "it has just become the leader, and loads the state")
	case role.Role == Leader:
		return true
	}
	s.Ready, s.partial = len(s.NotReady) == 0, true
	return false
}
