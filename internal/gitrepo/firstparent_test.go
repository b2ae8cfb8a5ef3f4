package gitrepo

import (
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/llm-config-manager/lcm/internal/lcm"
)

// What FirstParent tells of any commit, packed or not, root or merge, is what Commit finds in it, or nothing.
func TestFirstParentIsTheCommits(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "r.git")
	repo, err := Init(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer repo.Close()
	var all []lcm.Revision
	write := func(parents ...lcm.Revision) {
		head, err := repo.Write(Edit{Parents: parents, Message: fmt.Sprintf("commit %d\n", len(all)), Author: Ident{Name: "a", Email: "a@example.org"},
			Files: map[string][]byte{"f": fmt.Append(nil, len(all))}})
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, head)
	}
	write()
	for n := 1; n < 40; n++ {
		if n%5 == 4 {
			write(all[n-1], all[n-3])
		} else {
			write(all[n-1])
		}
	}
	pack := exec.Command("git", "-C", dir, "pack-objects", "--revs", filepath.Join(dir, "objects/pack/pack"))
	pack.Stdin = strings.NewReader(string(all[len(all)-1]) + "\n")
	if out, err := pack.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	write(all[len(all)-1]) // loose
	packed, err := Open(dir, Limits{})
	if err != nil {
		t.Fatal(err)
	}
	defer packed.Close()
	told := 0
	for _, r := range all {
		c, err := packed.Commit(r)
		if err != nil {
			t.Fatal(err)
		}
		parent := packed.FirstParent(r)
		if parent != "" && (len(c.Parents) == 0 || parent != c.Parents[0]) {
			t.Errorf("%s: %q; its parents are %q", r, parent, c.Parents)
		}
		if parent != "" {
			told++
		}
	}
	if told < 35 {
		t.Errorf("only of %d the parent was told", told)
	}
}

// What an index takes for another object is damage, in a mirror as anywhere: only collisions are not looked for again there.
func TestObjectsAreHeldAgainstTheirIDs(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "r.git")
	repo, err := Init(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer repo.Close()
	var list strings.Builder
	for _, text := range []string{"one", "two"} {
		id, err := repo.objects.write(plumbing.BlobObject, []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintln(&list, id)
	}
	cmd := exec.Command("git", "-C", dir, "pack-objects", "-q", filepath.Join(dir, "objects/pack/pack"))
	cmd.Stdin = strings.NewReader(list.String())
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for _, mirror := range []bool{false, true} {
		packed, err := Open(dir, Limits{})
		if err != nil {
			t.Fatal(err)
		}
		defer packed.Close()
		packed.objects.alone = mirror
		p := packed.objects.list()[0]
		if _, err := packed.objects.read(p.id(0), plumbing.BlobObject); err != nil {
			t.Errorf("mirror %t: %v", mirror, err)
		}
		copy(p.offs[:4], p.offs[4:8]) // the first is said to lie where the second does
		if _, err := packed.objects.read(p.id(0), plumbing.BlobObject); !errors.Is(err, errDamaged) {
			t.Errorf("mirror %t: %v", mirror, err)
		}
	}
}
