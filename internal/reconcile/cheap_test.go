package reconcile

import (
	"context"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/store"
)

// counted is a target that notes how it is asked.
type counted struct {
	store.Target
	mu    sync.Mutex
	calls map[string]int
}

func (c *counted) note(what string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.calls[what]++
}

func (c *counted) List(ctx context.Context, ns lcm.Namespace) (store.Listing, error) {
	c.note("List")
	return c.Target.List(ctx, ns)
}

func (c *counted) Apply(ctx context.Context, b store.Batch) error {
	c.note("Apply")
	return c.Target.Apply(ctx, b)
}

func (c *counted) Holds(ctx context.Context, ns lcm.Namespace, key string, value []byte) (bool, error) {
	c.note("Holds")
	return c.Target.Holds(ctx, ns, key, value)
}

func (c *counted) Get(ctx context.Context, a lcm.Address) ([]byte, store.Meta, error) {
	c.note("Get")
	return c.Target.Get(ctx, a)
}

func (c *counted) Marker(ctx context.Context, ns lcm.Namespace) (store.Marker, error) {
	c.note("Marker")
	return c.Target.Marker(ctx, ns)
}

func (c *counted) Namespaces(ctx context.Context, orgs []string) ([]lcm.Namespace, error) {
	c.note("Namespaces")
	return c.Target.Namespaces(ctx, orgs)
}

// count puts a counted target before each of a world's.
func (w *world) count() map[string]*counted {
	out := map[string]*counted{}
	for name, t := range w.r.Targets {
		out[name] = &counted{Target: t.Target, calls: map[string]int{}}
		t.Target, w.r.stores[name] = out[name], out[name]
		w.r.Targets[name] = t
	}
	return out
}

// Where nothing changed, no target is asked and nothing is written. A restart asks each for its markers, once.
func TestNothingChangedAsksNobody(t *testing.T) {
	w := newWorld(t, with(many(dev, 3, config("x")), many(prod, 3, config("x"))))
	w.pass(Options{})
	for _, restart := range []bool{false, true, false} {
		if restart {
			w.stop()
			w.start()
		}
		asked, before := w.count(), w.stamp()
		for range 3 {
			if r := w.pass(Options{}); r.Worked+r.Judged != 0 {
				t.Errorf("worked on %d namespaces, judged %d", r.Worked, r.Judged)
			}
		}
		if w.stamp() != before {
			t.Errorf("restart %v: something was written", restart)
		}
		want := map[bool]map[string]int{false: {}, true: {"Namespaces": 1, "Marker": 2}}[restart]
		for name, c := range asked {
			for call, n := range c.calls {
				if n > want[call] {
					t.Errorf("restart %v: target %s got %d calls of %s, want %d", restart, name, n, call, want[call])
				}
			}
		}
	}
}

// A change of one namespace asks the targets about that one alone.
func TestAChangeAsksAboutOneNamespace(t *testing.T) {
	w := newWorld(t, with(many(dev, 3, config("x")), many(prod, 3, config("x")), many("namespaces/acme/p/t/production/", 3, config("x"))))
	w.pass(Options{})
	asked := w.count()
	w.commit("one", map[string]string{dev + "k00.yaml": config("y")})
	w.pass(Options{})
	if c := asked["runtime"].calls; c["List"] != 1 || c["Apply"] != 1 || c["Holds"]+c["Get"] != 0 {
		t.Errorf("runtime was asked %v", c)
	}
	if c := asked["secrets"].calls; len(c) != 0 {
		t.Errorf("secrets was asked %v", c)
	}
}

// What was judged good is not judged again, also after a restart, as long as nothing that has a say changed.
func TestVerdictsAreKept(t *testing.T) {
	other := "namespaces/acme/p/other/production/"
	w := newWorld(t, with(many(prod, 2, config("x")), map[string]string{prod + "a.yaml": config("one"), other + "r.yaml": refersToS, other + "c.yaml": config("one"),
		"namespaces/globex/p/s/production/a.yaml": config("one")}))
	w.stop()
	w.keeps = true
	w.start()
	judged := func(what string, o Options, want int) {
		t.Helper()
		if r := w.pass(o); r.Judged != want {
			t.Errorf("%s: judged %d of %d namespaces, want %d", what, r.Judged, r.Worked, want)
		}
	}
	everything := Options{Everything: true}
	judged("the first pass", Options{}, 3)
	judged("a search for drift", everything, 0)
	w.stop()
	w.start()
	judged("after a restart", everything, 0)
	w.commit("change", map[string]string{prod + "k00.yaml": config("y")})
	judged("a change of one, and what refers to it", Options{}, 2)
	judged("everything after it: rules look more widely there", everything, 2)
	judged("again", everything, 0)
	w.commit("break", map[string]string{prod + "b.yaml": "apiVersion: lcm/v1\nkind: Config\nspec: {valu: 1}\n"})
	w.pass(Options{})
	judged("what is held is judged each time", everything, 2)
	if r := w.pass(everything); len(r.Held) != 2 || r.Held[1].Findings[0].Rule != "schema/unknown-field" {
		t.Errorf("held %+v", r.Held)
	}
	w.commit("mend, and own rules", map[string]string{prod + "b.yaml": "", "policies/rego/own.rego": "package lcm.own\n\ndeny contains {\"rule\": \"no\", \"path\": [\"spec\"], \"message\": \"never\"} if input.document.kind == \"Rollout\"\n"})
	if r := w.pass(Options{}); r.Judged != 3 || len(r.Held) != 1 {
		t.Errorf("other rules judge anew: %d, held %+v", r.Judged, r.Held)
	}
}

// Somebody else's verdicts are not believed.
func TestVerdictsOfOthersAreNotBelieved(t *testing.T) {
	w := newWorld(t, many(prod, 2, config("x")))
	w.stop()
	w.keeps = true
	w.start()
	w.pass(Options{})
	w.stop()
	files, err := filepath.Glob(filepath.Join(w.dir, "verdicts", "*"))
	w.check(err)
	if len(files) != 1 {
		t.Fatal(files)
	}
	data, err := os.ReadFile(files[0])
	w.check(err)
	data[len(data)-1] ^= 1
	w.check(os.WriteFile(files[0], data, 0o600))
	w.now = w.now.Add(time.Minute)
	w.start()
	if r := w.pass(Options{Everything: true}); r.Judged != 1 {
		t.Errorf("judged %d", r.Judged)
	}
}
