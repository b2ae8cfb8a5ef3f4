package reconcile

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/plan"
	"github.com/llm-config-manager/lcm/internal/sopsfile"
	"github.com/llm-config-manager/lcm/internal/state"
	"github.com/llm-config-manager/lcm/internal/store"
)

// edit changes one entry in a target behind the reconciler's back.
func (w *world) edit(target, address string, change func(*store.Change)) {
	w.Helper()
	a, err := lcm.ParseAddress(address)
	w.check(err)
	t := w.faults[target].Target
	l, err := t.List(w.Context(), a.Namespace)
	w.check(err)
	i := slices.IndexFunc(l.Items, func(i store.Item) bool { return i.Key == a.Key })
	c := store.Change{Action: store.Update, Key: a.Key, Meta: l.Items[i].Meta, If: l.Items[i].Token, Secret: target == "secrets"}
	c.Value, _, err = t.Get(w.Context(), a)
	w.check(err)
	change(&c)
	w.check(t.Apply(w.Context(), store.Batch{Namespace: a.Namespace, Changes: []store.Change{c}, Marker: l.Marker}))
}

var byHand = map[state.DriftKind]func(*store.Change){
	state.DriftMissing: func(c *store.Change) { c.Action, c.Value = store.Delete, nil },
	state.DriftValue:   func(c *store.Change) { c.Value = []byte(`{"a":1,"b":{"c":"theirs","d":[1,2]}}`) },
	state.DriftMark:    func(c *store.Change) { c.Meta.Origin = "elsewhere.yaml" },
	state.DriftForeign: func(c *store.Change) { c.Meta = store.Meta{Repository: "another", ID: "x", Version: 1, Digest: "d"} },
}

const structured = "{a: 1, b: {c: ours, d: [1, 3]}}"

func (w *world) stands(target, address string) string {
	w.Helper()
	a, err := lcm.ParseAddress(address)
	w.check(err)
	v, _, err := w.faults[target].Get(w.Context(), a)
	if errors.Is(err, store.ErrNotFound) {
		return ""
	}
	w.check(err)
	return string(v)
}

func (w *world) drifts(address string) state.Drifts {
	w.Helper()
	a, err := lcm.ParseAddress(address)
	w.check(err)
	d, err := w.r.State.Drifts(a.Namespace)
	w.check(err)
	return d
}

func TestDriftIsFoundPutRightAndRecorded(t *testing.T) {
	const address = "acme/p/s/development/a"
	for kind, change := range byHand {
		t.Run(string(kind), func(t *testing.T) {
			w := newWorld(t, map[string]string{dev + "a.yaml": config(structured), dev + "b.yaml": config("one")})
			w.pass(Options{})
			want, mark := w.stands("runtime", address), w.meta("runtime", address)
			w.edit("runtime", address, change)
			w.now = w.now.Add(time.Minute)
			r := w.pass(Options{Everything: true})
			if len(r.Drift) != 1 || r.Drift[0].Kind != kind || r.Drift[0].Address.String() != address || r.Drifted.Total() != 1 {
				t.Fatalf("reported %+v", r.Drift)
			}
			d := r.Drift[0]
			if kind == state.DriftForeign { // it is not ours to overwrite
				if len(r.Held) != 1 || !d.Corrected.IsZero() || len(w.drifts(address).Open) != 1 {
					t.Errorf("held %+v, drift %+v", r.Held, w.drifts(address))
				}
				return
			}
			if !d.Corrected.Equal(w.now) || w.stands("runtime", address) != want || w.meta("runtime", address) != mark {
				t.Errorf("%+v: it is not as it was: %s", d, w.stands("runtime", address))
			}
			if fields := strings.Join(d.Fields, " "); kind == state.DriftValue && fields != "/b/c /b/d/1" || kind != state.DriftValue && fields != "" {
				t.Errorf("fields %q", fields)
			}
			if text, _ := json.Marshal(w.drifts(address)); strings.Contains(string(text), "theirs") || strings.Contains(string(text), "ours") {
				t.Errorf("a value is recorded: %s", text)
			}
			if past := w.drifts(address).Past; len(past) != 1 || !past[0].Same(d) {
				t.Errorf("recorded %+v", past)
			}
			s, err := w.r.Status()
			if w.check(err); s.Drift.Open != 0 || len(s.Drift.Corrected) != 1 {
				t.Errorf("status %+v", s.Drift)
			}
			w.quiet(Options{Everything: true})
		})
	}
}

// A value that lost its mark, and is what was put there, is ours, as the inventory says; another value is somebody else's.
func TestLostMark(t *testing.T) {
	const address = "acme/p/s/development/a"
	w := newWorld(t, map[string]string{dev + "a.yaml": config(structured)})
	w.pass(Options{})
	mark := w.meta("runtime", address)
	w.edit("runtime", address, func(c *store.Change) { c.Meta = store.Meta{} })
	r := w.pass(Options{Everything: true})
	if len(r.Drift) != 1 || r.Drift[0].Kind != state.DriftMark || len(r.Held) != 0 || w.meta("runtime", address) != mark {
		t.Errorf("reported %+v, held %+v, marked %+v", r.Drift, r.Held, w.meta("runtime", address))
	}
	w.quiet(Options{Everything: true})
	w.edit("runtime", address, func(c *store.Change) { c.Meta, c.Value = store.Meta{}, []byte(`{"a":"theirs"}`) })
	r = w.pass(Options{Everything: true})
	if len(r.Drift) != 1 || r.Drift[0].Kind != state.DriftForeign || len(r.Held) != 1 {
		t.Errorf("reported %+v, held %+v", r.Drift, r.Held)
	}
}

// quiet demands that a pass finds nothing, and writes nothing anywhere.
func (w *world) quiet(o Options) {
	w.Helper()
	before := w.stamp()
	w.pass(o)
	if w.stamp() != before {
		w.Error("a pass without a change wrote something")
	}
}

func TestDriftOfASecretNamesNoField(t *testing.T) {
	const address, path = "acme/p/s/development/k", dev + "k.sops.yaml"
	w := newWorld(t, nil)
	text, err := sopsfile.Seal(path, map[string]any{"apiVersion": "lcm/v1", "kind": "Secret", "metadata": map[string]any{"owner": "platform", "description": "d"},
		"spec": map[string]any{"type": "opaque", "data": map[string]any{"v": "canary"}}}, []string{w.age})
	w.check(err)
	w.commit("k", map[string]string{path: string(text)})
	w.pass(Options{})
	w.edit("secrets", address, func(c *store.Change) { c.Value = []byte(`{"v":"canary-2"}`) })
	r := w.pass(Options{Everything: true})
	if len(r.Drift) != 1 || len(r.Drift[0].Fields) != 0 || w.stands("secrets", address) != `{"v":"canary"}` {
		t.Errorf("%+v", r.Drift)
	}
}

func TestDriftThatIsOnlyReported(t *testing.T) {
	const address = "acme/p/s/development/a"
	for kind, change := range byHand {
		t.Run(string(kind), func(t *testing.T) {
			w := newWorld(t, map[string]string{dev + "a.yaml": config(structured), dev + "b.yaml": config("one")})
			w.pass(Options{})
			w.target("runtime", func(t *Target) { t.ReportDrift = true })
			w.edit("runtime", address, change)
			stands := w.stands("runtime", address)
			found := w.now
			r := w.pass(Options{Everything: true})
			if len(r.Drift) != 1 || !r.Drift[0].Corrected.IsZero() || len(r.Held) != 0 || w.stands("runtime", address) != stands {
				t.Fatalf("%+v %+v", r.Drift, r.Held)
			}
			for range 2 {
				w.now = w.now.Add(time.Second)
				w.quiet(Options{Everything: true})
			}
			if open := w.drifts(address).Open; len(open) != 1 || !open[0].Found.Equal(found) {
				t.Errorf("%+v", open)
			}
			w.commit("the neighbour", map[string]string{dev + "b.yaml": config("two")})
			w.expect(w.pass(Options{}), "update acme/p/s/development/b v2")
			if s, err := w.r.Status(); err != nil || s.Drift.Open != 1 || w.stands("runtime", address) != stands {
				t.Errorf("%+v", s.Drift)
			}
			w.commit("the very entry", map[string]string{dev + "a.yaml": config("{a: 2}")})
			r = w.pass(Options{})
			if kind == state.DriftForeign {
				w.expect(r, "held acme/p/s/development store/foreign")
				return
			}
			if w.stands("runtime", address) != `{"a":2}` || len(w.drifts(address).Open) != 0 {
				t.Errorf("%s, %+v", w.stands("runtime", address), w.drifts(address))
			}
		})
	}
}

// target changes the settings of a target.
func (w *world) target(name string, change func(*Target)) {
	t := w.r.Targets[name]
	change(&t)
	w.r.Targets[name] = t
}

// Somebody puts right by hand what was only reported.
func TestReportedDriftThatIsGone(t *testing.T) {
	const address = "acme/p/s/development/a"
	w := newWorld(t, map[string]string{dev + "a.yaml": config("one")})
	w.pass(Options{})
	w.target("runtime", func(t *Target) { t.ReportDrift = true })
	w.edit("runtime", address, func(c *store.Change) { c.Value = []byte(`"two"`) })
	w.pass(Options{Everything: true})
	w.edit("runtime", address, func(c *store.Change) { c.Value = []byte(`"one"`) })
	w.now = w.now.Add(time.Hour)
	r := w.pass(Options{Everything: true})
	if d := w.drifts(address); len(d.Open) != 0 || len(d.Past) != 1 || len(r.Drift) != 1 || !r.Drift[0].Corrected.Equal(w.now) {
		t.Errorf("%+v, reported %+v", d, r.Drift)
	}
}

func TestIgnoredDrift(t *testing.T) {
	w := newWorld(t, map[string]string{dev + "a.yaml": config("one"), dev + "b.yaml": config("one")})
	w.pass(Options{})
	w.target("runtime", func(t *Target) { t.IgnoreDrift = []lcm.Pattern{lcm.MustPattern("acme/**/a")} })
	for _, key := range []string{"a", "b"} {
		w.edit("runtime", "acme/p/s/development/"+key, func(c *store.Change) { c.Value = []byte(`"two"`) })
	}
	r := w.pass(Options{Everything: true})
	if len(r.Drift) != 1 || r.Drift[0].Address.Key != "b" || w.stands("runtime", "acme/p/s/development/a") != `"two"` || w.stands("runtime", "acme/p/s/development/b") != `"one"` {
		t.Errorf("%+v", r.Drift)
	}
}

// A target that was wiped is filled again; what is remembered of it has bounds.
func TestAWipedTarget(t *testing.T) {
	w := newWorld(t, many(dev, 80, config("x")))
	w.pass(Options{})
	w.target("runtime", func(t *Target) { t.ReportDrift = true })
	for i := range 80 {
		w.edit("runtime", fmt.Sprintf("acme/p/s/development/k%02d", i), byHand[state.DriftMissing])
	}
	w.pass(Options{Everything: true})
	s, err := w.r.Status()
	w.check(err)
	if s.Drift.Open != 80 || len(s.Drift.Entries) != maxOpenDrift {
		t.Errorf("%d open, %d named", s.Drift.Open, len(s.Drift.Entries))
	}
	w.target("runtime", func(t *Target) { t.ReportDrift = false })
	r := w.pass(Options{Everything: true})
	if d := w.drifts("acme/p/s/development/x"); len(d.Open)+d.More != 0 || len(d.Past) != maxPastDrift || r.Drifted["runtime"][state.DriftMissing] != 80 {
		t.Errorf("%+v, counted %v", d, r.Drifted)
	}
	w.holds("runtime", "acme/p/s/development", 80)
	w.quiet(Options{Everything: true})
}

// What a pass of ours was cut off from is no drift.
func TestACutOffPassIsNoDrift(t *testing.T) {
	w := newWorld(t, map[string]string{dev + "a.yaml": config("one"), dev + "b.yaml": config("one"), dev + "c.yaml": config("one")})
	w.pass(Options{})
	w.faults["runtime"].after = errors.New("the connection broke")
	w.commit("two", map[string]string{dev + "a.yaml": config("two"), dev + "b.yaml": ""})
	w.pass(Options{})
	w.faults["runtime"].after = nil
	if r := w.pass(Options{Everything: true}); len(r.Drift) != 0 {
		t.Errorf("%+v", r.Drift)
	}
}

// A pass deleted something and was cut off, a later one wanted it back and was cut off too: it is gone, and that was us.
func TestWhatCutOffPassesDeletedIsNoDrift(t *testing.T) {
	w := newWorld(t, map[string]string{dev + "a.yaml": config("one"), dev + "b.yaml": config("one")})
	w.pass(Options{})
	w.faults["runtime"].after = errors.New("the connection broke")
	w.commit("away", map[string]string{dev + "b.yaml": ""})
	w.pass(Options{})
	w.faults["runtime"].apply = errors.New("down")
	w.commit("back", map[string]string{dev + "b.yaml": config("one")})
	w.pass(Options{})
	w.faults["runtime"].apply, w.faults["runtime"].after = nil, nil
	if r := w.pass(Options{Everything: true}); len(r.Drift) != 0 || w.stands("runtime", "acme/p/s/development/b") != `"one"` {
		t.Errorf("%+v", r.Drift)
	}
}

// A namespace that is held keeps what it had: that is put back, too, whatever holds it, and nothing else is written.
func TestDriftOfAHeldNamespaceIsPutRight(t *testing.T) {
	const address = "acme/p/s/development/a"
	for _, c := range []struct {
		name string
		held map[string]string
		rule string
	}{
		{"by checks", map[string]string{dev + "b.yaml": "apiVersion: lcm/v1\nkind: Config\nspec: {valu: 1}\n", dev + "a.yaml": config("two")}, "schema/unknown-field"},
		{"for deletions", map[string]string{dev + "a.yaml": "", dev + "c.yaml": ""}, "deletes/held"},
	} {
		for _, kind := range []state.DriftKind{state.DriftMissing, state.DriftValue, state.DriftMark} {
			t.Run(c.name+" "+string(kind), func(t *testing.T) {
				w := newWorld(t, map[string]string{dev + "a.yaml": config(structured), dev + "c.yaml": config("one")})
				w.pass(Options{})
				want, mark := w.stands("runtime", address), w.meta("runtime", address)
				w.commit("held", c.held)
				w.expect(w.pass(Options{}), "held acme/p/s/development "+c.rule)
				w.edit("runtime", address, byHand[kind])
				r := w.pass(Options{Everything: true})
				if kind == state.DriftValue { // the listing of this target does not show it
					if len(r.Drift) != 0 {
						t.Errorf("%+v", r.Drift)
					}
					return
				}
				if len(r.Drift) != 1 || !r.Drift[0].Corrected.Equal(w.now) || len(r.Held) != 1 {
					t.Errorf("%+v %+v", r.Drift, r.Held)
				}
				if w.stands("runtime", address) != want || w.meta("runtime", address) != mark {
					t.Errorf("it is %s, %+v", w.stands("runtime", address), w.meta("runtime", address))
				}
				w.quiet(Options{Everything: true})
			})
		}
	}
}

func TestAdoption(t *testing.T) {
	ns := lcm.Service{Org: "acme", Project: "p", Name: "s"}.In("development")
	for _, c := range []struct {
		adopt  plan.Adopt
		stands string
		mark   store.Meta
		want   string
	}{
		{plan.AdoptNone, `"ours"`, store.Meta{}, "held acme/p/s/development store/foreign"},
		{plan.AdoptEqual, `"ours"`, store.Meta{}, "remark acme/p/s/development/a v1"},
		{plan.AdoptEqual, `"theirs"`, store.Meta{}, "held acme/p/s/development store/foreign"},
		{plan.AdoptOverwrite, `"ours"`, store.Meta{}, "remark acme/p/s/development/a v1"},
		{plan.AdoptOverwrite, `"theirs"`, store.Meta{}, "update acme/p/s/development/a v1"},
		{plan.AdoptOverwrite, `"ours"`, store.Meta{Repository: "another", ID: "x", Version: 1, Digest: "d"}, "held acme/p/s/development store/foreign"},
	} {
		t.Run(fmt.Sprintf("%s %s %s", c.adopt, c.stands, c.mark.Repository), func(t *testing.T) {
			w := newWorld(t, map[string]string{dev + "a.yaml": config("ours")})
			w.check(w.faults["runtime"].Target.Apply(t.Context(), store.Batch{Namespace: ns, Changes: []store.Change{{Action: store.Create, Key: "a", Value: []byte(c.stands), Meta: c.mark}}}))
			w.target("runtime", func(t *Target) { t.Adopt = c.adopt })
			w.expect(w.pass(Options{}), c.want)
			if strings.HasPrefix(c.want, "held") {
				if w.stands("runtime", "acme/p/s/development/a") != c.stands {
					t.Error("it was touched")
				}
				return
			}
			if w.stands("runtime", "acme/p/s/development/a") != `"ours"` || w.meta("runtime", "acme/p/s/development/a").Repository != "test-config" {
				t.Error("it is not ours")
			}
			w.quiet(Options{Everything: true})
			w.commit("away", map[string]string{dev + "b.yaml": config("x"), dev + "a.yaml": ""})
			w.expect(w.pass(Options{}), "delete acme/p/s/development/a; create acme/p/s/development/b v1")
		})
	}
}
