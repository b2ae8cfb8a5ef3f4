package reconcile

import "testing"

// A change in one environment looks again at what refers to the service there, and nowhere else.
func TestOnlyTheSameEnvironmentIsLookedAtAgain(t *testing.T) {
	const s, other = "namespaces/acme/p/s/", "namespaces/acme/p/other/"
	w := newWorld(t, map[string]string{
		s + "base/key.yaml":     config("1"),
		other + "base/ref.yaml": config("{at: {ref: /acme/p/s/key}}"),
	})
	if r := w.pass(Options{}); r.Worked != 4 {
		t.Fatalf("%d namespaces worked on at first", r.Worked)
	}
	w.commit("near", map[string]string{s + "production/key.yaml": config("2")})
	if r := w.pass(Options{}); r.Worked != 2 {
		t.Errorf("a change in production: %d namespaces worked on, want it and the one that refers to it", r.Worked)
	}
	w.commit("base", map[string]string{s + "base/key.yaml": config("3")})
	if r := w.pass(Options{}); r.Worked != 4 {
		t.Errorf("a change in base: %d namespaces worked on, want all four", r.Worked)
	}
}
