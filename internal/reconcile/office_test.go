package reconcile

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/store"
)

// office is one that a test gives and takes.
type office struct {
	term     uint64 // 0: it is another's
	exceeded uint64
}

var errOther = errors.New("another replica is in office")

func (f *office) wire() *Office {
	return &Office{
		Enter: func(ctx context.Context) (context.Context, context.CancelFunc, uint64, error) {
			if f.term == 0 {
				return nil, nil, 0, errOther
			}
			ctx, cancel := context.WithCancel(ctx)
			return ctx, cancel, f.term, nil
		},
		Exceeded: func(term uint64) { f.exceeded = term },
		Role: func() StatusReplica {
			if f.term == 0 {
				return StatusReplica{Name: "a", Role: Follower, Leader: "b", Term: 7}
			}
			return StatusReplica{Name: "a", Role: Leader, Leader: "a", Term: f.term}
		},
	}
}

// inOffice has the world's reconciler be one of several.
func (w *world) inOffice(f *office) {
	w.Helper()
	w.r.Office = f.wire()
	for name, t := range w.r.Targets {
		w.r.stores[name] = w.r.Office.guard(t.Target)
	}
}

// stoppedTarget is one before which the process was stopped: what it was to write is kept, for when it wakes up.
type stoppedTarget struct {
	store.Target
	batches []store.Batch
}

func (l *stoppedTarget) Apply(_ ctxT, b store.Batch) error {
	l.batches = append(l.batches, b)
	return errors.New("stopped")
}

var devSpace = lcm.Service{Org: "acme", Project: "p", Name: "s"}.In("development")

// A leader is stopped just before it makes an entry. The next one finds that the head, which has taken it back, is what
// the target holds, and has nothing to write there. Then the first wakes up.
func TestTheLeaderBeforeWritesNothingLater(t *testing.T) {
	w := newWorld(t, map[string]string{dev + "a.yaml": config("one"), "namespaces/acme/p/another/development/a.yaml": config("one")})
	f := &office{term: 1}
	w.inOffice(f)
	w.pass(Options{})
	if m, _ := w.r.Targets["runtime"].Marker(t.Context(), devSpace); m.Term != 1 {
		t.Errorf("%+v", m)
	}
	stopped := &stoppedTarget{Target: w.r.Targets["runtime"].Target}
	w.r.stores["runtime"] = stopped
	w.commit("two", map[string]string{dev + "b.yaml": config("two")})
	w.pass(Options{})
	stopped.batches = slices.DeleteFunc(stopped.batches, func(b store.Batch) bool { return b.Namespace != devSpace })
	if len(stopped.batches) != 1 {
		t.Fatal("nothing was to be written")
	}
	w.commit("taken back", map[string]string{dev + "b.yaml": ""})
	f.term = 2
	w.inOffice(f)
	w.pass(Options{})
	for _, b := range stopped.batches {
		if err := stopped.Target.Apply(t.Context(), b); !errors.Is(err, store.ErrFenced) {
			t.Errorf("the leader of term %d writes %d changes later: %v", b.Marker.Term, len(b.Changes), err)
		}
	}
	if l, err := stopped.Target.List(t.Context(), devSpace); len(l.Items) != 1 || err != nil {
		t.Errorf("%+v, %v", l, err)
	}
	if r := w.pass(Options{Everything: true}); r.Drifted.Total() != 0 {
		t.Errorf("%+v drifted", r.Drifted)
	}
}

// A target that can't be told of the new leader is given nothing until it can.
func TestATargetThatCanNotBeToldOfTheLeader(t *testing.T) {
	w := newWorld(t, map[string]string{dev + "a.yaml": config("one")})
	f := &office{term: 1}
	w.inOffice(f)
	w.pass(Options{})
	w.faults["runtime"].apply = errors.New("down")
	w.commit("two", map[string]string{dev + "a.yaml": config("two")})
	w.pass(Options{})
	f.term = 2
	if r := w.pass(Options{}); len(r.Failed) != 1 || !errors.As(r.Failed[0].Err, new(barredError)) {
		t.Errorf("%+v", r.Failed)
	}
	w.faults["runtime"].apply = nil
	w.expect(w.pass(Options{}), "update acme/p/s/development/a v2")
}

// A leader that meets a later one's mark gives the office back.
func TestALaterLeaderIsMet(t *testing.T) {
	w := newWorld(t, map[string]string{dev + "a.yaml": config("one")})
	f := &office{term: 9}
	w.inOffice(f)
	w.pass(Options{})
	f.term = 4
	w.commit("two", map[string]string{dev + "a.yaml": config("two")})
	if r := w.pass(Options{}); f.exceeded != 9 || len(r.Failed) != 1 {
		t.Errorf("exceeded by %d, %+v", f.exceeded, r.Failed)
	}
	f.term = 10
	w.expect(w.pass(Options{}), "update acme/p/s/development/a v2")
}

// Another term is no reason to write where all stands as it should.
func TestANewLeaderWritesNothingNeedless(t *testing.T) {
	w := newWorld(t, map[string]string{dev + "a.yaml": config("one")})
	f := &office{term: 1}
	w.inOffice(f)
	w.pass(Options{})
	applied := w.faults["runtime"].applied
	f.term = 2
	w.pass(Options{})
	w.pass(Options{Everything: true})
	if n := w.faults["runtime"].applied - applied; n != 0 {
		t.Errorf("%d batches", n)
	}
}

// A follower makes no pass and no plan, and tells who leads.
func TestFollower(t *testing.T) {
	w := newWorld(t, map[string]string{dev + "a.yaml": config("one")})
	f := &office{}
	w.inOffice(f)
	for _, o := range []Options{{}, {DryRun: true}} {
		if _, err := w.r.Pass(t.Context(), o); !errors.Is(err, errOther) {
			t.Errorf("%+v: %v", o, err)
		}
	}
	s, err := w.r.Status()
	w.check(err)
	if s.Replica == nil || s.Replica.Role != Follower || s.Replica.Leader != "b" || !s.Ready {
		t.Errorf("%+v", s)
	}
	f.term = 3
	w.pass(Options{})
	if s, err = w.r.Status(); err != nil || s.Replica.Role != Leader || s.Accepted == nil {
		t.Errorf("%+v, %v", s, err)
	}
}
