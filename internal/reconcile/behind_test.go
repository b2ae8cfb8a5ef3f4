package reconcile

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/llm-config-manager/lcm/internal/lcm"
)

// copyState keeps the state as it is, and returns what puts it back, as a restart finds it.
func (w *world) copyState() (putBack func()) {
	w.Helper()
	file := filepath.Join(w.dir, "state.db")
	w.stop()
	old, err := os.ReadFile(file)
	w.check(err)
	w.start()
	return func() {
		w.Helper()
		w.stop()
		w.check(os.WriteFile(file, old, 0o600))
		w.start()
	}
}

func (w *world) demandBehind(o Options, given lcm.Revision) {
	w.Helper()
	r := w.pass(o)
	if r.Refusal == nil || r.Refusal.Rule != behindRule || r.Revision != "" || !strings.Contains(r.Refusal.Reason, given.Short()) {
		w.Fatalf("%+v: %q %+v", o, w.changes(r), r.Refusal)
	}
	for name, f := range w.faults {
		if f.applied != 0 {
			w.Errorf("%d batches were written to %s", f.applied, name)
		}
	}
}

// Attack 60, in its second form: the whole state file is put back as it was once, and an old head is served, or
// one that only the old policy would believe.
func TestReplayedState(t *testing.T) {
	for name, second := range map[string]map[string]string{
		"a change of a target":  {dev + "a.yaml": config("two")},
		"a change of no target": {"README.md": "revokes a key, say\n"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, map[string]string{dev + "a.yaml": config("one"), prod + "a.yaml": config("one")})
			w.pass(Options{})
			old := w.head
			putBack := w.copyState()
			w.commit("two", second)
			w.pass(Options{})
			good := w.head
			w.commit("three", map[string]string{prod + "a.yaml": config("three")})
			later := w.head
			w.head = old
			w.commit("fork", map[string]string{dev + "a.yaml": config("fork")})
			fork := w.head

			for _, served := range []lcm.Revision{old, fork} {
				putBack()
				w.check(w.repo.SetBranch("main", served))
				for _, o := range []Options{{DryRun: true}, {}, {}, {Everything: true}} {
					w.demandBehind(o, good)
				}
				for _, reason := range []string{"", "trust me"} {
					if _, err := w.r.Accept(t.Context(), served, reason); !errors.Is(err, ErrNotAcceptable) {
						t.Errorf("%v", err)
					}
				}
			}
			// With a head that is built on all that they were given, nothing is wrong, and what the state forgot is earned again.
			w.check(w.repo.SetBranch("main", later))
			if r := w.pass(Options{}); r.Refusal != nil || r.Revision != later {
				t.Errorf("%+v", r.Refusal)
			}
		})
	}
}

// A target that is down at the start stops only what it is to be given, until it was asked.
func TestReplayedStateAndATargetThatIsDown(t *testing.T) {
	w := newWorld(t, map[string]string{dev + "a.yaml": config("one")})
	w.pass(Options{})
	old := w.head
	putBack := w.copyState()
	w.commit("two", map[string]string{dev + "a.yaml": config("two")})
	w.pass(Options{})
	good := w.head
	putBack()
	w.check(w.repo.SetBranch("main", old))
	w.faults["runtime"].unknown = errors.New("down")
	if r := w.pass(Options{}); r.Refusal != nil {
		t.Fatal(r.Refusal)
	}
	w.head = old
	w.commit("fork", map[string]string{dev + "a.yaml": config("fork")})
	r := w.pass(Options{})
	if len(r.Failed) != 1 || r.Failed[0].Target != "runtime" || !errors.As(r.Failed[0].Err, new(unaskedError)) || w.faults["runtime"].applied != 0 {
		t.Fatalf("%q %+v", w.changes(r), r.Failed)
	}
	w.faults["runtime"].unknown = nil
	w.demandBehind(Options{}, good)
}

// The targets are asked once, and what was accepted by hand, or after a loss, is not taken for a replay.
func TestMarksAreComparedOnce(t *testing.T) {
	w := newWorld(t, map[string]string{dev + "a.yaml": config("one"), prod + "a.yaml": config("one")})
	w.pass(Options{})
	w.commit("two", map[string]string{dev + "a.yaml": config("two")})
	w.pass(Options{})
	asked := w.faults["runtime"].asked
	w.pass(Options{})
	if n := w.faults["runtime"].asked; n != asked || n == 0 {
		t.Errorf("asked %d times, then %d", asked, n)
	}
	w.loseState()
	if _, err := w.r.Accept(t.Context(), w.head, ""); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		w.stop()
		w.start()
		if r := w.pass(Options{}); r.Refusal != nil {
			t.Fatal(r.Refusal)
		}
	}
	w.head = w.intro
	w.commit("rewritten", map[string]string{prod + "a.yaml": config("other")})
	if _, err := w.r.Accept(t.Context(), w.head, "a secret was purged"); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		w.stop()
		w.start()
		if r := w.pass(Options{}); r.Refusal != nil {
			t.Fatal(r.Refusal)
		}
	}
}
