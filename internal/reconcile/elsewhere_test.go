package reconcile

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/llm-config-manager/lcm/internal/gitrepo"
	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/state"
)

// copyOrigin makes a mirror of the origin as it is now.
func (w *world) copyOrigin(name string) {
	w.Helper()
	w.check(os.RemoveAll(filepath.Join(w.dir, name)))
	w.check(os.CopyFS(filepath.Join(w.dir, name), os.DirFS(filepath.Join(w.dir, "origin.git"))))
}

// down takes the origin away; up puts it back.
func (w *world) down() {
	w.check(os.Rename(filepath.Join(w.dir, "origin.git"), filepath.Join(w.dir, "away.git")))
}
func (w *world) up() {
	w.check(os.Rename(filepath.Join(w.dir, "away.git"), filepath.Join(w.dir, "origin.git")))
}

// mirrored is a world with two mirrors, whose origin was fetched once.
func mirrored(t *testing.T) *world {
	w := newWorld(t, map[string]string{dev + "a.yaml": config("one")})
	w.fresh = Freshness{MaxFetchAge: 15 * time.Minute}
	w.elsewhere = []gitrepo.Remote{{URL: filepath.Join(w.dir, "first.git")}, {URL: filepath.Join(w.dir, "second.git")}}
	w.restart()
	if r := w.pass(Options{}); r.Mirror != nil {
		t.Fatal(r.Mirror)
	}
	return w
}

func (w *world) status() *Status {
	w.Helper()
	s, err := w.r.Status()
	w.check(err)
	return s
}

// from demands where a report and the status say that commits come from, and whether that is behind.
func (w *world) from(r *Report, mirror string, behind bool) {
	w.Helper()
	if r.Mirror == nil || filepath.Base(r.Mirror.URL) != mirror || r.Mirror.Behind != behind || !strings.Contains(r.Mirror.Why, "origin.git") {
		w.Errorf("from %+v, want %s, behind %t", r.Mirror, mirror, behind)
	}
	if s := w.status(); s.Fetch.Mirror == nil || *s.Fetch.Mirror != *r.Mirror {
		w.Errorf("the status says %+v", s.Fetch.Mirror)
	}
}

// TestMirrors are asked in turn while the URL fails. What they bring is judged as ever, and no fresh fetch.
func TestMirrors(t *testing.T) {
	w := mirrored(t)
	fetched := *w.status().Fetch.At
	w.commit("two", map[string]string{dev + "a.yaml": config("two")})
	w.copyOrigin("second.git")
	w.down()
	w.now = w.now.Add(20 * time.Minute)
	r := w.pass(Options{})
	r.expectServed(w, dev+"a", "two")
	w.from(r, "second.git", false)
	if !strings.Contains(r.Mirror.Why, "mirror "+filepath.Join(w.dir, "first.git")+": ") {
		t.Error(r.Mirror.Why)
	}
	if s := w.status(); s.Ready || !s.Fetch.Stale || !s.Fetch.At.Equal(fetched) || s.Accepted.Revision != w.head {
		t.Errorf("%+v", s)
	}

	// The URL answers again.
	w.up()
	if r := w.pass(Options{}); r.Mirror != nil {
		t.Error(r.Mirror)
	}
	if s := w.status(); !s.Ready || s.Fetch.Mirror != nil || s.Fetch.Error != "" {
		t.Errorf("%+v", s)
	}
}

// TestMirrorBehind: a mirror that has not caught up raises no alarm and takes nothing back. What is pending goes on, and one
// that has caught up is taken in its place.
func TestMirrorBehind(t *testing.T) {
	w := mirrored(t)
	w.copyOrigin("first.git")
	old := w.head
	w.commit("two", map[string]string{dev + "a.yaml": config("two"), prod + "b.yaml": config("b")})
	w.faults["runtime"].apply = errors.New("no")
	if r := w.pass(Options{}); len(r.Failed) == 0 {
		t.Fatal("nothing failed")
	}
	w.faults["runtime"].apply = nil
	w.down()
	w.now = w.now.Add(20 * time.Minute)
	r := w.pass(Options{})
	w.from(r, "first.git", true)
	if r.Refusal != nil || r.Revision != w.head || r.Mirror.Head != old {
		t.Errorf("%+v", r)
	}
	r.expectServed(w, dev+"a", "two")
	if s := w.status(); s.Ready || s.Refusal != nil {
		t.Errorf("%+v", s)
	}

	w.up()
	w.commit("three", map[string]string{dev + "a.yaml": config("three")})
	w.copyOrigin("second.git")
	w.down()
	r = w.pass(Options{})
	w.from(r, "second.git", false)
	r.expectServed(w, dev+"a", "three")
	w.restart() // the mirror of ours was not taken back either
	r = w.pass(Options{})
	w.from(r, "second.git", false)
	w.expect(r, "")
}

// TestMirrorBeside: what a mirror shows is refused as if the server showed it: another history, and what nobody signed.
func TestMirrorBeside(t *testing.T) {
	for name, c := range map[string]struct {
		rule string
		make func(w *world)
	}{
		"another history": {"trust/rewritten", func(w *world) {
			other := w.head
			w.head = w.intro
			w.commit("beside", map[string]string{dev + "a.yaml": config("other")})
			w.copyOrigin("first.git")
			w.head = other
			w.check(w.repo.SetBranch("main", other))
		}},
		"unsigned": {"trust/unsigned", func(w *world) {
			w.copyOrigin("first.git")
			mirror, err := gitrepo.Open(filepath.Join(w.dir, "first.git"), gitrepo.Limits{})
			w.check(err)
			defer mirror.Close()
			rev, err := mirror.Write(gitrepo.Edit{Parents: []lcm.Revision{w.head}, Files: map[string][]byte{dev + "a.yaml": []byte(config("bad"))}, Message: "bad\n",
				Author: gitrepo.Ident{Name: "m", Email: "m@example.org", When: w.now}})
			w.check(err)
			w.check(mirror.SetBranch("main", rev))
		}},
	} {
		t.Run(name, func(t *testing.T) {
			w := mirrored(t)
			w.commit("two", map[string]string{dev + "a.yaml": config("two")})
			w.pass(Options{})
			c.make(w)
			w.copyOrigin("second.git")
			w.down()
			r := w.pass(Options{})
			w.from(r, "first.git", false)
			if r.Refusal == nil || r.Refusal.Rule != c.rule || w.status().Accepted.Revision != w.head {
				t.Errorf("%v", r.Refusal)
			}
			r.expectServed(w, dev+"a", "two")
			w.up()
			if r := w.pass(Options{}); r.Refusal != nil || r.Mirror != nil {
				t.Errorf("the server, which is right, is refused: %v", r.Refusal)
			}
		})
	}
}

// TestMirrorsFail: each is told with its reason; a server that answers, and has no such branch, is believed.
func TestMirrorsFail(t *testing.T) {
	w := mirrored(t)
	w.down()
	_, err := w.r.Pass(w.Context(), Options{})
	if err == nil || !errors.Is(err, errFetch) {
		t.Fatal(err)
	}
	for _, want := range []string{"origin.git", "; mirror " + filepath.Join(w.dir, "first.git") + ": ", "; mirror " + filepath.Join(w.dir, "second.git") + ": "} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in %v", want, err)
		}
	}
	w.up()
	w.copyOrigin("first.git")
	w.check(os.Remove(filepath.Join(w.dir, "origin.git/refs/heads/main")))
	if _, err := w.r.Pass(w.Context(), Options{}); !errors.Is(err, gitrepo.ErrNoBranch) {
		t.Error(err)
	}
}

// TestMirrorWithoutState: a first pass from a mirror begins at the introduction, and is not fresh.
func TestMirrorWithoutState(t *testing.T) {
	w := newWorld(t, map[string]string{dev + "a.yaml": config("one")})
	w.elsewhere = []gitrepo.Remote{{URL: filepath.Join(w.dir, "first.git")}}
	w.copyOrigin("first.git")
	w.restart()
	w.down()
	r := w.pass(Options{})
	r.expectServed(w, dev+"a", "one")
	if s := w.status(); s.Ready || !strings.Contains(strings.Join(s.NotReady, ";"), "never fetched") {
		t.Errorf("%+v", s)
	}
	if sighting, err := w.r.State.Sighting(); err != nil || !sighting.Fetched.IsZero() || sighting == (state.Sighting{}) {
		t.Errorf("%+v, %v", sighting, err)
	}
}
