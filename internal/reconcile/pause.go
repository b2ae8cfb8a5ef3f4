package reconcile

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/plan"
	"github.com/llm-config-manager/lcm/internal/state"
	"github.com/llm-config-manager/lcm/internal/tree"
	"github.com/llm-config-manager/lcm/internal/trust"
)

// A namespace that is suspended, or whose windows are closed, is believed, judged and planned as any other; only nothing
// is written for it, and nothing of what is told is an error for that. What it needs waits, and is done by the first
// pass after that has ended.

// Pause is why changes of a namespace wait. As JSON it is part of lcm.status/v1 and lcm.pass/v1.
type Pause struct {
	state.Suspension           // of windows only the pattern
	Opens            time.Time `json:"opens,omitzero"` // when one of its windows opens next; zero: it is suspended

	restores bool // what somebody changed by hand is put right all the same
}

// Window reports whether it is only that the windows are closed.
func (p Pause) Window() bool { return !p.Opens.IsZero() }

// ends is when it ends by itself; zero: it does not.
func (p Pause) ends() time.Time {
	if p.Window() {
		return p.Opens
	}
	return p.Until
}

// pauses tells what waits at one time.
type pauses struct {
	suspended []suspended
	windows   []window
	despite   []lcm.Pattern // namespaces whose windows don't count
}

type suspended struct {
	pattern lcm.Pattern
	state.Suspension
}

type window struct {
	Window
	open bool
	next time.Time
}

// pauses reads what waits now, by what is recorded.
func (r *Reconciler) pauses(o Options) (*pauses, error) {
	all, err := r.State.Suspensions()
	if err != nil {
		return nil, err
	}
	p := &pauses{}
	for _, e := range o.Despite {
		pattern, err := lcm.ParsePattern(e.Namespaces)
		if err != nil {
			return nil, err
		}
		p.despite = append(p.despite, pattern)
	}
	now := r.Now()
	for _, w := range r.Windows {
		open, next := w.state(now)
		p.windows = append(p.windows, window{w, open, next})
	}
	return p, p.suspend(slices.Concat(all.Operator, all.Repository), now)
}

func (p *pauses) suspend(all []state.Suspension, now time.Time) error {
	for _, s := range all {
		pattern, err := lcm.ParsePattern(s.Namespaces)
		if err != nil {
			return fmt.Errorf("a suspension: %w", err)
		}
		if s.InForce(now) {
			p.suspended = append(p.suspended, suspended{pattern, s})
		}
	}
	return nil
}

// of tells why changes of a namespace wait; nil if they do not.
func (p *pauses) of(ns lcm.Namespace) *Pause {
	name := ns.String()
	for _, s := range p.suspended {
		if s.pattern.Match(name) {
			return &Pause{Suspension: s.Suspension}
		}
	}
	if slices.ContainsFunc(p.despite, func(d lcm.Pattern) bool { return d.Match(name) }) {
		return nil
	}
	return p.closed(name)
}

// closed tells that all windows of a namespace are closed; nil if one is open, or there is none.
func (p *pauses) closed(name string) (out *Pause) {
	for _, w := range p.windows {
		switch {
		case !w.Namespaces.Match(name):
			continue
		case w.open:
			return nil
		case out == nil:
			out = &Pause{Suspension: state.Suspension{Namespaces: w.Namespaces.String()}, Opens: w.next, restores: !w.HoldDrift}
			continue
		case w.next.Before(out.Opens):
			out.Namespaces, out.Opens = w.Namespaces.String(), w.next
		}
		out.restores = out.restores && !w.HoldDrift
	}
	return out
}

// suspend takes note of what lcm.yaml of the revision suspends: from now on, for its own changes too.
func (r *Reconciler) suspend(v trust.Verified, t *tree.Tree, j *job, o Options) error {
	known, err := r.State.Suspensions()
	if err != nil {
		return err
	}
	now := []state.Suspension(nil)
	for _, s := range t.Settings().Suspend {
		next := state.Suspension{Namespaces: s.Namespaces.String(), Reason: s.Reason, Until: s.Until, Commit: v.Revision(), Since: r.Now()}
		for _, k := range known.Repository {
			if k.Namespaces == next.Namespaces && k.Reason == next.Reason && k.Until.Equal(next.Until) {
				next = k
			}
		}
		now = append(now, next)
	}
	j.pauses.suspended = slices.DeleteFunc(j.pauses.suspended, func(s suspended) bool { return s.Commit != "" })
	if err := j.pauses.suspend(now, r.Now()); err != nil || o.DryRun || slices.Equal(now, known.Repository) {
		return err
	}
	return r.State.RepositorySuspends(now)
}

// except records that a pass takes no notice of some windows.
func (r *Reconciler) except(v trust.Verified, o Options) error {
	if o.DryRun {
		return nil
	}
	for _, e := range o.Despite {
		e.At, e.Revision = r.Now(), v.Revision()
		r.Log.Warn("changes are carried out despite closed windows", "namespaces", e.Namespaces, "by", e.By, "reason", e.Reason)
		if err := r.State.Except(e); err != nil {
			return err
		}
	}
	return nil
}

// waits reports whether there is something to do for a namespace that is not done now.
func (j *judged) waits(p plan.Namespace) bool {
	return j.pause != nil && len(p.Held) == 0 && len(p.Batches)+len(p.Unlisted) > 0
}

// waiting counts the changes that wait; 1 where a target could not be asked.
func (j *judged) waiting(p plan.Namespace) int {
	n := 0
	for _, c := range p.Changes {
		if !slices.ContainsFunc(j.drift, func(d drift) bool { return d.restored && d.alone && d.Address == c.Address && d.Target == c.Target }) {
			n++
		}
	}
	if n == 0 && len(p.Unlisted) > 0 {
		return 1
	}
	return n
}

// Suspend has nothing written for some namespaces. Once it returns without an error nothing is, not even by a pass that
// is under way; an error of the context says that such a pass is still at it.
func (r *Reconciler) Suspend(ctx context.Context, s state.Suspension) error {
	if s.Since.IsZero() {
		s.Since = r.Now()
	}
	if err := r.State.Suspend(s); err != nil {
		return err
	}
	until := "it is resumed"
	if !s.Until.IsZero() {
		until = stamp(s.Until)
	}
	r.Log.Warn("suspended", "namespaces", s.Namespaces, "by", s.By, "reason", s.Reason, "until", until)
	if r.loop == nil { // it makes no passes
		return nil
	}
	select {
	case r.writing <- struct{}{}: // what begins after that reads what is suspended
		<-r.writing
		return nil
	case <-ctx.Done():
		return fmt.Errorf("it is suspended, but a pass that began before is still writing: %w", ctx.Err())
	}
}

// Resume ends those suspensions of operators that are chosen. The next pass does what waited for it.
func (r *Reconciler) Resume(chosen func(state.Suspension) bool, by string) ([]state.Suspension, error) {
	ended, err := r.State.Resume(chosen)
	for _, s := range ended {
		r.Log.Warn("resumed", "namespaces", s.Namespaces, "by", by, "suspendedBy", s.By, "since", s.Since)
	}
	return ended, err
}

// write begins to write for some namespaces, but for those that were suspended or whose windows closed meanwhile. It
// returns what ends that.
func (r *Reconciler) write(ctx context.Context, js []*judged, o Options) (func(), error) {
	select {
	case r.writing <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	done := func() { <-r.writing }
	now, err := r.pauses(o)
	if err != nil {
		done()
		return nil, err
	}
	for _, j := range js {
		if p := now.of(j.namespace); p != nil {
			j.pause = p
		}
	}
	return done, nil
}
