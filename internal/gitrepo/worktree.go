package gitrepo

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/llm-config-manager/lcm/internal/lcm"
)

// Worktree is a folder of a work tree as it stands on disk, committed or not, ignored or not. It is an fs.FS
// whose folders were listed once, when it was opened; files are read when they are asked for, and links
// that lead out of the folder are not followed.
type Worktree struct {
	fs.FS
	repo    *Repo
	dir     string // absolute
	within  string // the folder in the work tree; "." for its root
	names   []string
	folders map[string]*workFolder // those below the names
	root    *workFolder            // the names alone
}

var (
	_ fs.ReadDirFS  = (*Worktree)(nil)
	_ fs.ReadFileFS = (*Worktree)(nil)
	_ fs.StatFS     = (*Worktree)(nil)
)

// ErrNoWorktree is met for a folder that is in no work tree.
var ErrNoWorktree = errors.New("the folder is in no Git work tree")

// OpenWorktree finds the repository that holds a folder and looks at those of the folder's entries that are named,
// with all that is below them.
func OpenWorktree(ctx context.Context, dir string, names []string) (*Worktree, error) {
	w, l, err := findWorktree(dir)
	if err != nil {
		return nil, err
	}
	w.names = names
	limits := Limits{}.withDefaults()
	if w.repo, err = open(l, limits); err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(w.dir)
	if err == nil {
		w.FS = root.FS()
		err = w.look(ctx, filepath.Join(l.git, "index"))
	}
	if err != nil {
		return nil, errors.Join(err, w.repo.Close())
	}
	return w, nil
}

// Close releases the files that are held open.
func (w *Worktree) Close() error { return w.repo.Close() }

// findWorktree goes up from a folder to the one that bears the repository.
func findWorktree(dir string) (*Worktree, location, error) {
	dir, err := filepath.Abs(dir)
	if err == nil {
		dir, err = filepath.EvalSymlinks(dir)
	}
	if err != nil {
		return nil, location{}, err
	}
	for up := dir; ; up = filepath.Dir(up) {
		if _, err := os.Lstat(filepath.Join(up, ".git")); err == nil {
			within, err := filepath.Rel(up, dir)
			if err != nil {
				return nil, location{}, err
			}
			l, err := locate(up)
			return &Worktree{dir: dir, within: filepath.ToSlash(within)}, l, err
		}
		if up == filepath.Dir(up) {
			return nil, location{}, ErrNoWorktree
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
	return fork, &Tree{repo: w.repo, root: at.id.String(), partly: true}, nil
}

// ReadDir lists a folder, by name.
func (w *Worktree) ReadDir(name string) ([]fs.DirEntry, error) {
	f, ok := w.folders[name]
	switch {
	case !ok:
		return fs.ReadDir(w.FS, name)
	case f.err != nil:
		return nil, pathError("readdir", name, f.err)
	}
	list := make([]fs.DirEntry, len(f.entries))
	for i := range f.entries {
		list[i] = f.entries[i].DirEntry
	}
	return list, nil
}

// ReadFile reads a file whole.
func (w *Worktree) ReadFile(name string) ([]byte, error) { return fs.ReadFile(w.FS, name) }

// Stat describes a file or folder.
func (w *Worktree) Stat(name string) (fs.FileInfo, error) { return fs.Stat(w.FS, name) }

// onDisk is where a name of the folder is.
func (w *Worktree) onDisk(name string) string { return filepath.Join(w.dir, filepath.FromSlash(name)) }
