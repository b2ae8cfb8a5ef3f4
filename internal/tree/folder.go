package tree

import (
	"fmt"
	"io/fs"

	"github.com/llm-config-manager/lcm/internal/diag"
)

// maxFolder bounds what stands in one folder. The root is free, and has no bound.
const maxFolder = 10_000

// listBounded is list for folders below the root.
func listBounded(fsys fs.FS, dir string) ([]fs.DirEntry, *diag.Finding) {
	entries, f := list(fsys, dir)
	if len(entries) > maxFolder {
		return nil, unreadable(dir, fmt.Errorf("it holds more than %d files and folders: divide it", maxFolder))
	}
	return entries, f
}
