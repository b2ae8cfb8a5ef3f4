package gitrepo

import (
	"cmp"
	"context"
	"crypto/sha1"
	"fmt"
	"io"
	"os"
	"path"
	"runtime"
	"slices"
	"strconv"
	"sync"

	"github.com/go-git/go-git/v5/plumbing"
	"golang.org/x/sync/errgroup"
)

// workFolder is a folder as it was listed.
type workFolder struct {
	entries []workEntry // by name
	err     error       // why it could not be listed
	id      plumbing.Hash
}

// looker walks over a work tree.
type looker struct {
	*Worktree
	index *index
	group *errgroup.Group
	ctx   context.Context

	mu      sync.Mutex
	entries int
}

// look lists the entries that have the names and all below them, and tells what each holds.
func (w *Worktree) look(ctx context.Context, indexFile string, names []string) error {
	root, err := os.OpenRoot(w.dir)
	if err != nil {
		return err
	}
	l := &looker{Worktree: w, index: &index{}}
	if indexFile != "" {
		if l.index, err = readIndex(indexFile, w.limits); err != nil {
			return err
		}
	}
	w.FS, w.names, w.folders, w.root = root.FS(), names, map[string]*workFolder{}, &workFolder{}
	l.group, l.ctx = errgroup.WithContext(ctx)
	l.group.SetLimit(2 * runtime.GOMAXPROCS(0))
	all, err := listFolder(w.dir)
	if err != nil {
		return err
	}
	all = slices.DeleteFunc(all, func(f found) bool { return !slices.Contains(names, f.name) })
	err = l.fill(w.root, ".", all, 0)
	if err := cmp.Or(l.group.Wait(), err); err != nil {
		return err
	}
	if !w.unread {
		w.root.sum()
	}
	return nil
}

// walk lists a folder, and goes on with those in it, beside others if there is room.
func (l *looker) walk(f *workFolder, name string, depth int) error {
	if err := l.ctx.Err(); err != nil {
		return err
	}
	if depth > l.limits.MaxDepth {
		return l.limits.tooDeep()
	}
	entries, err := listFolder(l.onDisk(name))
	if err != nil {
		f.err = err
	}
	l.mu.Lock()
	l.folders[name] = f
	l.entries += len(entries)
	many := l.entries > l.limits.MaxTreeEntries
	l.mu.Unlock()
	if many {
		return l.limits.tooMany()
	}
	return l.fill(f, name, entries, depth)
}

func (l *looker) fill(f *workFolder, name string, entries []found, depth int) error {
	f.entries = make([]workEntry, len(entries))
	inTree := path.Join(l.within, name)
	if inTree == "." {
		inTree = ""
	}
	known := l.index.folders[inTree]
	leaf := true
	for i, d := range entries {
		e := &f.entries[i]
		e.name, e.kind = d.name, d.kind
		if !d.kind.IsDir() {
			for len(known) > 0 && known[0].name < d.name {
				known = known[1:]
			}
			l.file(e, d, name, known)
			continue
		}
		below := path.Join(name, d.name)
		leaf, e.mode, e.folder = false, ModeFolder, &workFolder{}
		walk := func() error { return l.walk(e.folder, below, depth+1) }
		if depth < 3 && l.group.TryGo(walk) {
			continue
		}
		if err := walk(); err != nil {
			return err
		}
	}
	if leaf && !l.unread {
		f.sum() // here, beside others
	}
	return nil
}

// file tells what a file holds: from the index, if it is as Git saw it last.
func (l *looker) file(e *workEntry, f found, folder string, known []indexed) {
	if e.mode = ModeSubmodule; f.err != nil {
		return
	}
	e.mode, e.bytes = f.mode, f.size
	if l.unread {
		return
	}
	if len(known) > 0 && known[0].name == f.name && l.index.knows(known[0], f.marks) {
		e.id = known[0].id
		return
	}
	if id, err := l.hash(l.onDisk(path.Join(folder, f.name)), f); err == nil {
		e.id = id
	}
}

// hash reads a file, or where a link leads. What is larger than a blob may be has no id.
func (l *looker) hash(file string, f found) (id plumbing.Hash, err error) {
	var data []byte
	switch {
	case f.mode == ModeSymlink:
		target, err := os.Readlink(file)
		if err != nil {
			return id, err
		}
		data = []byte(target)
	case f.kind.IsRegular() && f.size <= l.limits.MaxBlobBytes:
		r, err := os.Open(file)
		if err != nil {
			return id, err
		}
		defer r.Close()
		if data, err = io.ReadAll(io.LimitReader(r, f.size+1)); err != nil {
			return id, err
		}
	default:
		return id, fmt.Errorf("%s is no file of a readable size", file)
	}
	id, ok := newObjectHasher().sum(plumbing.BlobObject, data)
	if !ok {
		return plumbing.ZeroHash, errCollision
	}
	return id, nil
}

// sum gives every folder the id that Git would give its tree, or none if something in it has none. These ids only
// say what is the same as in a commit or at another time, so that hostile collisions win nothing.
func (f *workFolder) sum() plumbing.Hash {
	if !f.id.IsZero() {
		return f.id
	}
	whole := f.err == nil
	for i := range f.entries {
		e := &f.entries[i]
		if e.folder != nil {
			e.id = e.folder.sum()
		}
		whole = whole && !e.id.IsZero()
	}
	if !whole {
		return plumbing.ZeroHash
	}
	var buf []byte
	for _, e := range f.tree() {
		buf = append(strconv.AppendUint(buf, uint64(e.mode), 8), ' ')
		buf = append(append(append(buf, e.name...), 0), e.id[:]...)
	}
	h := sha1.New()
	fmt.Fprintf(h, "tree %d\x00", len(buf))
	h.Write(buf)
	h.Sum(f.id[:0])
	return f.id
}

// tree returns the entries as a tree object has them, in Git's order.
func (f *workFolder) tree() []treeEntry {
	out := make([]treeEntry, len(f.entries))
	for i, e := range f.entries {
		out[i] = treeEntry{name: e.name, mode: e.mode, id: e.id}
	}
	if !slices.IsSortedFunc(out, compareEntries) { // by name they are, which differs where a folder is
		slices.SortFunc(out, compareEntries)
	}
	return out
}
