package gitrepo

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/llm-config-manager/lcm/internal/lcm"
)

// mirrorOf opens a mirror in a folder of its own.
func mirrorOf(t *testing.T, cfg Config) *Repo {
	t.Helper()
	if cfg.Dir == "" {
		cfg.Dir = filepath.Join(t.TempDir(), "mirror.git")
	}
	if cfg.Branch == "" {
		cfg.Branch = "main"
	}
	r, err := OpenMirror(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

func fetch(t *testing.T, r *Repo, want lcm.Revision) {
	t.Helper()
	got, err := r.Fetch(t.Context())
	if err != nil || got != want {
		t.Fatalf("fetched %s, %v; want %s", got, err, want)
	}
	if err := r.Stale(); err != nil {
		t.Fatal(err)
	}
}

// stored lists the files of a mirror's object store.
func storedFiles(t *testing.T, r *Repo) []string {
	t.Helper()
	var names []string
	err := filepath.WalkDir(r.objects.dirs[0], func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			names = append(names, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// TestFetchLocal follows a repository through all that may happen to its branch, without git: the
// mirror's side has no PATH to find one in.
func TestFetchLocal(t *testing.T) {
	g := newGit(t)
	one := g.commit(map[string]string{"a/x": "1", "b": "2"})
	two := g.commit(map[string]string{"a/x": "3"})
	g.run("branch", "elsewhere")
	g.run("tag", "v1")
	path := os.Getenv("PATH")
	without := func(do func()) {
		t.Setenv("PATH", "")
		do()
		t.Setenv("PATH", path)
	}
	dir := filepath.Join(t.TempDir(), "mirror.git")
	for _, url := range []string{g.dir, "file://" + filepath.ToSlash(g.dir)} {
		without(func() {
			r := mirrorOf(t, Config{URL: url, Dir: dir})
			fetch(t, r, two)
			if d := cmp.Diff(map[string]string{"a/x": "3", "b": "2"}, files(t, r, two)); d != "" {
				t.Error(d)
			}
			if got := files(t, r, one); got["a/x"] != "1" {
				t.Error(got)
			}
			before := storedFiles(t, r)
			fetch(t, r, two)
			if d := cmp.Diff(before, storedFiles(t, r)); d != "" {
				t.Errorf("a fetch of nothing wrote: %s", d)
			}
			for _, other := range []string{"elsewhere", "v1"} {
				if _, err := r.Resolve(other); err == nil {
					t.Errorf("%s was fetched too", other)
				}
			}
		})
	}
	mirror := &git{t, dir}
	mirror.run("fsck", "--strict", "--full")

	three := g.commit(map[string]string{"a/y": "4"})
	r := mirrorOf(t, Config{URL: g.dir, Dir: dir})
	without(func() { fetch(t, r, three) })
	g.run("reset", "-q", "--hard", string(one))
	fetch(t, r, one)
	if head, err := r.Head("main"); err != nil || head != one {
		t.Error(head, err)
	}
	if _, err := r.Commit(three); err != nil {
		t.Errorf("what was left behind is gone: %v", err)
	}
	fork := g.commit(map[string]string{"c": "5"})
	fetch(t, r, fork)
	g.run("checkout", "-q", "--orphan", "new")
	orphan := g.commit(map[string]string{"d": "6"})
	g.run("branch", "-f", "main", "new")
	g.run("gc", "-q", "--prune=now")
	fetch(t, r, orphan)
	mirror.run("fsck", "--strict", "--full")

	g.run("branch", "-m", "main", "renamed")
	if _, err := r.Fetch(t.Context()); !errors.Is(err, ErrNoBranch) {
		t.Errorf("a missing branch: %v", err)
	}
	if head, err := r.Head("main"); err != nil || head != orphan {
		t.Errorf("the last good head is gone: %s, %v", head, err)
	}
}

func TestFetchBringsOnlyWhatIsNew(t *testing.T) {
	g := newGit(t)
	many := map[string]string{}
	for i := range 500 {
		many[fmt.Sprintf("d%d/f%d", i%20, i)] = fmt.Sprint("content ", i)
	}
	r := mirrorOf(t, Config{URL: g.dir})
	fetch(t, r, g.commit(many))
	fetch(t, r, g.commit(map[string]string{"d1/f1": "changed"}))
	r.objects.mu.RLock()
	defer r.objects.mu.RUnlock()
	if len(r.objects.packs) != 2 || r.objects.packs[0].count != 4 {
		t.Errorf("the second fetch brought %d objects, not a commit, two trees and a blob", r.objects.packs[0].count)
	}
}

func TestFetchFromBadPlaces(t *testing.T) {
	g := newGit(t)
	for _, url := range []string{filepath.Join(t.TempDir(), "none"), t.TempDir()} {
		r := mirrorOf(t, Config{URL: url})
		if _, err := r.Fetch(t.Context()); err == nil {
			t.Errorf("%s was fetched from", url)
		}
	}
	r := mirrorOf(t, Config{URL: g.dir})
	if _, err := r.Fetch(t.Context()); !errors.Is(err, ErrNoBranch) {
		t.Errorf("an empty repository: %v", err)
	}
	g.commit(map[string]string{"a": "1"})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := r.Fetch(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled fetch: %v", err)
	}
	if _, err := g.open(Limits{}).Fetch(t.Context()); err == nil {
		t.Error("a repository that is no mirror fetched")
	}
}

// TestFetchLimits refuses too much, leaves nothing behind, and works again with higher limits.
func TestFetchLimits(t *testing.T) {
	noise := strings.Builder{}
	for i := range 5000 {
		fmt.Fprintf(&noise, "%x", i*7919)
	}
	tests := map[string]struct {
		limits Limits
		files  map[string]string
	}{
		"bytes":    {Limits{MaxFetchBytes: 2000}, map[string]string{"a": noise.String()}},
		"a bomb":   {Limits{MaxBlobBytes: 1 << 10, MaxTreeEntries: 10, MaxCommitBytes: 1 << 10}, map[string]string{"a": strings.Repeat("0", 1<<20)}},
		"unpacked": {Limits{MaxFetchBytes: 4000}, map[string]string{"a": strings.Repeat("0", 1<<19)}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			g := newGit(t)
			small := g.commit(map[string]string{"b": "1"})
			dir := filepath.Join(t.TempDir(), "mirror.git")
			r := mirrorOf(t, Config{URL: g.dir, Dir: dir, Limits: tt.limits})
			fetch(t, r, small)
			before := storedFiles(t, r)
			large := g.commit(tt.files)
			_, err := r.Fetch(t.Context())
			var limit *LimitError
			if !errors.As(err, &limit) {
				t.Fatalf("got %v", err)
			}
			if d := cmp.Diff(before, storedFiles(t, r)); d != "" {
				t.Error(d)
			}
			if head, err := r.Head("main"); err != nil || head != small {
				t.Error(head, err)
			}
			r.Close()
			fetch(t, mirrorOf(t, Config{URL: g.dir, Dir: dir}), large)
		})
	}
}

// TestFetchHolesAreRefused takes away objects that the branch needs: the mirror must not believe that
// it has them.
func TestFetchHolesAreRefused(t *testing.T) {
	for _, spec := range []string{"HEAD:a", "HEAD:d", "HEAD^{tree}", "HEAD~1"} {
		t.Run(spec, func(t *testing.T) {
			g := newGit(t)
			g.commit(map[string]string{"a": "1"})
			head := g.commit(map[string]string{"a": "2", "d/f": "3"})
			id := g.run("rev-parse", spec)
			path := filepath.Join(g.dir, ".git/objects", id[:2], id[2:])
			object, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
			r := mirrorOf(t, Config{URL: g.dir})
			if _, err := r.Fetch(t.Context()); !errors.Is(err, ErrMissing) {
				t.Errorf("got %v", err)
			}
			if names := storedFiles(t, r); names != nil {
				t.Errorf("left behind: %v", names)
			}
			if err := os.WriteFile(path, object, 0o444); err != nil {
				t.Fatal(err)
			}
			fetch(t, r, head)
		})
	}
}

func TestFetchHeadThatIsNoCommit(t *testing.T) {
	g := newGit(t)
	good := g.commit(map[string]string{"a": "1"})
	r := mirrorOf(t, Config{URL: g.dir})
	fetch(t, r, good)
	bad := g.object("commit", []byte(head+"\nm\n"))
	double := g.object("commit", []byte("tree "+g.run("rev-parse", "HEAD:")+"\nparent "+string(good)+"\nparent "+string(good)+"\n"+people+"\nm\n"))
	for _, id := range []string{g.run("rev-parse", "HEAD:a"), g.run("rev-parse", "HEAD:"), bad, double} {
		if err := os.WriteFile(filepath.Join(g.dir, ".git/refs/heads/main"), []byte(id+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		if got, err := r.Fetch(t.Context()); err == nil {
			t.Errorf("%s was taken for a commit: %s", id, got)
		}
		if head, err := r.Head("main"); err != nil || head != good {
			t.Error(head, err)
		}
	}
}

// TestApprovals follows refs/lcm/ too, but never at the branch's expense.
func TestApprovals(t *testing.T) {
	g := newGit(t)
	one := g.commit(map[string]string{"a": "1"})
	r := mirrorOf(t, Config{URL: g.dir})
	fetch(t, r, one)
	blob := g.feed("an approval", "hash-object", "-w", "--stdin")
	name := "refs/lcm/approvals/" + string(one) + "/alice"
	g.run("update-ref", name, blob)
	fetch(t, r, one)
	if id, err := r.refs.get("refs/lcm/approvals/" + "x"); err == nil {
		t.Error(id)
	}
	if all, err := r.refs.list("refs/"); err != nil || all[name].String() != blob {
		t.Errorf("%v, %v", all, err)
	}
	g.run("pack-refs", "--all")
	fetch(t, r, one)
	g.run("update-ref", "-d", name)
	fetch(t, r, one)
	if all, err := r.refs.list("refs/"); err != nil || len(all) != 1 {
		t.Errorf("a withdrawn approval is still there: %v, %v", all, err)
	}

	junk := g.feed(strings.Repeat("0", 1<<20), "hash-object", "-w", "--stdin")
	g.run("update-ref", "refs/lcm/junk", junk)
	small := mirrorOf(t, Config{URL: g.dir, Limits: Limits{MaxBlobBytes: 1 << 10, MaxTreeEntries: 10, MaxCommitBytes: 1 << 10}})
	two := g.commit(map[string]string{"a": "2"})
	if got, err := small.Fetch(t.Context()); err != nil || got != two {
		t.Fatalf("junk stopped the branch: %s, %v", got, err)
	}
	var limit *LimitError
	if err := small.Stale(); !errors.As(err, &limit) {
		t.Errorf("and nobody was told: %v", err)
	}
}

// TestReadersDuringFetch reads with several goroutines while packs arrive.
func TestReadersDuringFetch(t *testing.T) {
	g := newGit(t)
	first := g.commit(map[string]string{"d/f": "0", "e": strings.Repeat("e", 5000)})
	r := mirrorOf(t, Config{URL: g.dir})
	fetch(t, r, first)
	ctx, stop := context.WithTimeout(t.Context(), 20*time.Second)
	defer stop()
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for ctx.Err() == nil {
				head, err := r.Head("main")
				if err != nil {
					t.Error(err)
					return
				}
				tree, err := r.Tree(head)
				if err != nil {
					t.Error(err)
					return
				}
				if _, err := tree.ReadFile("d/f"); err != nil {
					t.Error(err)
					return
				}
				if _, err := r.Diff(nil, tree); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	for i := range 10 {
		fetch(t, r, g.commit(map[string]string{"d/f": fmt.Sprint(i + 1)}))
	}
	stop()
	wg.Wait()
}

func TestInterruptedFetchIsSweptAway(t *testing.T) {
	g := newGit(t)
	head := g.commit(map[string]string{"a": "1"})
	dir := filepath.Join(t.TempDir(), "mirror.git")
	fetch(t, mirrorOf(t, Config{URL: g.dir, Dir: dir}), head)
	for _, name := range []string{tempPrefix + "123.pack", "pack-0123456789012345678901234567890123456789.pack"} {
		left := filepath.Join(dir, "objects/pack", name)
		if err := os.WriteFile(left, []byte("half a pack, or one without its index"), 0o644); err != nil {
			t.Fatal(err)
		}
		fetch(t, mirrorOf(t, Config{URL: g.dir, Dir: dir}), head)
		if _, err := os.Stat(left); err != nil {
			t.Errorf("it may have been another process's: %v", err)
		}
		old := time.Now().Add(-2 * time.Hour)
		whole, err := filepath.Glob(filepath.Join(dir, "objects/pack/*"))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range whole { // those that count are as old
			if err := os.Chtimes(file, old, old); err != nil {
				t.Fatal(err)
			}
		}
		fetch(t, mirrorOf(t, Config{URL: g.dir, Dir: dir}), head)
		if _, err := os.Stat(left); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s is still there: %v", name, err)
		}
		if files(t, mirrorOf(t, Config{URL: g.dir, Dir: dir}), head)["a"] != "1" {
			t.Error("what counts was swept away")
		}
	}
}

// TestPacksAreMerged fetches so often that packs must be merged, and loses nothing by it.
func TestPacksAreMerged(t *testing.T) {
	g := newGit(t)
	dir := filepath.Join(t.TempDir(), "mirror.git")
	r := mirrorOf(t, Config{URL: g.dir, Dir: dir})
	var revs []lcm.Revision
	for i := range maxPacks + 10 {
		revs = append(revs, g.commit(map[string]string{"d/f": strings.Repeat("line\n", 100) + fmt.Sprint(i)}))
		fetch(t, r, revs[i])
	}
	if n := len(r.objects.list()); n > 15 {
		t.Errorf("%d packs", n)
	}
	(&git{t, dir}).run("fsck", "--strict", "--full")
	for _, r := range []*Repo{r, mirrorOf(t, Config{URL: g.dir, Dir: dir})} {
		for i, rev := range revs {
			if got := files(t, r, rev); !strings.HasSuffix(got["d/f"], "line\n"+fmt.Sprint(i)) {
				t.Errorf("revision %d: %q", i, got)
			}
		}
	}
}

// TestFetchElsewhere: an older head does not take the branch back, and no approval is forgotten.
func TestFetchElsewhere(t *testing.T) {
	g, old := newGit(t), newGit(t)
	one := g.commit(map[string]string{"a": "1"})
	old.run("fetch", "-q", g.dir, "main")
	old.run("update-ref", "refs/heads/main", string(one))
	two := g.commit(map[string]string{"a": "2"})
	g.run("update-ref", "refs/lcm/approvals/x", string(two))
	dir := filepath.Join(t.TempDir(), "mirror.git")
	r := mirrorOf(t, Config{URL: g.dir, Dir: dir, Elsewhere: []Remote{{URL: old.dir}}})
	fetch(t, r, two)
	if got, err := r.FetchElsewhere(t.Context(), 0); err != nil || got != one {
		t.Fatal(got, err)
	}
	if head, err := r.Head("main"); err != nil || head != two {
		t.Errorf("the branch is at %s, %v", head, err)
	}
	if _, err := r.refs.get("refs/lcm/approvals/x"); err != nil {
		t.Error("an approval is gone:", err)
	}
	fetch(t, r, two)
	three := old.commit(map[string]string{"b": "3"}) // beside
	if got, err := r.FetchElsewhere(t.Context(), 0); err != nil || got != three {
		t.Error(got, err)
	}
}

func TestShown(t *testing.T) {
	for address, want := range map[string]string{
		"https://token@git.example.com/a/b.git": "https://git.example.com/a/b.git", "ssh://git@h:22/a": "ssh://h:22/a", "git@h:a/b.git": "h:a/b.git",
		"/srv/a@b.git": "/srv/a@b.git", "file:///srv/x": "file:///srv/x", "h:a": "h:a",
	} {
		if got := Shown(address); got != want {
			t.Errorf("%s is shown as %s, want %s", address, got, want)
		}
	}
}
