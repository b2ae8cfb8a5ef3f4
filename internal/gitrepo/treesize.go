package gitrepo

import (
	"sync"

	"github.com/go-git/go-git/v5/plumbing"
)

// treeSizes remembers how many files and folders are below a tree. A few small trees that name each
// other many times make a forest without end for whoever walks it; counting by id, each tree once,
// finds that out before the walk.
type treeSizes struct {
	mu    sync.Mutex
	below map[plumbing.Hash]treeSize
	most  int // how many there are before they begin anew
}

type treeSize struct{ entries, depth int }

// maxSizes bounds the memory that treeSizes takes: about 4 MB, unless one tree needs more.
const maxSizes = 1 << 16

// checkSize refuses a root that has more entries or levels than the limits allow.
func (r *Repo) checkSize(root plumbing.Hash) error {
	r.sizes.mu.Lock()
	defer r.sizes.mu.Unlock()
	begins := len(r.sizes.below) > r.sizes.most || r.sizes.below == nil
	if begins {
		r.sizes.below = map[plumbing.Hash]treeSize{}
	}
	s, err := r.measure(root, 1)
	if begins {
		r.sizes.most = max(maxSizes, 2*len(r.sizes.below))
	}
	if err == nil && s.depth > r.limits.MaxDepth {
		return r.tooDeep()
	}
	return err
}

// sized notes the size of a tree that was compared with one within the limits: so many entries were met on
// either side, all others are the same. It may be less deep than is noted, but not deeper.
func (r *Repo) sized(known, next plumbing.Hash, before, after treeSize) {
	r.sizes.mu.Lock()
	defer r.sizes.mu.Unlock()
	s, ok := r.sizes.below[known]
	if _, there := r.sizes.below[next]; !ok || there {
		return
	}
	s.entries += after.entries - before.entries
	s.depth = max(s.depth, after.depth)
	if s.entries <= r.limits.MaxTreeEntries && s.depth <= r.limits.MaxDepth {
		r.sizes.below[next] = s
	}
}

// measure counts below a tree that is at the given level.
func (r *Repo) measure(id plumbing.Hash, level int) (treeSize, error) {
	if s, ok := r.sizes.below[id]; ok {
		return s, nil
	}
	if level > r.limits.MaxDepth {
		return treeSize{}, r.tooDeep()
	}
	t, err := r.tree(id)
	if err != nil {
		return treeSize{}, err
	}
	s := treeSize{entries: len(t.lines)}
	for i, l := range t.lines {
		if modes[l.mode].mode != ModeFolder {
			continue
		}
		e := t.at(i)
		below, err := r.measure(e.id, level+1)
		if err != nil {
			return treeSize{}, err
		}
		s.entries += below.entries
		s.depth = max(s.depth, below.depth)
		if s.entries > r.limits.MaxTreeEntries {
			return treeSize{}, r.tooMany()
		}
	}
	s.depth++
	r.sizes.below[id] = s
	return s, nil
}

func (r *Repo) tooMany() error { return r.limits.tooMany() }

func (l Limits) tooMany() error {
	return &LimitError{What: "the number of files and folders", Limit: int64(l.MaxTreeEntries), Unit: "entries"}
}
