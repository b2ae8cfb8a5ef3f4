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
	w := randomWorld{rnd: rnd, files: valid(), own: true}
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
