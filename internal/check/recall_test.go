package check

import (
	"math/rand/v2"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/llm-config-manager/lcm/internal/diag"
	"github.com/llm-config-manager/lcm/internal/kept"
	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/tree"
)

// TestRecall changes a random repository step by step, as the daemon meets it: whatever is judged of each namespace is
// the same with verdicts kept from the states before as without, and so is what all of them show together.
func TestRecall(t *testing.T) {
	values, err := kept.Open(filepath.Join(t.TempDir(), "kept"), "test")
	if err != nil {
		t.Fatal(err)
	}
	fresh, keeping := &Packs{}, &Packs{Kept: values, Program: "this"}
	rnd := rand.New(rand.NewPCG(5, 6))
	w := randomWorld{rnd: rnd, files: valid(), own: true, spends: true}
	all, judged := 0, 0
	for round := range 60 {
		if round%4 == 0 {
			w.files = valid() // what has errors is not kept
		}
		for range rnd.IntN(3) {
			w.disturb()
		}
		fsys, widely := telling{w.fs()}, rnd.IntN(4) > 0
		find := func(p *Packs) (out []string) {
			load, _ := tree.Load(fsys)
			rules, _, err := p.Rules(t.Context(), fsys, load)
			if err != nil || rules == nil {
				return []string{"no rules"}
			}
			if rules.Recall(p, fsys); widely {
				rules.Widely()
			}
			for _, ns := range load.Namespaces() {
				all++
				for _, f := range diag.Sort(Withheld(rules.Namespace(t.Context(), load.Resolve(ns), nil, &Known{Opened: map[string]lcm.Secret{}}))) {
					out = append(out, ns.String()+" "+f.String())
				}
			}
			judged += rules.Fresh()
			for _, f := range diag.Sort(rules.Whole()) {
				out = append(out, f.String())
			}
			return out
		}
		if d := cmp.Diff(find(fresh), find(keeping)); d != "" {
			t.Fatalf("round %d: with verdicts kept (-without +with):\n%s", round, d)
		}
		if err := values.Flush(); err != nil {
			t.Fatal(err)
		}
	}
	if spared := all - judged; spared < all/10 {
		t.Errorf("of %d namespaces %d were spared: this shows little", all, spared)
	}
}
