package gitrepo

import (
	"context"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/llm-config-manager/lcm/internal/lcm"
)

// Unmerged is git rev-list base..head, also across merges and criss-crosses.
func TestUnmergedMatchesGit(t *testing.T) {
	g := newGit(t)
	g.commit(map[string]string{"a": "1"})
	g.run("branch", "other")
	g.commit(map[string]string{"a": "2"})
	g.run("checkout", "-q", "other")
	g.commit(map[string]string{"b": "1"})
	g.run("branch", "old")
	g.run("merge", "-q", "-m", "criss", "main")
	g.commit(map[string]string{"b": "2"})
	g.run("checkout", "-q", "main")
	g.run("merge", "-q", "-m", "cross", "old")
	g.run("update-ref", "refs/remotes/origin/topic", "other")
	g.run("symbolic-ref", "refs/remotes/origin/HEAD", "refs/remotes/origin/topic")
	r := g.open(Limits{})
	branches, err := r.Branches()
	if err != nil {
		t.Fatal(err)
	}
	if names := slices.Sorted(maps.Keys(branches)); !slices.Equal(names, []string{"main", "old", "origin/topic", "other"}) {
		t.Errorf("branches %q", names)
	}
	for _, head := range []string{"main", "old", "other"} {
		for _, base := range []string{"main", "old", "other"} {
			got, err := r.Unmerged(context.Background(), branches[base], branches[head])
			if err != nil {
				t.Fatal(err)
			}
			var want []lcm.Revision
			for _, id := range strings.Fields(g.run("rev-list", base+".."+head)) {
				want = append(want, lcm.Revision(id))
			}
			slices.Sort(got)
			slices.Sort(want)
			if !slices.Equal(got, want) {
				t.Errorf("%s..%s: %v, want %v", base, head, got, want)
			}
		}
	}
}
