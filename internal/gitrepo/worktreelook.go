package gitrepo

import (
	"cmp"
	"context"
	"crypto/sha1"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"

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
	index    *index
	lister   lister
	listings *Listings
	group    *errgroup.Group
	ctx      context.Context

	entries atomic.Int64
}

// look lists the entries that have the names and all below them, and tells what each holds.
func (w *Worktree) look(ctx context.Context, indexFile string, names []string, listings *Listings) error {
	root, err := os.OpenRoot(w.dir)
	if err != nil {
		return err
	}
	l := &looker{Worktree: w, index: &index{}, listings: listings}
	if indexFile != "" {
		if l.index, err = readIndex(indexFile, w.limits); err != nil {
			return err
		}
	}
	if l.lister, err = newLister(w.dir); err != nil {
		return err
	}
	defer l.lister.close()
	w.FS, w.names, w.root = root.FS(), names, &workFolder{}
	l.group, l.ctx = errgroup.WithContext(ctx)
	l.group.SetLimit(2 * runtime.GOMAXPROCS(0))
	all, _, err := l.lister.list(".", nil, func(_ folderMarks, all []found) ([]found, bool) { return all, false })
	if err != nil {
		return err
	}
	all = slices.DeleteFunc(all, func(f found) bool { return !slices.Contains(names, f.name) })
	known := l.index.root.at(w.within)
	l.fill(w.root, known, ".", all)
	err = l.below(w.root, known, ".", 0)
	if err := cmp.Or(l.group.Wait(), err); err != nil {
		return err
	}
	if !w.unread {
		w.root.sum()
	}
	return nil
}

// walk lists a folder, and goes on with those in it.
func (l *looker) walk(f *workFolder, known *indexFolder, name string, depth int) error {
	if err := l.ctx.Err(); err != nil {
		return err
	}
	if depth > l.limits.MaxDepth {
		return l.limits.tooDeep()
	}
	space := lists.Get().(*[]found)
	*space, f.err = l.list(name, known, *space)
	many := l.entries.Add(int64(len(*space))) > int64(l.limits.MaxTreeEntries)
	if !many {
		l.fill(f, known, name, *space)
	}
	lists.Put(space)
	if many {
		return l.limits.tooMany()
	}
	return l.below(f, known, name, depth)
}

var lists = sync.Pool{New: func() any { return new([]found) }}

// list lists a folder in place of what all held, and remembers the names if they are sure to be the same while the
// folder has the same marks.
func (l *looker) list(name string, known *indexFolder, all []found) ([]found, error) {
	var held listing
	recalled := false
	all, m, err := l.lister.list(name, all, func(m folderMarks, all []found) ([]found, bool) {
		if l.listings != nil && l.index.old(m) {
			all = known.list(all)
			held = m.holding(all)
			recalled = l.listings.known[held]
		}
		return all, recalled
	})
	if l.listings != nil && err == nil && l.index.old(m) {
		if !recalled {
			held = m.holding(all)
		}
		l.listings.remember(held, recalled)
	}
	return all, err
}

// fill notes what was listed, and what the files hold.
func (l *looker) fill(f *workFolder, known *indexFolder, name string, entries []found) {
	f.entries = make([]workEntry, len(entries))
	var files []indexed
	if known != nil {
		files = known.files
	}
	leaf := true
	for i, d := range entries {
		e := &f.entries[i]
		e.name, e.kind = d.name, d.kind
		if d.kind.IsDir() {
			leaf, e.mode, e.folder = false, ModeFolder, &workFolder{}
			continue
		}
		for len(files) > 0 && files[0].name < d.name {
			files = files[1:]
		}
		l.file(e, d, name, files)
	}
	if leaf && !l.unread {
		f.sum() // here, beside others
	}
}

// below walks over the folders in one, beside others if there is room.
func (l *looker) below(f *workFolder, known *indexFolder, name string, depth int) error {
	for i := range f.entries {
		e := &f.entries[i]
		if e.folder == nil {
			continue
		}
		walk := func() error { return l.walk(e.folder, known.folder(e.name), joined(name, e.name), depth+1) }
		if depth < 3 && l.group.TryGo(walk) {
			continue
		}
		if err := walk(); err != nil {
			return err
		}
	}
	return nil
}

// joined is where a name of a folder is.
func joined(folder, name string) string {
	if folder == "." {
		return name
	}
	return folder + "/" + name
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
		e.id = known[0].id()
		return
	}
	if id, err := l.hash(l.onDisk(joined(folder, f.name)), f); err == nil {
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
	whole, leaf := f.err == nil, true
	for i := range f.entries {
		e := &f.entries[i]
		if e.folder != nil {
			leaf, e.id = false, e.folder.sum()
		}
		whole = whole && !e.id.IsZero()
	}
	if !whole {
		return plumbing.ZeroHash
	}
	buf := sums.Get().(*[]byte)
	defer sums.Put(buf)
	*buf = append((*buf)[:0], make([]byte, treeHeader)...)
	if leaf { // by name they are in order
		for i := range f.entries {
			*buf = f.entries[i].treeEntry().appendTo(*buf)
		}
	} else {
		for _, e := range f.tree() {
			*buf = e.appendTo(*buf)
		}
	}
	head := strconv.AppendInt([]byte("tree "), int64(len(*buf)-treeHeader), 10)
	start := treeHeader - len(head) - 1 // a NUL follows
	copy((*buf)[start:], head)
	f.id = sha1.Sum((*buf)[start:])
	return f.id
}

var sums = sync.Pool{New: func() any { return new([]byte) }}

// treeHeader is room for what goes before a tree when it is hashed.
const treeHeader = 32

// appendTo writes the entry as a tree object has it.
func (e treeEntry) appendTo(buf []byte) []byte {
	buf = append(strconv.AppendUint(buf, uint64(e.mode), 8), ' ')
	return append(append(append(buf, e.name...), 0), e.id[:]...)
}

// tree returns the entries as a tree object has them, in Git's order.
func (f *workFolder) tree() []treeEntry {
	out := make([]treeEntry, len(f.entries))
	for i := range f.entries {
		out[i] = f.entries[i].treeEntry()
	}
	if !slices.IsSortedFunc(out, compareEntries) { // by name they are, which differs where a folder is
		slices.SortFunc(out, compareEntries)
	}
	return out
}
