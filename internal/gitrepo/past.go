package gitrepo

import (
	"context"
	"errors"
	"io/fs"
	"iter"
	"path"
	"strings"

	"github.com/llm-config-manager/lcm/internal/lcm"
)

// maxPast bounds how many commits Past goes back.
const maxPast = 10_000

// Past yields the states that a folder of the repository ("." for its root) had up to a revision, newest first, along first
// parents: those in which one of some paths below it differs from the next. It ends where the history does, or after 10,000 commits.
func (r *Repo) Past(ctx context.Context, rev lcm.Revision, folder string, paths []string) iter.Seq2[*Tree, error] {
	return func(yield func(*Tree, error) bool) {
		last := ""
		for n := 0; n < maxPast && rev != ""; n++ {
			c, err := r.Commit(rev)
			if err := errors.Join(err, ctx.Err()); err != nil {
				yield(nil, err)
				return
			}
			if t := r.at(c, folder); t != nil {
				ids := t.ids(paths)
				if ids != last && !yield(t, nil) {
					return
				}
				last = ids
			}
			rev = ""
			if len(c.Parents) > 0 {
				rev = c.Parents[0]
			}
		}
	}
}

// at returns a folder of a commit; nil if it has none of this name.
func (r *Repo) at(c *Commit, folder string) *Tree {
	at, err := r.TreeOf(c).lookup(path.Clean(folder))
	if err != nil || !at.folder() {
		return nil
	}
	return &Tree{repo: r, root: at.id, partly: true}
}

func (t *Tree) ids(paths []string) string {
	var b strings.Builder
	for _, p := range paths {
		id, _, _ := t.ID(p)
		b.WriteString(id + " ")
	}
	return b.String()
}

// Past yields what the work tree's folder was at a commit and before it, as Repo.Past does.
func (w *Worktree) Past(ctx context.Context, rev lcm.Revision, paths []string) iter.Seq2[fs.FS, error] {
	return func(yield func(fs.FS, error) bool) {
		for t, err := range w.repo.Past(ctx, rev, w.within, paths) {
			if !yield(t, err) {
				return
			}
		}
	}
}
