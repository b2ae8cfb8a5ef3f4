package gitrepo

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
)

func TestRefStore(t *testing.T) {
	g := newGit(t)
	rev := string(g.commit(map[string]string{"a": "1"}))
	other := string(g.commit(map[string]string{"a": "2"}))
	g.run("tag", "-a", "-m", "t", "v1")
	for _, name := range []string{"refs/lcm/a/b", "refs/lcm/a/c", "refs/lcm/d"} {
		g.run("update-ref", name, rev)
	}
	g.run("pack-refs", "--all")
	s := g.open(Limits{}).refs

	if err := s.set("refs/lcm/a/c", plumbing.NewHash(other)); err != nil {
		t.Fatal(err)
	}
	if got := g.run("rev-parse", "refs/lcm/a/c"); got != other {
		t.Errorf("git reads %s", got)
	}
	all, err := s.list("refs/lcm/")
	if err != nil || len(all) != 3 || all["refs/lcm/a/c"].String() != other || all["refs/lcm/a/b"].String() != rev {
		t.Errorf("%v, %v", all, err)
	}
	for _, name := range []string{"refs/lcm/a/b", "refs/lcm/a/c"} {
		if err := s.remove(name); err != nil {
			t.Fatal(err)
		}
	}
	if got := g.run("for-each-ref", "--format=%(refname)"); got != "refs/heads/main\nrefs/lcm/d\nrefs/tags/v1" {
		t.Error(got)
	}
	// The folder of those removed does not stand in the way of a reference of its name.
	if err := s.set("refs/lcm/a", plumbing.NewHash(rev)); err != nil {
		t.Error(err)
	}
	if err := s.set("refs/lcm/a/b", plumbing.NewHash(rev)); err == nil {
		t.Error("a reference below a reference was made")
	}
	if _, err := s.get("refs/lcm/a/b"); !errors.Is(err, errNoReference) {
		t.Error(err)
	}
	g.run("fsck", "--strict")
}

func TestRefsThatAreDamaged(t *testing.T) {
	g := newGit(t)
	g.commit(map[string]string{"a": "1"})
	write := func(name, content string) {
		t.Helper()
		path := filepath.Join(g.dir, ".git", name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("refs/heads/empty", "")
	write("refs/heads/noise", "noise\n")
	write("refs/heads/loop", "ref: refs/heads/loop\n")
	write("refs/heads/outside", "ref: ../../secret\n")
	write("refs/heads/config", "ref: config\n")
	write("refs/heads/folder/x", g.run("rev-parse", "HEAD"))
	write("refs/heads/large", strings.Repeat("0", 2<<20))
	r := g.open(Limits{})
	for _, name := range []string{"empty", "noise", "loop", "outside", "config", "folder", "large"} {
		if got, err := r.Head(name); err == nil {
			t.Errorf("%s is %s", name, got)
		}
	}
	if all, err := r.refs.list("refs/heads/"); err != nil || len(all) != 2 {
		t.Errorf("%v, %v", all, err)
	}
}

// TestLocks meets locks of git, and one that a crash of ours left in a mirror.
func TestLocks(t *testing.T) {
	g := newGit(t)
	rev := g.commit(map[string]string{"a": "1"})
	lock := filepath.Join(g.dir, ".git/refs/heads/main.lock")
	if err := os.WriteFile(lock, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	r := g.open(Limits{})
	if err := r.SetBranch("main", rev); err == nil || !strings.Contains(err.Error(), "main.lock") {
		t.Errorf("got %v", err)
	}
	dir := filepath.Join(t.TempDir(), "mirror.git")
	fetch(t, mirrorOf(t, Config{URL: g.dir, Dir: dir}), rev)
	left := filepath.Join(dir, "refs/heads/main.lock")
	if err := os.WriteFile(left, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	old := filepath.Join(dir, "refs/heads/.lcm-1.lock")
	if err := os.WriteFile(old, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(old, time.Time{}, time.Now().Add(-time.Hour)); err != nil {
		t.Fatal(err)
	}
	os.Remove(lock)
	fetch(t, mirrorOf(t, Config{URL: g.dir, Dir: dir}), g.commit(map[string]string{"a": "2"}))
	if _, err := os.Stat(old); !os.IsNotExist(err) {
		t.Errorf("what a killed process left is still there: %v", err)
	}
}
