package gitrepo

import (
	"bytes"
	"context"
	"crypto/sha1"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/llm-config-manager/lcm/internal/lcm"
)

// Worktree is a folder of a work tree as it stands on disk, committed or not, ignored or not. It is an fs.FS
// whose folders were listed once, when it was opened; files are read when they are asked for, and links
// that lead out of the folder are not followed.
type Worktree struct {
	fs.FS
	repo   *Repo // nil if it is in none
	unread bool  // nothing is known of what the files hold
	limits Limits
	dir    string // absolute
	within string // the folder in the work tree; "." for its root
	names  []string
	stale  sync.Map    // files that changed after they were looked at
	root   *workFolder // the names alone
}

// Its interfaces beside fs.FS.
var (
	_ fs.ReadDirFS  = (*Worktree)(nil)
	_ fs.ReadFileFS = (*Worktree)(nil)
	_ fs.StatFS     = (*Worktree)(nil)
)

// ErrNoWorktree is met for a folder that is in no work tree.
var ErrNoWorktree = errors.New("the folder is in no Git work tree")

// OpenWorktree finds the repository that holds a folder and looks at those of the folder's entries that are named,
// with all that is below them. What folders held may be remembered in listings.
func OpenWorktree(ctx context.Context, dir string, names []string, listings *Listings) (*Worktree, error) {
	w, l, err := findWorktree(dir)
	if err != nil {
		return nil, err
	}
	if w.repo, err = open(l, w.limits); err != nil {
		return nil, err
	}
	if err := w.look(ctx, filepath.Join(l.git, "index"), names, listings); err != nil {
		return nil, errors.Join(err, w.Close())
	}
	return w, nil
}

// Look is OpenWorktree for any folder: one that is in no repository is read to tell what it holds.
func Look(ctx context.Context, dir string, names []string, listings *Listings) (*Worktree, error) {
	w, l, err := findWorktree(dir)
	index := filepath.Join(l.git, "index")
	if errors.Is(err, ErrNoWorktree) {
		err, index = nil, ""
	}
	if err != nil {
		return nil, err
	}
	return w, w.look(ctx, index, names, listings)
}

// List is Look without a look at what the files hold.
func List(ctx context.Context, dir string, names []string) (*Worktree, error) {
	dir, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return nil, err
	}
	w := &Worktree{dir: dir, within: ".", limits: Limits{}.WithDefaults(), unread: true}
	return w, w.look(ctx, "", names, nil)
}

// Close releases the files that are held open.
func (w *Worktree) Close() error {
	if w.repo == nil {
		return nil
	}
	return w.repo.Close()
}

// findWorktree goes up from a folder to the one that bears the repository.
func findWorktree(dir string) (*Worktree, location, error) {
	dir, err := filepath.Abs(dir)
	if err == nil {
		dir, err = filepath.EvalSymlinks(dir)
	}
	if err != nil {
		return nil, location{}, err
	}
	w := &Worktree{dir: dir, within: ".", limits: Limits{}.WithDefaults()}
	for up := dir; ; up = filepath.Dir(up) {
		if _, err := os.Lstat(filepath.Join(up, ".git")); err == nil {
			within, err := filepath.Rel(up, dir)
			if err != nil {
				return nil, location{}, err
			}
			l, err := locate(up)
			w.within = filepath.ToSlash(within)
			return w, l, err
		}
		if up == filepath.Dir(up) {
			return w, location{}, ErrNoWorktree
		}
	}
}

// Since finds the state that the work tree's branch started from: the newest commit that it has in common
// with a revision, which is what a pull request is compared with. It returns that commit and its tree at the folder,
// for looking at what changed: nil if it has no such folder.
func (w *Worktree) Since(ctx context.Context, spec string) (lcm.Revision, *Tree, error) {
	to, err := w.repo.Resolve(spec)
	if err != nil {
		return "", nil, err
	}
	head, err := w.repo.Resolve("HEAD")
	if err != nil {
		return "", nil, fmt.Errorf("there is no commit yet: %w", err)
	}
	fork, err := w.repo.common(ctx, to, head)
	if err != nil {
		return "", nil, err
	}
	t, err := w.repo.Tree(fork)
	if err != nil {
		return "", nil, err
	}
	at, err := t.lookup(w.within)
	switch {
	case errors.Is(err, fs.ErrNotExist) || err == nil && !at.folder():
		return fork, nil, nil
	case err != nil:
		return "", nil, err
	}
	return fork, &Tree{repo: w.repo, root: at.id, partly: true}, nil
}

// Open opens a file or folder. A file is read whole: if it does not hold any more what it did when it was looked at, its
// folders are not what they were, either.
func (w *Worktree) Open(name string) (fs.File, error) {
	e, ok := w.entry(name)
	if !ok || !e.Mode().IsRegular() || e.bytes > w.limits.MaxBlobBytes {
		return w.FS.Open(name)
	}
	f, err := os.Open(w.onDisk(name)) // it was no link
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, w.limits.MaxBlobBytes+1))
	if err != nil {
		return nil, err
	}
	w.compare(name, e, data)
	info := *e
	info.bytes = int64(len(data))
	return &workFile{info, bytes.NewReader(data)}, nil
}

// ReadFile reads a file whole.
func (w *Worktree) ReadFile(name string) ([]byte, error) {
	data, err := fs.ReadFile(w.FS, name)
	if e, ok := w.entry(name); ok && err == nil {
		w.compare(name, e, data)
	}
	return data, err
}

// compare notes that a file does not hold what it did.
func (w *Worktree) compare(name string, e *workEntry, data []byte) {
	if w.unread {
		return
	}
	h := sha1.New()
	fmt.Fprintf(h, "blob %d\x00", len(data))
	h.Write(data)
	if plumbing.Hash(h.Sum(nil)) != e.id {
		w.stale.Store(name, true)
	}
}

// ReadDir lists a folder, by name.
func (w *Worktree) ReadDir(name string) ([]fs.DirEntry, error) {
	f := w.folder(name)
	switch {
	case f == nil || name == ".":
		return fs.ReadDir(w.FS, name)
	case f.err != nil:
		return nil, pathError("readdir", name, f.err)
	}
	list := make([]fs.DirEntry, len(f.entries))
	for i := range f.entries {
		list[i] = &f.entries[i]
	}
	return list, nil
}

// Stat describes a file or folder.
func (w *Worktree) Stat(name string) (fs.FileInfo, error) {
	if e, ok := w.entry(name); ok {
		return e, nil
	}
	return fs.Stat(w.FS, name)
}

// ContentID names what a file or folder holds: two with the same hold the same. It is empty if nobody knows, and
// "absent" if there is nothing by the name.
func (w *Worktree) ContentID(name string) string {
	e, ok := w.entry(name)
	if !ok {
		if _, err := fs.Stat(w.FS, name); errors.Is(err, fs.ErrNotExist) {
			return "absent"
		}
		return ""
	}
	fresh := !e.id.IsZero()
	w.stale.Range(func(file, _ any) bool {
		fresh = fresh && file != name && !strings.HasPrefix(file.(string), name+"/")
		return fresh
	})
	if !fresh {
		return ""
	}
	return e.id.String()
}

// folder finds what was listed; nil if it was not.
func (w *Worktree) folder(name string) *workFolder {
	f := w.root
	for name != "." && name != "" && f != nil {
		var step string
		step, name, _ = strings.Cut(name, "/")
		e, ok := f.entry(step)
		if !ok {
			return nil
		}
		f = e.folder
	}
	return f
}

// entry finds what was looked at.
func (w *Worktree) entry(name string) (*workEntry, bool) {
	f := w.folder(path.Dir(name))
	if f == nil {
		return nil, false
	}
	return f.entry(path.Base(name))
}

func (f *workFolder) entry(name string) (*workEntry, bool) {
	i, ok := slices.BinarySearchFunc(f.entries, name, func(e workEntry, name string) int { return strings.Compare(e.name, name) })
	if !ok {
		return nil, false
	}
	return &f.entries[i], true
}

// onDisk is where a name of the folder is.
func (w *Worktree) onDisk(name string) string { return filepath.Join(w.dir, filepath.FromSlash(name)) }
