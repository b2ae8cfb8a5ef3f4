package gitrepo

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"

	"github.com/llm-config-manager/lcm/internal/lcm"
)

// What Diff notes of a tree's size must not make Check say other than when it counts.
func TestSizeFollowsDifferences(t *testing.T) {
	limits := Limits{MaxTreeEntries: 40, MaxDepth: 6}
	dir := filepath.Join(t.TempDir(), "r.git")
	repo, err := Init(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer repo.Close()
	random := rand.New(rand.NewPCG(1, 2))
	e := Edit{Message: "m\n", Author: Ident{Name: "a", Email: "a@example.org"}}
	walking, err := Open(dir, limits)
	if err != nil {
		t.Fatal(err)
	}
	defer walking.Close()
	var before *Tree
	verdicts := map[bool]int{}
	for n := range 400 {
		depth := 1 + random.IntN(5) + random.IntN(12)/11
		deletes := random.IntN(8) > 2
		path := string("de"[random.IntN(2)]) + strings.Repeat("/d", depth-1) + "/" + fmt.Sprint(random.IntN(3))
		e.Files = map[string][]byte{path: fmt.Append(nil, n), "kept": []byte("k")}
		if deletes && n > 0 {
			e.Files[path] = nil
		}
		head, err := repo.Write(e)
		if err != nil {
			continue // there was no such file to delete
		}
		e.Parents = []lcm.Revision{head}
		after, err := walking.Tree(head)
		if err != nil {
			t.Fatal(err)
		}
		if before != nil {
			_, _ = walking.Diff(before, after)
		}
		anew, err := Open(dir, limits)
		if err != nil {
			t.Fatal(err)
		}
		fresh, err := anew.Tree(head)
		if err != nil {
			t.Fatal(err)
		}
		want, got := fresh.Check(), after.Check()
		if (want == nil) != (got == nil) || want != nil && !errors.As(got, new(*LimitError)) {
			t.Fatalf("step %d: noted: %v, counted: %v", n, got, want)
		}
		verdicts[want == nil]++
		before = after
		anew.Close()
	}
	if verdicts[true] < 10 || verdicts[false] < 10 {
		t.Fatalf("too few of one kind: %v", verdicts)
	}
}
