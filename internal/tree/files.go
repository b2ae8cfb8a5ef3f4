package tree

import (
	"bytes"
	"errors"
	"io"
	"io/fs"

	"github.com/llm-config-manager/lcm/internal/diag"
	"github.com/llm-config-manager/lcm/internal/strictyaml"
)

// lfsPointer is how Git LFS begins the file that it leaves in place of the content.
const lfsPointer = "version https://git-lfs.github.com/spec/"

// start is where findings about a whole file or folder stand.
func start(file string) diag.Position { return diag.Position{File: file, Line: 1, Column: 1} }

// list reads a folder. A folder that does not exist is empty: Git knows no empty folders.
func list(fsys fs.FS, dir string) ([]fs.DirEntry, *diag.Finding) {
	entries, err := fs.ReadDir(fsys, dir)
	if f := unlisted(dir, err); f != nil {
		return nil, f
	}
	return entries, nil
}

// unlisted is the finding about a folder that was not listed for an error, or the nil one.
func unlisted(dir string, err error) *diag.Finding {
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return unreadable(dir, err)
}

func unreadable(path string, err error) *diag.Finding {
	// A path error repeats the path, which on a work tree may be the machine's own.
	if p := (*fs.PathError)(nil); errors.As(err, &p) {
		err = p.Err
	}
	f := diag.Errorf(start(path), "layout/unreadable", "this cannot be read: %v", err)
	return &f
}

// mode refuses everything that is neither a folder nor a plain file of mode 644.
func mode(path string, e fs.DirEntry) *diag.Finding {
	refuse := func(what string) *diag.Finding {
		f := diag.Errorf(start(path), "layout/file-mode", "%s: only folders and plain files of mode 644 are allowed here", what)
		return &f
	}
	switch t := e.Type(); {
	case t&fs.ModeSymlink != 0:
		return refuse("this is a symbolic link")
	case t == fs.ModeDir:
		return nil
	case t != 0:
		return refuse("this is a submodule, a device or another special file")
	}
	m, ok := e.(interface{ Mode() fs.FileMode }) // as a tree of Git has at hand
	if !ok {
		info, err := e.Info()
		if err != nil {
			return unreadable(path, err)
		}
		m = info
	}
	if m.Mode()&0o111 != 0 {
		return refuse("this file is executable")
	}
	return nil
}

// read returns the content of a plain file, of which no more than the limit is ever in memory.
func read(fsys fs.FS, path string) ([]byte, *diag.Finding) {
	f, err := fsys.Open(path)
	if err != nil {
		return nil, unreadable(path, err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, strictyaml.MaxBytes+1))
	if err != nil {
		return nil, unreadable(path, err)
	}
	var finding diag.Finding
	switch {
	case len(data) > strictyaml.MaxBytes:
		finding = diag.Errorf(start(path), "yaml/too-large", "the file has more than %d bytes: split it", strictyaml.MaxBytes)
	case bytes.HasPrefix(data, []byte(lfsPointer)):
		finding = diag.Errorf(start(path), "layout/lfs-pointer", "this is a Git LFS pointer, not the content: commit the content itself")
	default:
		return data, nil
	}
	return nil, &finding
}

// parse reads and parses one YAML file.
func parse(fsys fs.FS, path string) (*strictyaml.Document, []diag.Finding) {
	data, f := read(fsys, path)
	if f != nil {
		return nil, []diag.Finding{*f}
	}
	return strictyaml.Parse(path, data)
}
