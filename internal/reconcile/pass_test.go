package reconcile

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/llm-config-manager/lcm/internal/lcm"
)

type ctxT = context.Context

const (
	dev  = "namespaces/acme/p/s/development/"
	base = "namespaces/acme/p/s/base/"
	prod = "namespaces/acme/p/s/production/"
)

func TestVersionsCountTheCommitsThatChangedAnEntry(t *testing.T) {
	w := newWorld(t, map[string]string{dev + "a.yaml": config("one"), dev + "b.yaml": config("one")})
	w.expect(w.pass(Options{}), "create acme/p/s/development/a v1; create acme/p/s/development/b v1")
	w.commit("two", map[string]string{dev + "a.yaml": config("two")})
	changed := w.head
	w.commit("three", map[string]string{dev + "a.yaml": config("three")})
	last := w.head
	w.commit("unrelated", map[string]string{"README.md": "hello"})
	w.expect(w.pass(Options{}), "update acme/p/s/development/a v3")
	a, _ := lcm.ParseAddress("acme/p/s/development/a")
	if _, meta, _ := w.r.Targets["runtime"].Get(t.Context(), a); meta.Revision != last || meta.Revision == changed {
		t.Errorf("revision %s, want %s: the commit that last changed the entry", meta.Revision, last)
	}
}

func TestOriginIsTheCommitThatChangedTheEntry(t *testing.T) {
	w := newWorld(t, map[string]string{dev + "a.yaml": config("one")})
	w.commit("b", map[string]string{dev + "b.yaml": config("one")})
	second := w.head
	w.commit("c", map[string]string{dev + "c.yaml": config("one")})
	w.expect(w.pass(Options{}), "create acme/p/s/development/a v1; create acme/p/s/development/b v1; create acme/p/s/development/c v1")
	for key, want := range map[string]lcm.Revision{"a": w.intro, "b": second, "c": w.head} {
		a, _ := lcm.ParseAddress("acme/p/s/development/" + key)
		if _, meta, _ := w.r.Targets["runtime"].Get(t.Context(), a); meta.Revision != want {
			t.Errorf("%s: revision %s, want %s", key, meta.Revision, want)
		}
	}
}

func TestOnlyWhatAChangeFeedsIsWorkedOn(t *testing.T) {
	w := newWorld(t, map[string]string{base + "a.yaml": config("one"), prod + "b.yaml": config("one"), "namespaces/acme/p/other/base/a.yaml": config("x")})
	if r := w.pass(Options{}); r.Worked != 4 {
		t.Fatalf("worked on %d", r.Worked)
	}
	w.commit("prod only", map[string]string{prod + "b.yaml": config("two")})
	if r := w.pass(Options{}); r.Worked != 1 {
		t.Errorf("a change of one environment: worked on %d namespaces, want 1", r.Worked)
	}
	w.commit("base", map[string]string{base + "a.yaml": config("two")})
	if r := w.pass(Options{}); r.Worked != 2 {
		t.Errorf("a change of base: worked on %d namespaces, want 2", r.Worked)
	}
	if r := w.pass(Options{}); r.Worked != 0 {
		t.Errorf("no change: worked on %d namespaces", r.Worked)
	}
}

func TestNoOpWritesNothing(t *testing.T) {
	w := newWorld(t, map[string]string{dev + "a.yaml": config("one")})
	w.pass(Options{})
	before := w.stamp()
	w.pass(Options{})
	w.pass(Options{Everything: true})
	w.pass(Options{DryRun: true})
	if w.stamp() != before {
		t.Error("a pass without a change wrote something")
	}
}

// stamp tells whether the state or a target was written to.
func (w *world) stamp() string {
	w.Helper()
	var out []string
	for _, f := range []string{"state.db", "secrets.db", "runtime.db"} {
		info, err := os.Stat(filepath.Join(w.dir, f))
		w.check(err)
		data, err := os.ReadFile(filepath.Join(w.dir, f))
		w.check(err)
		out = append(out, fmt.Sprint(info.ModTime(), len(data), string(data)))
	}
	return strings.Join(out, "|")
}

func TestHeldNamespaceHoldsWhatRefersToIt(t *testing.T) {
	other := "namespaces/acme/p/other/production/"
	refers := "apiVersion: lcm/v1\nkind: Rollout\nmetadata: {owner: platform}\nspec:\n  target: {ref: /acme/p/s/a}\n  growth_type: linear\n  growth_factor: 10\n  duration: 1h\n  bake_time: 15m\n  alarms: [{promql: errors, threshold: 0.1, for: 5m}]\n  on_alarm: revert\n"
	w := newWorld(t, map[string]string{prod + "a.yaml": config("one"), other + "r.yaml": refers, other + "c.yaml": config("one"), dev + "x.yaml": config("one")})
	if r := w.pass(Options{}); len(r.Held) != 0 {
		t.Fatalf("%+v", r.Held)
	}
	w.commit("break", map[string]string{prod + "b.yaml": "apiVersion: lcm/v1\nkind: Config\nspec: {valu: 1}\n", other + "c.yaml": config("two"), dev + "x.yaml": config("two")})
	r := w.pass(Options{})
	w.expect(r, "held acme/p/other/production ref/held; update acme/p/s/development/x v2; held acme/p/s/production schema/unknown-field")
	for range 2 {
		w.expect(w.pass(Options{}), "held acme/p/other/production ref/held")
	}
	if again := w.pass(Options{}); len(again.Held) != 2 {
		t.Errorf("held in the second pass: %+v", again.Held)
	}
	w.commit("mend", map[string]string{prod + "b.yaml": ""})
	w.expect(w.pass(Options{}), "update acme/p/other/production/c v2")
	if again := w.pass(Options{}); len(again.Held) != 0 {
		t.Errorf("still held: %+v", again.Held)
	}
}

func TestFailedTargetIsTriedAgain(t *testing.T) {
	w := newWorld(t, map[string]string{dev + "a.yaml": config("one")})
	for _, fault := range []func(*faulty, error){
		func(f *faulty, err error) { f.list = err },
		func(f *faulty, err error) { f.apply = err },
	} {
		w.commit("again", map[string]string{dev + "a.yaml": config(fmt.Sprint("v", w.now.Unix()))})
		w.now = w.now.Add(time.Hour)
		fault(w.faults["runtime"], errors.New("down"))
		if r := w.pass(Options{}); len(r.Failed) != 1 || w.changes(r) != "" {
			t.Errorf("failed %+v, changes %q", r.Failed, w.changes(r))
		}
		fault(w.faults["runtime"], nil)
		if r := w.pass(Options{}); len(r.Failed) != 0 || w.changes(r) == "" {
			t.Errorf("failed %+v, changes %q", r.Failed, w.changes(r))
		}
		if r := w.pass(Options{}); r.Worked != 0 {
			t.Errorf("worked on %d although nothing is left", r.Worked)
		}
	}
}

func TestDeletes(t *testing.T) {
	files := map[string]string{dev + "keep.yaml": config("x")}
	for i := range 12 {
		files[fmt.Sprintf("%sk%02d.yaml", dev, i)] = config("x")
	}
	w := newWorld(t, files)
	w.pass(Options{})
	gone := func(from, to int) map[string]string {
		out := map[string]string{}
		for i := from; i < to; i++ {
			out[fmt.Sprintf("%sk%02d.yaml", dev, i)] = ""
		}
		return out
	}
	w.commit("eight", gone(0, 8))
	if r := w.pass(Options{}); len(r.Held) != 0 || strings.Count(w.changes(r), "delete") != 8 {
		t.Fatalf("up to ten always pass: %q %+v", w.changes(r), r.Held)
	}
	w.commit("four more in the same day", gone(8, 12))
	w.expect(w.pass(Options{}), "held acme/p/s/development deletes/held")
	w.now = w.now.Add(25 * time.Hour)
	if r := w.pass(Options{}); strings.Count(w.changes(r), "delete") != 4 {
		t.Errorf("the next day: %q %+v", w.changes(r), r.Held)
	}
	w.now = w.now.Add(25 * time.Hour)
	w.commit("empty the namespace", map[string]string{dev + "keep.yaml": ""})
	w.expect(w.pass(Options{}), "held acme/p/s/development deletes/held")
	w.now = w.now.Add(48 * time.Hour)
	w.expect(w.pass(Options{}), "held acme/p/s/development deletes/held")
	w.commit("yes, really\n\nLcm-Accept-Deletes: 1", map[string]string{"README.md": "x"})
	w.expect(w.pass(Options{}), "delete acme/p/s/development/keep")
	if r := w.pass(Options{}); len(r.Held)+r.Worked != 0 {
		t.Errorf("%+v", r)
	}
}

func TestDriftIsCorrectedWithoutANewVersion(t *testing.T) {
	w := newWorld(t, map[string]string{dev + "a.yaml": config("one")})
	w.pass(Options{})
	_ = w.r.Targets["runtime"].Close()
	w.stop()
	w.check(os.Remove(filepath.Join(w.dir, "runtime.db")))
	w.start()
	if r := w.pass(Options{}); r.Worked != 0 {
		t.Errorf("a regular pass looked at %d namespaces", r.Worked)
	}
	w.expect(w.pass(Options{Everything: true}), "create acme/p/s/development/a v1")
}

func TestBrokenSettingsHoldEverything(t *testing.T) {
	w := newWorld(t, map[string]string{dev + "a.yaml": config("one")})
	w.pass(Options{})
	w.commit("break", map[string]string{"lcm.yaml": strings.Replace(settings, "rules:", "ruls:", 1), dev + "a.yaml": config("two")})
	if r := w.pass(Options{}); !r.HeldWhole || w.changes(r) != "" {
		t.Errorf("%+v", r)
	}
	w.commit("mend", map[string]string{"lcm.yaml": settings})
	w.expect(w.pass(Options{}), "update acme/p/s/development/a v2")
}

func TestTargetThatOffersLessIsRefused(t *testing.T) {
	w := newWorld(t, map[string]string{dev + "a.yaml": config("one")})
	w.r.Targets["secrets"] = Target{Target: w.r.Targets["secrets"].Target, MaxClassification: lcm.Internal}
	r := w.pass(Options{})
	if !r.HeldWhole || len(r.Findings) == 0 || r.Findings[0].Rule != "settings/target" {
		t.Errorf("%+v", r.Findings)
	}
}

func TestSecretsOfTwoAddressesHaveDifferentDigests(t *testing.T) {
	w := newWorld(t, map[string]string{dev + "a.yaml": config("one")})
	a := lcm.Service{Org: "acme", Project: "p", Name: "s"}.In("production").Key("k")
	b := lcm.Service{Org: "acme", Project: "p", Name: "s"}.In("development").Key("k")
	if string(w.r.keyed("digest", a, "", []byte("x"))) == string(w.r.keyed("digest", b, "", []byte("x"))) {
		t.Error("equal secrets can be told from their digests")
	}
}

func TestShares(t *testing.T) {
	for text, want := range map[string]int{"10%": 20, "0%": 10, "100%": 200, "50": 50, "3": 10} {
		s, err := ParseShare(text)
		if err != nil || s.of(200) != want {
			t.Errorf("%s of 200: %d, %v; want %d", text, s.of(200), err, want)
		}
	}
	for _, bad := range []string{"", "ten", "101%", "-1", "-5%", "NaN%"} {
		if _, err := ParseShare(bad); err == nil {
			t.Errorf("%q passed", bad)
		}
	}
}

func TestAcceptedDeletes(t *testing.T) {
	for message, want := range map[string]int{
		"x\n\nLcm-Accept-Deletes: 12\n": 12, "x\n\nLcm-Accept-Deletes: 1\nLcm-Accept-Deletes: 2": 3,
		"x": 0, "Lcm-Accept-Deletes: many": 0, "Lcm-Accept-Deletes: -4": 0, "see Lcm-Accept-Deletes: 9": 0,
	} {
		if got := acceptedDeletes(message); got != want {
			t.Errorf("%q: %d, want %d", message, got, want)
		}
	}
}

// Without an identity a Secret is held, and the rest of the repository is not; with one it is published.
func TestNoIdentity(t *testing.T) {
	w := newWorld(t, map[string]string{"namespaces/acme/p/s/development/x.yaml": config("1")})
	path, text := w.sealed("acme/p/s/development/key", "api-key", map[string]any{"key": "canary-0123456789"}, nil)
	w.commit("a secret", map[string]string{path: text})
	opener := w.r.Opener
	w.r.Opener = nil
	r := w.pass(Options{})
	if len(r.Held) != 1 || len(r.Held[0].Findings) != 1 || r.Held[0].Findings[0].Rule != "sops/open" {
		t.Errorf("%+v", r.Held)
	}
	w.r.Opener = opener
	if r = w.pass(Options{}); len(r.Held) != 0 {
		t.Errorf("%+v", r.Held)
	}
}
