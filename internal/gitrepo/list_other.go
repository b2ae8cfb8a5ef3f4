//go:build !linux

package gitrepo

import "os"

// listFolder lists a folder and the marks of the files in it, by name.
func listFolder(dir string) (all []found, err error) {
	entries, err := os.ReadDir(dir)
	for _, e := range entries {
		f := found{name: e.Name(), kind: e.Type()}
		if info, err := e.Info(); err != nil {
			f.err = err
		} else {
			f.kind, f.marks = info.Mode(), marks{mode: writtenMode(info.Mode()), size: info.Size(), mtime: info.ModTime()}
		}
		all = append(all, f)
	}
	return all, err
}
