package gitrepo

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

// Past tells each state of some paths once, newest first, and ends where the history does.
func TestPast(t *testing.T) {
	g := newGit(t)
	for _, text := range []string{"one", "two", "three"} {
		g.commit(map[string]string{"a/file": text, "b/file": strings.Repeat("x", len(text))})
	}
	g.commit(map[string]string{"other": "x"})
	r, head := g.open(Limits{}), g.head()
	read := func(folder string, paths ...string) (got []string) {
		for tree, err := range r.Past(t.Context(), head, folder, paths) {
			if err != nil {
				t.Fatal(err)
			}
			name := "a/file"
			if folder == "a" {
				name = "file"
			}
			data, err := tree.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, string(data))
		}
		return got
	}
	for _, c := range []struct {
		folder string
		paths  []string
		want   string
	}{{".", []string{"a"}, "three two one"}, {".", []string{"b"}, "three two"}, {".", []string{"none", "a/file"}, "three two one"}, {"a", []string{"file"}, "three two one"}, {"none", []string{"file"}, ""}} {
		if got := strings.Join(read(c.folder, c.paths...), " "); got != c.want {
			t.Errorf("%s %v: %s, want %s", c.folder, c.paths, got, c.want)
		}
	}
	for tree, err := range r.Past(t.Context(), "0123456789012345678901234567890123456789", ".", nil) {
		if tree != nil || !errors.Is(err, ErrMissing) {
			t.Error(tree, err)
		}
	}
	if n := len(slices.Collect(func(yield func(string) bool) {
		for range r.Past(t.Context(), head, ".", []string{"a"}) {
			if !yield("") {
				return
			}
		}
	})); n != 3 {
		t.Error(n)
	}
}
