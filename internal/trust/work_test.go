package trust

import (
	"context"
	"fmt"
	"testing"

	"github.com/llm-config-manager/lcm/internal/lcm"
)

// TestOnlyNewCommitsAreVerified counts signatures, not time.
func TestOnlyNewCommitsAreVerified(t *testing.T) {
	w := newWorld(t)
	w.cfg.Cache = &Cache{}
	root := w.introduce(design(), nil)
	head := root
	for i := range 20 {
		head = w.commit("dev", files{dev: config(fmt.Sprint(i))}, head)
	}
	policy := w.accepts("", head).Policy()
	for _, step := range []struct {
		what string
		next func() lcm.Revision
		want int64
	}{
		{"everything before", func() lcm.Revision { return head }, 20},
		{"nothing new", func() lcm.Revision { return head }, 20},
		{"one new commit", func() lcm.Revision { return w.commit("bob", files{dev: config("new")}, head) }, 21},
		{"a merge with one commit", func() lcm.Revision {
			side := w.commit("dev", files{dev2: config("side")}, head)
			return w.commit("bob", files{dev2: config("side")}, head, side)
		}, 23},
	} {
		next := step.next()
		if v := w.accepts(head, next); v.Policy() != policy {
			t.Fatal("the policy was read again")
		}
		if head = next; policy.Checked() != step.want {
			t.Errorf("%s: %d signatures were checked, want %d", step.what, policy.Checked(), step.want)
		}
	}
}

// TestKnownRevisionIsNotTracedBack: a revision of which the daemon's state says what introduction it was
// accepted by costs no walk back to it; one of which it does not is traced as ever.
func TestKnownRevisionIsNotTracedBack(t *testing.T) {
	w := newWorld(t)
	root := w.introduce(design(), nil)
	head := root
	for i := range 5 {
		head = w.commit("dev", files{dev: config(fmt.Sprint(i))}, head)
	}
	beside := w.commit("alice", files{policyFile: design().String(), "lcm.yaml": settingsText})
	w.cfg.Cache = &Cache{}
	w.cfg.Cache.Built(head, root)
	walk := newWalk(w.repo, w.cfg, head)
	if _, err := walk.begin(context.Background()); err != nil || len(walk.chain.older) != 1 {
		t.Errorf("%d revisions were traced, error %v", len(walk.chain.older)-1, err)
	}
	w.cfg.Introduction = beside
	w.refuses(head, head, "trust/introduction")
}

// TestStepsAreTold demands the same steps from OnStep as from Verified.
func TestStepsAreTold(t *testing.T) {
	w := newWorld(t)
	root := w.introduce(design(), nil)
	a := w.commit("dev", files{dev: config("1")}, root)
	bad := w.commit("", files{dev: config("3")}, w.commit("bob", files{dev: config("2")}, a))
	kept, _ := w.verify(root, bad)
	var told []lcm.Revision
	w.cfg.OnStep = func(s Step) { told = append(told, s.Commit) }
	v, err := w.verify(root, bad)
	if _, refused := isRefusal(err); !refused || len(v.Steps()) != 0 || v.Revision() != kept.Revision() {
		t.Fatal(v, err)
	}
	if len(told) != 2 || told[0] != kept.Steps()[0].Commit || told[1] != kept.Steps()[1].Commit {
		t.Errorf("told %v", told)
	}
}
