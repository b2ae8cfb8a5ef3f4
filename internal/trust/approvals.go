package trust

import (
	"context"
	"fmt"
	"time"

	"github.com/llm-config-manager/lcm/internal/gitrepo"
	"github.com/llm-config-manager/lcm/internal/lcm"
)

// given is an approval whose signature is that of a principal.
type given struct {
	Approval
	by       *Principal
	document []byte
}

// approvals collects the signed approvals that may speak for the step from p to c: those in refs of the
// commits that it brings in, c itself included, and those in c's message. What is not an approval by a
// principal of p's policy is junk, and ignored.
func (w *walk) approvals(p state, in brought, at time.Time) ([]given, error) {
	var all []given
	for _, document := range approvalTrailers(in.head.Message) {
		if g, ok := w.given(p, document, at); ok {
			all = append(all, g)
		}
	}
	refs, err := w.approvalRefs()
	if err != nil || refs.Empty() {
		return all, err
	}
	for _, head := range append([]signed{in.head}, in.side...) {
		all = append(all, w.approvalsOf(p, refs, head.ID, at)...)
	}
	return all, nil
}

// approvalsOf reads the approvals of one head. Each stands under the name of who signed it, so that
// nobody's junk is read in place of another's approval, whatever is pushed.
func (w *walk) approvalsOf(p state, refs *gitrepo.Approvals, head lcm.Revision, at time.Time) []given {
	var all []given
	read := 0
	for _, name := range refs.Names(head) {
		if p.policy.principals[name] == nil {
			continue
		}
		if read++; read > maxApprovals {
			break
		}
		document, ok := refs.Read(head, name)
		if !ok {
			continue
		}
		if g, ok := w.given(p, document, at); ok && g.Head == head && g.by.Name == name {
			all = append(all, g)
		}
	}
	return all
}

func (w *walk) given(p state, document []byte, at time.Time) (given, bool) {
	a, by, err := p.policy.Approver(document, at)
	return given{a, by, document}, err == nil
}

// approvalRefs lists the refs once for all steps: what is pushed in between counts at the next pass.
func (w *walk) approvalRefs() (*gitrepo.Approvals, error) {
	if w.refs == nil {
		refs, err := w.repo.Approvals()
		if err != nil {
			return nil, fmt.Errorf("trust: %w", err)
		}
		w.refs = refs
	}
	return w.refs, nil
}

// approved finds out for which changed paths each approval counts: where the step makes the very change
// that was approved, and the branch has not changed the path since the base that was read. So an approval
// is spent once it was used: what was undone after it does not come back by it.
func (w *walk) approved(ctx context.Context, p state, all []given, changed []gitrepo.Change, out *consents) error {
	out.signed, out.other = map[string][]*Principal{}, map[string][]string{}
	touched := map[lcm.Revision]map[string]bool{}
	for _, g := range all {
		if g.by.Bot {
			continue
		}
		same, other, err := w.agreed(ctx, p, g.Approval, changed, touched)
		if err != nil {
			return err
		}
		for _, ch := range same {
			out.signed[ch.Path] = append(out.signed[ch.Path], g.by)
		}
		for _, ch := range other {
			out.other[ch.Path] = append(out.other[ch.Path], g.by.Name)
		}
	}
	return nil
}

// agreed sorts the changes of a step: those that are the very change that was approved, and other ones
// of paths that the approval is about. touched keeps what the branch changed since each base.
func (w *walk) agreed(ctx context.Context, p state, a Approval, changed []gitrepo.Change, touched map[lcm.Revision]map[string]bool) (same, other []gitrepo.Change, err error) {
	base, err := w.repo.Tree(a.Base)
	if err != nil {
		return nil, nil, nil // missing, or nothing that can be read: it does not count, which is the safe side
	}
	head, err := w.repo.Tree(a.Head)
	if err != nil {
		return nil, nil, nil
	}
	since, known := touched[a.Base]
	if !known {
		if since, err = w.touchedSince(ctx, p, a.Base); err != nil {
			return nil, nil, err
		}
		touched[a.Base] = since
	}
	for _, ch := range changed {
		switch was, is := idOf(base, ch.Path), idOf(head, ch.Path); {
		case since != nil && !since[ch.Path] && was == ch.Old && is == ch.New:
			same = append(same, ch)
		case was != is:
			other = append(other, ch)
		}
	}
	return same, other, nil
}

// touchedSince returns the paths that the branch changed from base to p. It is nil if base is no
// revision of the branch, or one too far back.
func (w *walk) touchedSince(ctx context.Context, p state, base lcm.Revision) (map[string]bool, error) {
	if _, on := w.chain.index[base]; !on {
		if err := w.chain.extend(ctx, maxPast); err != nil {
			return nil, err
		}
	}
	from, on := w.chain.index[base]
	if !on || w.chain.newest()-from > maxPast {
		return nil, nil
	}
	touched := map[string]bool{}
	before, err := w.repo.Tree(base)
	if err != nil {
		return nil, readError(base, "reading the tree of", err)
	}
	for position := from + 1; position <= w.chain.newest(); position++ {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		after, err := w.repo.Tree(w.chain.at(position))
		if err != nil {
			return nil, readError(p.revision, "reading a revision before", err)
		}
		changes, err := w.repo.Diff(before, after)
		if err != nil {
			return nil, readError(p.revision, "comparing revisions before", err)
		}
		for _, ch := range changes {
			touched[ch.Path] = true
		}
		if len(touched) > maxTouched {
			return nil, nil
		}
		before = after
	}
	return touched, nil
}

// maxTouched bounds what is remembered of what the branch changed since an approval.
const maxTouched = 1_000_000
