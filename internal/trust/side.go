package trust

import (
	"context"
	"math"

	"github.com/llm-config-manager/lcm/internal/gitrepo"
	"github.com/llm-config-manager/lcm/internal/lcm"
)

// maxSide bounds the commits that one step may bring in.
const maxSide = 10_000

// brought returns the commits that a step brings in besides its own: those reachable from the tips, which
// it merges, and not from the revision before, children before parents. Commit dates play no part: they
// are their signers' claims.
func (w *walk) brought(ctx context.Context, step lcm.Revision, tips []lcm.Revision) ([]*gitrepo.Commit, error) {
	if len(tips) == 0 {
		return nil, nil
	}
	side, err := w.beside(ctx, step, tips, maxSide)
	if err != nil || len(side.commits) == 0 {
		return nil, err
	}
	// What is beside the chain may still have come in by an earlier merge: a branch that is merged
	// twice, or one built on another. Such a merge descends from what it brought, and so is newer
	// than some commit of the chain that our side touches: only the merges since the oldest
	// of those are looked at.
	known, err := w.mergedSince(ctx, step, side.oldest, w.chain.newest())
	if err != nil {
		return nil, err
	}
	var fresh []*gitrepo.Commit
	for _, s := range side.commits {
		if !known[s.ID] {
			fresh = append(fresh, s)
		}
	}
	return childrenFirst(fresh), nil
}

// mergedSince collects what is beside the chain and was brought in by its merges after one position, up
// to another.
func (w *walk) mergedSince(ctx context.Context, step lcm.Revision, after, upTo int) (map[lcm.Revision]bool, error) {
	known := map[lcm.Revision]bool{}
	for position := after + 1; position <= upTo; position++ {
		m, err := w.commit(w.chain.at(position))
		if err != nil {
			return nil, err
		}
		if len(m.Parents) < 2 {
			continue
		}
		earlier, err := w.beside(ctx, step, m.Parents[1:], maxChain)
		if err != nil {
			return nil, err
		}
		for _, e := range earlier.commits {
			known[e.ID] = true
		}
	}
	return known, nil
}

// sideSet is what lies between some commits and the chain.
type sideSet struct {
	commits []*gitrepo.Commit
	oldest  int // the oldest position of the chain that it touches
	newest  int // the newest; nowhere if it touches none
}

// nowhere is a position before all others.
const nowhere = math.MinInt

// beside collects what is reachable from tips without passing through the chain, at most so many
// commits. How far back the
// tips fork is not known beforehand, so the chain is read further until the collection closes: until
// all its paths end on commits of the chain. A collection that closes and has no commit without
// parents holds no commit of the chain that was not read yet, since such a commit's own first
// parents would lead out of it only at a root.
func (w *walk) beside(ctx context.Context, step lcm.Revision, tips []lcm.Revision, most int) (sideSet, error) {
	for depth := 64; ; depth *= 4 {
		if err := w.chain.extend(ctx, depth); err != nil {
			return sideSet{}, err
		}
		limit := min(4*depth, most)
		if w.chain.atEnd {
			limit = most
		}
		side, closed, err := w.collect(ctx, tips, limit)
		if err != nil || closed {
			return side, err
		}
		if w.chain.atEnd || depth > maxChain {
			return sideSet{}, refuse(step, "", "trust/too-many-commits",
				"it cannot be told what this merge brings in: there are more than %d commits beside the branch; merge in smaller parts", most)
		}
	}
}

func (w *walk) collect(ctx context.Context, tips []lcm.Revision, limit int) (side sideSet, closed bool, err error) {
	side.oldest, side.newest = w.chain.newest(), nowhere
	rooted := false
	seen := map[lcm.Revision]bool{}
	for queue := append([]lcm.Revision(nil), tips...); len(queue) > 0; queue = queue[1:] {
		r := queue[0]
		if position, on := w.chain.index[r]; on {
			side.oldest, side.newest = min(side.oldest, position), max(side.newest, position)
			continue
		}
		if seen[r] {
			continue
		}
		seen[r] = true
		if err := ctx.Err(); err != nil {
			return side, false, err
		}
		if len(side.commits) >= limit {
			return side, false, nil
		}
		c, err := w.commit(r)
		if err != nil {
			return side, false, err
		}
		side.commits = append(side.commits, c)
		queue = append(queue, c.Parents...)
		rooted = rooted || len(c.Parents) == 0
	}
	if rooted {
		side.oldest = w.chain.oldest()
	}
	return side, !rooted || w.chain.atEnd, nil
}

// childrenFirst orders commits so that each stands before its parents.
func childrenFirst(commits []*gitrepo.Commit) []*gitrepo.Commit {
	children := map[lcm.Revision]int{}
	byID := make(map[lcm.Revision]*gitrepo.Commit, len(commits))
	for _, c := range commits {
		byID[c.ID] = c
		for _, p := range c.Parents {
			children[p]++
		}
	}
	var ready, out []*gitrepo.Commit
	for _, c := range commits {
		if children[c.ID] == 0 {
			ready = append(ready, c)
		}
	}
	for ; len(ready) > 0; ready = ready[1:] {
		c := ready[0]
		out = append(out, c)
		for _, p := range c.Parents {
			if children[p]--; children[p] == 0 && byID[p] != nil {
				ready = append(ready, byID[p])
			}
		}
	}
	return out
}
