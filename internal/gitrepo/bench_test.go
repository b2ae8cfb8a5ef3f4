package gitrepo

import (
	"fmt"
	"io/fs"
	"path/filepath"
	"testing"

	"github.com/llm-config-manager/lcm/internal/lcm"
)

// benchMirror makes a repository of 2,000 files in 200 folders with two commits that differ in one, and a mirror of it.
func benchMirror(b *testing.B) (m *Repo, before, after lcm.Revision) {
	dir := b.TempDir()
	origin, err := Init(filepath.Join(dir, "origin.git"))
	if err != nil {
		b.Fatal(err)
	}
	e := Edit{Files: map[string][]byte{}, Message: "all\n", Author: Ident{Name: "a", Email: "a@example.org"}}
	for i := range 2000 {
		e.Files[fmt.Sprintf("namespaces/org-%d/p/s-%d/base/k-%d.yaml", i%4, i%200, i)] = fmt.Appendf(nil, "value: %d\n", i)
	}
	if before, err = origin.Write(e); err != nil {
		b.Fatal(err)
	}
	e.Parents, e.Files = []lcm.Revision{before}, map[string][]byte{"namespaces/org-0/p/s-0/base/k-0.yaml": []byte("value: other\n")}
	if after, err = origin.Write(e); err != nil {
		b.Fatal(err)
	}
	if err := origin.SetBranch("main", after); err != nil {
		b.Fatal(err)
	}
	if m, err = OpenMirror(Config{URL: filepath.Join(dir, "origin.git"), Branch: "main", Dir: filepath.Join(dir, "mirror.git")}); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _, _ = m.Close(), origin.Close() })
	if _, err := m.Fetch(b.Context()); err != nil {
		b.Fatal(err)
	}
	return m, before, after
}

// BenchmarkDiff compares two trees that differ in one file, read anew each time.
func BenchmarkDiff(b *testing.B) {
	m, before, after := benchMirror(b)
	b.ReportAllocs()
	for b.Loop() {
		m.trees = newTreeCache()
		x, err := m.Tree(before)
		if err != nil {
			b.Fatal(err)
		}
		y, err := m.Tree(after)
		if err != nil {
			b.Fatal(err)
		}
		if c, err := m.Diff(x, y); err != nil || len(c) != 1 {
			b.Fatal(c, err)
		}
	}
}

// BenchmarkFetchNothing asks a repository that has nothing new.
func BenchmarkFetchNothing(b *testing.B) {
	m, _, _ := benchMirror(b)
	for b.Loop() {
		if _, err := m.Fetch(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkReadAll reads every file of a tree.
func BenchmarkReadAll(b *testing.B) {
	m, _, after := benchMirror(b)
	b.ReportAllocs()
	for b.Loop() {
		t, err := m.Tree(after)
		if err != nil {
			b.Fatal(err)
		}
		n := 0
		if err := fs.WalkDir(t, ".", func(path string, d fs.DirEntry, err error) error {
			if err == nil && !d.IsDir() {
				n++
				_, err = fs.ReadFile(t, path)
			}
			return err
		}); err != nil || n != 2000 {
			b.Fatal(n, err)
		}
	}
}
