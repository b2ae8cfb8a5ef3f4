package storetest

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/store"
)

// Outcome is what becomes of one write step of a target: of a request that changes something, a transaction, a
// change of the disk.
type Outcome int

// What can become of a step.
const (
	Through Outcome = iota // it is carried out and answered
	NotDone                // it is not carried out, and fails
	Lost                   // it is carried out, and reported failed: the answer is lost
	Hung                   // it is carried out, and no answer comes before the context ends
	Twice                  // something between repeats it: it is carried out twice, and the second answer comes back
	Late                   // it is held up, and no answer comes before the context ends; Deliver has it carried out
)

// Fault is a line of the table of failures: what befalls one step, and what else happens just before.
type Fault struct {
	Name    string
	Outcome Outcome            // of the step itself, after Strike
	Strike  func(t *testing.T) // breaks something: seals, restarts, fills the disk; nil: nothing
	Mend    func(t *testing.T) // has it work again, before the next pass; nil: nothing is to be done
	Deliver func(t *testing.T) // carries out what was Late, when passes of two revisions have overtaken it; nil: there is nothing
	Ridden  bool               // the target may take it without any failure; else at least one step must fail by it
}

// The faults of every target. A Rig adds its own.
var common = []Fault{
	{Name: "not done", Outcome: NotDone},
	{Name: "done but reported failed", Outcome: Lost},
	{Name: "hung", Outcome: Hung},
	{Name: "done twice", Outcome: Twice, Ridden: true},
}

// Rig is a target, on a store of its own or a part of one, whose writes can be made to fail.
type Rig struct {
	Target store.Target
	// Intercept has before called ahead of every single write step of the target, whoever makes it, and sees to
	// what that says. It is called again with another function, and with nil when all is to go through. ctx is
	// the context that a Hung step waits for. before may be called by several goroutines.
	Intercept func(ctx context.Context, before func() Outcome)
	// Faults are the target's own, the same ones in every Rig.
	Faults []Fault
	// Writes counts how often the value of an entry was ever written, for a target that can tell by itself; for an
	// entry that never was, it is 0. Nil: it is not counted.
	Writes func(t *testing.T, addr lcm.Address) uint64
}

// testFaults is the table of failures: each write step of a batch meets each fault. Whatever happens:
//
//   - Apply says so, unless all was done;
//   - meanwhile a listing is an error or the truth, and never an empty one by error;
//   - afterwards the namespace stands as before, or as it should, or its marker says writing: no reader takes a half for a whole;
//   - the next pass, which lists, plans and applies as ever, comes to what an undisturbed pass comes to, with no write of a
//     value more, and nothing of others touched;
//   - what was held up and arrives when another revision stands undoes nothing that the pass after it does not mend.
func (s suite) testFaults(t *testing.T) {
	if s.opts.Rig == nil {
		t.Skip("the target gives no way to have its writes fail")
	}
	steps, own, writes := s.undisturbed(t)
	for i, f := range slices.Concat(common, own) {
		t.Run(f.Name, func(t *testing.T) {
			failures := 0
			for n := 0; ; n++ {
				met, failed := s.disturbed(t, n, i, writes)
				if failed {
					failures++
				}
				if !met || t.Failed() {
					break
				}
				if n > 50*steps {
					t.Fatalf("a pass of %d steps goes on for %d", steps, n)
				}
			}
			if failures == 0 && !f.Ridden {
				t.Error("no step failed by it")
			}
		})
	}
}

// undisturbed has a pass go through, and tells how many steps it takes, which faults its Rig has, and how often each value is
// written then.
func (s suite) undisturbed(t *testing.T) (steps int, own []Fault, writes map[string]uint64) {
	k := s.arrange(t)
	var mu sync.Mutex
	k.rig.Intercept(t.Context(), func() Outcome {
		mu.Lock()
		defer mu.Unlock()
		steps++
		return Through
	})
	k.recover()
	k.rig.Intercept(t.Context(), nil)
	mu.Lock()
	defer mu.Unlock()
	if steps == 0 {
		t.Fatal("Intercept notices no write")
	}
	return steps, k.rig.Faults, k.writes()
}

// disturbed has the n-th step of a pass meet a fault, the i-th of the table. met is false if the pass has no n-th step;
// failed says that it did not come to its end.
func (s suite) disturbed(t *testing.T, n, i int, writes map[string]uint64) (met, failed bool) {
	t.Run(fmt.Sprint(n), func(t *testing.T) {
		k := s.arrange(t)
		f := slices.Concat(common, k.rig.Faults)[i]
		before := k.state()
		err := k.strike(n, f, &met)
		if failed = err != nil; met {
			k.expectTruth()
		}
		k.rig.Intercept(t.Context(), nil)
		if met && f.Mend != nil {
			f.Mend(t)
		}
		k.eventually()
		k.expectNoHalf(before, err)
		k.recover()
		if diff := cmp.Diff(writes, k.writes()); diff != "" {
			t.Errorf("how often each value was written (-undisturbed +disturbed):\n%s", diff)
		}
		if met && f.Deliver != nil {
			k.overtake(f)
		}
	})
	return met, failed
}

// disturbedKit is a kit whose target stands in a Rig.
type disturbedKit struct {
	*kit
	rig Rig
}

// arrange makes a namespace as it stands before the pass.
func (s suite) arrange(t *testing.T) *disturbedKit {
	rig := s.opts.Rig(t)
	s.open = func(*testing.T) store.Target { return rig.Target }
	k := &disturbedKit{s.kit(t), rig}
	k.apply(revision1, k.changes(k.stands())...)
	if s.opts.Plant != nil {
		s.opts.Plant(t, rig.Target, k.ns.Key("foreign"), []byte(theirs))
	}
	return k
}

// strike applies the batch of the next pass, whose n-th step meets the fault.
func (k *disturbedKit) strike(n int, f Fault, met *bool) error {
	ctx, cancel := context.WithTimeout(k.Context(), 20*time.Second)
	defer cancel()
	b := k.plan(false)
	var mu sync.Mutex
	k.rig.Intercept(ctx, func() Outcome {
		mu.Lock()
		defer mu.Unlock()
		if n--; n != -1 {
			return Through
		}
		*met = true
		if f.Strike != nil {
			f.Strike(k.T)
		}
		if f.Outcome == Hung || f.Outcome == Late {
			time.AfterFunc(50*time.Millisecond, cancel)
		}
		return f.Outcome
	})
	err := k.target.Apply(ctx, b)
	mu.Lock() // what another goroutine noted is seen from here on
	defer mu.Unlock()
	return err
}

// overtake has a pass of a further revision come before the step that is late.
func (k *disturbedKit) overtake(f Fault) {
	k.Helper()
	k.further = true
	k.recover()
	writes := k.writes()
	f.Deliver(k.T)
	k.recover()
	if diff := cmp.Diff(writes, k.writes()); diff != "" {
		k.Errorf("how often each value was written (-before +after what was late):\n%s", diff)
	}
}

// expectTruth looks at the namespace while the fault lasts. What stands before and after cannot be missing.
func (k *disturbedKit) expectTruth() {
	k.Helper()
	ctx, cancel := context.WithTimeout(k.Context(), 5*time.Second)
	defer cancel()
	if l, err := k.target.List(ctx, k.ns); err == nil {
		for key := range k.wanted() {
			stood := k.stands()[key].Key != ""
			if stood && !slices.ContainsFunc(l.Items, func(i store.Item) bool { return i.Key == key }) {
				k.Errorf("while the fault lasts, List leaves out %s", key)
			}
		}
		if l.Marker == (store.Marker{}) {
			k.Error("while the fault lasts, List has no marker")
		}
	}
	if m, err := k.target.Marker(ctx, k.ns); err == nil && m == (store.Marker{}) {
		k.Error("while the fault lasts, there is no marker")
	}
	if value, _, err := k.target.Get(ctx, k.ns.Key("kept")); err == nil && string(value) != number(1) || isNotFound(err) {
		k.Errorf("while the fault lasts, Get = %s, %v", value, err)
	}
	if all, err := k.target.Namespaces(ctx, []string{k.ns.Org}); err == nil && !slices.Contains(all, k.ns) {
		k.Errorf("while the fault lasts, Namespaces = %v", all)
	}
}

// expectNoHalf looks at the namespace as a reader does after the fault.
func (k *disturbedKit) expectNoHalf(before state, err error) {
	k.Helper()
	now, after := k.state(), k.after()
	isBefore, isAfter := cmp.Equal(before, now), cmp.Equal(after, now)
	if err == nil && !isAfter {
		k.Errorf("Apply reports no failure, but (-want +got):\n%s", cmp.Diff(after, now))
	}
	if now.Marker.Phase == store.Writing && k.opts.Atomic {
		k.Errorf("a batch is one step, and its marker says writing: %+v", now.Marker)
	}
	if now.Marker.Phase == store.Whole && !isBefore && !isAfter {
		k.Errorf("a half is marked whole (-whole +got):\n%s", cmp.Diff(after, now))
	}
	whole, err := store.ReadWhole(k.Context(), k.target, k.ns)
	if (err == nil) != (isBefore || isAfter) || err == nil && marked(whole) != now.marked() {
		k.Errorf("ReadWhole = %d entries at %+v, %v; it stands at %+v", len(whole.Entries), whole.Marker, err, now.Marker)
	}
}

// marked counts the entries that bear a mark. Those of others may be left out of a snapshot.
func marked(s store.Snapshot) int {
	n := 0
	for _, e := range s.Entries {
		if e.Meta != (store.Meta{}) {
			n++
		}
	}
	return n
}

func (s state) marked() int {
	n := 0
	for _, e := range s.Entries {
		if e.Meta != (store.Meta{}) {
			n++
		}
	}
	return n
}

// eventually waits until the target answers again: a server that was restarted takes its time.
func (k *disturbedKit) eventually() {
	k.Helper()
	var err error
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if _, err = k.target.List(k.Context(), k.ns); err == nil {
			return
		}
	}
	k.Fatalf("the target does not come back: %v", err)
}

// writes counts how often each value was written.
func (k *disturbedKit) writes() map[string]uint64 {
	k.Helper()
	if k.rig.Writes == nil {
		return nil
	}
	all := map[string]uint64{}
	for _, keys := range []map[string]store.Change{k.stands(), k.wanted()} {
		for key := range keys {
			all[key] = k.rig.Writes(k.T, k.ns.Key(key))
		}
	}
	return all
}
