package fix

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/llm-config-manager/lcm/internal/strictyaml"
)

// Files lists what may be mended of a folder's file or folder, "." for all; a file that is named itself is listed
// whatever it is. Links are not followed.
func Files(dir, name string) (files []string, err error) {
	err = fs.WalkDir(os.DirFS(dir), name, func(path string, e fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case e.IsDir() && path == ".git":
			return fs.SkipDir
		case e.Type().IsRegular() && (path == name || Fixable(path)):
			files = append(files, path)
		}
		return nil
	})
	return files, err
}

// Each puts what mend makes of each file in its place, if it is to be written, and lists those that differ.
func Each(dir string, files []string, write bool, mend func(name string, text []byte) []byte) (changed []string, err error) {
	for _, name := range files {
		file := filepath.Join(dir, filepath.FromSlash(name))
		text, err := read(file)
		if err != nil {
			return changed, err
		}
		out := mend(name, text)
		if bytes.Equal(out, text) {
			continue
		}
		if write {
			if err := replace(file, out); err != nil {
				return changed, err
			}
		}
		changed = append(changed, name)
	}
	return changed, nil
}

func read(file string) ([]byte, error) {
	info, err := os.Stat(file)
	if err != nil {
		return nil, err
	}
	if info.Size() > strictyaml.MaxBytes {
		return nil, fmt.Errorf("%s is larger than %d bytes, which no repository may hold", file, strictyaml.MaxBytes)
	}
	return os.ReadFile(file)
}

// replace puts a file in place of another at once, so that nobody finds half of it.
func replace(file string, text []byte) error {
	info, err := os.Stat(file)
	if err != nil {
		return err
	}
	tmp, err := os.CreateTemp(filepath.Dir(file), ".lcm-*")
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name()) // a no-op once renamed
	_, err = tmp.Write(text)
	if err := errors.Join(err, tmp.Chmod(info.Mode()), tmp.Close()); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), file)
}
