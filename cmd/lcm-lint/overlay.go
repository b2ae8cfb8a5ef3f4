package main

import (
	"io/fs"
	"strings"
)

// overlay is a repository in which some folders come from elsewhere.
type overlay struct {
	fs.FS
	folders map[string]fs.FS
}

func (o overlay) Open(name string) (fs.File, error) {
	fsys, rest := o.at(name)
	return fsys.Open(rest)
}

func (o overlay) ReadDir(name string) ([]fs.DirEntry, error) {
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
	for folder, fsys := range o.folders {
		if name == folder {
			return fsys, "."
		}
		if rest, ok := strings.CutPrefix(name, folder+"/"); ok {
			return fsys, rest
		}
	}
	return o.FS, name
}
