package check

import (
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/llm-config-manager/lcm/internal/diag"
	"github.com/llm-config-manager/lcm/internal/tree"
)

// Whatever is remembered of other services and forgotten, the findings are the same: where everything is kept, where
// next to nothing is, and where each service is checked by rules that know of no other.
func TestServicesStreamed(t *testing.T) {
	var packs Packs
	w := randomWorld{rnd: rand.New(rand.NewPCG(9, 10)), files: valid(), own: true}
	found := 0
	for range 20 {
		for range 30 {
			w.disturb()
		}
		fsys := w.fs()
		begin := func(most int) (*tree.Tree, *Rules) {
			loaded, _ := tree.Load(fsys)
			rules, _, err := packs.Rules(t.Context(), fsys, loaded)
			if err != nil {
				t.Fatal(err)
			}
			rules.Widely()
			rules.most, rules.others.most = most, most
			return loaded, rules
		}
		loaded, rules := begin(1 << 20)
		whole, err := rules.services(t.Context(), loaded.Namespaces(), nil)
		if err != nil {
			t.Fatal(err)
		}
		_, rules = begin(1)
		streamed, err := rules.services(t.Context(), loaded.Namespaces(), nil)
		if err != nil {
			t.Fatal(err)
		}
		var alone []diag.Finding
		for _, group := range byService(loaded.Namespaces()) {
			_, rules := begin(0)
			alone = append(alone, rules.service(t.Context(), group).Findings...)
		}
		if d := cmp.Diff(diag.Sort(whole), diag.Sort(streamed)); d != "" {
			t.Fatalf("streamed (-whole +streamed):\n%s", d)
		}
		if d := cmp.Diff(whole, diag.Sort(alone)); d != "" {
			t.Fatalf("alone (-whole +alone):\n%s", d)
		}
		found += len(whole)
	}
	if found == 0 {
		t.Error("nothing is found: this shows nothing")
	}
}
