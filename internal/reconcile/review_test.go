package reconcile

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/store"
)

// meta returns the mark of an address in a target; it fails if there is no such entry.
func (w *world) meta(target, address string) store.Meta {
	w.Helper()
	a, err := lcm.ParseAddress(address)
	w.check(err)
	_, m, err := w.r.Targets[target].Get(w.Context(), a)
	w.check(err)
	return m
}

func (w *world) has(target, address string) bool {
	w.Helper()
	a, err := lcm.ParseAddress(address)
	w.check(err)
	_, _, err = w.r.Targets[target].Get(w.Context(), a)
	if errors.Is(err, store.ErrNotFound) {
		return false
	}
	w.check(err)
	return true
}

// A pass wrote and was cut off before its outcome; then the change was reverted.
func TestVersionNeverGoesDownAfterACutOffPass(t *testing.T) {
	w := newWorld(t, map[string]string{dev + "a.yaml": config("one")})
	w.pass(Options{})
	w.commit("two", map[string]string{dev + "a.yaml": config("two")})
	w.faults["runtime"].after = errors.New("the answer was lost")
	w.pass(Options{})
	w.faults["runtime"].after = nil
	if v := w.meta("runtime", "acme/p/s/development/a").Version; v != 2 {
		t.Fatalf("version %d", v)
	}
	w.commit("revert", map[string]string{dev + "a.yaml": config("one")})
	w.pass(Options{})
	if v := w.meta("runtime", "acme/p/s/development/a").Version; v != 3 {
		t.Errorf("version %d, want 3", v)
	}
}

// The same, with the entry deleted and made again: 2 was given out already.
func TestVersionOfACutOffPassIsNotGivenTwice(t *testing.T) {
	w := newWorld(t, map[string]string{dev + "a.yaml": config("one"), dev + "b.yaml": config("x")})
	w.pass(Options{})
	w.commit("two", map[string]string{dev + "a.yaml": config("two")})
	w.faults["runtime"].after = errors.New("the answer was lost")
	w.pass(Options{})
	w.faults["runtime"].after = nil
	w.commit("gone", map[string]string{dev + "a.yaml": ""})
	w.pass(Options{})
	w.commit("back", map[string]string{dev + "a.yaml": config("three")})
	w.pass(Options{})
	if v := w.meta("runtime", "acme/p/s/development/a").Version; v != 4 { // that it was gone is a version, too
		t.Errorf("version %d, want 4", v)
	}
}

// What a cut-off pass made stays ours through a second cut-off pass that no longer wants it.
func TestWhatACutOffPassMadeIsDeletedInTheEnd(t *testing.T) {
	w := newWorld(t, map[string]string{dev + "a.yaml": config("one")})
	w.pass(Options{})
	w.commit("k", map[string]string{dev + "k.yaml": config("one")})
	w.faults["runtime"].after = errors.New("the answer was lost")
	w.pass(Options{})
	w.faults["runtime"].after = nil
	w.commit("no k", map[string]string{dev + "k.yaml": "", dev + "a.yaml": config("two")})
	w.faults["runtime"].apply = errors.New("down")
	w.pass(Options{})
	w.faults["runtime"].apply = nil
	w.pass(Options{})
	if w.has("runtime", "acme/p/s/development/k") {
		t.Error("k is still there")
	}
}

// A value moves to another target: the old one keeps it until the new one has it.
func TestMovedValueIsNeverNowhere(t *testing.T) {
	moved := strings.Replace(settings, `  - {match: {namespaces: ["**"], kinds: ["*"]}, target: runtime}`, `  - {match: {namespaces: ["**"], kinds: ["*"]}, target: secrets}`, 1)
	for name, fault := range map[string]func(*faulty, error){
		"list":  func(f *faulty, err error) { f.list = err },
		"apply": func(f *faulty, err error) { f.apply = err },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, map[string]string{dev + "a.yaml": config("one")})
			w.pass(Options{})
			w.commit("move", map[string]string{"lcm.yaml": moved})
			fault(w.faults["secrets"], errors.New("down"))
			w.pass(Options{})
			if !w.has("runtime", "acme/p/s/development/a") {
				t.Error("the value is nowhere")
			}
			fault(w.faults["secrets"], nil)
			w.pass(Options{})
			if w.has("runtime", "acme/p/s/development/a") || !w.has("secrets", "acme/p/s/development/a") {
				t.Error("the value was not moved")
			}
			if r := w.pass(Options{}); r.Worked != 0 || len(r.Failed) != 0 {
				t.Errorf("%+v", r)
			}
		})
	}
}

// plan --revision must not open what was signed beside the accepted history.
func TestPlanOfARevisionBesideTheAcceptedOnes(t *testing.T) {
	w := newWorld(t, map[string]string{dev + "a.yaml": config("one")})
	first := w.head
	w.commit("two", map[string]string{dev + "a.yaml": config("two")})
	accepted := w.head
	w.pass(Options{})
	w.head = first
	w.commit("beside", map[string]string{dev + "a.yaml": config("evil")})
	beside := w.head
	if r := w.pass(Options{}); r.Refusal == nil {
		t.Fatal("a rewritten history passed")
	}
	w.head = accepted
	w.check(w.repo.SetBranch("main", accepted))
	w.pass(Options{})
	r, err := w.r.Pass(t.Context(), Options{DryRun: true, Revision: beside})
	if err == nil && (r.Refusal == nil || w.changes(r) != "") {
		t.Errorf("planned: %q", w.changes(r))
	}
	w.expect(w.pass(Options{DryRun: true, Revision: first}), "update acme/p/s/development/a v2")
	w.commit("ahead", map[string]string{dev + "a.yaml": config("three")})
	w.pass(Options{DryRun: true})
	w.expect(w.pass(Options{DryRun: true, Revision: w.head}), "update acme/p/s/development/a v2")
}

// An environment that lcm.yaml no longer declares, or that is only a layer now, is emptied: with a consent.
func TestEnvironmentThatIsNotPublishedAnyMoreIsEmptied(t *testing.T) {
	for name, change := range map[string]map[string]string{
		"gone":     {"lcm.yaml": strings.Replace(settings, "  production: {inherits: base}\n", "", 1), prod + "b.yaml": ""},
		"abstract": {"lcm.yaml": strings.Replace(settings, "production: {inherits: base}", "production: {abstract: true, inherits: base}", 1)},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, map[string]string{dev + "a.yaml": config("one"), prod + "b.yaml": config("x")})
			w.pass(Options{})
			w.commit("no production", change)
			w.expect(w.pass(Options{}), "held acme/p/s/production deletes/held")
			w.commit("yes\n\nLcm-Accept-Deletes: 1", map[string]string{"README.md": "x"})
			w.expect(w.pass(Options{}), "delete acme/p/s/production/b")
			if r := w.pass(Options{}); r.Worked+len(r.Held) != 0 {
				t.Errorf("%+v", r)
			}
		})
	}
}

// A stray file of one tenant is not everybody's failure.
func TestLayoutOfOneServiceHoldsOnlyThatService(t *testing.T) {
	for name, stray := range map[string]string{
		"environment": "namespaces/acme/p/s/nowhere/a.yaml",
		"file":        "namespaces/acme/p/s/notes.txt",
	} {
		t.Run(name, func(t *testing.T) {
			other := "namespaces/globex/q/t/development/"
			w := newWorld(t, map[string]string{dev + "a.yaml": config("one"), other + "b.yaml": config("one")})
			w.pass(Options{})
			w.commit("stray", map[string]string{stray: config("x"), dev + "a.yaml": config("two"), other + "b.yaml": config("two")})
			r := w.pass(Options{})
			if got := w.changes(r); !strings.Contains(got, "update globex/q/t/development/b v2") || strings.Contains(got, "update acme") {
				t.Errorf("changes %q", got)
			}
			w.commit("mend", map[string]string{stray: ""})
			w.expect(w.pass(Options{}), "update acme/p/s/development/a v2")
		})
	}
}

func TestMendedReferenceIsLookedAtAgain(t *testing.T) {
	refers := config("{ref: /acme/p/other/k}")
	w := newWorld(t, map[string]string{dev + "a.yaml": refers})
	w.expect(w.pass(Options{}), "held acme/p/s/development ref/dangling")
	w.commit("k", map[string]string{"namespaces/acme/p/other/development/k.yaml": config("one")})
	w.expect(w.pass(Options{}), "create acme/p/other/development/k v1; create acme/p/s/development/a v1")
}

func TestNamespacesThatReferToEachOtherComeFreeTogether(t *testing.T) {
	other := "namespaces/acme/p/other/development/"
	w := newWorld(t, map[string]string{dev + "a.yaml": config("{ref: /acme/p/other/k}"), dev + "b.yaml": config("x"), other + "k.yaml": config("one"), other + "r.yaml": config("{ref: /acme/p/s/b}")})
	w.pass(Options{})
	w.commit("break", map[string]string{dev + "c.yaml": "apiVersion: lcm/v1\nkind: Config\nspec: {valu: 1}\n", other + "k.yaml": config("two")})
	w.expect(w.pass(Options{}), "held acme/p/other/development ref/held; held acme/p/s/development schema/unknown-field")
	w.pass(Options{})
	w.commit("mend", map[string]string{dev + "c.yaml": ""})
	w.expect(w.pass(Options{}), "update acme/p/other/development/k v2")
	if r := w.pass(Options{}); r.Worked+len(r.Held) != 0 {
		t.Errorf("%+v", r)
	}
}

// A credential in an odd place is not repeated by the daemon, as it is not by the linter.
func TestFindingsRepeatNoCredential(t *testing.T) {
	token := "ghp_" + "16C7e42F292c6912E7710c838347Ae178B4a"
	w := newWorld(t, map[string]string{dev + "a.yaml": "apiVersion: lcm/v1\nkind: Config\nmetadata: {owner: platform}\nspec: {value: 1, " + token + ": 1}\n",
		dev + "b.yaml": "apiVersion: lcm/v1\nkind: " + token + "\nmetadata: {owner: platform}\nspec: {value: 1}\n"})
	r := w.pass(Options{})
	if text := fmt.Sprintf("%+v %+v", r.Held, r.Findings); strings.Contains(text, token) {
		t.Error(text)
	}
}

// The revision beside an entry is the commit that changed it, also if a target failed at first, or a check held it.
func TestOriginSurvivesAFailedPass(t *testing.T) {
	for name, cut := range map[string]func(*faulty, error){
		"list":   func(f *faulty, err error) { f.list = err },
		"before": func(f *faulty, err error) { f.apply = err },
		"after":  func(f *faulty, err error) { f.after = err },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, map[string]string{dev + "a.yaml": config("one")})
			w.pass(Options{})
			w.commit("two", map[string]string{dev + "a.yaml": config("two")})
			w.commit("three", map[string]string{dev + "a.yaml": config("three")})
			changed := w.head
			w.commit("unrelated", map[string]string{"README.md": "x"})
			cut(w.faults["runtime"], errors.New("down"))
			w.pass(Options{})
			cut(w.faults["runtime"], nil)
			w.pass(Options{})
			if m := w.meta("runtime", "acme/p/s/development/a"); m.Revision != changed || m.Version != 3 {
				t.Errorf("version %d of %s, want 3 of %s", m.Version, m.Revision.Short(), changed.Short())
			}
		})
	}
}

func TestOriginSurvivesAHold(t *testing.T) {
	w := newWorld(t, map[string]string{dev + "a.yaml": config("one")})
	w.pass(Options{})
	w.commit("two", map[string]string{dev + "a.yaml": config("two"), dev + "b.yaml": "apiVersion: lcm/v1\nkind: Config\nspec: {valu: 1}\n"})
	w.pass(Options{})
	w.commit("three", map[string]string{dev + "a.yaml": config("three")})
	changed := w.head
	w.pass(Options{})
	w.commit("mend", map[string]string{dev + "b.yaml": ""})
	w.pass(Options{})
	if m := w.meta("runtime", "acme/p/s/development/a"); m.Revision != changed || m.Version != 3 {
		t.Errorf("version %d of %s, want 3 of %s", m.Version, m.Revision.Short(), changed.Short())
	}
}

// Versions count from the introduction on, whether the daemon was there or comes later.
func TestVersionsOfALateDaemon(t *testing.T) {
	w := newWorld(t, map[string]string{dev + "a.yaml": config("one")})
	w.commit("two", map[string]string{dev + "a.yaml": config("two")})
	w.expect(w.pass(Options{}), "create acme/p/s/development/a v2")
}

// What is held for another reason uses up no deletions.
func TestHeldNamespaceUsesUpNoDeletions(t *testing.T) {
	const s, other = "namespaces/acme/p/z/development/", "namespaces/acme/p/a/development/"
	files := map[string]string{s + "keep.yaml": config("x"), other + "keep.yaml": config("x")}
	for i := range 8 {
		files[fmt.Sprintf("%sk%d.yaml", s, i)], files[fmt.Sprintf("%sk%d.yaml", other, i)] = config("x"), config("x")
	}
	w := newWorld(t, files)
	w.pass(Options{})
	foreign := lcm.Service{Org: "acme", Project: "p", Name: "a"}.In("development")
	w.check(w.r.Targets["runtime"].Apply(t.Context(), store.Batch{Namespace: foreign, Marker: store.Marker{Repository: "test-config", Phase: store.Whole},
		Changes: []store.Change{{Action: store.Create, Key: "new", Value: []byte("1"), Meta: store.Meta{ID: "x", Version: 1, Repository: "another", Kind: lcm.KindConfig, Digest: "sha256:0"}}}}))
	change := map[string]string{other + "new.yaml": config("x")}
	for i := range 8 {
		change[fmt.Sprintf("%sk%d.yaml", s, i)], change[fmt.Sprintf("%sk%d.yaml", other, i)] = "", ""
	}
	w.commit("delete eight and eight", change)
	r := w.pass(Options{})
	if got := w.changes(r); strings.Count(got, "delete acme/p/z/") != 8 || len(r.Held) != 1 {
		t.Errorf("changes %q\nheld %+v", got, r.Held)
	}
}
