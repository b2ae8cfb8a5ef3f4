package reconcile

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/store"
	"github.com/llm-config-manager/lcm/internal/store/breaker"
)

// TestTargetIsDown: what is due for a target that is down waits, and costs no pass its time; the others go on; once it is back, it
// gets all of it. While it can't be listed, nothing is deleted from it.
func TestTargetIsDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const place = "namespaces/acme/shop/chat/production/"
		w := newWorld(t, map[string]string{place + "greeting.yaml": config("one")})
		defer w.stop()
		runtime := &slow{faulty: w.faults["runtime"]}
		for name, target := range map[string]store.Target{"runtime": runtime, "secrets": w.faults["secrets"]} {
			w.r.stores[name] = breaker.New(name, target, nil)
			change := w.r.Targets[name]
			change.Target = w.r.stores[name]
			w.r.Targets[name] = change
		}
		w.expect(w.pass(Options{}), "create acme/shop/chat/production/greeting v1")

		runtime.faulty.list = store.Outage("nobody there")
		w.commit("two", map[string]string{place + "greeting.yaml": config("two")})
		for i := range 5 {
			began := time.Now()
			r := w.pass(Options{Everything: true})
			if len(r.Failed) != 1 || r.Failed[0].Target != "runtime" || len(r.Plan.Namespaces) != 0 {
				t.Fatalf("%+v", r)
			}
			if took := time.Since(began); took > 0 != (i < 3) {
				t.Errorf("pass %d waited %v for what is down: %v", i, took, r.Failed[0].Err)
			}
		}
		s, err := w.r.Status()
		w.check(err)
		if down := fmt.Sprintln(s.Targets[0].Down, s.Targets[1].Down, s.Targets[0].Failures, s.Targets[0].Error, s.Targets[0].NextTry.After(time.Now())); down != "true false 3 nobody there true\n" || s.Targets[0].Target != "runtime" {
			t.Errorf("%s: %+v", down, s.Targets)
		}

		runtime.faulty.list = nil
		time.Sleep(6 * time.Second)
		w.expect(w.pass(Options{}), "update acme/shop/chat/production/greeting v2")
		if s, err = w.r.Status(); err != nil || s.Targets[0].Down || len(s.Failed) != 0 {
			t.Errorf("%+v, %v", s, err)
		}
	})
}

// slow is a target whose failures take a while.
type slow struct{ *faulty }

func (s *slow) List(ctx ctxT, ns lcm.Namespace) (store.Listing, error) {
	l, err := s.faulty.List(ctx, ns)
	if err != nil {
		time.Sleep(10 * time.Second)
	}
	return l, err
}
