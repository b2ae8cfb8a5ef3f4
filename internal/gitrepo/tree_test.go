package gitrepo

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"github.com/llm-config-manager/lcm/internal/lcm"
)

func treeOf(t *testing.T, r *Repo, rev lcm.Revision) *Tree {
	t.Helper()
	tree, err := r.Tree(rev)
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

func TestTreeIsAFileSystem(t *testing.T) {
	g := newGit(t)
	rev := g.commit(map[string]string{"a": "1", "a.b": "2", "a-b/c/d": "3", "z/x.yaml": "4", "z.yaml": "5\r\n"})
	for _, packed := range []bool{false, true} {
		if packed {
			g.run("repack", "-adq")
		}
		tree := treeOf(t, g.open(Limits{}), rev)
		if err := fstest.TestFS(tree, "a", "a.b", "a-b/c/d", "z/x.yaml", "z.yaml"); err != nil {
			t.Error(err)
		}
		data, err := tree.ReadFile("z.yaml")
		if err != nil || string(data) != "5\r\n" {
			t.Errorf("%q, %v", data, err)
		}
		data[0] = 'x' // what was read is the caller's own
		if again, _ := tree.ReadFile("z.yaml"); string(again) != "5\r\n" {
			t.Errorf("%q", again)
		}
	}
}

// ReadSome lists of what ReadDir does what is wanted, few entries or many.
func TestReadSome(t *testing.T) {
	for _, n := range []int{3, few, 3 * few} {
		g := newGit(t)
		files := map[string]string{"dir/sub/f": "1", "dir/sub.x": "2"}
		for i := range n {
			files[fmt.Sprintf("dir/f%d", i)] = fmt.Sprint(i)
		}
		tree := treeOf(t, g.open(Limits{}), g.commit(files))
		wanted := func(name string) bool { return name != "f1" && name != "sub.x" }
		all, err := tree.ReadDir("dir")
		if err != nil {
			t.Fatal(err)
		}
		some, count, err := tree.ReadSome("dir", wanted)
		if err != nil || count != len(all) || len(some) != len(all)-2 {
			t.Errorf("%d of %d entries, %v", len(some), count, err)
		}
		want := slices.DeleteFunc(all, func(e fs.DirEntry) bool { return !wanted(e.Name()) })
		for i := range want {
			if *want[i].(*dirEntry) != *some[i].(*dirEntry) {
				t.Errorf("%v, not %v", some[i], want[i])
			}
			if id, _, ok := tree.ID("dir/" + want[i].Name()); !ok || id != want[i].(*dirEntry).entry.id.String() {
				t.Errorf("%s has the id %q", want[i].Name(), id)
			}
		}
		if _, _, err := tree.ReadSome("dir/f0", wanted); err == nil {
			t.Error("a file was listed")
		}
	}
}

func TestTreeModes(t *testing.T) {
	g := newGit(t)
	g.commit(map[string]string{"file": "1", "exe": "2", "dir/f": "3"})
	if err := os.Symlink("file", filepath.Join(g.dir, "link")); err != nil {
		t.Fatal(err)
	}
	g.run("update-index", "--chmod=+x", "exe")
	g.run("update-index", "--add", "--cacheinfo", "160000,1234567890123456789012345678901234567890,sub")
	g.run("add", "link")
	g.run("commit", "-q", "-m", "modes")
	tree := treeOf(t, g.open(Limits{}), g.head())
	list, err := fs.ReadDir(tree, ".")
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, e := range list {
		info, err := e.Info()
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Type() != e.Type() || info.Name() != e.Name() {
			t.Errorf("%v and %v do not agree", e, info)
		}
		got[e.Name()] = fmt.Sprintf("%v %d %o", info.Mode(), info.Size(), info.Sys().(Blob).Mode)
	}
	want := map[string]string{
		"dir": "drwxr-xr-x 0 40000", "exe": "-rwxr-xr-x 1 100755", "file": "-rw-r--r-- 1 100644",
		"link": "Lrwxrwxrwx 4 120000", "sub": "?--------- 0 160000",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	for _, name := range []string{"link", "sub", "dir"} {
		if _, err := tree.ReadFile(name); err == nil {
			t.Errorf("%s was read as a file", name)
		}
	}
	if id, mode, ok := tree.ID("exe"); !ok || mode != ModeExecutable || id != g.run("rev-parse", "HEAD:exe") {
		t.Error(id, mode, ok)
	}
	if id, mode, ok := tree.ID("."); !ok || mode != ModeFolder || id != g.run("rev-parse", "HEAD:") {
		t.Error(id, mode, ok)
	}
	for _, name := range []string{"link/x", "none", "file/x", "../file", "/file", "dir/", "", "dir/../file", "./file"} {
		if _, _, ok := tree.ID(name); ok {
			t.Errorf("%q was found", name)
		}
		if _, err := tree.Open(name); err == nil {
			t.Errorf("%q was opened", name)
		}
	}
	if _, err := tree.ReadFile("none"); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
}

// line is one entry of a tree made by hand.
func line(mode, name, id string) string {
	raw, err := hex.DecodeString(id)
	if err != nil {
		panic(err)
	}
	return mode + " " + name + "\x00" + string(raw)
}

// commitTree stores a tree made by hand and a commit of it.
func (g *git) commitTree(raw string) lcm.Revision {
	g.t.Helper()
	tree := g.object("tree", []byte(raw))
	return lcm.Revision(g.object("commit", []byte("tree "+tree+"\n"+people+"\nm\n")))
}

func TestHostileTrees(t *testing.T) {
	g := newGit(t)
	g.commit(map[string]string{"dir/f": "1"})
	blob, dir := g.run("rev-parse", "HEAD:dir/f"), g.run("rev-parse", "HEAD:dir")
	file := func(name string) string { return line("100644", name, blob) }
	tests := map[string]string{
		"empty name":          file(""),
		"dot":                 file("."),
		"dots":                line("40000", "..", dir),
		"git":                 line("40000", ".git", dir),
		"GIT":                 line("40000", ".GiT", dir),
		"slash":               file("a/b"),
		"twice":               file("a") + file("a"),
		"file and folder":     file("a") + line("40000", "a", dir),
		"both, far apart":     file("a") + file("a-b") + file("a.b") + line("40000", "a", dir),
		"out of order":        file("b") + file("a"),
		"folder out of order": line("40000", "a", dir) + file("a.b"),
		"newline":             file("a\nb"),
		"escape":              file("a\x1b[2Jb"),
		"not UTF-8":           file("a\xff"),
		"padded mode":         line("040000", "a", dir),
		"group-writable":      line("100664", "a", blob),
		"odd mode":            line("100600", "a", blob),
		"no mode":             line("", "a", blob),
		"no space":            "100644a\x00" + strings.Repeat("x", 20),
		"cut short":           file("a")[:20],
		"no NUL":              "100644 a",
	}
	for name, raw := range tests {
		t.Run(name, func(t *testing.T) {
			rev := g.commitTree(raw)
			r := g.open(Limits{})
			tree := treeOf(t, r, rev)
			_, err := tree.ReadDir(".")
			var malformed *MalformedError
			if !errors.As(err, &malformed) {
				t.Fatalf("got %v", err)
			}
			if !plain(err.Error()) {
				t.Errorf("the error would reach a terminal: %q", err)
			}
			if _, err := r.Diff(nil, tree); !errors.As(err, &malformed) {
				t.Errorf("Diff: %v", err)
			}
			if _, err := tree.ReadFile("a"); !errors.As(err, &malformed) {
				t.Errorf("ReadFile: %v", err)
			}
		})
	}
}

func TestTreeLimits(t *testing.T) {
	g := newGit(t)
	small := g.commit(map[string]string{"a/b/c/f": "1", "g": strings.Repeat("x", 100)})
	files := map[string]string{}
	for i := range 30 {
		files[fmt.Sprintf("many/%d", i)] = "1"
	}
	many := g.commit(files)
	tests := map[string]struct {
		rev    lcm.Revision
		limits Limits
		read   func(*Repo, *Tree) error
	}{
		"blob":                {small, Limits{MaxBlobBytes: 99}, func(_ *Repo, t *Tree) error { _, err := t.ReadFile("g"); return err }},
		"depth of a path":     {small, Limits{MaxDepth: 3}, func(_ *Repo, t *Tree) error { _, err := t.ReadFile("a/b/c/f"); return err }},
		"depth of a walk":     {small, Limits{MaxDepth: 2}, func(_ *Repo, t *Tree) error { _, err := t.ReadDir("."); return err }},
		"depth of a diff":     {small, Limits{MaxDepth: 2}, func(r *Repo, t *Tree) error { _, err := r.Diff(nil, t); return err }},
		"entries of a folder": {many, Limits{MaxTreeEntries: 290}, func(_ *Repo, t *Tree) error { _, err := t.ReadFile("many/1"); return err }},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var limit *LimitError
			r := g.open(tt.limits)
			if err := tt.read(r, treeOf(t, r, tt.rev)); !errors.As(err, &limit) {
				t.Errorf("got %v", err)
			}
			r = g.open(Limits{})
			if err := tt.read(r, treeOf(t, r, tt.rev)); err != nil {
				t.Errorf("within the default limits: %v", err)
			}
		})
	}
	r := g.open(Limits{MaxCommitBytes: 50})
	var limit *LimitError
	if _, err := r.Commit(small); !errors.As(err, &limit) {
		t.Errorf("commit: %v", err)
	}
}

// TestForest has ten small trees whose paths are ten thousand million.
func TestForest(t *testing.T) {
	g := newGit(t)
	g.commit(map[string]string{"f": "1"})
	id := g.run("rev-parse", "HEAD:")
	for range 10 {
		var raw bytes.Buffer
		for i := range 10 {
			raw.WriteString(line("40000", fmt.Sprint(i), id))
		}
		id = g.object("tree", raw.Bytes())
	}
	rev := lcm.Revision(g.object("commit", []byte("tree "+id+"\n"+people+"\nm\n")))
	r := g.open(Limits{})
	tree := treeOf(t, r, rev)
	var limit *LimitError
	if _, err := tree.ReadDir("."); !errors.As(err, &limit) {
		t.Errorf("ReadDir: %v", err)
	}
	if _, err := r.Diff(nil, tree); !errors.As(err, &limit) {
		t.Errorf("Diff: %v", err)
	}
	if data, err := tree.ReadFile("0/1/2/3/4/5/6/7/8/9/f"); err != nil || string(data) != "1" {
		t.Errorf("one file of it: %q, %v", data, err)
	}
}

func TestDamagedObjects(t *testing.T) {
	g := newGit(t)
	rev := g.commit(map[string]string{"a": "1", "b": "2"})
	a, b := g.run("rev-parse", "HEAD:a"), g.run("rev-parse", "HEAD:b")
	path := func(id string) string { return filepath.Join(g.dir, ".git/objects", id[:2], id[2:]) }
	other, err := os.ReadFile(path(b))
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string][]byte{"other": other, "cut": other[:len(other)-4], "empty": nil, "noise": []byte("noise")} {
		if err := os.Remove(path(a)); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path(a), content, 0o644); err != nil {
			t.Fatal(err)
		}
		if data, err := treeOf(t, g.open(Limits{}), rev).ReadFile("a"); err == nil {
			t.Errorf("%s: read %q", name, data)
		}
	}
	os.Remove(path(a))
	if _, err := treeOf(t, g.open(Limits{}), rev).ReadFile("a"); !errors.Is(err, ErrMissing) {
		t.Errorf("missing: %v", err)
	}
}

func TestDiffMatchesGit(t *testing.T) {
	g := newGit(t)
	one := g.commit(map[string]string{
		"same": "1", "gone": "2", "changed": "3", "dir/same": "4", "dir/gone": "5", "dir.x": "6", "dir-x": "7",
		"becomes-dir": "8", "becomes-file/x": "9", "deep/er/est/f": "10", "exe": "11",
	})
	g.run("rm", "-q", "becomes-dir", "becomes-file/x")
	g.run("update-index", "--chmod=+x", "exe")
	os.Chmod(filepath.Join(g.dir, "exe"), 0o755)
	two := g.commit(map[string]string{
		"gone": "", "changed": "30", "dir/gone": "", "dir/new": "12", "dir.x": "60", "becomes-dir/a": "13",
		"becomes-file": "14", "deep/er/est/g": "15", "new": "16",
	})
	three := g.commit(map[string]string{"same": "100", "dir/same": "17", "deep/er/est/g": "18"})
	r := g.open(Limits{})
	a, b, c := treeOf(t, r, one), treeOf(t, r, two), treeOf(t, r, three)
	for _, tt := range []struct {
		name     string
		from, to *Tree
		args     []string
	}{
		{"forwards", a, b, []string{string(one), string(two)}},
		{"backwards", b, a, []string{string(two), string(one)}},
		{"from nothing", nil, a, []string{"4b825dc642cb6eb9a060e54bf8d69288fbee4904", string(one)}},
		{"to nothing", a, nil, []string{string(one), "4b825dc642cb6eb9a060e54bf8d69288fbee4904"}},
		{"contents alone", b, c, []string{string(two), string(three)}},
		{"two steps", a, c, []string{string(one), string(three)}},
		{"nothing", a, a, []string{string(one), string(one)}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			changes, err := r.Diff(tt.from, tt.to)
			if err != nil {
				t.Fatal(err)
			}
			var got strings.Builder
			for _, c := range changes {
				status := "M"
				if c.Old == (Blob{}) {
					status = "A"
				} else if c.New == (Blob{}) {
					status = "D"
				}
				fmt.Fprintf(&got, ":%06o %06o %040s %040s %s\t%s\n", c.Old.Mode, c.New.Mode, orZero(c.Old.ID), orZero(c.New.ID), status, c.Path)
			}
			want := g.run(append([]string{"diff-tree", "-r", "--no-renames", "--raw", "--no-abbrev"}, tt.args...)...)
			if d := cmp.Diff(want, strings.TrimSuffix(got.String(), "\n")); d != "" {
				t.Error(d)
			}
		})
	}
	if changes, err := r.Diff(nil, nil); err != nil || changes != nil {
		t.Error(changes, err)
	}
}

func orZero(id string) string {
	if id == "" {
		return strings.Repeat("0", 40)
	}
	return id
}

// TestDeltas reads a history that git has packed as long chains of deltas.
func TestDeltas(t *testing.T) {
	g := newGit(t)
	lines := make([]string, 60)
	for i := range lines {
		lines[i] = fmt.Sprintf("line %d: %x\n", i, sha256.Sum256([]byte{byte(i)}))
	}
	var revs []lcm.Revision
	var contents []string
	for i := range 30 {
		lines[i] = fmt.Sprintf("changed %d: %x\n", i, sha256.Sum256([]byte{byte(i), 1}))
		content := strings.Join(lines, "")
		revs, contents = append(revs, g.commit(map[string]string{"d/f": content, "d/g": fmt.Sprint(i)})), append(contents, content)
	}
	for _, args := range [][]string{{"repack", "-adfq", "--depth=50"}, {"-c", "repack.usedeltabaseoffset=false", "repack", "-adfq", "--depth=50"}} {
		g.run(args...)
		if chains := g.run("verify-pack", "-v", ".git/objects/pack/"+packName(t, g)); !strings.Contains(chains, "chain length = 9:") {
			t.Fatalf("git made no long chains:\n%s", chains)
		}
		dir := filepath.Join(t.TempDir(), "mirror.git")
		mirror := mirrorOf(t, Config{URL: g.dir, Dir: dir})
		fetch(t, mirror, g.head()) // copies the deltas as they are
		(&git{t, dir}).run("fsck", "--strict", "--full")
		packed, err := os.Stat(filepath.Join(g.dir, ".git/objects/pack", strings.TrimSuffix(packName(t, g), ".idx")+".pack"))
		if err != nil {
			t.Fatal(err)
		}
		if n := mirror.objects.list()[0].size; n > packed.Size() {
			t.Errorf("the mirror has %d bytes, the original %d: not all deltas were kept", n, packed.Size())
		}
		for _, r := range []*Repo{g.open(Limits{}), mirror} {
			for i, rev := range revs {
				tree := treeOf(t, r, rev)
				data, err := tree.ReadFile("d/f")
				if err != nil || string(data) != contents[i] {
					t.Fatalf("revision %d: %v", i, err)
				}
				if fi, err := tree.Stat("d/f"); err != nil || fi.Size() != int64(len(contents[i])) {
					t.Fatalf("revision %d: %v, %v", i, fi, err)
				}
			}
		}
	}
}

func packName(t *testing.T, g *git) string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(g.dir, ".git/objects/pack/*.idx"))
	if err != nil || len(names) != 1 {
		t.Fatal(names, err)
	}
	return filepath.Base(names[0])
}
