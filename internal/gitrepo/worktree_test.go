package gitrepo

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/llm-config-manager/lcm/internal/lcm"
)

// changed asks what differs from a revision.
func (g *git) changed(dir, rev string, names ...string) []string {
	g.t.Helper()
	return g.changedListed(dir, rev, nil, names...)
}

// changedListed asks with what was remembered of the folders.
func (g *git) changedListed(dir, rev string, l *Listings, names ...string) []string {
	g.t.Helper()
	w, err := OpenWorktree(g.t.Context(), filepath.Join(g.dir, dir), names, l)
	if err != nil {
		g.t.Fatal(err)
	}
	defer w.Close()
	_, base, err := w.Since(g.t.Context(), rev)
	if err != nil {
		g.t.Fatal(err)
	}
	paths, err := w.Changed(base)
	if err != nil {
		g.t.Fatal(err)
	}
	return paths
}

func (g *git) write(name, content string) {
	g.t.Helper()
	file := filepath.Join(g.dir, name)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		g.t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(content), 0o644); err != nil {
		g.t.Fatal(err)
	}
}

// TestWorktreeChanged makes random changes, committed, staged, neither or ignored, and holds what is found against what git
// itself finds in an index of its own. What folders held is remembered from round to round, and whatever it is damaged to, the
// answer is the same.
func TestWorktreeChanged(t *testing.T) {
	g := newGit(t)
	g.run("config", "core.excludesFile", "/dev/null")
	files := map[string]string{".gitignore": "*.skip\n"}
	for i := range 40 {
		files[fmt.Sprintf("in/%c/%d/f%d", 'a'+i%3, i%4, i)] = fmt.Sprint(i)
		files[fmt.Sprintf("out/f%d", i)] = fmt.Sprint(i)
	}
	g.commit(files)
	base := g.head()
	rnd := rand.New(rand.NewPCG(1, 2))
	var remembered []byte
	recalled := 0
	for round := range 60 {
		for range 1 + rnd.IntN(4) {
			g.disturb(rnd)
		}
		want := g.differing(string(base), "in")
		if got := g.changed(".", string(base), "in"); !slices.Equal(got, want) {
			t.Fatalf("round %d: changed are %q, git says %q", round, got, want)
		}
		for _, data := range [][]byte{remembered, damaged(rnd, remembered)} {
			l := ReadListings(data)
			if got := g.changedListed(".", string(base), l, "in"); !slices.Equal(got, want) {
				t.Fatalf("round %d: with listings changed are %q, git says %q", round, got, want)
			}
			for _, s := range l.seen {
				if l.known[s] {
					recalled++
				}
			}
			if more, ok := l.Bytes(); ok {
				remembered = more
			}
		}
		within := []string{}
		for _, p := range want {
			if rest, ok := strings.CutPrefix(p, "in/a/"); ok {
				within = append(within, rest)
			}
		}
		if got := g.changed("in/a", string(base), "0", "1", "2", "3", "new.skip"); !slices.Equal(got, within) {
			t.Fatalf("round %d: within in/a changed are %q, git says %q", round, got, within)
		}
	}
	t.Logf("%d folders were recalled", recalled)
	if recalled < 60 && runtime.GOOS == "linux" {
		t.Errorf("only %d folders were recalled", recalled)
	}
}

// damaged changes and cuts data.
func damaged(rnd *rand.Rand, data []byte) []byte {
	data = slices.Clone(data[:rnd.IntN(len(data)+1)])
	for i := range data {
		if rnd.IntN(20) == 0 {
			data[i] ^= byte(rnd.Int())
		}
	}
	return data
}

// disturb makes one random change.
func (g *git) disturb(rnd *rand.Rand) {
	name := fmt.Sprintf("in/%c/%d/f%d", 'a'+rnd.IntN(3), rnd.IntN(4), rnd.IntN(40))
	file := filepath.Join(g.dir, name)
	switch rnd.IntN(11) {
	case 0:
		g.write(name, fmt.Sprint(rnd.IntN(40)))
	case 1:
		_ = os.Remove(file)
		_ = os.Remove(filepath.Dir(file)) // an empty folder is a change, and git does not know it
	case 2:
		_ = os.Chmod(file, 0o755)
	case 3:
		if os.Remove(file) == nil {
			_ = os.Symlink("f1", file)
		}
	case 4:
		g.run("add", "-A", "--force", "in")
	case 5:
		g.run("commit", "-q", "-a", "--allow-empty", "-m", "A change")
	case 6:
		g.write(filepath.Dir(name)+"/new.skip", "x")
	case 7:
		g.run("update-index", "--index-version", fmt.Sprint(2+2*rnd.IntN(2)))
	case 8: // the same size, and the time of the last write put back
		if info, err := os.Lstat(file); err == nil && info.Mode().IsRegular() && info.Size() > 0 {
			g.write(name, strings.Repeat("z", int(info.Size())))
			_ = os.Chtimes(file, time.Time{}, info.ModTime())
		}
	case 9: // another name, and the time of the folder's last change put back
		if info, err := os.Lstat(filepath.Dir(file)); err == nil {
			_ = os.Rename(file, filepath.Join(filepath.Dir(file), fmt.Sprintf("f%d", rnd.IntN(40))))
			_ = os.Chtimes(filepath.Dir(file), time.Time{}, info.ModTime())
		}
	case 10: // two folders change places, each with its time
		_ = os.Rename(filepath.Dir(file), filepath.Join(g.dir, "aside"))
		_ = os.Rename(filepath.Join(g.dir, "in/a/0"), filepath.Dir(file))
		_ = os.Rename(filepath.Join(g.dir, "aside"), filepath.Join(g.dir, "in/a/0"))
	}
}

// differing asks git, with an index that it makes anew.
func (g *git) differing(base, dir string) []string {
	g.t.Helper()
	index := filepath.Join(g.t.TempDir(), "index")
	g.t.Setenv("GIT_INDEX_FILE", index)
	defer os.Unsetenv("GIT_INDEX_FILE")
	g.run("read-tree", base)
	g.run("add", "-A", "--force", dir)
	out := g.run("diff", "--cached", "--name-only", "--no-renames", base, "--", dir)
	if out == "" {
		return nil
	}
	return strings.Split(out, "\n")
}

// TestListings makes changes right after one another, which one tick of the clock may not tell apart.
func TestListings(t *testing.T) {
	g := newGit(t)
	g.commit(map[string]string{"in/a": "1", "in/b": "2"})
	base := g.head()
	var remembered []byte
	look := func(want ...string) {
		t.Helper()
		l := ReadListings(remembered)
		if got := g.changedListed(".", string(base), l, "in"); !slices.Equal(got, want) {
			t.Fatalf("changed are %q, want %q", got, want)
		}
		if data, more := l.Bytes(); more {
			remembered = data
		}
	}
	for i := range 50 {
		g.run("update-index", "--index-version", fmt.Sprint(2+2*(i%2)))
		look()
		more := fmt.Sprintf("in/more%d", i)
		g.write(more, "x")
		look(more)
		if err := os.Remove(filepath.Join(g.dir, more)); err != nil {
			t.Fatal(err)
		}
		look()
	}
	// The time of the last write can be put back, that of the last change not.
	time.Sleep(50 * time.Millisecond) // until the clock of the files has surely moved on
	g.run("update-index", "--index-version", "2")
	if look(); len(remembered) == 0 && runtime.GOOS == "linux" {
		t.Error("nothing is remembered of a folder that is older than the index")
	}
	folder := filepath.Join(g.dir, "in")
	info, err := os.Stat(folder)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.Rename(filepath.Join(folder, "a"), filepath.Join(folder, "c")), os.Chtimes(folder, time.Time{}, info.ModTime())); err != nil {
		t.Fatal(err)
	}
	time.Sleep(50 * time.Millisecond)
	g.run("update-index", "--index-version", "4")
	look("in/a", "in/c")
	m := folderMarks{device: 1, inode: 2, mtime: time.Unix(5, 7), ctime: time.Unix(5, 7)}
	for _, c := range []struct {
		index index
		old   bool
	}{
		{index{device: 1, written: time.Unix(5, 8)}, true},
		{index{device: 1, written: time.Unix(5, 7)}, false},
		{index{device: 1, written: time.Unix(4, 8)}, false},
		{index{device: 2, written: time.Unix(9, 0)}, false}, // another clock
		{index{}, false},
	} {
		if got := c.index.old(m); got != c.old {
			t.Errorf("a folder of %v is old for an index of %v: %v", m.ctime, c.index.written, got)
		}
	}
}

func TestWorktreeSince(t *testing.T) {
	g := newGit(t)
	first := g.commit(map[string]string{"a": "1"})
	g.run("branch", "topic")
	g.commit(map[string]string{"a": "2"})
	g.run("checkout", "-q", "topic")
	g.commit(map[string]string{"b": "1"})
	since := func(spec string) (string, error) {
		w, err := OpenWorktree(t.Context(), g.dir, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer w.Close()
		rev, _, err := w.Since(t.Context(), spec)
		return string(rev), err
	}
	if got, err := since("main"); err != nil || got != string(first) {
		t.Errorf("the topic started from %s, %v; want %s", got, err, first)
	}
	g.run("merge", "-q", "main")
	if got, err := since("main"); err != nil || got != g.run("rev-parse", "main") {
		t.Errorf("after the merge it starts from %s, %v", got, err)
	}
	g.run("checkout", "-q", "--orphan", "other")
	g.commit(map[string]string{"c": "1"})
	if _, err := since("main"); !errors.Is(err, errNothingCommon) {
		t.Errorf("without a common commit: %v", err)
	}
	if _, err := since("nowhere"); err == nil {
		t.Error("a revision that is not there is found")
	}
}

// TestWorktreeCommon holds the common commit of random histories against git merge-base.
func TestWorktreeCommon(t *testing.T) {
	g := newGit(t)
	rnd := rand.New(rand.NewPCG(3, 4))
	r, err := Open(g.dir, Limits{})
	tree := g.run("write-tree")
	ids := []string{g.run("commit-tree", "-m", "0", tree)}
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for i := range 40 {
		args := []string{"commit-tree", "-m", fmt.Sprint(i + 1), tree}
		for _, n := range rnd.Perm(min(len(ids), 6))[:min(1+rnd.IntN(2), len(ids))] {
			args = append(args, "-p", ids[len(ids)-1-n])
		}
		ids = append(ids, g.run(args...))
	}
	for range 60 {
		a, b := ids[rnd.IntN(len(ids))], ids[rnd.IntN(len(ids))]
		got, err := r.common(t.Context(), lcm.Revision(a), lcm.Revision(b))
		if err != nil {
			t.Fatal(err)
		}
		if want := strings.Fields(g.run("merge-base", "--all", a, b)); !slices.Contains(want, string(got)) {
			t.Errorf("%s and %s have %s in common, git says %s", a, b, got, want)
		}
	}
}

func TestNoWorktree(t *testing.T) {
	if _, err := OpenWorktree(t.Context(), t.TempDir(), nil, nil); !errors.Is(err, ErrNoWorktree) {
		t.Errorf("a folder outside of any work tree: %v", err)
	}
}

func TestWorktreeFS(t *testing.T) {
	g := newGit(t)
	g.commit(map[string]string{"in/a": "1", "in/b/c": "2", "out": "3"})
	w, err := OpenWorktree(t.Context(), g.dir, []string{"in"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	entries, err := fs.ReadDir(w, "in")
	if err != nil || len(entries) != 2 || entries[0].Name() != "a" || !entries[1].IsDir() {
		t.Errorf("in holds %v, %v", entries, err)
	}
	if data, err := fs.ReadFile(w, "in/b/c"); err != nil || string(data) != "2" {
		t.Errorf("in/b/c holds %q, %v", data, err)
	}
	if _, err := fs.Stat(w, "out"); err != nil {
		t.Error(err)
	}
}

// FuzzIndex reads anything as an index. What is read must stay within what was given.
func FuzzIndex(f *testing.F) {
	f.Add([]byte("DIRC\x00\x00\x00\x04\x00\x00\x00\x00aaaaaaaaaaaaaaaaaaaa"))
	f.Fuzz(func(t *testing.T, data []byte) {
		x := &index{root: &indexFolder{}}
		_ = x.parse(data, Limits{MaxTreeEntries: 1000}.WithDefaults())
	})
}
