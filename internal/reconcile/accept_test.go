package reconcile

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/llm-config-manager/lcm/internal/gitrepo"
	"github.com/llm-config-manager/lcm/internal/lcm"
)

func (w *world) loseState() {
	w.Helper()
	w.stop()
	w.check(os.Remove(filepath.Join(w.dir, "state.db")))
	w.start()
}

// Attack 60: the state is deleted, then an old signed head is served. That is no fresh start.
func TestLostStateWaitsForAnOperator(t *testing.T) {
	w := newWorld(t, map[string]string{dev + "a.yaml": config("one")})
	w.pass(Options{})
	old := w.head
	w.commit("two", map[string]string{dev + "a.yaml": config("two")})
	w.pass(Options{})
	good := w.head
	w.loseState()
	w.check(w.repo.SetBranch("main", old))
	for _, o := range []Options{{}, {DryRun: true}, {Everything: true}, {DryRun: true, Revision: old}} {
		r := w.pass(o)
		if r.Refusal == nil || r.Refusal.Rule != lostRule || r.Revision != "" || !strings.Contains(r.Refusal.Reason, good.Short()) {
			t.Fatalf("%+v: %+v", o, r.Refusal)
		}
	}
	if n := w.faults["runtime"].applied; n != 0 {
		t.Errorf("%d batches were written", n)
	}
	// The operator cannot accept the old head either: the targets were given a later one.
	if _, err := w.r.Accept(t.Context(), old, "trust me"); !errors.Is(err, ErrNotAcceptable) || !strings.Contains(err.Error(), good.Short()) {
		t.Errorf("%v", err)
	}
	w.check(w.repo.SetBranch("main", good))
	if r := w.pass(Options{}); r.Refusal == nil {
		t.Error("accepted by itself")
	}
	o, err := w.r.Accept(t.Context(), good, "")
	if err != nil || !o.Lost || o.Refused != "" {
		t.Fatal(o, err)
	}
	// Then it converges without writing anything, and versions go on.
	r := w.pass(Options{})
	w.expect(r, "")
	if r.ByHand == nil || w.faults["runtime"].applied != 0 {
		t.Errorf("%+v, %d batches", r.ByHand, w.faults["runtime"].applied)
	}
	w.commit("three", map[string]string{dev + "a.yaml": config("three")})
	r = w.pass(Options{})
	w.expect(r, "update acme/p/s/development/a v3")
	if r.ByHand != nil {
		t.Error("still shown after a regular commit")
	}
}

// That a target cannot be asked is no proof that it is empty.
func TestLostStateAndATargetThatIsDown(t *testing.T) {
	w := newWorld(t, map[string]string{dev + "a.yaml": config("one")})
	w.pass(Options{})
	w.loseState()
	w.faults["runtime"].unknown = errors.New("down")
	var unknown *UnknownError
	if _, err := w.r.Pass(t.Context(), Options{}); !errors.As(err, &unknown) || unknown.Target != "runtime" {
		t.Errorf("%v", err)
	}
}

func TestMarksOfAnotherRepositoryAreNotOurs(t *testing.T) {
	w := newWorld(t, map[string]string{dev + "a.yaml": config("one")})
	w.pass(Options{})
	w.loseState()
	w.r.Tenants = []string{"nobody"}
	if marks, err := w.r.marks(t.Context()); err != nil || len(marks) > 0 {
		t.Errorf("of other tenants: %v, %v", marks, err)
	}
	w.r.Tenants, w.r.Repository = []string{"*"}, "other"
	if marks, err := w.r.marks(t.Context()); err != nil || len(marks) > 0 {
		t.Errorf("of another repository: %v, %v", marks, err)
	}
}

// Break-glass: what trust refuses is accepted by hand, with a reason, and said until the next regular commit.
func TestBreakGlass(t *testing.T) {
	w := newWorld(t, map[string]string{dev + "a.yaml": config("one")})
	w.pass(Options{})
	good := w.head
	unsigned, err := w.repo.Write(gitrepo.Edit{Parents: []lcm.Revision{good}, Files: map[string][]byte{dev + "a.yaml": []byte(config("two"))}, Message: "x\n", Author: gitrepo.Ident{Name: "a", Email: "b"}})
	w.check(err)
	if _, err := w.r.Accept(t.Context(), unsigned, "x"); !errors.Is(err, ErrNotAcceptable) {
		t.Errorf("not on the branch: %v", err)
	}
	w.check(w.repo.SetBranch("main", unsigned))
	if r := w.pass(Options{}); r.Refusal == nil || r.Revision != good {
		t.Fatalf("%+v", r)
	}
	if _, err := w.r.Accept(t.Context(), good, "why"); !errors.Is(err, ErrNotAcceptable) {
		t.Errorf("no need: %v", err)
	}
	if _, err := w.r.Accept(t.Context(), unsigned, ""); !errors.Is(err, ErrNotAcceptable) || !strings.Contains(err.Error(), "--reason") {
		t.Errorf("no reason: %v", err)
	}
	o, err := w.r.Accept(t.Context(), unsigned, "all keys are lost")
	if err != nil || o.Lost || !strings.Contains(o.Refused, "trust/unsigned") {
		t.Fatal(o, err)
	}
	for range 2 {
		if r := w.pass(Options{}); r.Refusal != nil || r.ByHand == nil || r.ByHand.Reason != "all keys are lost" {
			t.Errorf("%+v", r)
		}
	}
	w.head = unsigned
	w.commit("regular", map[string]string{dev + "a.yaml": config("three")})
	r := w.pass(Options{})
	w.expect(r, "update acme/p/s/development/a v3")
	if r.ByHand != nil {
		t.Error("still shown")
	}
}

// A history that was rewritten can be taken up by hand; everything is compared then.
func TestBreakGlassAfterARewrite(t *testing.T) {
	w := newWorld(t, map[string]string{dev + "a.yaml": config("one")})
	w.pass(Options{})
	w.commit("two", map[string]string{dev + "a.yaml": config("two")})
	w.pass(Options{})
	w.head = w.intro
	w.commit("other", map[string]string{dev + "a.yaml": config("other")})
	if r := w.pass(Options{}); r.Refusal == nil || r.Refusal.Rule != "trust/rewritten" {
		t.Fatalf("%+v", r.Refusal)
	}
	if _, err := w.r.Accept(t.Context(), w.head, "a secret was purged"); err != nil {
		t.Fatal(err)
	}
	r := w.pass(Options{})
	if got := w.changes(r); !strings.HasPrefix(got, "update acme/p/s/development/a v") || r.Refusal != nil {
		t.Errorf("%q, %v", got, r.Refusal)
	}
}

// Whose own policy cannot be put in force would leave nothing to go on from.
func TestBreakGlassNeedsAPolicy(t *testing.T) {
	w := newWorld(t, nil)
	w.pass(Options{})
	w.commit("no policy", map[string]string{".lcm/trust.yaml": ""})
	if _, err := w.r.Accept(t.Context(), w.head, "x"); !errors.Is(err, ErrNotAcceptable) {
		t.Errorf("%v", err)
	}
}

func (f *faulty) Namespaces(ctx ctxT, orgs []string) ([]lcm.Namespace, error) {
	f.asked++
	if f.unknown != nil {
		return nil, f.unknown
	}
	return f.Target.Namespaces(ctx, orgs)
}
