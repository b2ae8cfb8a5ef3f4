package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/llm-config-manager/lcm/internal/jsonschema"
	lcmcue "github.com/llm-config-manager/lcm/schemas/cue"
)

// docs/kinds and docs/settings.md are what the definitions say; `make kinds` writes them.
func TestPagesAreFresh(t *testing.T) {
	pages, err := all()
	if err != nil {
		t.Fatal(err)
	}
	const dir = "../../../docs"
	for name, want := range pages {
		got, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil || string(got) != want {
			t.Errorf("docs/%s is stale: run make kinds (%v)", name, err)
		}
	}
	files, err := os.ReadDir(dir + "/kinds")
	if err != nil || len(files) != len(pages)-1 {
		t.Errorf("%d files in docs/kinds, %d pages: remove what no definition is for (%v)", len(files), len(pages), err)
	}
}

var counts = regexp.MustCompile("^a (whole number|number|duration|size) ")

// TestEverySettingIsTold: each setting of the daemon has its meaning, what may be left out says what counts then, and
// numbers say what they count.
func TestEverySettingIsTold(t *testing.T) {
	d, err := jsonschema.Read(lcmcue.Files())
	if err != nil {
		t.Fatal(err)
	}
	all, _, err := d.Settings("#Daemon")
	if err != nil || len(all) < 100 {
		t.Fatal(len(all), err)
	}
	for _, s := range all {
		exclusive := strings.HasSuffix(s.Path, ".file") || strings.HasSuffix(s.Path, ".env") || s.Path == "targets.<name>.server" // required in place of another
		switch {
		case s.Doc == "" && !strings.HasSuffix(s.Path, ">"):
			t.Errorf("%s: a comment above it in daemon.cue must tell what it means", s.Path)
		case s.Leaf() && !s.Required && !exclusive && !strings.HasSuffix(s.Path, ">") && s.Absent == "":
			t.Errorf("%s: it may be left out: say by @default(\"value\") or @absent(\"words\") what counts then", s.Path)
		case s.Unit == "" && counts.MatchString(s.Value):
			t.Errorf("%s: say by @unit(\"…\") what the number counts", s.Path)
		case strings.Contains(s.Doc, "unless given"):
			t.Errorf("%s: what counts if it is absent stands in an attribute, not in the comment", s.Path)
		}
	}
}
