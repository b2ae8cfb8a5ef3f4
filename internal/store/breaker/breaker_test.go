package breaker

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/store"
	"github.com/llm-config-manager/lcm/internal/store/bolt"
	"github.com/llm-config-manager/lcm/internal/store/storetest"
)

// TestConformance: behind a breaker a target is what it was.
func TestConformance(t *testing.T) {
	open := func(t *testing.T, path string) store.Target {
		b, err := bolt.New(bolt.Config{Path: path})
		if err != nil {
			t.Fatal(err)
		}
		return New("bolt", b, nil)
	}
	paths := map[store.Target]string{}
	storetest.Run(t, func(t *testing.T) store.Target {
		path := filepath.Join(storetest.NewDisk(t, 64<<20).Dir, "store.db")
		target := open(t, path)
		paths[target] = path
		return target
	}, storetest.Options{Atomic: true, Passes: 100, Reopen: func(t *testing.T, target store.Target) store.Target {
		if err := target.Close(); err != nil {
			t.Fatal(err)
		}
		return open(t, paths[target])
	}})
}

// server is a target that answers as told, after as long as told.
type server struct {
	store.Target // nil: of what is not defined here nothing may be asked
	err          atomic.Pointer[error]
	takes        time.Duration
	asked        atomic.Int32
}

func (s *server) answer(ctx context.Context) error {
	s.asked.Add(1)
	select {
	case <-time.After(s.takes):
	case <-ctx.Done():
		return fmt.Errorf("%w: %w", store.Outage("no answer"), ctx.Err())
	}
	return *s.err.Load()
}

func (s *server) now(err error) { s.err.Store(&err) }

func (s *server) List(ctx context.Context, _ lcm.Namespace) (store.Listing, error) {
	return store.Listing{Items: []store.Item{{Key: "x"}}}, s.answer(ctx)
}
func (s *server) Apply(ctx context.Context, _ store.Batch) error { return s.answer(ctx) }
func (s *server) Holds(ctx context.Context, _ lcm.Namespace, _ string, _ []byte) (bool, error) {
	return true, s.answer(ctx)
}
func (s *server) Namespaces(ctx context.Context, _ []string) ([]lcm.Namespace, error) {
	return nil, s.answer(ctx)
}
func (s *server) Get(ctx context.Context, _ lcm.Address) ([]byte, store.Meta, error) {
	return nil, store.Meta{}, s.answer(ctx)
}
func (s *server) Marker(ctx context.Context, _ lcm.Namespace) (store.Marker, error) {
	return store.Marker{}, s.answer(ctx)
}
func (s *server) LastChange(ctx context.Context, _ lcm.Address) (string, time.Time, error) {
	return "somebody", time.Time{}, s.answer(ctx)
}

var errDown = store.Outage("nobody there")

func world(t *testing.T, f func(t *testing.T, s *server, target *Target)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := &server{takes: time.Second}
		s.now(nil)
		f(t, s, New("t", s, nil))
	})
}

// ways is every call that reads, and returns its error.
var ways = map[string]func(context.Context, *Target) error{
	"List": func(ctx context.Context, t *Target) error { _, err := t.List(ctx, lcm.Namespace{}); return err },
	"Holds": func(ctx context.Context, t *Target) error {
		_, err := t.Holds(ctx, lcm.Namespace{}, "k", nil)
		return err
	},
	"Namespaces": func(ctx context.Context, t *Target) error { _, err := t.Namespaces(ctx, nil); return err },
	"Get":        func(ctx context.Context, t *Target) error { _, _, err := t.Get(ctx, lcm.Address{}); return err },
	"Marker":     func(ctx context.Context, t *Target) error { _, err := t.Marker(ctx, lcm.Namespace{}); return err },
	"Whole":      func(ctx context.Context, t *Target) error { _, err := t.Whole(ctx, lcm.Namespace{}); return err },
	"LastChange": func(ctx context.Context, t *Target) error { _, _, err := t.LastChange(ctx, lcm.Address{}); return err },
}

func list(ctx context.Context, target *Target) error { return ways["List"](ctx, target) }

// TestDown: after three outages in a row nothing is asked of a target, in whatever way, but a probe after each pause.
func TestDown(t *testing.T) {
	for name, way := range ways {
		t.Run(name, func(t *testing.T) {
			world(t, func(t *testing.T, s *server, target *Target) {
				s.now(fmt.Errorf("around it: %w", errDown))
				for i := range 10 {
					err := way(t.Context(), target)
					if !errors.Is(err, errDown) || !errors.Is(err, store.ErrOutage) {
						t.Fatal(err)
					}
					if refused := strings.Contains(err.Error(), "not asked again before 2000-01-01T00:00:08Z"); refused != (i >= threshold) {
						t.Errorf("call %d: %v", i, err)
					}
				}
				if d := target.Down(); s.asked.Load() != threshold || d == nil || d.Failures != threshold || !errors.Is(d.Err, errDown) || d.Until.Before(time.Now()) {
					t.Errorf("asked %d times, %+v", s.asked.Load(), d)
				}
				s.now(nil)
				time.Sleep(6 * time.Second)
				if err := way(t.Context(), target); err != nil || target.Down() != nil {
					t.Error(err, target.Down())
				}
			})
		})
	}
}

// TestPauseGrows: each probe in vain doubles the pause, up to five minutes; the first answer ends it all.
func TestPauseGrows(t *testing.T) {
	world(t, func(t *testing.T, s *server, target *Target) {
		s.takes = 0
		s.now(errDown)
		var at []time.Time
		for range 3600 {
			before := s.asked.Load()
			_ = list(t.Context(), target)
			if s.asked.Load() != before {
				at = append(at, time.Now())
			}
			time.Sleep(time.Second)
		}
		for i, want := range []time.Duration{1, 1, 5, 10, 20, 40, 80, 160, 300, 300, 300} {
			want *= time.Second
			if got := at[i+1].Sub(at[i]); got < want || got > want+want/jitterShare+time.Second {
				t.Errorf("%v after call %d, want %v", got, i+1, want)
			}
		}
		s.now(nil)
		time.Sleep(maxPause * 2)
		if err := list(t.Context(), target); err != nil {
			t.Error(err)
		}
		s.now(errDown)
		for range threshold {
			_ = list(t.Context(), target)
		}
		if d := time.Until(target.Down().Until); d > 6*time.Second {
			t.Error("after an answer the pause is still", d)
		}
	})
}

// TestAnswersCount: what a target answers, even if it refuses, shows that it is there.
func TestAnswersCount(t *testing.T) {
	for _, answer := range []error{nil, store.ErrConflict, store.ErrNotFound, errors.New("permission denied")} {
		world(t, func(t *testing.T, s *server, target *Target) {
			for range 10 {
				for range threshold - 1 {
					s.now(errDown)
					_ = list(t.Context(), target)
				}
				s.now(answer)
				if err := list(t.Context(), target); !errors.Is(err, answer) {
					t.Error(err)
				}
			}
			if d := target.Down(); d != nil {
				t.Errorf("after %v: %+v", answer, d)
			}
		})
	}
}

// TestGivenUp: a caller who gives up learns nothing of the target, whatever the error says.
func TestGivenUp(t *testing.T) {
	world(t, func(t *testing.T, s *server, target *Target) {
		s.takes = time.Minute
		for range 10 {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			if err := list(ctx, target); !errors.Is(err, store.ErrOutage) {
				t.Error(err)
			}
			cancel()
		}
		if d := target.Down(); d != nil {
			t.Errorf("%+v", d)
		}
	})
}

// TestProbe: of all who come when the pause is over one asks, and the others wait for what it learns.
func TestProbe(t *testing.T) {
	for name, up := range map[string]bool{"up again": true, "still down": false} {
		t.Run(name, func(t *testing.T) {
			world(t, func(t *testing.T, s *server, target *Target) {
				s.now(errDown)
				for range threshold {
					_ = list(t.Context(), target)
				}
				if up {
					s.now(nil)
				}
				s.asked.Store(0)
				time.Sleep(6 * time.Second)
				var all sync.WaitGroup
				var fine atomic.Int32
				for range 100 {
					all.Go(func() {
						if list(t.Context(), target) == nil {
							fine.Add(1)
						}
					})
				}
				synctest.Wait()
				if n := s.asked.Load(); n != 1 {
					t.Errorf("%d probes", n)
				}
				gone, cancel := context.WithTimeout(t.Context(), time.Millisecond)
				defer cancel()
				if err := list(gone, target); !errors.Is(err, context.DeadlineExceeded) {
					t.Error("whoever does not wait is let go:", err)
				}
				all.Wait()
				asked, want := s.asked.Load(), int32(1)
				if up {
					want = 100
				}
				if asked != want || fine.Load() != want-map[bool]int32{false: 1}[up] {
					t.Errorf("asked %d times, %d fine", asked, fine.Load())
				}
			})
		})
	}
}

// TestProbeGivenUp: another takes the place of a probe whose caller gives up.
func TestProbeGivenUp(t *testing.T) {
	world(t, func(t *testing.T, s *server, target *Target) {
		s.now(errDown)
		for range threshold {
			_ = list(t.Context(), target)
		}
		s.now(nil)
		time.Sleep(6 * time.Second)
		impatient, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		go func() { _ = list(impatient, target) }()
		synctest.Wait()
		if err := list(t.Context(), target); err != nil || target.Down() != nil {
			t.Error(err, target.Down())
		}
	})
}

// TestWritesAlone: a target that only reads is read, and not written to.
func TestWritesAlone(t *testing.T) {
	world(t, func(t *testing.T, s *server, target *Target) {
		for range threshold {
			s.now(errDown)
			_ = target.Apply(t.Context(), store.Batch{})
			s.now(nil)
			if err := list(t.Context(), target); err != nil {
				t.Error(err)
			}
		}
		asked := s.asked.Load()
		if err := target.Apply(t.Context(), store.Batch{}); !errors.Is(err, errDown) || s.asked.Load() != asked || target.Down() == nil {
			t.Error(err, target.Down())
		}
		if l, err := target.List(t.Context(), lcm.Namespace{}); err != nil || !slices.EqualFunc(l.Items, []string{"x"}, func(i store.Item, k string) bool { return i.Key == k }) {
			t.Error(l, err)
		}
	})
}

// TestOneThatIsNoWitness: nothing is known, and that is no error.
func TestOneThatIsNoWitness(t *testing.T) {
	who, at, err := New("t", struct{ store.Target }{&server{}}, nil).LastChange(t.Context(), lcm.Address{})
	if who != "" || !at.IsZero() || err != nil {
		t.Error(who, at, err)
	}
}
