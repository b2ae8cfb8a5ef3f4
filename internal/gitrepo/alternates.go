package gitrepo

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// maxAlternates is how many object folders one repository may borrow from.
const maxAlternates = 16

// withAlternates lists dir and the folders that its info/alternates names, and theirs.
func withAlternates(dir string) ([]string, error) {
	dirs := []string{dir}
	for i := 0; i < len(dirs); i++ {
		data, err := readSmall(filepath.Join(dirs[i], "info", "alternates"))
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		for line := range strings.Lines(string(data)) {
			other := strings.TrimSuffix(line, "\n")
			if other == "" || other[0] == '#' {
				continue
			}
			if !filepath.IsAbs(other) {
				other = filepath.Join(dirs[i], other)
			}
			if other = filepath.Clean(other); !slices.Contains(dirs, other) {
				dirs = append(dirs, other)
			}
		}
		if len(dirs) > maxAlternates {
			return nil, fmt.Errorf("%s borrows objects from more than %d folders", dir, maxAlternates)
		}
	}
	return dirs, nil
}
