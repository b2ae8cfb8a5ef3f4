package trust

import (
	"context"
	"fmt"
	"time"

	"github.com/llm-config-manager/lcm/internal/gitrepo"
	"github.com/llm-config-manager/lcm/internal/lcm"
)

// maxChain bounds every walk along first parents.
const maxChain = 1 << 20

// chain is the first-parent chain of the revision last believed, read as far back as is asked
// for: revs[0] is where the walk started, then its ancestors; newer ones are in front.
type chain struct {
	w     *walk
	index map[lcm.Revision]int // position: 0 the start, negative older, positive newer
	older []lcm.Revision       // the start and its first parents
	newer []lcm.Revision       // what was believed since, oldest first
	seen  []time.Time          // when the start and newer were
	atEnd bool                 // older ends with a commit without parents
}

func newChain(w *walk, start lcm.Revision) *chain {
	return &chain{w: w, index: map[lcm.Revision]int{start: 0}, older: []lcm.Revision{start}, seen: make([]time.Time, 1)}
}

func (c *chain) push(r lcm.Revision, seen time.Time) {
	c.newer, c.seen = append(c.newer, r), append(c.seen, seen)
	c.index[r] = len(c.newer)
}

// seenAt tells when the start, or a revision believed since, was first seen; the start, when it was accepted
// if that is recorded. It is false for any other.
func (c *chain) seenAt(r lcm.Revision) (time.Time, bool) {
	position, on := c.index[r]
	if !on || position < 0 {
		return time.Time{}, false
	}
	return c.seen[position], true
}

// at returns the revision at a position that was read.
func (c *chain) at(position int) lcm.Revision {
	if position > 0 {
		return c.newer[position-1]
	}
	return c.older[-position]
}

func (c *chain) newest() int { return len(c.newer) }
func (c *chain) oldest() int { return 1 - len(c.older) }

// extend reads back until at least depth ancestors of the start are known, or the root is.
func (c *chain) extend(ctx context.Context, depth int) error {
	for !c.atEnd && len(c.older) <= depth {
		if err := ctx.Err(); err != nil {
			return err
		}
		if len(c.older) > maxChain {
			return fmt.Errorf("trust: more than %d commits lie before %s", maxChain, c.older[0])
		}
		commit, err := c.w.commit(c.older[len(c.older)-1])
		if err != nil {
			return err
		}
		if len(commit.Parents) == 0 {
			c.atEnd = true
			return nil
		}
		parent := commit.Parents[0]
		c.index[parent] = -len(c.older)
		c.older = append(c.older, parent)
	}
	return nil
}

// find reads back until r is met, or the root.
func (c *chain) find(ctx context.Context, r lcm.Revision) (bool, error) {
	for depth := 64; ; depth *= 2 {
		if _, ok := c.index[r]; ok {
			return true, nil
		}
		if c.atEnd {
			return false, nil
		}
		if err := c.extend(ctx, depth); err != nil {
			return false, err
		}
	}
}

// commit reads a commit strictly, keeping some.
func (w *walk) commit(r lcm.Revision) (*gitrepo.Commit, error) {
	if c := w.commits.get(r); c != nil {
		return c, nil
	}
	c, err := w.repo.Commit(r)
	if err != nil {
		return nil, readError(r, "reading", err)
	}
	w.commits.put(r, c)
	return c, nil
}

// tree returns the tree of a commit.
func (w *walk) tree(r lcm.Revision) (*gitrepo.Tree, error) {
	if c := w.commits.get(r); c != nil {
		return w.repo.TreeOf(c), nil
	}
	return w.repo.Tree(r)
}

// commits are those read last: at most twice maxCommits, which take a few KB each.
type commits struct {
	young, old map[lcm.Revision]*gitrepo.Commit
}

const maxCommits = 512

func (k *commits) get(r lcm.Revision) *gitrepo.Commit {
	c := k.young[r]
	if c == nil {
		if c = k.old[r]; c != nil {
			k.put(r, c)
		}
	}
	return c
}

func (k *commits) put(r lcm.Revision, c *gitrepo.Commit) {
	if k.young == nil || len(k.young) >= maxCommits {
		k.old, k.young = k.young, make(map[lcm.Revision]*gitrepo.Commit, maxCommits)
	}
	k.young[r] = c
}
