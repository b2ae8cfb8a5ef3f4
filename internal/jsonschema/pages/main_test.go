package main

import (
	"os"
	"path/filepath"
	"testing"
)

// docs/kinds is what the definitions say; `make kinds` writes it.
func TestPagesAreFresh(t *testing.T) {
	pages, err := all()
	if err != nil {
		t.Fatal(err)
	}
	const dir = "../../../docs/kinds"
	for name, want := range pages {
		got, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil || string(got) != want {
			t.Errorf("docs/kinds/%s is stale: run make kinds (%v)", name, err)
		}
	}
	files, err := os.ReadDir(dir)
	if err != nil || len(files) != len(pages) {
		t.Errorf("%d files in docs/kinds, %d pages: remove what no definition is for (%v)", len(files), len(pages), err)
	}
}
