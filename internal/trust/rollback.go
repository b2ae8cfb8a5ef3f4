package trust

import (
	"context"
	"strings"

	"github.com/llm-config-manager/lcm/internal/gitrepo"
	"github.com/llm-config-manager/lcm/internal/lcm"
)

// maxPast is how many steps back earlier content is looked for, and maxLookups how many paths may be
// looked up on the way in one step. Beyond either, a change is a change like any other.
const (
	maxPast    = 1_000
	maxLookups = 100_000
)

// past is the trees of the revisions accepted before p, newest first, the introduction the last.
type past struct {
	trees   []*gitrepo.Tree
	lookups int
	found   map[string]bool // by path or folder
}

// restores reports whether the change brings back what an earlier accepted revision held. For the
// path itself that is its content. For an effect it is the whole service with the settings that
// resolve it: old content of one layer, among new ones, may give what was never there. Absence is
// not content, or whatever is younger than the introduction could be removed that way; settings are
// never rolled back; nor are sealed values, as long as nobody can tell here which of them are burned.
func (j *judge) restores(ctx context.Context, ch gitrepo.Change, as string) (bool, error) {
	if isSettings(ch.Path) || isSettings(as) || strings.HasSuffix(ch.Path, sealedSuffix) || ch.New == (gitrepo.Blob{}) {
		return false, nil
	}
	if as == ch.Path {
		return j.wasBefore(ctx, ch.Path)
	}
	segments := strings.Split(ch.Path, "/")
	if len(segments) < 5 {
		return false, nil
	}
	return j.wasBefore(ctx, strings.Join(segments[:4], "/"), "lcm.yaml")
}

// wasBefore reports whether one earlier revision held all the paths, files or folders, as c does.
func (j *judge) wasBefore(ctx context.Context, paths ...string) (bool, error) {
	if j.past == nil {
		p, err := j.w.before(ctx)
		if err != nil {
			return false, err
		}
		j.past = p
	}
	if found, known := j.past.found[paths[0]]; known {
		return found, nil
	}
	found := false
	for _, t := range j.past.trees {
		if j.past.lookups += len(paths); j.past.lookups > maxLookups {
			return false, nil
		}
		same := true
		for _, p := range paths {
			is := idOf(j.c.tree, p)
			same = same && is != (gitrepo.Blob{}) && idOf(t, p) == is
		}
		if found = same; found {
			break
		}
	}
	j.past.found[paths[0]] = found
	return found, nil
}

// before collects the trees of the accepted revisions before the last believed one.
func (w *walk) before(ctx context.Context) (*past, error) {
	if err := w.chain.extend(ctx, maxPast); err != nil {
		return nil, err
	}
	p := &past{found: map[string]bool{}}
	for position := w.chain.newest(); position >= w.chain.oldest() && len(p.trees) < maxPast; position-- {
		revision := w.chain.at(position)
		if position < w.chain.newest() {
			t, err := w.repo.Tree(revision)
			if err != nil {
				return nil, readError(revision, "reading the tree of", err)
			}
			p.trees = append(p.trees, t)
		}
		if revision == lcm.Revision(w.cfg.Introduction) {
			break
		}
	}
	return p, nil
}
