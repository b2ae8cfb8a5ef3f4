package trust

import "testing"

// What a commit's message says counts as much as a change of the path by the same people would.
func TestStepAccepts(t *testing.T) {
	w := newWorld(t)
	root := w.introduce(design(), nil)
	alone := w.commit("bob", files{dev: config("1")}, root)
	side := w.commit("bob", files{dev: config("2")}, alone)
	both := w.commit("alice", files{dev: config("2")}, alone, side)
	empty := w.commit("bob", nil, both)
	v := w.accepts(root, empty)
	for i, want := range []struct{ prod, dev, settings bool }{{false, true, false}, {true, true, false}, {false, true, false}} {
		s := v.Steps()[i]
		if s.Accepts(prod) != want.prod || s.Accepts(dev) != want.dev || s.Accepts("lcm.yaml") != want.settings {
			t.Errorf("step %d by %s and %v: %v %v %v, want %v", i, s.Signer, s.Approvers, s.Accepts(prod), s.Accepts(dev), s.Accepts("lcm.yaml"), want)
		}
	}
	if (Step{}).Accepts(dev) {
		t.Error("the zero Step accepts")
	}
}
