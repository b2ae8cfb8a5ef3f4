package gitrepo

import (
	"io/fs"
	"os"
	"runtime"
	"testing"
	"time"

	"github.com/llm-config-manager/lcm/internal/lcm"
)

func TestScratch(t *testing.T) {
	src := os.Getenv("BIG")
	if src == "" {
		t.Skip()
	}
	since := func(what string, start time.Time) {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		t.Logf("%-30s %v   heap %d MB sys %d MB", what, time.Since(start), m.HeapAlloc>>20, m.Sys>>20)
	}
	dir := t.TempDir()
	s := time.Now()
	r, err := OpenMirror(Config{URL: src, Branch: "main", Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	head, err := r.Fetch(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	since("clone", s)
	r.Close()
	s = time.Now()
	r, _ = OpenMirror(Config{URL: src, Branch: "main", Dir: dir})
	since("open", s)
	s = time.Now()
	head, err = r.Fetch(t.Context())
	since("noop fetch, first", s)
	s = time.Now()
	head, err = r.Fetch(t.Context())
	since("noop fetch", s)
	s = time.Now()
	n := 0
	var last lcm.Revision
	for at := head; at != ""; n++ {
		c, err := r.Commit(at)
		if err != nil {
			t.Fatal(err)
		}
		last = at
		at = ""
		if len(c.Parents) > 0 {
			at = c.Parents[0]
		}
	}
	since("commits", s)
	t.Log(n)
	s = time.Now()
	tree, _ := r.Tree(head)
	n = 0
	err = fs.WalkDir(tree, ".", func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		n++
		_, err = tree.ReadFile(p)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	since("walk and read", s)
	s = time.Now()
	prev, _ := r.Resolve(string(head) + "~1")
	pt, _ := r.Tree(prev)
	ch, err := r.Diff(pt, tree)
	since("diff one", s)
	t.Log(len(ch), err)
	s = time.Now()
	n = 0
	for at := head; n < 2000; n++ {
		c, _ := r.Commit(at)
		a, _ := r.Tree(c.Parents[0])
		b, _ := r.Tree(at)
		if _, err := r.Diff(a, b); err != nil {
			t.Fatal(err)
		}
		at = c.Parents[0]
	}
	since("2000 commit+diff steps", s)
	_ = last
}
