package main

import (
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/llm-config-manager/lcm/internal/check"
)

// overlay is a repository in which some folders come from elsewhere.
type overlay struct {
	fs.FS
	folders []folder
}

// folder is one that stands in place of the repository's own. Of what it holds only the files with its
// extension count: it need not have the repository's layout.
type folder struct {
	fsys fs.FS
	at   string // in the repository
	dir  string // on disk
	ext  string
}

// open opens the folder. To name one without any file that counts can only be a mistake.
func (f *folder) open() error {
	root, err := os.OpenRoot(f.dir)
	if err != nil {
		return fmt.Errorf("opening %s: %w", f.dir, err)
	}
	f.fsys = root.FS()
	entries, err := f.list()
	if err != nil {
		return fmt.Errorf("reading %s: %w", f.dir, err)
	}
	if len(entries) == 0 {
		return fmt.Errorf("there is no *%s in %s", f.ext, f.dir)
	}
	for _, e := range entries {
		if !e.Type().IsRegular() {
			return fmt.Errorf("%s is not a plain file", filepath.Join(f.dir, e.Name()))
		}
	}
	return nil
}

func (f *folder) list() ([]fs.DirEntry, error) {
	entries, err := fs.ReadDir(f.fsys, ".")
	return slices.DeleteFunc(entries, func(e fs.DirEntry) bool { return path.Ext(e.Name()) != f.ext }), err
}

func (o overlay) Open(name string) (fs.File, error) {
	fsys, rest := o.at(name)
	return fsys.Open(rest)
}

func (o overlay) ReadDir(name string) ([]fs.DirEntry, error) {
	for _, f := range o.folders {
		if name == f.at {
			return f.list()
		}
	}
	fsys, rest := o.at(name)
	return fs.ReadDir(fsys, rest)
}

func (o overlay) ReadFile(name string) ([]byte, error) {
	fsys, rest := o.at(name)
	return fs.ReadFile(fsys, rest)
}

func (o overlay) Stat(name string) (fs.FileInfo, error) {
	fsys, rest := o.at(name)
	return fs.Stat(fsys, rest)
}

func (o overlay) at(name string) (fs.FS, string) {
	for _, f := range o.folders {
		if name == f.at {
			return f.fsys, "."
		}
		if rest, ok := strings.CutPrefix(name, f.at+"/"); ok {
			return f.fsys, rest
		}
	}
	return o.FS, name
}

// ContentID names what a file or folder of the repository holds, if that is known; the folders from elsewhere are not.
func (o overlay) ContentID(name string) string {
	contents, ok := o.FS.(check.Contents)
	if fsys, _ := o.at(name); !ok || fsys != o.FS {
		return ""
	}
	return contents.ContentID(name)
}

// path is where a file of the repository in dir really stands.
func (o overlay) path(dir, name string) string {
	for _, f := range o.folders {
		if rest, ok := strings.CutPrefix(name, f.at+"/"); ok {
			return path.Join(filepath.ToSlash(f.dir), rest)
		}
	}
	return path.Join(dir, name)
}
