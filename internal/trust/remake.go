package trust

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/llm-config-manager/lcm/internal/gitrepo"
	"github.com/llm-config-manager/lcm/internal/lcm"
)

// forged judges what forges made of a step: a merge must be what merging its parents gives, a squash what
// merging the pull request gives, which then is judged as that very merge. Anything else that a forge
// signs (a suggestion, an edit in the browser, a conflict resolved there) is the work of nobody who signed it.
// It returns the tips that the step merges.
func (w *walk) forged(ctx context.Context, p state, in *brought) (tips []lcm.Revision, err error) {
	head := in.head
	if head.forge == nil || len(head.Parents) != 1 {
		return head.Parents[min(1, len(head.Parents)):], w.remade(ctx, in, head)
	}
	if !head.forge.Merges {
		in.lacks(notCounted(head))
		return nil, nil
	}
	in.squashed, err = w.squashOf(ctx, p, head)
	switch {
	case err != nil:
		return nil, err
	case in.squashed == "":
		in.lacks(refuse(head.ID, "", "trust/forge-commit", "the forge %s made this commit, and it is not the squash of a pull request whose head can be fetched: "+
			"a forge consents to nothing; have it adopted (lcm approve --adopt), or move the branch back and merge it signed", head.forge.Name))
		return nil, nil
	}
	return []lcm.Revision{in.squashed}, nil
}

// lacks notes, once, that some commit is not signed by anybody who counts.
func (in *brought) lacks(r *Refusal) {
	if in.lacking == nil {
		in.lacking = r
	}
}

func notCounted(s signed) *Refusal {
	return refuse(s.ID, "", "trust/forge-commit", "the forge %s made this commit, and the policy lets it count for nothing: sign the merge yourself (lcm merge), or let the policy say merges: recomputed", s.forge.Name)
}

// remade demands of a merge that a forge signed that merging its parents again gives its tree.
func (w *walk) remade(ctx context.Context, in *brought, s signed) error {
	switch {
	case s.forge == nil:
		return nil
	case !s.forge.Merges:
		in.lacks(notCounted(s))
		return nil
	case len(s.Parents) != 2:
		in.lacks(refuse(s.ID, "", "trust/forge-commit", "the forge %s made this commit, which is no merge of two: a suggestion or an edit in the browser, which nobody signed; "+
			"make it anew with a signature, or have the merge adopted (lcm approve --adopt)", s.forge.Name))
		return nil
	}
	why, err := w.merges(ctx, in.head.ID, s.Commit, s.Parents[0], s.Parents[1])
	if err == nil && why != "" {
		in.lacks(refuse(s.ID, "", "trust/forge-merge", "the forge %s made this merge, and it can't be made again from its parents: %s; make the merge anew with a signature (lcm merge), or have it adopted (lcm approve --adopt)", s.forge.Name, why))
	}
	return err
}

// squashOf finds the head of the pull request that a commit of a forge squashes; "" for none.
func (w *walk) squashOf(ctx context.Context, p state, s signed) (lcm.Revision, error) {
	if w.cfg.Squashed == nil {
		return "", nil
	}
	heads, err := w.cfg.Squashed(ctx, s.Commit)
	if err != nil {
		return "", fmt.Errorf("looking for the pull request of commit %s: %w", s.ID, err)
	}
	for _, head := range heads[:min(len(heads), maxSquashed)] {
		if _, on := w.chain.index[head]; on {
			continue // merged long ago: it would bring in nothing
		}
		why, err := w.merges(ctx, s.ID, s.Commit, p.revision, head)
		if err != nil {
			return "", err
		}
		if why == "" {
			return head, nil
		}
	}
	return "", nil
}

// maxSquashed is how many candidates are looked at for one squash.
const maxSquashed = 4

// merges says why a commit is not what merging theirs into ours gives; "" if it is. As Git merges where
// there is one merge base, but by whole files and without renames: where Git would have to look into files, nobody
// but a person can say what was meant.
func (w *walk) merges(ctx context.Context, step lcm.Revision, made *gitrepo.Commit, ours, theirs lcm.Revision) (why string, err error) {
	base, err := w.mergeBase(ctx, step, ours, theirs)
	if errors.Is(err, gitrepo.ErrMergeBase) {
		return "its parents have no merge base, or several", nil
	}
	if err != nil {
		return "", err
	}
	want, err := w.repo.MergeFrom(base, ours, theirs)
	if conflict := new(gitrepo.ConflictError); errors.As(err, &conflict) {
		return fmt.Sprintf("both sides changed %s", conflict.Paths[0]), nil
	}
	if err != nil {
		return "", readError(step, "merging for", err)
	}
	before, err := w.repo.Tree(ours)
	if err != nil {
		return "", readError(step, "reading a parent of", err)
	}
	after, err := w.repo.Tree(made.ID)
	if err != nil {
		return "", readError(made.ID, "reading the tree of", err)
	}
	is, err := w.repo.Diff(before, after)
	if err != nil {
		return "", readError(made.ID, "comparing", err)
	}
	if !slices.Equal(is, want) {
		return "its content is another one" + firstOther(is, want), nil
	}
	return "", nil
}

// firstOther names a path at which two lists of changes differ.
func firstOther(a, b []gitrepo.Change) string {
	for _, pair := range [...][2][]gitrepo.Change{{a, b}, {b, a}} {
		for _, ch := range pair[0] {
			if !slices.Contains(pair[1], ch) {
				return ", first at " + ch.Path
			}
		}
	}
	return ""
}

// mergeBase finds the one merge base of two commits. Where what lies beside the chain on the one side has
// nothing to do with the other side, it is the older of the two places at which they leave the
// chain, and the cost follows the distance; else all that lies before them is walked.
func (w *walk) mergeBase(ctx context.Context, step, a, b lcm.Revision) (lcm.Revision, error) {
	left, err := w.reach(ctx, step, a)
	if err != nil {
		return "", err
	}
	right, err := w.reach(ctx, step, b)
	if err != nil {
		return "", err
	}
	fork := min(left.newest, right.newest)
	if fork == nowhere {
		return w.slowMergeBase(ctx, step, a, b)
	}
	for _, side := range []*reached{left, right} {
		merged, err := w.mergedSince(ctx, step, fork, side.newest)
		if err != nil {
			return "", err
		}
		for r := range merged {
			side.beside[r] = true
		}
	}
	for r := range left.beside {
		if right.beside[r] {
			return w.slowMergeBase(ctx, step, a, b)
		}
	}
	return w.chain.at(fork), nil
}

func (w *walk) slowMergeBase(ctx context.Context, step, a, b lcm.Revision) (lcm.Revision, error) {
	base, err := w.repo.MergeBase(ctx, a, b)
	if err != nil && !errors.Is(err, gitrepo.ErrMergeBase) {
		return "", readError(step, "looking for the merge base of", err)
	}
	return base, err
}

// reached is what a commit is built on: some of the chain, up to a position, and what lies beside it.
type reached struct {
	newest int
	beside map[lcm.Revision]bool
}

func (w *walk) reach(ctx context.Context, step, r lcm.Revision) (*reached, error) {
	side, err := w.beside(ctx, step, []lcm.Revision{r}, maxSide)
	if err != nil {
		return nil, err
	}
	out := &reached{side.newest, make(map[lcm.Revision]bool, len(side.commits))}
	for _, c := range side.commits {
		out.beside[c.ID] = true
	}
	return out, nil
}
