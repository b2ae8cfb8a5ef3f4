package trust

import (
	"context"
	"slices"
	"time"

	"github.com/llm-config-manager/lcm/internal/gitrepo"
	"github.com/llm-config-manager/lcm/internal/lcm"
)

// freshness is how long ago a revision may have been accepted for a branch that forks from it to
// carry consent: an abandoned draft is nobody's will any more.
const freshness = 30 * 24 * time.Hour

// consents are the persons who consent to the content of a path by having given it that content on
// a side branch.
type consents struct {
	by     map[string][]*Principal
	signed map[string][]*Principal // by a signed approval of the very change
	other  map[string][]string     // who signed an approval of another change of it; for the refusal's words
	stale  map[string][]string     // whose commits would consent, were their branch's fork recent; for the refusal's words
}

// act is one side commit of a person that changed a path.
type act struct {
	commit lcm.Revision
	final  bool // to exactly what it is in the end
}

type actor struct {
	path   string
	signer *Principal
}

func (w *walk) consents(ctx context.Context, side []signed, changed []gitrepo.Change, at time.Time) (consents, error) {
	out := consents{by: map[string][]*Principal{}, stale: map[string][]string{}}
	if len(side) == 0 {
		return out, nil
	}
	final := make(map[string]gitrepo.Blob, len(changed))
	for _, ch := range changed {
		final[ch.Path] = ch.New
	}
	acts := map[actor][]act{}
	for _, s := range side {
		if s.signer == nil || s.signer.Bot || len(s.Parents) == 0 {
			continue
		}
		if err := w.acts(ctx, s, final, acts); err != nil {
			return out, err
		}
	}
	graph := newSideGraph(side)
	recent, err := w.recent(ctx, side, at)
	if err != nil {
		return out, err
	}
	for who, done := range acts {
		agreed := slices.DeleteFunc(slices.Clone(done), func(a act) bool { return !a.final })
		if len(agreed) == 0 || !graph.stands(agreed, done) {
			continue
		}
		if slices.ContainsFunc(agreed, func(a act) bool { return recent[a.commit] }) {
			out.by[who.path] = append(out.by[who.path], who.signer)
		} else {
			out.stale[who.path] = append(out.stale[who.path], who.signer.Name)
		}
	}
	return out, nil
}

// acts notes what a side commit did to the paths that the step changes. A merge on the side
// agrees only to what is its signer's own, in none of its parents; but it disagrees wherever it
// takes another content than one of its parents had.
func (w *walk) acts(ctx context.Context, s signed, final map[string]gitrepo.Blob, acts map[actor][]act) error {
	tree, err := w.tree(s.ID)
	if err != nil {
		return readError(s.ID, "reading the tree of", err)
	}
	differs := map[string]int{}
	content := map[string]gitrepo.Blob{}
	for _, p := range s.Parents {
		if err := ctx.Err(); err != nil {
			return err
		}
		parent, err := w.tree(p)
		if err != nil {
			return readError(s.ID, "reading a parent of", err)
		}
		changes, err := w.repo.Diff(parent, tree)
		if err != nil {
			return readError(s.ID, "comparing", err)
		}
		for _, ch := range changes {
			if _, ok := final[ch.Path]; ok {
				differs[ch.Path]++
				content[ch.Path] = ch.New
			}
		}
	}
	for path, n := range differs {
		agrees := content[path] == final[path]
		if agrees && n < len(s.Parents) {
			continue
		}
		who := actor{path, s.signer}
		acts[who] = append(acts[who], act{s.ID, agrees})
	}
	return nil
}

// recent returns the side commits that have an ancestor accepted recently: the newest fork counts, since a commit cannot
// be older than what it is built on. The way back to the branch may lead through commits that an earlier
// merge brought in, where people went on with a branch that was merged before.
func (w *walk) recent(ctx context.Context, side []signed, at time.Time) (map[lcm.Revision]bool, error) {
	var tips []lcm.Revision
	for _, s := range side {
		tips = append(tips, s.ID)
	}
	all, _, err := w.collect(ctx, tips, maxSide)
	if err != nil {
		return nil, err
	}
	out := map[lcm.Revision]bool{}
	for _, s := range slices.Backward(childrenFirst(all.commits)) {
		for _, p := range s.Parents {
			if _, on := w.chain.index[p]; out[p] || on && w.recently(p, at) {
				out[s.ID] = true
			}
		}
	}
	return out, nil
}

// recently reports whether a revision of the branch was accepted lately enough, as of a time. One that this walk
// believed and that no record knows is being accepted now, however long ago it was first seen: a step that was refused,
// say, until somebody adopted it. Or a verdict would depend on where a pass happens to begin.
func (w *walk) recently(r lcm.Revision, at time.Time) bool {
	seen, walked := w.chain.seenAt(r)
	if w.cfg.AcceptedAt == nil {
		return walked && (r == w.start || at.Sub(seen) <= freshness)
	}
	if t, recorded := w.cfg.AcceptedAt(r); recorded {
		return at.Sub(t) <= freshness
	}
	return walked && (r != w.start || at.Sub(seen) <= freshness)
}

// sideGraph is the side commits of one step, children before parents.
type sideGraph struct {
	order []signed
	byID  map[lcm.Revision]signed
}

func newSideGraph(side []signed) sideGraph {
	g := sideGraph{side, make(map[lcm.Revision]signed, len(side))}
	for _, s := range side {
		g.byID[s.ID] = s
	}
	return g
}

// stands reports whether a person's agreement was not withdrawn: every commit in which the same
// person gave the path another content is an ancestor of one that agrees.
func (g sideGraph) stands(agreed, done []act) bool {
	if len(agreed) == len(done) {
		return true
	}
	before := map[lcm.Revision]bool{}
	var queue []lcm.Revision
	for _, a := range agreed {
		queue = append(queue, a.commit)
	}
	for ; len(queue) > 0; queue = queue[1:] {
		for _, p := range g.byID[queue[0]].Parents {
			if _, beside := g.byID[p]; beside && !before[p] {
				before[p] = true
				queue = append(queue, p)
			}
		}
	}
	return !slices.ContainsFunc(done, func(a act) bool { return !a.final && !before[a.commit] })
}
