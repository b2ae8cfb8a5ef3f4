package kept

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// prune removes the files that were not used the longest until the folder is within its limits, and what was begun
// and never finished. It never removes the one named.
func prune(dir, never string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	var files []fs.FileInfo
	for _, e := range entries {
		info, err := e.Info()
		if err != nil || !info.Mode().IsRegular() {
			continue
		}
		begun, _ := filepath.Match(temporary, e.Name())
		switch {
		case begun && time.Since(info.ModTime()) > time.Hour:
			err = os.Remove(filepath.Join(dir, e.Name()))
		case strings.HasSuffix(e.Name(), extension) && e.Name() != filepath.Base(never):
			files = append(files, info)
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	slices.SortFunc(files, func(a, b fs.FileInfo) int { return b.ModTime().Compare(a.ModTime()) })
	left := int64(maxFolder - maxFile)
	for i, info := range files {
		if left -= info.Size(); left >= 0 && i < maxFiles-1 {
			continue
		}
		if err := os.Remove(filepath.Join(dir, info.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}
