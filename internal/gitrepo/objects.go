package gitrepo

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
)

// objects reads the object store of a repository: packs by their indexes, loose objects, and the
// folders it borrows from. It reads files by position only, so that any number of readers share it.
type objects struct {
	limits Limits
	dirs   []string // the repository's own first
	alone  bool     // nobody else should be adding packs: has does not look for new ones
	bases  *baseCache
	pool   sync.Pool // *reader

	mu      sync.RWMutex
	packs   []*pack // the newest first
	scanned []time.Time
}

// openObjects opens the object folder of a repository.
func openObjects(dir string, limits Limits) (*objects, error) {
	dirs, err := withAlternates(dir)
	if err != nil {
		return nil, err
	}
	o := &objects{limits: limits, dirs: dirs, bases: newBaseCache(), scanned: make([]time.Time, len(dirs))}
	o.pool.New = func() any { return newReader() }
	if _, err := o.rescan(); err != nil {
		return nil, errors.Join(err, o.close())
	}
	return o, nil
}

func (o *objects) close() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	var err error
	for _, p := range o.packs {
		err = errors.Join(err, p.file.Close())
	}
	o.packs = nil
	return err
}

// rescan opens packs that appeared since the last scan, and reports whether there were any. Then it
// lets go of those that disappeared: their objects are in others by now. They are not closed, for
// somebody may be reading; the garbage collector does that.
func (o *objects) rescan() (found bool, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for i, dir := range o.dirs {
		folder := filepath.Join(dir, "pack")
		fi, err := os.Stat(folder)
		if errors.Is(err, os.ErrNotExist) || err == nil && fi.ModTime().Equal(o.scanned[i]) {
			continue
		}
		if err != nil {
			return found, err
		}
		names, err := filepath.Glob(filepath.Join(escapeGlob(folder), "pack-*.idx"))
		if err != nil {
			return found, err
		}
		for _, name := range names {
			if slices.ContainsFunc(o.packs, func(p *pack) bool { return p.index == name }) {
				continue
			}
			p, err := openPack(name)
			if errors.Is(err, os.ErrNotExist) {
				continue // being written, or just removed
			}
			if err != nil {
				return found, err
			}
			o.packs = slices.Insert(o.packs, 0, p)
			found = true
		}
		o.packs = slices.DeleteFunc(o.packs, func(p *pack) bool {
			return filepath.Dir(p.index) == folder && !slices.Contains(names, p.index)
		})
		// A folder changed within the clock's grain may change again without showing it.
		if time.Since(fi.ModTime()) > 2*time.Second {
			o.scanned[i] = fi.ModTime()
		}
	}
	return found, nil
}

func escapeGlob(dir string) string {
	return strings.NewReplacer(`*`, `\*`, `?`, `\?`, `[`, `\[`, `\`, `\\`).Replace(dir)
}

// find locates an object in the packs.
func (o *objects) find(id plumbing.Hash) (p *pack, offset int64, ok bool) {
	o.mu.RLock()
	defer o.mu.RUnlock()
	for _, p := range o.packs {
		if offset, ok := p.find(id); ok {
			return p, offset, true
		}
	}
	return nil, 0, false
}

// has reports whether the object is there.
func (o *objects) has(id plumbing.Hash) (bool, error) {
	if _, _, ok := o.find(id); ok {
		return true, nil
	}
	if _, ok := o.loosePath(id); ok || o.alone {
		return ok, nil
	}
	found, err := o.rescan()
	if !found || err != nil {
		return false, err
	}
	_, _, ok := o.find(id)
	return ok, nil
}

func (o *objects) loosePath(id plumbing.Hash) (string, bool) {
	name := id.String()
	for _, dir := range o.dirs {
		path := filepath.Join(dir, name[:2], name[2:])
		if _, err := os.Stat(path); err == nil {
			return path, true
		}
	}
	return "", false
}

// read returns the bytes of an object of the type, checked against its id. Callers must not change
// them: they may be shared.
func (o *objects) read(id plumbing.Hash, t plumbing.ObjectType) ([]byte, error) {
	data, err := o.readAny(id, t, o.limit(t))
	if o.alone && (errors.Is(err, errDamaged) || errors.Is(err, io.ErrUnexpectedEOF)) {
		err = fmt.Errorf("%w; remove the mirror %s: the next fetch makes it anew", err, filepath.Dir(o.dirs[0]))
	}
	if err != nil {
		return nil, describe(t, id, err)
	}
	return data, nil
}

func (o *objects) limit(t plumbing.ObjectType) int64 {
	switch t {
	case plumbing.BlobObject:
		return o.limits.MaxBlobBytes
	case plumbing.TreeObject:
		return o.limits.treeBytes()
	case plumbing.CommitObject, plumbing.TagObject:
		return o.limits.MaxCommitBytes
	}
	return 0
}

func (o *objects) readAny(id plumbing.Hash, want plumbing.ObjectType, limit int64) (data []byte, err error) {
	defer contain(&err)
	rd := o.pool.Get().(*reader)
	defer o.pool.Put(rd)
	t, data, err := o.fetch(rd, id, limit)
	if err != nil {
		return nil, err
	}
	if t != want {
		return nil, fmt.Errorf("it is a %s", t)
	}
	return data, o.check(rd, id, t, data)
}

// readWhatever reads an object of any type.
func (o *objects) readWhatever(id plumbing.Hash, limit int64) (t plumbing.ObjectType, data []byte, err error) {
	defer contain(&err)
	rd := o.pool.Get().(*reader)
	defer o.pool.Put(rd)
	if t, data, err = o.fetch(rd, id, limit); err == nil {
		err = o.check(rd, id, t, data)
	}
	if err != nil {
		return 0, nil, describe(plumbing.AnyObject, id, err)
	}
	return t, data, nil
}

// check holds an object's bytes against its id. What we fetched ourselves was looked at for collisions when it came.
func (o *objects) check(rd *reader, id plumbing.Hash, t plumbing.ObjectType, data []byte) error {
	if o.alone && rd.quick.matches(id, t, data) || !o.alone && rd.hasher.matches(id, t, data) {
		return nil
	}
	return fmt.Errorf("its bytes do not hash to its id: %w", errDamaged)
}

// fetch finds and unpacks an object, unchecked.
func (o *objects) fetch(rd *reader, id plumbing.Hash, limit int64) (plumbing.ObjectType, []byte, error) {
	p, offset, path, err := o.locate(id)
	switch {
	case err != nil:
		return 0, nil, err
	case p == nil:
		return rd.loose(path, limit)
	}
	return o.unpack(rd, p, offset, limit)
}

// locate finds an object in a pack, or else as a file.
func (o *objects) locate(id plumbing.Hash) (p *pack, offset int64, path string, err error) {
	if p, offset, ok := o.find(id); ok {
		return p, offset, "", nil
	}
	if path, ok := o.loosePath(id); ok {
		return nil, 0, path, nil
	}
	if found, err := o.rescan(); !found || err != nil {
		return nil, 0, "", cmp.Or(err, ErrMissing)
	}
	if p, offset, ok := o.find(id); ok {
		return p, offset, "", nil
	}
	return nil, 0, "", ErrMissing
}

// describe says which object an error is about; limits get the object's name as their subject.
func describe(t plumbing.ObjectType, id plumbing.Hash, err error) error {
	what := "object " + id.String()
	if t != plumbing.AnyObject {
		what = t.String() + " " + id.String()
	}
	if errors.Is(err, errNotGit) {
		return &MalformedError{Object: id.String(), Kind: t.String(), Reason: err.Error()}
	}
	var large *sizeError
	if errors.As(err, &large) {
		return &LimitError{What: "the " + what, Limit: large.max, Unit: "bytes"}
	}
	return fmt.Errorf("reading %s: %w", what, err)
}

// withPrefix lists the objects whose ids begin with the hexadecimal prefix of two digits or more.
func (o *objects) withPrefix(prefix string) ([]plumbing.Hash, error) {
	if _, err := o.rescan(); err != nil {
		return nil, err
	}
	found := map[plumbing.Hash]bool{}
	o.mu.RLock()
	for _, p := range o.packs {
		p.withPrefix(prefix, func(id plumbing.Hash) { found[id] = true })
	}
	o.mu.RUnlock()
	for _, dir := range o.dirs {
		files, err := os.ReadDir(filepath.Join(dir, prefix[:2]))
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return nil, err
		}
		for _, f := range files {
			if id, err := parseID(prefix[:2] + f.Name()); err == nil && strings.HasPrefix(id.String(), prefix) {
				found[id] = true
			}
		}
	}
	return slices.Collect(maps.Keys(found)), nil
}

// add makes a pack readable, in place of those that it replaces.
func (o *objects) add(p *pack, replaced []*pack) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.packs = slices.DeleteFunc(slices.Clone(o.packs), func(q *pack) bool {
		return q.index == p.index || slices.Contains(replaced, q)
	})
	o.packs = slices.Insert(o.packs, 0, p)
}

// list gives the packs there are.
func (o *objects) list() []*pack {
	o.mu.RLock()
	defer o.mu.RUnlock()
	return slices.Clone(o.packs)
}
