package reconcile

import (
	"errors"
	"fmt"
	"testing"

	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/sopsfile"
	"github.com/llm-config-manager/lcm/internal/store"
)

// torn is a target that carries out a batch and then reports that it did not.
type torn struct {
	store.Target
	broken bool
}

func (f *torn) Apply(ctx ctxT, b store.Batch) error {
	if err := f.Target.Apply(ctx, b); err != nil || !f.broken {
		return err
	}
	return errors.New("the connection broke")
}

// tear puts a torn target before the runtime target.
func (w *world) tear() *torn {
	f := &torn{Target: w.r.Targets["runtime"].Target}
	w.r.Targets["runtime"] = Target{Target: f, MaxClassification: lcm.Restricted}
	w.r.stores["runtime"] = f
	return f
}

func TestWhatWasDoneButReportedFailedIsAccountedForLater(t *testing.T) {
	files := map[string]string{dev + "keep.yaml": config("one")}
	for i := range 4 {
		files[fmt.Sprintf("%sk%d.yaml", dev, i)] = config("x")
	}
	w := newWorld(t, files)
	w.pass(Options{})
	f := w.tear()
	f.broken = true
	w.commit("two", map[string]string{dev + "keep.yaml": config("two"), dev + "k0.yaml": "", dev + "k1.yaml": "", dev + "k2.yaml": ""})
	if r := w.pass(Options{}); len(r.Failed) != 1 {
		t.Fatalf("%+v", r)
	}
	f.broken = false
	w.expect(w.pass(Options{}), "") // all of it stands
	ns := lcm.Service{Org: "acme", Project: "p", Name: "s"}.In("development")
	n, err := w.r.State.Namespace(ns)
	w.check(err)
	if n.Revision != w.head || n.Pending() {
		t.Errorf("%+v, want it whole at %s", n, w.head)
	}
	_, deleted, err := w.r.State.Counts("acme", w.now.Add(-1))
	w.check(err)
	if deleted["runtime"] != 3 {
		t.Errorf("%d deletions are remembered, want 3", deleted["runtime"])
	}
	if r := w.pass(Options{}); r.Worked != 0 {
		t.Errorf("worked on %d although nothing is left", r.Worked)
	}
}

func TestVersionsCountOnWhatACutOffPassWrote(t *testing.T) {
	w := newWorld(t, map[string]string{dev + "a.yaml": config("one")})
	w.pass(Options{})
	f := w.tear()
	f.broken = true
	w.commit("two", map[string]string{dev + "a.yaml": config("two")})
	w.pass(Options{})
	f.broken = false
	w.commit("three", map[string]string{dev + "a.yaml": config("three")})
	w.expect(w.pass(Options{}), "update acme/p/s/development/a v3")
}

func TestVersionsDoNotDependOnWhenPassesAreMade(t *testing.T) {
	w := newWorld(t, map[string]string{dev + "a.yaml": config("one"), dev + "b.yaml": config("one")})
	w.commit("two", map[string]string{dev + "a.yaml": config("two")})
	second := w.head
	w.expect(w.pass(Options{}), "create acme/p/s/development/a v2; create acme/p/s/development/b v1")
	for key, want := range map[string]lcm.Revision{"a": second, "b": w.intro} {
		addr := lcm.Service{Org: "acme", Project: "p", Name: "s"}.In("development").Key(key)
		if _, meta, _ := w.r.Targets["runtime"].Get(t.Context(), addr); meta.Revision != want {
			t.Errorf("%s: revision %s, want %s: the commit that last changed it", key, meta.Revision, want)
		}
	}
}

func TestAForeignValueIsLookedAtAgain(t *testing.T) {
	w := newWorld(t, map[string]string{dev + "x.yaml": config("one")})
	ns := lcm.Service{Org: "acme", Project: "p", Name: "s"}.In("development")
	runtime := w.r.Targets["runtime"].Target
	theirs := store.Change{Action: store.Create, Key: "a", Value: []byte(`"theirs"`), Meta: store.Meta{ID: "x", Repository: "another", Version: 1, Digest: "d"}}
	w.check(runtime.Apply(t.Context(), store.Batch{Namespace: ns, Changes: []store.Change{theirs}, Marker: store.Marker{Repository: "another", Phase: store.Whole}}))
	w.commit("a", map[string]string{dev + "a.yaml": config("ours")})
	for range 2 {
		w.expect(w.pass(Options{}), "held acme/p/s/development store/foreign")
	}
	l, err := runtime.List(t.Context(), ns)
	w.check(err)
	w.check(runtime.Apply(t.Context(), store.Batch{Namespace: ns, Changes: []store.Change{{Action: store.Delete, Key: "a", If: l.Items[0].Token}}, Marker: l.Marker}))
	w.expect(w.pass(Options{}), "create acme/p/s/development/a v1; create acme/p/s/development/x v1")
}

// A pass was cut off after it recorded what it wrote, and before it recorded that it had come to the end.
func TestVersionsCountOnAfterAPassThatDidNotComeToItsEnd(t *testing.T) {
	w := newWorld(t, map[string]string{dev + "a.yaml": config("one")})
	w.pass(Options{})
	before, _, err := w.r.State.Ratchet()
	w.check(err)
	w.commit("two", map[string]string{dev + "a.yaml": config("two")})
	w.pass(Options{})
	after, _, err := w.r.State.Ratchet()
	w.check(err)
	after.Processed = before.Processed
	w.check(w.r.State.Accept(after, nil, w.now))
	w.commit("three", map[string]string{dev + "a.yaml": config("three")})
	w.expect(w.pass(Options{}), "update acme/p/s/development/a v3")
}

// One target takes each change, the other fails all the while.
func TestVersionsCountOnBesideATargetThatFails(t *testing.T) {
	w := newWorld(t, map[string]string{dev + "a.yaml": config("one")})
	secret := func(value string) map[string]string {
		path := dev + "k.sops.yaml"
		text, err := sopsfile.Seal(path, map[string]any{"apiVersion": "lcm/v1", "kind": "Secret", "metadata": map[string]any{"owner": "platform", "description": "d"},
			"spec": map[string]any{"type": "opaque", "data": map[string]any{"v": value}}}, []string{w.age})
		w.check(err)
		return map[string]string{path: string(text), dev + "a.yaml": config(value)}
	}
	w.commit("one", secret("1"))
	w.expect(w.pass(Options{}), "create acme/p/s/development/a v2; create acme/p/s/development/k v1")
	w.faults["secrets"].apply = errors.New("down")
	for i, want := range []string{"v3", "v4", "v5"} {
		w.commit("more", secret(fmt.Sprint(i+2)))
		w.expect(w.pass(Options{}), "update acme/p/s/development/a "+want)
	}
	w.faults["secrets"].apply = nil
	w.expect(w.pass(Options{}), "update acme/p/s/development/k v4")
	if m := w.meta("secrets", "acme/p/s/development/k"); m.Revision != w.head {
		t.Errorf("revision %s, want %s", m.Revision.Short(), w.head.Short())
	}
}
