package reconcile

import (
	"testing"

	"github.com/llm-config-manager/lcm/internal/history"
	"github.com/llm-config-manager/lcm/internal/lcm"
)

// agrees holds the index against Git: each address has the version that history.Of counts, as of a revision.
func (w *world) agrees(x *versions, rev lcm.Revision) {
	w.Helper()
	for _, env := range []string{"development", "production"} {
		for _, key := range []string{"a", "b", "c"} {
			a := lcm.Service{Org: "acme", Project: "p", Name: "s"}.In(env).Key(key)
			all, err := history.Of(w.Context(), w.r.Repo, a, w.intro, rev)
			w.check(err)
			if len(all) == 0 {
				continue
			}
			got, err := x.of(a)
			w.check(err)
			if last := all[len(all)-1]; got != (origin{last.Revision, last.Number}) {
				w.Errorf("%s at %s: version %d of %s, want %d of %s", a, rev.Short(), got.version, got.commit.Short(), last.Number, last.Revision.Short())
			}
		}
	}
}

// indexed holds what a pass finds against Git; a plan's too, which writes nothing.
func (w *world) indexed(o Options, rev lcm.Revision) {
	w.Helper()
	_, err := w.r.Repo.Fetch(w.Context())
	w.check(err)
	before, err := w.r.State.Indexed()
	w.check(err)
	v, err := w.r.verify(w.Context(), rev, Options{DryRun: true, Revision: rev}, w.r.newReport(o))
	w.check(err)
	if v.Revision() != rev {
		w.Fatalf("%s is not believed", rev.Short())
	}
	x, err := w.r.versions(w.Context(), v, o)
	w.check(err)
	w.agrees(x, rev)
	if after, err := w.r.State.Indexed(); err != nil || o.DryRun && after != before {
		w.Errorf("a plan wrote: %+v, %v", after, err)
	}
}

func TestVersionsAreTheCommitsThatChangedTheValue(t *testing.T) {
	w := newWorld(t, map[string]string{dev + "a.yaml": config("one"), base + "b.yaml": config("one")})
	w.pass(Options{})
	past := []lcm.Revision{w.head}
	for _, files := range []map[string]string{
		{base + "a.yaml": config("base")}, // production gets it, development keeps its own
		{base + "b.yaml": config("two"), "namespaces/acme/p/s/production/c.yaml": config("one")}, // a change in base is one of all that inherit it
		{dev + "a.yaml": ""},
		{base + "b.yaml": config("one")},
		{"namespaces/acme/p/s/production/b.yaml": config("own")},
		{base + "b.yaml": config("three"), base + "a.yaml": ""}, // not in production, which has its own b
		{"README": "nothing"},
	} {
		w.commit("change", files)
		past = append(past, w.head)
		w.indexed(Options{DryRun: true}, w.head)
		if len(past)%2 == 0 {
			w.pass(Options{})
			w.stop()
			w.start()
		}
	}
	r := w.pass(Options{})
	w.indexed(Options{}, w.head)
	if r.Refusal != nil || len(r.Held) > 0 {
		t.Fatalf("%+v", r)
	}
	for _, a := range []string{"acme/p/s/development/b", "acme/p/s/production/b", "acme/p/s/production/c"} {
		address, err := lcm.ParseAddress(a)
		w.check(err)
		x, _, err := w.r.indexed(w.head)
		w.check(err)
		if from, err := x.of(address); err != nil || w.meta("runtime", a).Version != from.version || w.meta("runtime", a).Revision != from.commit {
			t.Errorf("%s: the target has %+v, the index %+v, %v", a, w.meta("runtime", a), from, err)
		}
	}
	for _, rev := range past { // a plan for an older revision
		w.indexed(Options{DryRun: true, Revision: rev}, rev)
	}
	// The state is lost, and so is the index.
	before := w.meta("runtime", "acme/p/s/production/b")
	w.loseState()
	if _, err := w.r.Accept(t.Context(), w.head, ""); err != nil {
		t.Fatal(err)
	}
	w.indexed(Options{DryRun: true}, w.head)
	w.expect(w.pass(Options{}), "")
	w.indexed(Options{}, w.head)
	if after := w.meta("runtime", "acme/p/s/production/b"); after != before {
		t.Errorf("%+v, was %+v", after, before)
	}
}

// A branch that was rewritten, and accepted by hand, is counted anew; no number is given out twice.
func TestVersionsOfARewrittenBranch(t *testing.T) {
	w := newWorld(t, map[string]string{dev + "a.yaml": config("one")})
	w.pass(Options{})
	for _, text := range []string{"two", "three", "four"} {
		w.commit(text, map[string]string{dev + "a.yaml": config(text)})
	}
	w.expect(w.pass(Options{}), "update acme/p/s/development/a v4")
	w.head = w.intro
	w.commit("other", map[string]string{dev + "a.yaml": config("other")})
	if r := w.pass(Options{}); r.Refusal == nil {
		t.Fatal("believed")
	}
	if _, err := w.r.Accept(t.Context(), w.head, "rewritten"); err != nil {
		t.Fatal(err)
	}
	w.expect(w.pass(Options{}), "update acme/p/s/development/a v5")
	w.indexed(Options{}, w.head)
}
