package gitrepo

import (
	"cmp"
	"context"
	"crypto/sha1"
	"fmt"
	"io"
	"io/fs"
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
}

// workEntry is a file or folder, with the id that Git would give it: zero if it could not be read.
type workEntry struct {
	fs.DirEntry
	mode   uint32
	id     plumbing.Hash
	folder *workFolder // nil unless it is one
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

// look lists the entries that have the names of the folder and all below them, and tells what each holds.
func (w *Worktree) look(ctx context.Context, indexFile string) error {
	x, err := readIndex(indexFile, w.repo.limits)
	if err != nil {
		return err
	}
	l := &looker{Worktree: w, index: x}
	w.folders = map[string]*workFolder{}
	w.root = &workFolder{}
	l.group, l.ctx = errgroup.WithContext(ctx)
	l.group.SetLimit(2 * runtime.GOMAXPROCS(0))
	all, err := os.ReadDir(w.dir)
	if err != nil {
		return err
	}
	all = slices.DeleteFunc(all, func(e fs.DirEntry) bool { return !slices.Contains(w.names, e.Name()) })
	err = l.fill(w.root, ".", all, 0)
	if err := cmp.Or(l.group.Wait(), err); err != nil {
		return err
	}
	w.root.sum()
	return nil
}

// walk lists a folder, and goes on with those in it, beside others if there is room.
func (l *looker) walk(f *workFolder, name string, depth int) error {
	if err := l.ctx.Err(); err != nil {
		return err
	}
	if depth > l.repo.limits.MaxDepth {
		return l.repo.tooDeep()
	}
	entries, err := os.ReadDir(l.onDisk(name))
	if err != nil {
		f.err = err
	}
	l.mu.Lock()
	l.folders[name] = f
	l.entries += len(entries)
	many := l.entries > l.repo.limits.MaxTreeEntries
	l.mu.Unlock()
	if many {
		return l.repo.tooMany()
	}
	return l.fill(f, name, entries, depth)
}

func (l *looker) fill(f *workFolder, name string, entries []fs.DirEntry, depth int) error {
	f.entries = make([]workEntry, len(entries))
	inTree := path.Join(l.within, name)
	if inTree == "." {
		inTree = ""
	}
	known := l.index.folders[inTree]
	for i, d := range entries {
		e := &f.entries[i]
		e.DirEntry = d
		below := path.Join(name, d.Name())
		if !d.IsDir() {
			for len(known) > 0 && known[0].name < d.Name() {
				known = known[1:]
			}
			l.file(e, below, known)
			continue
		}
		e.mode, e.folder = ModeFolder, &workFolder{}
		walk := func() error { return l.walk(e.folder, below, depth+1) }
		if depth < 3 && l.group.TryGo(walk) {
			continue
		}
		if err := walk(); err != nil {
			return err
		}
	}
	return nil
}

// file tells what a file holds: from the index, if it is as Git saw it last.
func (l *looker) file(e *workEntry, name string, known []indexed) {
	e.mode = ModeSubmodule
	info, err := e.Info()
	if err != nil {
		return
	}
	m := marksOf(info)
	e.DirEntry, e.mode = fs.FileInfoToDirEntry(info), m.mode
	if len(known) > 0 && known[0].name == info.Name() && l.index.knows(known[0], m) {
		e.id = known[0].id
		return
	}
	if id, err := l.hash(l.onDisk(name), info); err == nil {
		e.id = id
	}
}

// hash reads a file, or where a link leads. What is larger than a blob may be has no id.
func (l *looker) hash(file string, info fs.FileInfo) (id plumbing.Hash, err error) {
	var data []byte
	switch {
	case info.Mode().Type() == fs.ModeSymlink:
		target, err := os.Readlink(file)
		if err != nil {
			return id, err
		}
		data = []byte(target)
	case info.Mode().IsRegular() && info.Size() <= l.repo.limits.MaxBlobBytes:
		f, err := os.Open(file)
		if err != nil {
			return id, err
		}
		defer f.Close()
		if data, err = io.ReadAll(io.LimitReader(f, info.Size()+1)); err != nil {
			return id, err
		}
	default:
		return id, fmt.Errorf("%s is no file of a readable size", file)
	}
	id, _ = newObjectHasher().sum(plumbing.BlobObject, data)
	return id, nil
}

// sum gives every folder the id that Git would give its tree. These ids only say what is the same as in a
// commit, so that hostile collisions win nothing.
func (f *workFolder) sum() plumbing.Hash {
	for i := range f.entries {
		if e := &f.entries[i]; e.folder != nil {
			e.id = e.folder.sum()
		}
	}
	if f.err != nil {
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
	return plumbing.Hash(h.Sum(nil))
}

// tree returns the entries as a tree object has them, in Git's order.
func (f *workFolder) tree() []treeEntry {
	out := make([]treeEntry, len(f.entries))
	for i, e := range f.entries {
		out[i] = treeEntry{name: e.Name(), mode: e.mode, id: e.id}
	}
	slices.SortFunc(out, compareEntries)
	return out
}
