package reconcile

import (
	"maps"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/llm-config-manager/lcm/internal/lcm"
)

// TestActive: entries in force are counted by project and environment, also after a restart and after each change.
func TestActive(t *testing.T) {
	w := newWorld(t, map[string]string{dev + "a.yaml": config("one"), dev + "b.yaml": config("one"), prod + "a.yaml": config("one"), "namespaces/acme/q/s/development/a.yaml": config("one")})
	expect := func(want map[string]int) {
		t.Helper()
		areas, err := w.r.Active()
		w.check(err)
		got := map[string]int{}
		for a, n := range areas {
			got[a.Project.String()+"/"+a.Environment] = n
		}
		if !maps.Equal(got, want) {
			t.Errorf("%v, want %v", got, want)
		}
	}
	expect(map[string]int{})
	w.pass(Options{})
	all := map[string]int{"acme/p/development": 2, "acme/p/production": 1, "acme/q/development": 1}
	expect(all)
	w.stop()
	w.start()
	expect(all)
	w.commit("one more, one less", map[string]string{dev + "c.yaml": config("one"), prod + "b.yaml": config("one"), dev + "a.yaml": ""})
	r := w.pass(Options{})
	expect(map[string]int{"acme/p/development": 2, "acme/p/production": 2, "acme/q/development": 1})
	project := Project{"acme", "p"}
	if want := map[Operation]int{{project, "create", false}: 2, {project, "delete", false}: 1}; !maps.Equal(r.Operations, want) {
		t.Errorf("operations %v, want %v", r.Operations, want)
	}
}

// TestSeen: a head is told of when the branch has it for the first time, and not again by a restart.
func TestSeen(t *testing.T) {
	w := newWorld(t, map[string]string{dev + "a.yaml": config("one")})
	var seen []lcm.Revision
	see := func() { w.r.Seen = func(rev lcm.Revision) { seen = append(seen, rev) } }
	see()
	first := w.head
	w.pass(Options{DryRun: true})
	w.pass(Options{})
	w.pass(Options{})
	w.commit("two", map[string]string{dev + "a.yaml": config("two")})
	second := w.head
	w.pass(Options{})
	w.stop()
	w.start()
	see()
	w.pass(Options{})
	w.signer = sshSigner(t, "x")
	w.commit("stranger", map[string]string{dev + "a.yaml": config("three")})
	w.pass(Options{})
	w.pass(Options{})
	if want := []lcm.Revision{first, second, w.head}; !slices.Equal(seen, want) {
		t.Errorf("%v, want %v", seen, want)
	}
}

// TestEvaluated: of each document that policies judge it is told how long that took, and whether they denied it.
func TestEvaluated(t *testing.T) {
	w := newWorld(t, map[string]string{dev + "a.yaml": config("one"), dev + "b.yaml": config("two")})
	var allowed, denied atomic.Int64
	w.r.packs.Evaluated = func(took time.Duration, no bool) {
		if took <= 0 || took > time.Minute {
			t.Errorf("it took %v", took)
		}
		if no {
			denied.Add(1)
		} else {
			allowed.Add(1)
		}
	}
	w.pass(Options{})
	w.commit("a rule", map[string]string{"policies/rego/own.rego": "package lcm.own\n\nimport rego.v1\n\ndeny contains {\"rule\": \"no-two\", \"path\": [\"spec\", \"value\"], \"message\": \"no two\"} if input.document.spec.value == \"two\"\n"})
	if r := w.pass(Options{}); len(r.Held) != 1 {
		t.Errorf("%+v %v", r.Held, r.Findings)
	}
	if allowed.Load() != 3 || denied.Load() != 1 {
		t.Errorf("allowed %d, denied %d", allowed.Load(), denied.Load())
	}
}
