package reconcile

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/store"
)

const refersToS = "apiVersion: lcm/v1\nkind: Rollout\nmetadata: {owner: platform}\nspec:\n  target: {ref: /acme/p/s/a}\n  growth_type: linear\n  growth_factor: 10\n  duration: 1h\n  bake_time: 15m\n  alarms: [{promql: errors, threshold: 0.1, for: 5m}]\n  on_alarm: revert\n"

// many are files with one value each: k00 to k<n>.
func many(dir string, n int, text string) map[string]string {
	out := map[string]string{}
	for i := range n {
		out[fmt.Sprintf("%sk%02d.yaml", dir, i)] = text
	}
	return out
}

func with(sets ...map[string]string) map[string]string {
	out := map[string]string{}
	for _, set := range sets {
		for k, v := range set {
			out[k] = v
		}
	}
	return out
}

// What would delete too much is held, and so is what refers to it, in the very same pass.
func TestHeldDeletionsHoldWhatRefersToThem(t *testing.T) {
	other := "namespaces/acme/p/other/production/"
	w := newWorld(t, with(many(prod, 12, config("x")), map[string]string{prod + "a.yaml": config("one"), other + "r.yaml": refersToS, other + "c.yaml": config("one")}))
	w.pass(Options{})
	w.commit("away", with(many(prod, 12, ""), map[string]string{other + "c.yaml": config("two")}))
	w.expect(w.pass(Options{}), "held acme/p/other/production ref/held; held acme/p/s/production deletes/held")
	w.expect(w.pass(Options{}), "held acme/p/other/production ref/held; held acme/p/s/production deletes/held")
	w.commit("yes\n\nLcm-Accept-Deletes: 12", map[string]string{"README.md": "x"})
	if r := w.pass(Options{}); len(r.Held) != 0 || !strings.Contains(w.changes(r), "update acme/p/other/production/c v2") {
		t.Errorf("%q %+v", w.changes(r), r.Held)
	}
}

// A value of somebody else's holds a namespace, and what refers to it, in the very same pass.
func TestAForeignValueHoldsWhatRefersToIt(t *testing.T) {
	other := "namespaces/acme/p/other/production/"
	w := newWorld(t, map[string]string{prod + "a.yaml": config("one"), other + "r.yaml": refersToS, other + "c.yaml": config("one")})
	ns := lcm.Service{Org: "acme", Project: "p", Name: "s"}.In("production")
	theirs := store.Change{Action: store.Create, Key: "b", Value: []byte(`"theirs"`), Meta: store.Meta{ID: "x", Repository: "another", Version: 1, Digest: "d"}}
	w.check(w.r.Targets["runtime"].Apply(t.Context(), store.Batch{Namespace: ns, Changes: []store.Change{theirs}, Marker: store.Marker{Repository: "another", Phase: store.Whole}}))
	w.pass(Options{})
	w.commit("b", map[string]string{prod + "b.yaml": config("ours"), other + "c.yaml": config("two")})
	w.expect(w.pass(Options{}), "held acme/p/other/production ref/held; held acme/p/s/production store/foreign")
}

// What is held for another's sake uses up nothing of what may be deleted.
func TestWhatIsHeldUsesNothingUp(t *testing.T) {
	other := "namespaces/acme/p/aaa/production/" // it would be decided first, by its name
	w := newWorld(t, with(many(prod, 8, config("x")), many(other, 8, config("x")), map[string]string{prod + "a.yaml": config("one"), other + "r.yaml": refersToS}))
	w.pass(Options{})
	w.commit("away", with(many(prod, 8, ""), many(other, 8, "")))
	r := w.pass(Options{})
	if got := w.changes(r); !strings.HasPrefix(got, "held acme/p/aaa/production deletes/held; delete acme/p/s/production/k00") {
		t.Errorf("%q", got)
	}
}

// Whoever empties the repository, or a tenant's folder, in one commit, deletes nothing until it is accepted.
func TestEmptying(t *testing.T) {
	const globex = "namespaces/globex/p/s/production/"
	all := with(many(prod, 2, config("x")), many(base, 1, config("x")), many(globex, 3, config("x")))
	w := newWorld(t, all)
	w.pass(Options{})
	w.commit("a tenant", many(globex, 3, ""))
	w.expect(w.pass(Options{}), "held globex/p/s/production deletes/held")
	w.commit("everything", with(many(prod, 2, ""), many(base, 1, "")))
	for range 2 {
		w.now = w.now.Add(25 * time.Hour)
		w.expect(w.pass(Options{}), "held acme/p/s/development deletes/held; held acme/p/s/production deletes/held; held globex/p/s/production deletes/held")
		w.holds("runtime", "acme/p/s/production", 2)
		w.holds("runtime", "globex/p/s/production", 3)
	}
	if _, err := AcceptDeletes(w.r.Config, 5, nil, ""); !errors.Is(err, ErrNotAcceptable) {
		t.Errorf("accepted another number than is held: %v", err)
	}
	globexNS := lcm.Service{Org: "globex", Project: "p", Name: "s"}.In("production")
	if _, err := AcceptDeletes(w.r.Config, 3, []lcm.Namespace{globexNS}, "they left"); err != nil {
		t.Fatal(err)
	}
	r := w.pass(Options{})
	if got := w.changes(r); len(r.Held) != 2 || strings.Count(got, "delete globex") != 3 {
		t.Errorf("%q", got)
	}
	w.holds("runtime", "globex/p/s/production", 0)
	w.holds("runtime", "acme/p/s/production", 2)
	if _, err := AcceptDeletes(w.r.Config, 3, []lcm.Namespace{globexNS}, ""); !errors.Is(err, ErrNotAcceptable) {
		t.Errorf("accepted what is not held: %v", err)
	}
}

// The whole repository, settings and all: nothing can be believed of it any more, and nothing is done.
func TestEmptyRepository(t *testing.T) {
	all := many(prod, 2, config("x"))
	w := newWorld(t, all)
	w.pass(Options{})
	w.commit("all gone", with(many(prod, 2, ""), map[string]string{"lcm.yaml": "", ".sops.yaml": "", ".lcm/trust.yaml": ""}))
	if r := w.pass(Options{}); r.Refusal == nil && !r.HeldWhole || w.changes(r) != "" {
		t.Errorf("%+v", r)
	}
	w.holds("runtime", "acme/p/s/production", 2)
}

// holds demands that a target has that many entries.
func (w *world) holds(target, namespace string, n int) {
	w.Helper()
	ns, err := lcm.ParseNamespace(namespace)
	w.check(err)
	l, err := w.faults[target].Target.List(w.Context(), ns)
	w.check(err)
	if len(l.Items) != n {
		w.Errorf("%s has %d entries in %s, want %d", namespace, len(l.Items), target, n)
	}
}

// A consent lasts until it is carried out, over failures and restarts, and is for the very set that was consented to.
func TestAConsentOutlivesATargetThatFails(t *testing.T) {
	for _, fault := range []struct {
		name string
		set  func(*faulty, error)
	}{
		{"listing", func(f *faulty, err error) { f.list = err }},
		{"writing", func(f *faulty, err error) { f.apply = err }},
		{"done and reported as failed", func(f *faulty, err error) { f.after = err }},
	} {
		t.Run(fault.name, func(t *testing.T) {
			w := newWorld(t, with(many(dev, 12, config("x")), map[string]string{dev + "keep.yaml": config("x")}))
			w.pass(Options{})
			fault.set(w.faults["runtime"], errors.New("down"))
			w.commit("away\n\nLcm-Accept-Deletes: 12", many(dev, 12, ""))
			if r := w.pass(Options{}); len(r.Failed) != 1 || len(r.Held) != 0 {
				t.Fatalf("%+v %+v", r.Failed, r.Held)
			}
			w.stop()
			w.start()
			fault.set(w.faults["runtime"], errors.New("down"))
			w.now = w.now.Add(48 * time.Hour)
			w.pass(Options{})
			fault.set(w.faults["runtime"], nil)
			if r := w.pass(Options{}); len(r.Held)+len(r.Failed) != 0 {
				t.Fatalf("%+v %+v", r.Held, r.Failed)
			}
			w.holds("runtime", "acme/p/s/development", 1)
			w.commit("again", many(dev, 12, config("x")))
			w.pass(Options{})
			w.commit("away", many(dev, 12, ""))
			w.expect(w.pass(Options{}), "held acme/p/s/development deletes/held")
		})
	}
}

func TestAConsentIsForOneSetAndNotForEver(t *testing.T) {
	begin := func(t *testing.T) *world {
		w := newWorld(t, with(many(dev, 12, config("x")), map[string]string{dev + "keep.yaml": config("x"), dev + "other.yaml": config("x")}))
		w.pass(Options{})
		w.faults["runtime"].apply = errors.New("down")
		w.commit("away\n\nLcm-Accept-Deletes: 12", many(dev, 12, ""))
		w.pass(Options{})
		return w
	}
	t.Run("another entry", func(t *testing.T) {
		w := begin(t)
		w.commit("one more", map[string]string{dev + "other.yaml": ""})
		w.faults["runtime"].apply = nil
		w.expect(w.pass(Options{}), "held acme/p/s/development deletes/held")
		w.commit("that one not", map[string]string{dev + "other.yaml": config("x")})
		w.expect(w.pass(Options{}), "held acme/p/s/development deletes/held") // the consent was void
	})
	t.Run("fewer", func(t *testing.T) {
		w := begin(t)
		w.commit("one stays", map[string]string{dev + "k00.yaml": config("x")})
		w.faults["runtime"].apply = nil
		if r := w.pass(Options{}); strings.Count(w.changes(r), "delete") != 11 {
			t.Errorf("%q %+v", w.changes(r), r.Held)
		}
	})
	t.Run("wanted again", func(t *testing.T) {
		w := begin(t)
		w.commit("all stay", many(dev, 12, config("x")))
		w.faults["runtime"].apply = nil
		w.expect(w.pass(Options{}), "")
		w.commit("away after all", many(dev, 12, ""))
		w.expect(w.pass(Options{}), "held acme/p/s/development deletes/held")
	})
	t.Run("too long ago", func(t *testing.T) {
		w := begin(t)
		w.now = w.now.Add(consentLasts)
		w.faults["runtime"].apply = nil
		w.expect(w.pass(Options{}), "held acme/p/s/development deletes/held")
	})
}

// A pass that is cut off after it recorded whom a consent was given to does not give it to another the next time.
func TestAConsentIsNotSpentTwice(t *testing.T) {
	const second = "namespaces/acme/p/t/development/"
	w := newWorld(t, with(many(dev, 3, config("x")), many(second, 3, config("x"))))
	w.pass(Options{})
	before, _, err := w.r.State.Ratchet()
	w.check(err)
	w.commit("away\n\nLcm-Accept-Deletes: 3", with(many(dev, 3, ""), many(second, 3, "")))
	want := "delete acme/p/s/development/k00; delete acme/p/s/development/k01; delete acme/p/s/development/k02; held acme/p/t/development deletes/held"
	w.expect(w.pass(Options{}), want)
	after, _, err := w.r.State.Ratchet()
	w.check(err)
	after.Processed = before.Processed // as if it had not come to its end
	w.check(w.r.State.Accept(after, nil, w.now))
	w.expect(w.pass(Options{}), "held acme/p/t/development deletes/held")
	w.holds("runtime", "acme/p/t/development", 3)
}

// A target that lists nothing by error loses nothing, and nothing of it is forgotten.
func TestATargetThatListsEmptyByErrorLosesNothing(t *testing.T) {
	w := newWorld(t, with(many(dev, 3, config("x")), many(prod, 3, config("x"))))
	w.pass(Options{})
	w.faults["runtime"].empty = true
	if r := w.pass(Options{Everything: true}); len(r.Failed) != 2 {
		t.Errorf("what is there already was made anew: %q", w.changes(r))
	}
	w.commit("away\n\nLcm-Accept-Deletes: 4", with(many(prod, 3, ""), map[string]string{dev + "k00.yaml": ""}))
	w.pass(Options{})
	w.holds("runtime", "acme/p/s/development", 3)
	w.holds("runtime", "acme/p/s/production", 3)
	w.faults["runtime"].empty = false
	if r := w.pass(Options{Everything: true}); strings.Count(w.changes(r), "delete") != 4 || len(r.Held) != 0 {
		t.Errorf("%q %+v", w.changes(r), r.Held)
	}
	w.holds("runtime", "acme/p/s/development", 2)
	w.holds("runtime", "acme/p/s/production", 0)
}

// What a target did not delete stays in the inventory until it did.
func TestAPruneThatFailsStaysInTheInventory(t *testing.T) {
	w := newWorld(t, many(dev, 3, config("x")))
	w.pass(Options{})
	w.faults["runtime"].apply = errors.New("down")
	w.commit("away", map[string]string{dev + "k00.yaml": ""})
	w.pass(Options{})
	ns := lcm.Service{Org: "acme", Project: "p", Name: "s"}.In("development")
	inv, _, err := w.r.State.Inventory(ns)
	w.check(err)
	if _, ok := inv["runtime"]["k00"]; !ok {
		t.Error("it is forgotten")
	}
	w.stop()
	w.start()
	w.expect(w.pass(Options{}), "delete acme/p/s/development/k00")
}
