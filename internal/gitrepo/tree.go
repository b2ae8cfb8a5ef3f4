package gitrepo

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/llm-config-manager/lcm/internal/lcm"
)

// Tree returns the tree of a commit.
func (r *Repo) Tree(rev lcm.Revision) (*Tree, error) {
	c, err := r.Commit(rev)
	if err != nil {
		return nil, err
	}
	return r.TreeOf(c), nil
}

// TreeOf returns the tree of a commit that was read already.
func (r *Repo) TreeOf(c *Commit) *Tree {
	root, _ := hexHash(c.Tree) // which a commit that was parsed has; of no other there is a tree
	return &Tree{repo: r, root: root}
}

// Check finds a tree with more files, folders or levels than the limits allow, of which no folder is listed.
func (t *Tree) Check() error { return t.repo.checkSize(t.root) }

// ID gives the object id and the mode of a file or folder; "." is the root. It is false for what is
// not there or cannot be read.
func (t *Tree) ID(path string) (id string, mode uint32, ok bool) {
	e, err := t.lookup(path)
	if err != nil {
		return "", 0, false
	}
	return e.id.String(), e.mode, true
}

// ContentID names what a file or folder holds; empty if that can't be told.
func (t *Tree) ContentID(path string) string {
	e, err := t.lookup(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "absent"
	case err != nil:
		return ""
	}
	return fmt.Sprintf("%o %s", e.mode, e.id)
}

// Open opens a file or folder.
func (t *Tree) Open(path string) (fs.File, error) {
	e, err := t.find("open", path)
	if err != nil {
		return nil, err
	}
	if e.folder() {
		return &openFolder{info: t.info(e, 0), tree: t, path: path}, nil
	}
	data, err := t.blob("open", path, e)
	if err != nil {
		return nil, err
	}
	return &openFile{info: t.info(e, int64(len(data))), Reader: bytes.NewReader(data)}, nil
}

// ReadFile reads a file whole. A symlink or submodule is not a file.
func (t *Tree) ReadFile(path string) ([]byte, error) {
	e, err := t.find("read", path)
	if err != nil {
		return nil, err
	}
	data, err := t.blob("read", path, e)
	return bytes.Clone(data), err
}

// ReadDir lists a folder, by name.
func (t *Tree) ReadDir(path string) ([]fs.DirEntry, error) {
	obj, err := t.folder(path)
	if err != nil {
		return nil, pathError("readdir", path, err)
	}
	entries, list := make([]dirEntry, len(obj.lines)), make([]fs.DirEntry, len(obj.lines))
	for i := range list {
		entries[i] = dirEntry{t, obj.at(i)}
		list[i] = &entries[i]
	}
	return byName(list), nil
}

// ReadSome is ReadDir for the entries whose names are wanted. It tells how many there are in all.
func (t *Tree) ReadSome(path string, wanted func(name string) bool) (list []fs.DirEntry, all int, err error) {
	obj, err := t.folder(path)
	if err != nil {
		return nil, 0, pathError("readdir", path, err)
	}
	for i := range obj.lines {
		if wanted(obj.name(i)) {
			list = append(list, &dirEntry{t, obj.at(i)})
		}
	}
	return byName(list), len(obj.lines), nil
}

// byName sorts entries: Git's order is another, since it counts a folder's name with a slash.
func byName(list []fs.DirEntry) []fs.DirEntry {
	slices.SortFunc(list, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	return list
}

// folder reads a folder that is to be listed.
func (t *Tree) folder(path string) (*treeObject, error) {
	e, err := t.lookup(path)
	if err != nil {
		return nil, err
	}
	if !e.folder() {
		return nil, errors.New("not a folder")
	}
	if !t.partly {
		if err := t.Check(); err != nil {
			return nil, err
		}
	}
	return t.repo.tree(e.id)
}

// Stat describes a file or folder. Its Sys is a Blob.
func (t *Tree) Stat(path string) (fs.FileInfo, error) {
	e, err := t.find("stat", path)
	if err != nil {
		return nil, err
	}
	return t.describe(e)
}

func (t *Tree) describe(e treeEntry) (fs.FileInfo, error) {
	if e.folder() || e.mode == ModeSubmodule {
		return t.info(e, 0), nil
	}
	size, err := t.repo.objects.size(e.id)
	if err != nil {
		return nil, pathError("stat", e.name, err)
	}
	return t.info(e, size), nil
}

func (t *Tree) find(op, path string) (treeEntry, error) {
	e, err := t.lookup(path)
	if err != nil {
		return e, pathError(op, path, err)
	}
	return e, nil
}

func pathError(op, path string, err error) error {
	return &fs.PathError{Op: op, Path: path, Err: err}
}

// lookup walks from the root to the path.
func (t *Tree) lookup(path string) (treeEntry, error) {
	if !fs.ValidPath(path) {
		return treeEntry{}, fs.ErrInvalid
	}
	e := treeEntry{name: ".", mode: ModeFolder, id: t.root}
	if path == "." {
		return e, nil
	}
	depth := 0
	for name := range strings.SplitSeq(path, "/") {
		if depth++; depth > t.repo.limits.MaxDepth {
			return treeEntry{}, t.repo.tooDeep()
		}
		if !e.folder() {
			return treeEntry{}, fs.ErrNotExist
		}
		obj, err := t.repo.tree(e.id)
		if err != nil {
			return treeEntry{}, err
		}
		var ok bool
		if e, ok = obj.child(name); !ok {
			return treeEntry{}, fs.ErrNotExist
		}
	}
	return e, nil
}

func (r *Repo) tooDeep() error { return r.limits.tooDeep() }

func (l Limits) tooDeep() error {
	return &LimitError{What: "the nesting of folders", Limit: int64(l.MaxDepth), Unit: "levels"}
}

func (t *Tree) blob(op, path string, e treeEntry) ([]byte, error) {
	switch e.mode {
	case ModeFile, ModeExecutable:
	case ModeFolder:
		return nil, pathError(op, path, errors.New("is a folder"))
	case ModeSymlink:
		return nil, pathError(op, path, errors.New("is a symlink, which is not followed"))
	default:
		return nil, pathError(op, path, errors.New("is a submodule"))
	}
	data, err := t.repo.objects.read(e.id, plumbing.BlobObject)
	if err != nil {
		return nil, pathError(op, path, err)
	}
	return data, nil
}

func (t *Tree) info(e treeEntry, size int64) fileInfo { return fileInfo{e, size} }

// fileMode is how fs writes Git's modes.
func fileMode(mode uint32) fs.FileMode {
	switch mode {
	case ModeFolder:
		return fs.ModeDir | 0o755
	case ModeFile:
		return 0o644
	case ModeExecutable:
		return 0o755
	case ModeSymlink:
		return fs.ModeSymlink | 0o777
	}
	return fs.ModeIrregular
}

type fileInfo struct {
	entry treeEntry
	size  int64
}

func (i fileInfo) Name() string       { return i.entry.name }
func (i fileInfo) Size() int64        { return i.size }
func (i fileInfo) Mode() fs.FileMode  { return fileMode(i.entry.mode) }
func (i fileInfo) ModTime() time.Time { return time.Time{} }
func (i fileInfo) IsDir() bool        { return i.entry.folder() }
func (i fileInfo) Sys() any           { return Blob{ID: i.entry.id.String(), Mode: i.entry.mode} }

// ContentID names what the file or folder holds: two with the same hold the same.
func (i fileInfo) ContentID() string { return i.entry.id.String() }

type dirEntry struct {
	tree  *Tree
	entry treeEntry
}

func (d *dirEntry) Name() string               { return d.entry.name }
func (d *dirEntry) IsDir() bool                { return d.entry.folder() }
func (d *dirEntry) Type() fs.FileMode          { return fileMode(d.entry.mode).Type() }
func (d *dirEntry) Info() (fs.FileInfo, error) { return d.tree.describe(d.entry) }

// Mode and ContentID are those of Info, which has to look for the size of a file.
func (d *dirEntry) Mode() fs.FileMode { return fileMode(d.entry.mode) }
func (d *dirEntry) ContentID() string { return d.entry.id.String() }

type openFile struct {
	info fileInfo
	*bytes.Reader
}

func (f *openFile) Stat() (fs.FileInfo, error) { return f.info, nil }
func (f *openFile) Close() error               { return nil }

type openFolder struct {
	info fileInfo
	tree *Tree
	path string
	list []fs.DirEntry
	read bool
}

func (f *openFolder) Stat() (fs.FileInfo, error) { return f.info, nil }
func (f *openFolder) Close() error               { return nil }
func (f *openFolder) Read([]byte) (int, error) {
	return 0, pathError("read", f.path, errors.New("is a folder"))
}

func (f *openFolder) ReadDir(n int) ([]fs.DirEntry, error) {
	if !f.read {
		list, err := f.tree.ReadDir(f.path)
		if err != nil {
			return nil, err
		}
		f.list, f.read = list, true
	}
	if n <= 0 {
		n = len(f.list)
	} else if len(f.list) == 0 {
		return nil, io.EOF
	}
	out := f.list[:min(n, len(f.list))]
	f.list = f.list[len(out):]
	return out, nil
}
