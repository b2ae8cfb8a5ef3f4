package yamlfmt

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"

	"github.com/llm-config-manager/lcm/internal/strictyaml"
)

var order = func(path []string) []string {
	switch strings.Join(path, ".") {
	case "":
		return []string{"apiVersion", "kind", "metadata", "spec"}
	case "metadata":
		return []string{"description", "owner"}
	case "spec":
		return []string{"targets", "retry"}
	}
	return nil
}

func TestFormat(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			a, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			in := []byte(strings.NewReplacer("·", " ").Replace(string(a.Files[0].Data)))
			got, findings := Format("x.yaml", in, order)
			if len(findings) > 0 {
				t.Fatal(findings)
			}
			if os.Getenv("LCM_UPDATE_SCRIPTS") != "" {
				a.Files[1].Data = got
				if err := os.WriteFile(file, txtar.Format(a), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if want := string(a.Files[1].Data); string(got) != want {
				t.Errorf("got:\n%s\nwant:\n%s", got, want)
			}
			again, _ := Format("x.yaml", got, order)
			if string(again) != string(got) {
				t.Errorf("formatted again:\n%s", again)
			}
		})
	}
}

// Whatever is formatted says what it said, and is not changed by formatting it again.
func FuzzFormat(f *testing.F) {
	f.Add([]byte("spec:\n    a: 1\n    # c\n    b:\n    - x\n    - y: 2\n      z: |\n        text\n\n\n\nkind: K # k\n"))
	f.Add([]byte("# head\n\nkind: K\napiVersion: v\nspec: {a: [1,\n  2], b: \"x\n  y\"}\n"))
	f.Add([]byte("a:\n  - - b\n    - c: d\n      e: f\n  -\n    g: h\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		before, findings := strictyaml.Parse("x.yaml", text)
		if len(findings) > 0 {
			return
		}
		once, findings := Format("x.yaml", text, order)
		if len(findings) > 0 || !says("x.yaml", once, before) {
			t.Fatalf("%q became %q: %v", text, once, findings)
		}
		if twice, _ := Format("x.yaml", once, order); string(twice) != string(once) {
			t.Errorf("%q, formatted again: %q", once, twice)
		}
	})
}
