package trust

import (
	"context"
	"fmt"
	"slices"

	"github.com/llm-config-manager/lcm/internal/lcm"
)

// introduced demands that the revision to start from is the introduction or built on it by first
// parents: an introduction may be moved forward along what was accepted, not beside it.
func (w *walk) introduced(ctx context.Context) error {
	if w.cache.isBuilt(w.start, w.cfg.Introduction) {
		return nil
	}
	found, err := w.chain.find(ctx, w.cfg.Introduction)
	if err != nil {
		return err
	}
	if !found {
		return refuse(w.start, "", "trust/introduction",
			"the last accepted revision is not built on the introduction %s: set the introduction to that revision or to one before it", w.cfg.Introduction)
	}
	return nil
}

// ratchet returns the first-parent chain from start, exclusive, to head, oldest first, as unchecked bytes tell
// it: whoever judges a step holds it against what the commit says. A head
// whose chain does not pass through start is history rewritten, whatever else its ancestors are.
func (w *walk) ratchet(ctx context.Context, start, head lcm.Revision) ([]lcm.Revision, error) {
	var todo []lcm.Revision
	for r := head; r != start; {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if len(todo) >= maxChain {
			return nil, fmt.Errorf("trust: more than %d commits between %s and %s", maxChain, start, head)
		}
		parent, err := w.parent(r)
		if err != nil {
			return nil, err
		}
		todo = append(todo, r)
		if parent == "" {
			return nil, w.rewritten(ctx, start, head)
		}
		r = parent
	}
	slices.Reverse(todo)
	return todo, nil
}

// parent returns the first parent of a commit, unchecked; "" for none, checked.
func (w *walk) parent(r lcm.Revision) (lcm.Revision, error) {
	if parent := w.repo.FirstParent(r); parent != "" {
		return parent, nil
	}
	c, err := w.commit(r)
	if err != nil || len(c.Parents) == 0 {
		return "", err
	}
	return c.Parents[0], nil
}

// rewritten says in which way head leaves the accepted history. It is refused in any case; what
// cannot be read only makes for plainer words.
func (w *walk) rewritten(ctx context.Context, start, head lcm.Revision) error {
	if back, err := w.chain.find(ctx, head); back && err == nil {
		return refuse(head, "", "trust/rewritten",
			"the branch was moved back, to before the last accepted revision %s: push that one again, and undo changes by new commits (git revert)", start)
	}
	if beside, err := w.isAncestor(ctx, start, head); beside && err == nil {
		return refuse(head, "", "trust/rewritten",
			"the last accepted revision %s is not on the first-parent chain of the branch, as when a merge has its parents swapped: move the branch back to it and merge the other way round", start)
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return refuse(head, "", "trust/rewritten",
		"the branch does not contain the last accepted revision %s: its history was rewritten, or it is another branch; move it back to that revision or to something built on it", start)
}

// isAncestor looks through all parents, as far as a bound: it only words a refusal.
func (w *walk) isAncestor(ctx context.Context, ancestor, of lcm.Revision) (bool, error) {
	seen := map[lcm.Revision]bool{of: true}
	for queue := []lcm.Revision{of}; len(queue) > 0 && len(seen) < 10*maxSide; queue = queue[1:] {
		if err := ctx.Err(); err != nil {
			return false, err
		}
		if queue[0] == ancestor {
			return true, nil
		}
		c, err := w.commit(queue[0])
		if err != nil {
			return false, err
		}
		for _, p := range c.Parents {
			if !seen[p] {
				seen[p] = true
				queue = append(queue, p)
			}
		}
	}
	return false, nil
}
