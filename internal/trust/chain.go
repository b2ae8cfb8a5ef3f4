package trust

import (
	"context"
	"fmt"

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
	atEnd bool                 // older ends with a commit without parents
}

func newChain(w *walk, start lcm.Revision) *chain {
	return &chain{w: w, index: map[lcm.Revision]int{start: 0}, older: []lcm.Revision{start}}
}

func (c *chain) push(r lcm.Revision) {
	c.newer = append(c.newer, r)
	c.index[r] = len(c.newer)
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
	if c := w.commits[r]; c != nil {
		return c, nil
	}
	c, err := w.repo.Commit(r)
	if err != nil {
		return nil, readError(r, "reading", err)
	}
	if len(w.commits) >= 2*maxSide {
		clear(w.commits)
	}
	w.commits[r] = c
	return c, nil
}
