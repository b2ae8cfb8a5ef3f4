package tree

import (
	"fmt"
	"io/fs"
	"slices"

	"github.com/llm-config-manager/lcm/internal/diag"
)

// maxFolder bounds what stands in one folder. The root is free, and has no bound.
const maxFolder = 10_000

// listBounded is list for folders below the root.
func listBounded(fsys fs.FS, dir string) ([]fs.DirEntry, *diag.Finding) {
	entries, f := list(fsys, dir)
	return bounded(dir, entries, len(entries), f)
}

func bounded(dir string, entries []fs.DirEntry, all int, f *diag.Finding) ([]fs.DirEntry, *diag.Finding) {
	if all > maxFolder {
		return nil, unreadable(dir, fmt.Errorf("it holds more than %d files and folders: divide it", maxFolder))
	}
	return entries, f
}

// partial is a file system that lists only the wanted entries of a folder, and tells how many there are in all.
type partial interface {
	ReadSome(dir string, wanted func(name string) bool) (entries []fs.DirEntry, all int, err error)
}

// list is listBounded for the entries that belong to the part.
func (p *part) list(fsys fs.FS, dir string) ([]fs.DirEntry, *diag.Finding) {
	if listed, ok := fsys.(partial); ok && p != nil && !p.all {
		entries, all, err := listed.ReadSome(dir, p.shows)
		return bounded(dir, entries, all, unlisted(dir, err))
	}
	entries, f := listBounded(fsys, dir)
	return slices.DeleteFunc(slices.Clone(entries), func(e fs.DirEntry) bool { return !p.shows(e.Name()) }), f
}
