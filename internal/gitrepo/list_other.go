//go:build !linux

package gitrepo

import (
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// lister lists the folders below one.
type lister struct{ dir string }

func newLister(dir string) (lister, error) { return lister{dir}, nil }

func (l lister) close() {}

// list lists a folder, in place of what all held, with the marks of the files in it, by name. Of the folder itself
// there are none.
func (l lister) list(name string, all []found, _ func(folderMarks, []found) ([]found, bool)) (_ []found, m folderMarks, err error) {
	entries, err := os.ReadDir(filepath.Join(l.dir, filepath.FromSlash(name)))
	all = all[:0]
	for _, e := range entries {
		f := found{name: e.Name(), kind: e.Type()}
		if info, err := e.Info(); err != nil {
			f.err = err
		} else {
			f.kind, f.marks = info.Mode(), marks{mode: writtenMode(info.Mode()), size: info.Size(), mtime: info.ModTime()}
		}
		all = append(all, f)
	}
	return all, m, err
}

func contentOf(f *os.File, size int64) ([]byte, error) {
	data := make([]byte, size)
	_, err := io.ReadFull(f, data)
	return data, err
}

func deviceOf(fs.FileInfo) uint64 { return 0 }
