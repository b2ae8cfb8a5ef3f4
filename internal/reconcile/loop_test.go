package reconcile

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

// passes stands for what a reconciler does in its passes.
type passes struct {
	mu      sync.Mutex
	took    time.Duration // each of them
	err     error
	resumes time.Duration // after the end of each, something need not wait any more; 0: nothing waits
	running int
	begun   []time.Duration // since the first
	options []Options
	origin  time.Time
}

func (p *passes) pass(ctx context.Context, o Options) (*Report, error) {
	p.mu.Lock()
	if p.running++; p.running > 1 {
		panic("two passes at a time")
	}
	if p.origin.IsZero() {
		p.origin = time.Now()
	}
	p.begun, p.options = append(p.begun, time.Since(p.origin)), append(p.options, o)
	took, err, n := p.took, p.err, len(p.begun)
	p.mu.Unlock()
	select {
	case <-time.After(took):
	case <-ctx.Done():
		err = ctx.Err()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.running--
	if err != nil {
		return nil, err
	}
	report := &Report{Worked: n}
	if p.resumes > 0 {
		report.resumes = time.Now().Add(p.resumes)
	}
	return report, nil
}

func (p *passes) set(f func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f()
}

func (p *passes) made() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.begun)
}

// looping runs a loop over passes in a bubble of time, and stops it at the end.
func looping(t *testing.T, p *passes, s Schedule, f func(t *testing.T, l *loop)) {
	t.Helper()
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	synctest.Test(t, func(t *testing.T) {
		l, done := newLoop(p.pass), 0
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- l.run(ctx, s, func(*Report, error) { done++ }) }()
		synctest.Wait()
		f(t, l)
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if n := p.made(); done != n && done != n-1 { // the last may have been cut off
			t.Errorf("%d of %d passes were told", done, n)
		}
		if next, _ := l.standing(); next != nil {
			t.Error("a pass is said to be due, and the loop has ended")
		}
	})
}

func TestScheduleIsTheFloor(t *testing.T) {
	p := &passes{took: time.Second}
	looping(t, p, Schedule{Passes: "@every 30s"}, func(*testing.T, *loop) { time.Sleep(10 * time.Minute) })
	late := 0
	for i := 1; i < len(p.begun); i++ {
		d := p.begun[i] - p.begun[i-1]
		if d < 29*time.Second || d > 33*time.Second+time.Millisecond { // cron cuts off parts of a second
			t.Errorf("a pass %v after the one before", d)
		}
		if d != 30*time.Second {
			late++
		}
	}
	if late == 0 {
		t.Error("no jitter")
	}
	if n := len(p.begun); n < 18 || n > 21 {
		t.Errorf("%d passes in ten minutes", n)
	}
}

// TestPassesAreShared: whoever asks while a pass runs gets the next one, and all of them the same.
func TestPassesAreShared(t *testing.T) {
	p := &passes{took: time.Minute}
	looping(t, p, Schedule{Passes: "@hourly"}, func(t *testing.T, l *loop) {
		time.Sleep(10 * time.Second) // the first pass runs
		var asking sync.WaitGroup
		for i := range 100 {
			asking.Go(func() {
				r, err := l.request(t.Context(), Options{Everything: i == 50})
				if err != nil || r.Worked != 2 {
					t.Errorf("%+v, %v", r, err)
				}
			})
			l.ask(Options{}, nil)
		}
		asking.Wait()
		time.Sleep(10 * time.Minute)
	})
	if len(p.begun) != 2 || p.begun[1] != time.Minute || !p.options[1].Everything || p.options[0].Everything {
		t.Errorf("%v %+v", p.begun, p.options)
	}
}

func TestAskedForAtRest(t *testing.T) {
	p := &passes{}
	looping(t, p, Schedule{Passes: "@hourly"}, func(t *testing.T, l *loop) {
		if r, err := l.request(t.Context(), Options{}); err != nil || r.Worked != 2 {
			t.Errorf("%+v, %v", r, err)
		}
		l.ask(Options{}, nil)
		synctest.Wait()
		if n := p.made(); n != 3 {
			t.Errorf("%d passes", n)
		}
		gone, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		p.set(func() { p.took = time.Minute })
		if _, err := l.request(gone, Options{}); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v: whoever goes away is let go", err)
		}
		for _, o := range []Options{{DryRun: true}, {Revision: "abc"}} {
			if _, err := l.request(t.Context(), o); err == nil {
				t.Errorf("%+v was taken", o)
			}
		}
	})
}

// TestNobodyWaitsForever: who waits when the loop ends is told so.
func TestNobodyWaitsForever(t *testing.T) {
	p, got := &passes{took: time.Hour}, make(chan error, 1)
	looping(t, p, Schedule{Passes: "@hourly"}, func(t *testing.T, l *loop) {
		go func() {
			_, err := l.request(context.Background(), Options{})
			got <- err
		}()
		synctest.Wait()
	})
	if err := <-got; !errors.Is(err, errStopped) {
		t.Error(err)
	}
}

func TestDriftIsSearchedFor(t *testing.T) {
	p := &passes{}
	looping(t, p, Schedule{Passes: "@every 1m", Drift: "@every 10m"}, func(*testing.T, *loop) { time.Sleep(35 * time.Minute) })
	var at []time.Duration
	for i, o := range p.options {
		if o.Everything {
			at = append(at, p.begun[i].Round(time.Minute))
		}
	}
	if len(at) != 3 || at[0] < 10*time.Minute || at[0] > 11*time.Minute {
		t.Errorf("everything was compared at %v", at)
	}
}

// TestFailedFetchesBecomeRarer: each failure doubles the time up to five minutes; success, or somebody who asks, ends that.
func TestFailedFetchesBecomeRarer(t *testing.T) {
	p := &passes{err: fmt.Errorf("%w: nobody there", errFetch)}
	looping(t, p, Schedule{Passes: "@every 30s", Drift: "@every 1m"}, func(t *testing.T, l *loop) {
		time.Sleep(time.Hour)
		synctest.Wait()
		next, failures := l.standing()
		if failures < 10 || next == nil || time.Until(*next) > maxBackoff+maxBackoff/jitterShare {
			t.Errorf("%d failures, next at %v", failures, next)
		}
		before := p.made()
		l.ask(Options{}, nil)
		synctest.Wait()
		if _, failures := l.standing(); failures != 1 || p.made() != before+1 {
			t.Errorf("asked for, and failed: %d failures after %d passes", failures, p.made()-before)
		}
		p.set(func() { p.err = nil })
		time.Sleep(2 * time.Minute)
		if next, failures := l.standing(); failures != 0 || time.Until(*next) > 34*time.Second {
			t.Errorf("mended: %d failures, next at %v", failures, next)
		}
		if !slices.ContainsFunc(p.options[before:], func(o Options) bool { return o.Everything }) {
			t.Error("the search for drift was forgotten")
		}
	})
	for i, want := range []time.Duration{30, 60, 120, 240, 300, 300} {
		want *= time.Second
		if got := p.begun[i+1] - p.begun[i]; got < want-time.Second || got > want+want/jitterShare+time.Second {
			t.Errorf("%v after failure %d, want %v", got, i+1, want)
		}
	}
}

// TestOtherFailuresDoNotWait: what is wrong here, and not at the forge, does not make passes rarer.
func TestOtherFailuresDoNotWait(t *testing.T) {
	p := &passes{err: errors.New("the state is broken")}
	looping(t, p, Schedule{Passes: "@every 30s"}, func(t *testing.T, l *loop) {
		time.Sleep(10 * time.Minute)
		if _, failures := l.standing(); failures != 0 || p.made() < 18 {
			t.Errorf("%d failures, %d passes", failures, p.made())
		}
	})
}

func TestTimetable(t *testing.T) {
	at := time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		schedule    string
		failures    int
		least, most time.Duration
	}{
		{"@every 1s", 0, time.Second, 1100 * time.Millisecond},
		{"@every 1s", 4, 8 * time.Second, 9 * time.Second},
		{"@every 1s", 100, 5 * time.Minute, 330 * time.Second},
		{"@every 10m", 100, 10 * time.Minute, 11 * time.Minute},
		{"@hourly", 1000, time.Hour, time.Hour + time.Minute},
		{"@yearly", 1000, 306*24*time.Hour - 10*time.Hour, 306 * 24 * time.Hour},
		{"*/5 * * * *", 3, 5 * time.Minute, 330 * time.Second},
		{"0 0 30 2 *", 0, 99 * 365 * 24 * time.Hour, 101 * 366 * 24 * time.Hour},
		{"0 0 30 2 *", 1000, 99 * 365 * 24 * time.Hour, 101 * 366 * 24 * time.Hour},
	} {
		table, err := newTimetable(Schedule{Passes: c.schedule})
		if err != nil {
			t.Fatal(err)
		}
		if got := table.next(at, c.failures).Sub(at); got < c.least || got > c.most+1 {
			t.Errorf("%s after %d failures: %v", c.schedule, c.failures, got)
		}
	}
	if _, err := newTimetable(Schedule{Passes: "@every 30s", Drift: "never"}); err == nil {
		t.Error("a schedule that is none")
	}
}

// TestRun is the loop over real passes: what is committed is there once the pass that was asked for is told.
func TestRun(t *testing.T) {
	w := newWorld(t, map[string]string{"namespaces/acme/shop/chat/production/greeting.yaml": config("one")})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- w.r.Run(ctx, Schedule{Passes: "@hourly"}, func(*Report, error) {}) }()
	if r, err := w.r.Request(ctx, Options{}); err != nil || r.Revision != w.head {
		t.Fatalf("%+v, %v", r, err)
	}
	if s, err := w.r.Status(); err != nil || s.NextPass == nil || s.Failures != 0 {
		t.Errorf("%+v, %v", s, err)
	}
	w.commit("two", map[string]string{"namespaces/acme/shop/chat/production/greeting.yaml": config("two")})
	r, err := w.r.Request(ctx, Options{})
	w.check(err)
	w.expect(r, "update acme/shop/chat/production/greeting v2")
	w.check(os.Rename(filepath.Join(w.dir, "origin.git"), filepath.Join(w.dir, "gone.git")))
	w.r.Poke()
	if _, err := w.r.Request(ctx, Options{}); !errors.Is(err, errFetch) {
		t.Error(err)
	}
	cancel()
	w.check(<-ended)
}
