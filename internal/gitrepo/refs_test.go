package gitrepo

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/llm-config-manager/lcm/internal/lcm"
)

func TestResolve(t *testing.T) {
	g := newGit(t)
	one := g.commit(map[string]string{"a": "1"})
	two := g.commit(map[string]string{"a": "2"})
	g.run("checkout", "-q", "-b", "side/branch", string(one))
	side := g.commit(map[string]string{"b": "2"})
	g.run("checkout", "-q", "main")
	g.run("merge", "-q", "--no-ff", "-m", "merge", "side/branch")
	merge := g.head()
	g.run("tag", "light", string(one))
	g.run("tag", "-a", "-m", "t", "inner", string(two))
	g.run("tag", "-a", "-m", "t", "outer", "inner")
	g.run("update-ref", "refs/remotes/origin/main", string(two))
	g.run("symbolic-ref", "refs/remotes/origin/HEAD", "refs/remotes/origin/main")
	specs := map[string]lcm.Revision{
		string(one): one, string(two)[:9]: two, "HEAD": merge, "main": merge, "side/branch": side, "heads/main": merge,
		"refs/heads/main": merge, "light": one, "inner": two, "outer": two, "origin/main": two, "origin": two,
		"HEAD~1": two, "HEAD~": two, "HEAD^": two, "HEAD^2": side, "HEAD~2": one, "main^2~1": one, "main~0": merge, "HEAD^0": merge,
		"HEAD^^": one,
	}
	for _, packed := range []bool{false, true} {
		if packed {
			g.run("pack-refs", "--all")
			g.run("gc", "-q")
		}
		r := g.open(Limits{})
		for spec, want := range specs {
			if got, err := r.Resolve(spec); err != nil || got != want {
				t.Errorf("packed %v: %s is %s, %v; want %s", packed, spec, got, err, want)
			}
			if got := g.run("rev-parse", spec+"^{commit}"); got != string(want) {
				t.Errorf("git itself takes %s for %s", spec, got)
			}
		}
		blob := g.run("rev-parse", "HEAD:a")
		for _, spec := range []string{
			"", "none", "-main", "--all", "HEAD~9", "HEAD^3", "HEAD~x", "main@{1}", "../HEAD", "ffff", blob, blob[:8],
			"1234567890123456789012345678901234567890", "refs/heads/../../HEAD", "config", "a\nb", "HEAD~99999999999999999999",
		} {
			if got, err := r.Resolve(spec); err == nil {
				t.Errorf("packed %v: %q is %s", packed, spec, got)
			}
		}
	}
	r := g.open(Limits{})
	if _, err := r.Head("none"); !errors.Is(err, ErrNoBranch) {
		t.Errorf("got %v", err)
	}
}

func TestOpenForms(t *testing.T) {
	g := newGit(t)
	rev := g.commit(map[string]string{"a": "1"})
	linked := filepath.Join(t.TempDir(), "linked")
	g.run("worktree", "add", "-q", "-b", "other", linked)
	bare := filepath.Join(t.TempDir(), "bare.git")
	g.run("clone", "-q", "--bare", g.dir, bare)
	shared := filepath.Join(t.TempDir(), "shared")
	g.run("clone", "-q", "--shared", g.dir, shared)
	for _, dir := range []string{g.dir, filepath.Join(g.dir, ".git"), linked, bare, shared} {
		r, err := Open(dir, Limits{})
		if err != nil {
			t.Errorf("%s: %v", dir, err)
			continue
		}
		if got, err := r.Resolve("HEAD"); err != nil || got != rev {
			t.Errorf("%s: HEAD is %s, %v", dir, got, err)
		}
		if got := files(t, r, rev); got["a"] != "1" {
			t.Errorf("%s: %v", dir, got)
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}
	if _, err := Open(filepath.Join(g.dir, "sub"), Limits{}); err == nil {
		t.Error("a folder that is not there was opened")
	}
	other := filepath.Join(t.TempDir(), "sha256")
	if out, err := g.try("", "init", "-q", "--object-format=sha256", other); err != nil {
		missing(t, out)
	}
	if _, err := Open(other, Limits{}); err == nil || !strings.Contains(err.Error(), "sha256") {
		t.Errorf("got %v", err)
	}
}

// TestReplaceRefsAreIgnored shows that what git is told to show instead is not what is read.
func TestReplaceRefsAreIgnored(t *testing.T) {
	g := newGit(t)
	one := g.commit(map[string]string{"a": "good"})
	two := g.commit(map[string]string{"a": "evil"})
	g.run("replace", string(one), string(two))
	if err := os.WriteFile(filepath.Join(g.dir, ".git/info/grafts"), []byte(string(two)+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if g.run("show", string(one)+":a") != "evil" {
		t.Fatal("git replaces nothing")
	}
	r := g.open(Limits{})
	if got := files(t, r, one); got["a"] != "good" {
		t.Error(got)
	}
	if c, err := r.Commit(two); err != nil || len(c.Parents) != 1 {
		t.Errorf("%+v, %v", c, err)
	}
}

// TestRepackUnderneath reads on while git moves the objects elsewhere.
func TestRepackUnderneath(t *testing.T) {
	g := newGit(t)
	r := g.open(Limits{})
	for range 3 {
		rev := g.commit(map[string]string{"a": strings.Repeat("x", len(g.run("count-objects", "-v")))})
		g.run("gc", "-q", "--prune=now")
		if _, err := r.Commit(rev); err != nil {
			t.Fatal(err)
		}
		g.run("commit", "-q", "--allow-empty", "-m", "more")
		if got, err := r.Resolve("HEAD"); err != nil || got != g.head() {
			t.Fatal(got, err)
		}
	}
}
