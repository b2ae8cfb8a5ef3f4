package gitrepo

import (
	"context"
	"errors"
	"fmt"

	"github.com/llm-config-manager/lcm/internal/lcm"
)

// maxWalk bounds the search for merge bases.
const maxWalk = 1 << 20

// ErrMergeBase is met when two commits have no merge base, or several.
var ErrMergeBase = errors.New("they have no merge base, or several: merge them with git")

// ConflictError says which files two commits changed in different ways.
type ConflictError struct{ Paths []string }

func (e *ConflictError) Error() string {
	return fmt.Sprintf("both sides changed %s, and %d files in all: merge the one branch into the other first, with git", e.Paths[0], len(e.Paths))
}

// Merge works out what theirs changed since it forked from ours: the files to write on top of ours. It
// merges whole files, without renames; what both sides changed in different ways is a *ConflictError.
func (r *Repo) Merge(ctx context.Context, ours, theirs lcm.Revision) (changes []Change, err error) {
	base, err := r.MergeBase(ctx, ours, theirs)
	if err != nil {
		return nil, err
	}
	return r.MergeFrom(base, ours, theirs)
}

// MergeFrom is Merge where the merge base is known.
func (r *Repo) MergeFrom(base, ours, theirs lcm.Revision) (changes []Change, err error) {
	tree, err := r.Tree(ours)
	if err != nil {
		return nil, err
	}
	before, err := r.Tree(base)
	if err != nil {
		return nil, err
	}
	after, err := r.Tree(theirs)
	if err != nil {
		return nil, err
	}
	diff, err := r.Diff(before, after)
	if err != nil {
		return nil, err
	}
	var conflict ConflictError
	for _, ch := range diff {
		id, mode, ok := tree.ID(ch.Path)
		have := Blob{id, mode}
		if !ok {
			have = Blob{}
		}
		switch have {
		case ch.Old:
			changes = append(changes, ch)
		case ch.New: // both did the same
		default:
			conflict.Paths = append(conflict.Paths, ch.Path)
		}
	}
	if len(conflict.Paths) > 0 {
		return nil, &conflict
	}
	return changes, nil
}

// MergeBase returns the one commit that is an ancestor of both, or either of them, and of which every other
// such commit is an ancestor; ErrMergeBase if there is none such.
func (r *Repo) MergeBase(ctx context.Context, a, b lcm.Revision) (lcm.Revision, error) {
	of, err := r.ancestors(ctx, nil, a)
	if err != nil {
		return "", err
	}
	// The first common commits on the ways back from b; what is behind one of them is no base.
	var first []lcm.Revision
	_, err = r.ancestors(ctx, func(c lcm.Revision) bool {
		if of[c] {
			first = append(first, c)
		}
		return of[c]
	}, b)
	if err != nil {
		return "", err
	}
	for _, c := range first {
		behind, err := r.ancestors(ctx, nil, c)
		if err != nil {
			return "", err
		}
		all := true
		for _, other := range first {
			all = all && behind[other]
		}
		if all {
			return c, nil
		}
		if len(first) > 16 {
			break
		}
	}
	return "", ErrMergeBase
}

// ancestors collects a commit and all before it. It does not go on behind what stop reports.
func (r *Repo) ancestors(ctx context.Context, stop func(lcm.Revision) bool, of lcm.Revision) (map[lcm.Revision]bool, error) {
	seen := map[lcm.Revision]bool{of: true}
	for queue := []lcm.Revision{of}; len(queue) > 0; queue = queue[1:] {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if stop != nil && stop(queue[0]) {
			continue
		}
		c, err := r.Commit(queue[0])
		if err != nil {
			return nil, err
		}
		for _, p := range c.Parents {
			if !seen[p] {
				seen[p] = true
				queue = append(queue, p)
			}
		}
		if len(seen) > maxWalk {
			return nil, fmt.Errorf("more than %d commits lie before %s", maxWalk, of)
		}
	}
	return seen, nil
}

// ForkPoint returns the newest revision on the first-parent chain of a branch's tip that is an ancestor of
// head, or head itself.
func (r *Repo) ForkPoint(ctx context.Context, tip, head lcm.Revision) (lcm.Revision, error) {
	in, err := r.ancestors(ctx, nil, head)
	if err != nil {
		return "", err
	}
	for at := tip; ; {
		if err := ctx.Err(); err != nil {
			return "", err
		}
		if in[at] {
			return at, nil
		}
		c, err := r.Commit(at)
		if err != nil {
			return "", err
		}
		if len(c.Parents) == 0 {
			return "", fmt.Errorf("%s has nothing in common with the branch of %s", head.Short(), tip.Short())
		}
		at = c.Parents[0]
	}
}
