package reconcile

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/llm-config-manager/lcm/internal/gitrepo"
	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/trust"
)

// beat puts a heartbeat of now into the origin.
func (w *world) beat(head lcm.Revision) []byte {
	w.Helper()
	document, err := trust.Heartbeat{Repository: "test-config", Branch: "main", Head: head, At: w.now}.Sign(gitrepo.SSHSignerFor(trust.HeartbeatNamespace, w.signer))
	w.check(err)
	w.put(document)
	return document
}

func (w *world) put(document []byte) {
	w.Helper()
	_, err := w.repo.SetHeartbeat(document)
	w.check(err)
}

func (w *world) restart() {
	w.stop()
	w.start()
}

// stale demands why the status raises an alarm over the heartbeat, "" for no alarm, and that the report agrees.
func (w *world) stale(r *Report, want string) {
	w.Helper()
	s, err := w.r.Status()
	w.check(err)
	why := strings.Join(s.NotReady, "; ")
	if s.Heartbeat.Stale != (want != "") || s.Ready != (want == "") || !strings.Contains(why, want) {
		w.Errorf("stale %t, ready %t: %q, want %q", s.Heartbeat.Stale, s.Ready, why, want)
	}
	if r != nil && r.Stale != why {
		w.Errorf("the report says %q, the status %q", r.Stale, why)
	}
}

// Attack 7: the server keeps serving an old head. Whether it shows the heartbeats or not, an alarm is raised;
// what was good goes on, and a commit that does come is judged by its own signatures.
func TestServerKeepsServingAnOldHead(t *testing.T) {
	w := newWorld(t, map[string]string{dev + "a.yaml": config("one")})
	w.fresh = Freshness{MaxHeartbeatAge: 15 * time.Minute}
	w.restart()
	w.stale(w.pass(Options{}), "no heartbeat was ever seen: there is no refs/lcm/heartbeat")
	first := w.beat(w.head)
	w.stale(w.pass(Options{}), "")
	old := w.head

	// It shows neither the newer commit nor a newer heartbeat: that one ages.
	w.commit("two", map[string]string{dev + "a.yaml": config("two")})
	w.check(w.repo.SetBranch("main", old))
	w.now = w.now.Add(15 * time.Minute)
	w.stale(w.pass(Options{}), "")
	w.now = w.now.Add(time.Second)
	r := w.pass(Options{})
	w.stale(r, "the newest heartbeat, by alice, is of 2026-01-02T03:04:05Z, which is more than 15m0s ago")
	if r.Refusal != nil || len(r.Held) > 0 || r.Revision != old {
		t.Errorf("the alarm stopped something: %+v", r)
	}
	if r.expectServed(w, dev+"a", "one"); w.changes(r) != "" {
		t.Error(w.changes(r))
	}

	// It shows the new heartbeat, and still the old head: the commit is withheld, which a restart does not forget,
	// nor is it enough to take the heartbeat back.
	w.beat(w.head)
	w.stale(w.pass(Options{}), "alice says that the head of the branch was "+w.head.Short())
	w.put(first)
	w.restart()
	w.stale(w.pass(Options{}), "it withholds commits")
	w.stale(nil, "it withholds commits")

	// The commit comes: it is believed and carried out, and the alarm is over, whatever lies there.
	w.check(w.repo.SetBranch("main", w.head))
	r = w.pass(Options{})
	w.stale(r, "")
	r.expectServed(w, dev+"a", "two")
	s, err := w.r.Status()
	w.check(err)
	if want := "the heartbeat of 2026-01-02T03:04:05Z lies there again, though one of 2026-01-02T03:19:06Z was seen"; s.Heartbeat.Problem != want {
		t.Errorf("problem %q", s.Heartbeat.Problem)
	}
}

// expectServed demands what the runtime target holds.
func (*Report) expectServed(w *world, path, want string) {
	w.Helper()
	a, err := lcm.ParseAddress(strings.TrimPrefix(path, "namespaces/"))
	w.check(err)
	value, _, err := w.r.Targets["runtime"].Get(w.Context(), a)
	w.check(err)
	if got := strings.Trim(string(value), `"`); got != want {
		w.Errorf("%s is %q, want %q", a, got, want)
	}
}

// TestHeartbeatsThatDoNotCount lie in the place of a good one. It goes on counting until it is too old, and the
// reason is told from the first pass on.
func TestHeartbeatsThatDoNotCount(t *testing.T) {
	for name, c := range map[string]struct {
		put    func(w *world)
		reason string
	}{
		"junk":      {func(w *world) { w.put([]byte("junk\n")) }, "cannot be read"},
		"gone":      {func(w *world) { w.check(os.Remove(filepath.Join(w.dir, "origin.git", "refs/lcm/heartbeat"))) }, "there is no refs/lcm/heartbeat"},
		"too early": {func(w *world) { w.now = w.now.Add(time.Hour); w.beat(w.head); w.now = w.now.Add(-time.Hour) }, "in the future"},
		"older":     {func(w *world) { w.now = w.now.Add(-time.Hour); w.beat(w.head); w.now = w.now.Add(time.Hour) }, "lies there again"},
		"not named": {func(w *world) {
			w.r.Freshness.HeartbeatBy = []string{"clock"}
			w.now = w.now.Add(time.Second)
			w.beat(w.head)
		}, "by alice, who is not to give it"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, nil)
			w.fresh = Freshness{MaxHeartbeatAge: 15 * time.Minute}
			w.restart()
			w.beat(w.head)
			w.stale(w.pass(Options{}), "")
			c.put(w)
			w.stale(w.pass(Options{}), "")
			if s, err := w.r.Status(); err != nil || !strings.Contains(s.Heartbeat.Problem, c.reason) {
				t.Errorf("%+v, %v", s, err)
			}
			w.now = w.now.Add(16 * time.Minute)
			w.stale(w.pass(Options{}), c.reason)
		})
	}
}

// TestHeartbeatOfARefusedHead: a commit that was shown is not withheld, believed or not, and stays so when the branch moves back.
func TestHeartbeatOfARefusedHead(t *testing.T) {
	w := newWorld(t, nil)
	w.fresh = Freshness{MaxHeartbeatAge: 15 * time.Minute}
	w.restart()
	w.pass(Options{})
	good := w.head
	w.unsigned()
	middle := w.head
	w.unsigned()
	w.beat(middle)
	r := w.pass(Options{})
	if w.stale(r, ""); r.Refusal == nil {
		t.Fatal("it is believed")
	}
	w.check(w.repo.SetBranch("main", good))
	w.stale(w.pass(Options{}), "")
}

// unsigned puts a commit on the branch that nobody signed.
func (w *world) unsigned() {
	w.Helper()
	rev, err := w.repo.Write(gitrepo.Edit{Parents: []lcm.Revision{w.head}, Files: map[string][]byte{"README": []byte(w.head)}, Message: "m\n", Author: gitrepo.Ident{Name: "a", Email: "a@example.org", When: w.now}})
	w.check(err)
	w.check(w.repo.SetBranch("main", rev))
	w.head = rev
}

// TestFetchAge: a fetch that fails makes the mirror stale after a while, and the state remembers the last one
// that did not. A pass without news writes that at most once a minute.
func TestFetchAge(t *testing.T) {
	w := newWorld(t, nil)
	w.fresh = Freshness{Schedule: "@every 2m"}
	w.restart()
	status := func() *Status {
		t.Helper()
		s, err := w.r.Status()
		w.check(err)
		return s
	}
	if s := status(); s.Ready || s.Fetch.At != nil || !strings.Contains(strings.Join(s.NotReady, ";"), "never fetched") {
		t.Errorf("%+v", s)
	}
	w.pass(Options{})
	begun := w.now
	if s := status(); !s.Ready || !s.Fetch.At.Equal(begun) || *s.Fetch.Age != 0 {
		t.Errorf("%+v", s)
	}
	digest := func() string {
		data, err := os.ReadFile(filepath.Join(w.dir, "state.db"))
		w.check(err)
		return string(data)
	}
	before := digest()
	w.now = begun.Add(recordEvery - time.Second)
	w.pass(Options{})
	if digest() != before || !status().Fetch.At.Equal(w.now) {
		t.Error("a pass without news wrote to the state, or is not known of")
	}
	w.now = begun.Add(recordEvery)
	w.pass(Options{DryRun: true})
	if digest() != before {
		t.Error("a plan wrote to the state")
	}
	w.pass(Options{})
	if digest() == before {
		t.Error("the fetch was never recorded")
	}
	last := w.now
	w.check(os.Rename(filepath.Join(w.dir, "origin.git"), filepath.Join(w.dir, "gone")))
	w.restart()
	w.now = last.Add(20 * time.Minute)
	if _, err := w.r.Pass(t.Context(), Options{}); err == nil {
		t.Fatal("what is gone was fetched")
	}
	if s := status(); !s.Ready || !s.Fetch.At.Equal(last) || s.Fetch.Error == "" || *s.Fetch.Age != 1200 {
		t.Errorf("%+v", s.Fetch)
	}
	w.now = last.Add(20*time.Minute + time.Second)
	if s := status(); s.Ready || !s.Fetch.Stale || s.Accepted == nil || s.Accepted.Revision != w.head {
		t.Errorf("%+v", s)
	}
	w.now = last.Add(-time.Hour) // the clock was wrong, or is
	if s := status(); s.Ready || !strings.Contains(s.NotReady[0], "in the future") {
		t.Errorf("%+v", s)
	}
}

func TestDue(t *testing.T) {
	at := time.Date(2026, 1, 5, 12, 0, 0, 0, time.UTC) // a Monday
	for _, c := range []struct {
		f    Freshness
		want time.Duration
	}{
		{Freshness{}, 10 * time.Minute},
		{Freshness{Schedule: "@every 30s"}, 10 * time.Minute},
		{Freshness{Schedule: "@every 2m"}, 20 * time.Minute},
		{Freshness{Schedule: "TZ=UTC 0 3 * * *"}, (9*24 + 15) * time.Hour},
		{Freshness{Schedule: "TZ=UTC 0 0 31 2 *"}, 10 * time.Minute}, // never
		{Freshness{Schedule: "@every 2m", MaxFetchAge: time.Minute}, time.Minute},
	} {
		if got := c.f.due(at).Sub(at); got != c.want {
			t.Errorf("%+v: %v, want %v", c.f, got, c.want)
		}
	}
}
