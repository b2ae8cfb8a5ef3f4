package reconcile

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/state"
)

const (
	production  = "namespaces/acme/shop/chat/production/greeting.yaml"
	development = "namespaces/acme/shop/chat/development/greeting.yaml"
)

// serves checks what stands in production and in development.
func (w *world) serves(prod, dev string) {
	w.Helper()
	got := w.stands("runtime", "acme/shop/chat/production/greeting") + " " + w.stands("runtime", "acme/shop/chat/development/greeting")
	if got != prod+" "+dev {
		w.Errorf("production and development hold %s, want %s %s", got, prod, dev)
	}
}

// waits checks what a report says to wait: "namespace changes why", with a semicolon between two.
func (w *world) waits(r *Report, want string) {
	w.Helper()
	var got []string
	for _, p := range r.Waiting {
		why := "nothing"
		if p.Pause != nil {
			why = p.Pause.Namespaces + " " + p.Pause.Reason
		}
		got = append(got, fmt.Sprintf("%s %d %s", p.Namespace, p.Changes, why))
	}
	if s := strings.Join(got, "; "); s != want {
		w.Errorf("waits %q, want %q", s, want)
	}
	if len(r.Held) > 0 || len(r.Failed) > 0 {
		w.Errorf("held %v failed %v", r.Held, r.Failed)
	}
}

func (w *world) suspend(pattern string) {
	w.Helper()
	w.check(w.r.Suspend(w.Context(), state.Suspension{Namespaces: pattern, Reason: "audit", By: "root"}))
}

func (w *world) resume(pattern string) {
	w.Helper()
	ended, err := w.r.Resume(func(s state.Suspension) bool { return s.Namespaces == pattern }, "root")
	if w.check(err); len(ended) != 1 {
		w.Errorf("resumed %v", ended)
	}
}

func both(value string) map[string]string {
	return map[string]string{production: config(value), development: config(value)}
}

// What an operator suspends stays as it is, in pass after pass and over a restart, until it is resumed; the rest goes on.
func TestSuspended(t *testing.T) {
	w := newWorld(t, both("1"))
	w.pass(Options{})
	w.suspend("*/*/*/production")
	w.commit("two", both("2"))
	w.waits(w.pass(Options{DryRun: true}), "acme/shop/chat/production 1 */*/*/production audit")
	r := w.pass(Options{})
	w.waits(r, "acme/shop/chat/production 1 */*/*/production audit")
	w.expect(r, "update acme/shop/chat/development/greeting v2")
	w.serves("1", "2")
	if got := r.Waiting[0]; got.Since != w.head || got.Serving != w.intro {
		t.Errorf("%+v", got)
	}
	since := w.head
	w.commit("three", map[string]string{production: config("3")})
	for range 2 {
		r = w.pass(Options{})
		w.waits(r, "acme/shop/chat/production 1 */*/*/production audit")
	}
	if r.Worked != 0 || r.Waiting[0].Since != since {
		t.Errorf("%d namespaces were looked at although nothing can be done, %+v", r.Worked, r.Waiting[0])
	}
	w.stop()
	w.start()
	w.waits(w.pass(Options{Everything: true}), "acme/shop/chat/production 1 */*/*/production audit")
	w.serves("1", "2")
	w.resume("*/*/*/production")
	r = w.pass(Options{})
	w.waits(r, "")
	w.expect(r, "update acme/shop/chat/production/greeting v3")
	w.serves("3", "2")
	if r = w.pass(Options{}); r.Worked != 0 {
		t.Error("it is still looked at")
	}
}

// A suspension ends by itself.
func TestSuspendedFor(t *testing.T) {
	w := newWorld(t, both("1"))
	w.pass(Options{})
	w.check(w.r.Suspend(t.Context(), state.Suspension{Namespaces: "**", Reason: "audit", Until: w.now.Add(time.Hour)}))
	w.commit("two", both("2"))
	w.pass(Options{})
	w.serves("1", "1")
	w.now = w.now.Add(time.Hour)
	w.waits(w.pass(Options{}), "")
	w.serves("2", "2")
}

// What lcm.yaml suspends is suspended from the very revision that says so, and no longer than it says so.
func TestSuspendedByCommit(t *testing.T) {
	w := newWorld(t, both("1"))
	w.pass(Options{})
	frozen := both("2")
	frozen["lcm.yaml"] = settings + "suspend: [{namespaces: \"*/*/*/production\", reason: frozen}]\n"
	w.commit("freeze", frozen)
	w.waits(w.pass(Options{DryRun: true}), "acme/shop/chat/production 1 */*/*/production frozen")
	w.serves("1", "1")
	w.waits(w.pass(Options{}), "acme/shop/chat/production 1 */*/*/production frozen")
	w.serves("1", "2")
	first := w.head
	w.commit("three", both("3"))
	r := w.pass(Options{})
	w.waits(r, "acme/shop/chat/production 1 */*/*/production frozen")
	w.serves("1", "3")
	if p := r.Waiting[0].Pause; p.Commit != first || p.Since != w.now {
		t.Errorf("%+v", p)
	}
	w.commit("thaw", map[string]string{"lcm.yaml": settings})
	w.waits(w.pass(Options{}), "")
	w.serves("3", "3")
}

// Nothing is put right where it is suspended, and it is told. Targets that do not answer are no failure there.
func TestSuspendedDrift(t *testing.T) {
	w := newWorld(t, both("1"))
	w.pass(Options{})
	w.suspend("acme/**")
	w.edit("runtime", "acme/shop/chat/production/greeting", byHand[state.DriftValue])
	for range 2 {
		r := w.pass(Options{Everything: true})
		if r.Drifted.Total() != 1 || !r.Drift[0].Corrected.IsZero() {
			t.Errorf("%+v", r.Drift)
		}
		w.waits(r, "acme/shop/chat/production 1 acme/** audit")
	}
	w.faults["runtime"].list = errors.New("down for the migration")
	w.waits(w.pass(Options{Everything: true}), "acme/shop/chat/development 1 acme/** audit; acme/shop/chat/production 1 acme/** audit")
	w.faults["runtime"].list = nil
	w.resume("acme/**")
	w.waits(w.pass(Options{Everything: true}), "")
	w.serves("1", "1")
}

// Checks go on where it is suspended.
func TestSuspendedAndWrong(t *testing.T) {
	w := newWorld(t, both("1"))
	w.pass(Options{})
	w.suspend("**")
	w.commit("wrong", map[string]string{production: "x"})
	r := w.pass(Options{})
	if len(r.Held) != 1 || len(r.Waiting) != 0 {
		t.Errorf("held %v, waiting %v", r.Held, r.Waiting)
	}
	w.commit("mended", map[string]string{production: config("2")})
	w.waits(w.pass(Options{}), "acme/shop/chat/production 1 ** audit")
	w.serves("1", "1")
}

// Deletions count when they are made. What a commit accepts of them is kept meanwhile.
func TestSuspendedDeletes(t *testing.T) {
	files := map[string]string{}
	for i := range 30 {
		files[fmt.Sprintf("namespaces/acme/shop/chat/production/k%d.yaml", i)] = config("1")
		files[fmt.Sprintf("namespaces/acme/shop/chat/development/k%d.yaml", i)] = config("1")
	}
	w := newWorld(t, files)
	w.pass(Options{})
	w.suspend("*/*/*/production")
	gone := map[string]string{}
	for i := range 10 {
		gone[fmt.Sprintf("namespaces/acme/shop/chat/production/k%d.yaml", i)] = ""
		gone[fmt.Sprintf("namespaces/acme/shop/chat/development/k%d.yaml", i)] = ""
	}
	w.commit("both lose ten", gone) // each may lose ten a day together
	w.waits(w.pass(Options{}), "acme/shop/chat/production 10 */*/*/production audit")
	w.commit("the rest of it\n\nLcm-Accept-Deletes: 29", without(files, "production", 10, 29))
	w.waits(w.pass(Options{}), "acme/shop/chat/production 29 */*/*/production audit")
	w.now = w.now.Add(25 * time.Hour)
	w.resume("*/*/*/production")
	r := w.pass(Options{})
	w.waits(r, "")
	if n := len(r.Plan.Namespaces[0].Changes); n != 29 {
		t.Errorf("%d deletions", n)
	}
}

func without(files map[string]string, environment string, from, to int) map[string]string {
	out := map[string]string{}
	for i := from; i < to; i++ {
		out[fmt.Sprintf("namespaces/acme/shop/chat/%s/k%d.yaml", environment, i)] = ""
	}
	return out
}

// Once Suspend has returned nothing is written any more, not even by the pass that is under way.
func TestSuspendDuringPass(t *testing.T) {
	w := newWorld(t, both("1"))
	w.pass(Options{})
	w.commit("two", both("2"))
	w.r.writing <- struct{}{} // the pass has come to the point where it would write
	passed := make(chan *Report)
	go func() {
		r, _ := w.r.Pass(t.Context(), Options{})
		passed <- r
	}()
	suspended := make(chan error)
	go func() {
		suspended <- w.r.Suspend(t.Context(), state.Suspension{Namespaces: "**", Reason: "stop", By: "root"})
	}()
	for { // it is recorded before it is waited for
		if all, err := w.r.State.Suspensions(); err == nil && len(all.Operator) == 1 {
			break
		}
		time.Sleep(time.Millisecond)
	}
	<-w.r.writing
	w.check(<-suspended)
	w.waits(<-passed, "acme/shop/chat/development 1 ** stop; acme/shop/chat/production 1 ** stop")
	w.serves("1", "1")
}

// When something need not wait any more, a pass is made by itself, however rarely the schedule has one.
func TestPassAtTheEndOfSuspension(t *testing.T) {
	p := &passes{resumes: 10 * time.Minute}
	looping(t, p, Schedule{Passes: "@every 24h"}, func(t *testing.T, l *loop) {
		time.Sleep(9 * time.Minute)
		if n := p.made(); n != 1 {
			t.Errorf("%d passes", n)
		}
		p.set(func() { p.resumes = 0 })
		time.Sleep(61 * time.Second)
		if n := p.made(); n != 2 {
			t.Errorf("%d passes at the end of the suspension", n)
		}
		time.Sleep(time.Hour)
		if n := p.made(); n != 2 {
			t.Errorf("%d passes, and nothing waits", n)
		}
	})
}

// A status tells of each namespace how it stands, and counts them all.
func TestStatusOf(t *testing.T) {
	files := both("1")
	files["namespaces/acme/shop/bot/production/greeting.yaml"] = config("1")
	files["namespaces/acme/shop/bot/production/other.yaml"] = config("1")
	w := newWorld(t, files)
	w.pass(Options{})
	w.suspend("*/*/*/production")
	w.commit("two", both("2"))
	w.pass(Options{})
	s, err := w.r.StatusOf(Which{})
	w.check(err)
	if len(s.Namespaces) != 1 || len(s.Suspensions) != 1 || len(s.Waiting) != 1 || s.Waiting[0].Pause == nil || s.Waiting[0].Pause.By != "root" {
		t.Fatalf("%+v", s)
	}
	n := s.Namespaces[0]
	if n.Namespace.String() != "acme/shop/chat/production" || n.State != StandingWaiting || n.Revision != w.intro || n.Behind != w.head || n.Entries != 1 || n.Changes != 1 || !n.Since.Equal(w.now) || n.Pause.Reason != "audit" {
		t.Errorf("%+v", n)
	}
	if got := fmt.Sprint(s.Counts); got != "map[current:1 suspended:1 waiting:1]" {
		t.Error(got)
	}
	s, err = Closed(w.r.Config).StatusOf(Which{Pattern: []lcm.Pattern{lcm.MustPattern("acme/shop/bot/*")}})
	w.check(err)
	if len(s.Namespaces) != 1 || s.Namespaces[0].State != StandingSuspended || s.Namespaces[0].Entries != 2 {
		t.Errorf("%+v", s.Namespaces)
	}
	w.commit("wrong", map[string]string{development: "x"})
	w.pass(Options{})
	s, err = w.r.StatusOf(Which{All: true})
	w.check(err)
	if got := fmt.Sprint(s.Counts); got != "map[held:1 suspended:1 waiting:1]" || len(s.Namespaces) != 3 || len(s.Namespaces[1].Findings) != 1 {
		t.Errorf("%s %+v", got, s.Namespaces)
	}
}
