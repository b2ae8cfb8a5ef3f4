package check

import (
	"fmt"
	"io/fs"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/llm-config-manager/lcm/internal/kept"
)

// telling is a repository that tells what its files and folders hold.
type telling struct{ fstest.MapFS }

func (k telling) ContentID(name string) string {
	var all []string
	for file, f := range k.MapFS {
		if file == name || strings.HasPrefix(file, name+"/") {
			all = append(all, fmt.Sprintf("%s %v %q", file, f.Mode, f.Data))
		}
	}
	if slices.Sort(all); len(all) == 0 {
		return "absent"
	}
	return strings.Join(all, "\n")
}

// TestKeptVerdicts changes a random repository step by step: with verdicts kept from the states before, the same is
// found as without.
func TestKeptVerdicts(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "kept")
	fresh, keeping := &Packs{}, &Packs{Program: "this"}
	rnd := rand.New(rand.NewPCG(7, 8))
	w := randomWorld{rnd: rnd, files: valid(), own: true, spends: true}
	for range 50 {
		w.disturb()
	}
	hits := 0
	for round := range 60 {
		var err error
		if keeping.Kept, err = kept.Open(dir, "test"); err != nil {
			t.Fatal(err)
		}
		for range rnd.IntN(3) {
			w.disturb()
		}
		fsys := w.fs()
		find := func(p *Packs, fsys fs.FS) []string {
			findings, _, err := p.Since(t.Context(), fsys, nil)
			if err != nil {
				t.Fatal(err)
			}
			var out []string
			for _, f := range findings {
				out = append(out, f.String())
			}
			return out
		}
		want, got := find(fresh, fsys), find(keeping, telling{fsys})
		if d := cmp.Diff(want, got); d != "" {
			t.Fatalf("round %d: with verdicts kept (-without +with):\n%s", round, d)
		}
		k := keeping.keeper(telling{fsys})
		for _, s := range []string{"chat", "search", "mail", "shop"} {
			service := namespace("staging").Service
			service.Name = s
			if v := k.get(service); v != nil {
				hits++
			}
		}
		if err := keeping.Kept.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if hits == 0 {
		t.Error("nothing was kept: this shows nothing")
	}
}

// Another program, or other settings, have nothing of it.
func TestKeptFor(t *testing.T) {
	values, err := kept.Open(filepath.Join(t.TempDir(), "kept"), "test")
	if err != nil {
		t.Fatal(err)
	}
	p := &Packs{Kept: values, Program: "one"}
	fsys := telling{repository(nil)}
	if _, _, err := p.Since(t.Context(), fsys, nil); err != nil {
		t.Fatal(err)
	}
	service := namespace("staging").Service
	if p.keeper(fsys).get(service) == nil {
		t.Fatal("nothing is kept")
	}
	p.Program = "two"
	if p.keeper(fsys).get(service) != nil {
		t.Error("what another program found is believed")
	}
	p.Program = "one"
	fsys.MapFS["lcm.yaml"] = &fstest.MapFile{Data: append([]byte("# other\n"), fsys.MapFS["lcm.yaml"].Data...)}
	if p.keeper(fsys).get(service) != nil {
		t.Error("what was found under other settings is believed")
	}
}

// What depends on the day holds until the next one that matters.
func TestKeptUntil(t *testing.T) {
	values, err := kept.Open(filepath.Join(t.TempDir(), "kept"), "test")
	if err != nil {
		t.Fatal(err)
	}
	day := "2026-01-01"
	p := &Packs{Kept: values, Program: "one", Now: func() time.Time {
		now, err := time.Parse(time.DateOnly, day)
		if err != nil {
			t.Fatal(err)
		}
		return now
	}}
	fsys := telling{repository(map[string]string{
		chat + "development/openai-key.sops.yaml": secret("chat", "openai-key"),
		chat + "development/model.yaml":           model("openai-key"),
		chat + "development/prices.yaml": "apiVersion: lcm/v1\nkind: PriceMap\nspec:\n  models:\n    openai/gpt-4o: {input_cost_per_token: \"0.1\", output_cost_per_token: \"0.1\", " +
			"effective_from: \"2026-02-01\", deprecation_date: \"2026-03-01\"}\n",
	})}
	for _, c := range []struct{ day, want string }{
		{"2026-01-01", "prices/not-yet"}, {"2026-01-31", "prices/not-yet"}, {"2026-02-01", ""}, {"2026-02-28", ""}, {"2026-03-01", "endpoint/retired-model"},
		{"2026-01-15", "prices/not-yet"},
	} {
		day = c.day
		findings, _, err := p.Since(t.Context(), fsys, nil)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, f := range findings {
			if strings.HasPrefix(f.Rule, "prices/") || strings.HasPrefix(f.Rule, "endpoint/") {
				got = append(got, f.Rule)
			}
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("on %s: %v, want %q of %v", c.day, got, c.want, findings)
		}
	}
}
