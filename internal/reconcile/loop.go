package reconcile

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/robfig/cron/v3"
)

// Schedule says when passes are made, in robfig/cron's words: "@every 30s" or five fields.
type Schedule struct {
	Passes string // required
	Drift  string // "": drift is never searched for
}

// CheckSchedule reports what is wrong with a schedule.
func CheckSchedule(s string) error {
	_, err := cron.ParseStandard(s)
	return err
}

// Bounds of when passes are made.
const (
	maxBackoff  = 5 * time.Minute // between passes while the repository can't be fetched, if the schedule has more of them
	jitterShare = 10              // a scheduled pass comes up to this part of the interval late, so that a thousand daemons don't ask a forge at once
	maxJitter   = time.Minute
)

// loop makes the passes of a reconciler, one at a time: by the schedule, and for those who ask.
type loop struct {
	pass func(context.Context, Options) (*Report, error)
	bell chan struct{} // of capacity 1; it rings while somebody asks

	mu       sync.Mutex // guards what follows
	asked    Options    // all that was asked for since the last pass began
	waiting  []chan<- made
	called   bool      // somebody asked, and did not only wait for the schedule
	next     time.Time // when the next pass is due; zero while one is made, and while Run does not run
	failures int       // how often in a row the repository could not be fetched
}

// made is what became of a pass.
type made struct {
	report *Report
	err    error
}

func newLoop(pass func(context.Context, Options) (*Report, error)) *loop {
	return &loop{pass: pass, bell: make(chan struct{}, 1)}
}

// errStopped is what those get who still wait for a pass when there will be none.
var errStopped = errors.New("the daemon stops, and makes no more passes")

// Poke asks for a pass soon, and returns at once. One that is being made may have fetched already, so another follows it;
// however often it is asked for meanwhile, it is one.
func (r *Reconciler) Poke() { r.Ask(Options{}) }

// Ask is Poke for a pass with options. One that makes no passes, see Closed, is asked in vain.
func (r *Reconciler) Ask(o Options) {
	if r.loop != nil {
		r.loop.ask(o, nil)
	}
}

// Request asks for a pass that begins after now, and waits for its report, which is to be read only: others who
// asked get the same. While Run does not run, it waits. That ctx ends ends the waiting, not the pass. Plans are for Pass.
func (r *Reconciler) Request(ctx context.Context, o Options) (*Report, error) {
	if err := r.mayPass(ctx); err != nil {
		return nil, err
	}
	return r.loop.request(ctx, o)
}

func (l *loop) request(ctx context.Context, o Options) (*Report, error) {
	if o.DryRun || o.Revision != "" {
		return nil, errors.New("reconcile: a plan is not asked for, it is made")
	}
	done := make(chan made, 1)
	l.ask(o, done)
	select {
	case m := <-done:
		return m.report, m.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (l *loop) ask(o Options, done chan<- made) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.asked, l.called = l.asked.and(o), true
	if done != nil {
		l.waiting = append(l.waiting, done)
	}
	select {
	case l.bell <- struct{}{}:
	default: // it rings already
	}
}

// and is the options of one pass that serves two who asked.
func (o Options) and(p Options) Options {
	o.Everything = o.Everything || p.Everything
	o.Despite = slices.Concat(o.Despite, p.Despite)
	return o
}

// Run makes a pass at once and then by the schedule and whenever it is asked for, until ctx ends. Each pass is handed to
// done. What is due or asked for while a pass runs is served by one pass after it. While the repository can't be
// fetched, passes become rarer, until one succeeds or somebody asks.
func (r *Reconciler) Run(ctx context.Context, s Schedule, done func(*Report, error)) error {
	return r.loop.run(ctx, s, done)
}

func (l *loop) run(ctx context.Context, s Schedule, done func(*Report, error)) error {
	t, err := newTimetable(s)
	if err != nil {
		return err
	}
	defer l.stop()
	for {
		begun := time.Now()
		o, waiting := l.begin(t.driftDue(begun))
		report, err := l.pass(ctx, o)
		for _, w := range waiting {
			w <- made{report, err}
		}
		if err != nil && ctx.Err() != nil {
			return nil
		}
		done(report, err)
		due := l.end(t, begun, o, report, err)
		if !l.wait(ctx, time.Until(due)) {
			return nil
		}
	}
}

// begin takes what was asked for.
func (l *loop) begin(drift bool) (Options, []chan<- made) {
	l.mu.Lock()
	defer l.mu.Unlock()
	o, waiting := l.asked, l.waiting
	if l.called {
		l.failures = 0 // whoever asks has a reason to: a webhook is a sign of life
	}
	select {
	case <-l.bell: // this pass serves whoever rang
	default:
	}
	o.Everything = o.Everything || drift
	l.asked, l.waiting, l.called, l.next = Options{}, nil, false, time.Time{}
	return o, waiting
}

// end notes how a pass went, and says when the next is due: at the latest when something that waits has waited enough.
func (l *loop) end(t *timetable, begun time.Time, o Options, report *Report, err error) time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.failures++; !errors.Is(err, errFetch) {
		l.failures = 0
	}
	if err == nil && o.Everything {
		t.searched(begun)
	}
	l.next = t.next(begun, l.failures)
	if report != nil && !report.resumes.IsZero() && report.resumes.Before(l.next) {
		l.next = report.resumes
	}
	return l.next
}

// wait returns true when it is time or somebody asks, and false when ctx ends.
func (l *loop) wait(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-l.bell:
	case <-timer.C:
	}
	return ctx.Err() == nil
}

func (l *loop) stop() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, w := range l.waiting {
		w <- made{err: errStopped}
	}
	l.waiting, l.next = nil, time.Time{}
}

// standing is when the next pass is due, if one is, and how often in a row the repository could not be fetched.
func (l *loop) standing() (next *time.Time, failures int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.next.IsZero() {
		at := l.next.UTC()
		next = &at
	}
	return next, l.failures
}

// timetable says when passes are due.
type timetable struct {
	passes, drifts cron.Schedule // drifts is nil if there are none
	drift          time.Time     // when drift is to be searched for
}

func newTimetable(s Schedule) (*timetable, error) {
	t := &timetable{}
	var err error
	if t.passes, err = cron.ParseStandard(s.Passes); err != nil {
		return nil, fmt.Errorf("schedule %q: %w", s.Passes, err)
	}
	if s.Drift == "" {
		return t, nil
	}
	if t.drifts, err = cron.ParseStandard(s.Drift); err != nil {
		return nil, fmt.Errorf("driftSchedule %q: %w", s.Drift, err)
	}
	t.searched(time.Now())
	return t, nil
}

func (t *timetable) driftDue(now time.Time) bool { return t.drifts != nil && !now.Before(t.drift) }

// searched notes that everything was compared by a pass that began then.
func (t *timetable) searched(begun time.Time) {
	if t.drifts != nil {
		t.drift = late(begun, following(t.drifts, begun))
	}
}

// next is when the pass after one that began then is due. Each failure in a row doubles the time, and none makes it
// shorter than the schedule says. Drift is not searched for earlier while there are failures.
func (t *timetable) next(begun time.Time, failures int) time.Time {
	second, skip := begun.Truncate(time.Second), time.Duration(0) // which is as exactly as schedules count
	if interval := following(t.passes, second).Sub(second); failures > 1 && interval < maxBackoff {
		skip = min(interval*(1<<min(failures-1, 16)), maxBackoff) - interval
	}
	due := late(begun, following(t.passes, begun.Add(skip)))
	if failures == 0 && t.drifts != nil && t.drift.After(begun) && t.drift.Before(due) {
		return t.drift
	}
	return due
}

// following is when a schedule fires next.
func following(s cron.Schedule, t time.Time) time.Time {
	if at := s.Next(t); !at.IsZero() {
		return at
	}
	return t.AddDate(100, 0, 0) // it never does, as on the 30th of February
}

// late adds jitter to a time that is due.
func late(now, due time.Time) time.Time {
	return due.Add(rand.N(max(0, min(due.Sub(now)/jitterShare, maxJitter)) + 1))
}
