package gitrepo

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/llm-config-manager/lcm/internal/lcm"
)

// errNothingCommon is met by revisions whose histories, as far as they are here, never meet.
var errNothingCommon = errors.New("it has no commit in common with HEAD that is here: fetch the whole history (actions/checkout: fetch-depth: 0)")

// Whose ancestor a commit is.
const (
	ofOne = 1 << iota
	ofOther
	behindCommon
	ofBoth = ofOne | ofOther
)

// common returns the newest commit from which both revisions come and no later one does, as git merge-base
// does: from the newest to older ones by their dates, no further than is needed. Of several, the newest. What
// is not here, in a shallow clone, has no parents.
func (r *Repo) common(ctx context.Context, one, other lcm.Revision) (lcm.Revision, error) {
	marks := map[lcm.Revision]int{one: ofOne}
	marks[other] |= ofOther
	var found, queue []*Commit // the queue from old to new
	add := func(rev lcm.Revision) error {
		c, err := r.Commit(rev)
		if errors.Is(err, ErrMissing) && rev != one && rev != other {
			return nil
		}
		if err != nil {
			return err
		}
		at, _ := slices.BinarySearchFunc(queue, c, func(a, b *Commit) int { return a.Committer.When.Compare(b.Committer.When) })
		queue = slices.Insert(queue, at, c)
		return nil
	}
	if err := add(one); err != nil {
		return "", err
	}
	if other != one {
		if err := add(other); err != nil {
			return "", err
		}
	}
	for slices.ContainsFunc(queue, func(c *Commit) bool { return marks[c.ID]&behindCommon == 0 }) {
		if err := ctx.Err(); err != nil {
			return "", err
		}
		if len(marks) > maxWalk {
			return "", fmt.Errorf("more than %d commits lie between the revisions", maxWalk)
		}
		c := queue[len(queue)-1]
		queue = queue[:len(queue)-1]
		mark := marks[c.ID]
		if mark&ofBoth == ofBoth {
			if mark&behindCommon == 0 && !slices.ContainsFunc(found, func(f *Commit) bool { return f.ID == c.ID }) {
				found = append(found, c)
			}
			mark |= behindCommon
		}
		for _, p := range c.Parents {
			if marks[p]&mark == mark {
				continue
			}
			marks[p] |= mark
			if err := add(p); err != nil {
				return "", err
			}
		}
	}
	return r.newest(ctx, found)
}

// newest returns the first of some commits that is not behind another: dates may lie.
func (r *Repo) newest(ctx context.Context, found []*Commit) (lcm.Revision, error) {
	behind := map[lcm.Revision]bool{}
	for _, c := range found[:min(len(found), maxCommon)] {
		if len(found) == 1 {
			break
		}
		older, err := r.ancestors(ctx, nil, c.ID)
		if err != nil && !errors.Is(err, ErrMissing) {
			return "", err
		}
		for _, other := range found {
			behind[other.ID] = behind[other.ID] || other != c && older[other.ID]
		}
	}
	for _, c := range found {
		if !behind[c.ID] {
			return c.ID, nil
		}
	}
	return "", errNothingCommon
}

// maxCommon bounds how many commits are held against each other.
const maxCommon = 16
