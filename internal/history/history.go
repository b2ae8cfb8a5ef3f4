// Package history tells the versions that an address had: the commits of a branch, along first parents, that changed
// what it resolves to. They are found in Git alone, in whatever environment a change was made: one in base is a
// new version of the key in production that inherits it. Who signed and approved a commit is for trust to say.
package history

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"

	"github.com/llm-config-manager/lcm/internal/canonjson"
	"github.com/llm-config-manager/lcm/internal/gitrepo"
	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/tree"
)

// Change says what a commit made of an address.
type Change string

// The changes.
const (
	Created Change = "created"
	Changed Change = "changed"
	Deleted Change = "deleted"
	Broken  Change = "broken" // what stands there cannot be read or resolved: targets keep what they have
)

// Version is one state of an address.
type Version struct {
	Number   uint64 // from 1
	Revision lcm.Revision
	Change   Change
	Kind     lcm.Kind    // "" unless it resolves to something
	Origin   tree.Origin // zero unless it resolves to something
	Restores uint64      // the newest earlier version with the same kind and value; 0 for none
}

// Of lists the versions of an address up to a revision, oldest first. They are counted from a revision on its
// first-parent chain, where what stands there already is version 1; "" is the first commit of all.
func Of(ctx context.Context, repo *gitrepo.Repo, a lcm.Address, from, to lcm.Revision) ([]Version, error) {
	commits, err := touching(ctx, repo, a.Service, from, to)
	if err != nil {
		return nil, err
	}
	slices.Reverse(commits)
	return through(ctx, repo, a, commits)
}

// Through lists the versions of an address at some revisions, oldest first, of which each is compared with the one before.
func Through(ctx context.Context, repo *gitrepo.Repo, a lcm.Address, revs []lcm.Revision) ([]Version, error) {
	commits := make([]*gitrepo.Commit, len(revs))
	for i, rev := range revs {
		c, err := repo.Commit(rev)
		if err != nil {
			return nil, err
		}
		commits[i] = slim(c)
	}
	return through(ctx, repo, a, commits)
}

func through(ctx context.Context, repo *gitrepo.Repo, a lcm.Address, commits []*gitrepo.Commit) ([]Version, error) {
	l := line{sums: map[[sha256.Size]byte]uint64{}}
	var look glance
	for _, c := range commits {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		fsys := repo.TreeOf(c)
		settings := look.settings(fsys)
		if settings == nil {
			continue // nothing can be told of it; the next one is compared with the one before
		}
		if err := l.add(c.ID, settings.At(fsys, a, &look.kept)); err != nil {
			return nil, err
		}
	}
	return l.versions, nil
}

// touching lists the commits, newest first, in which the service's folder or lcm.yaml differ from the commit before,
// and the one from which is counted.
func touching(ctx context.Context, repo *gitrepo.Repo, s lcm.Service, from, to lcm.Revision) ([]*gitrepo.Commit, error) {
	var out []*gitrepo.Commit
	var next *gitrepo.Commit // the one after, and what it holds
	var holds string
	folder := "namespaces/" + s.String()
	for rev := to; ; {
		c, err := repo.Commit(rev)
		if err := errors.Join(err, ctx.Err()); err != nil {
			return nil, err
		}
		t := repo.TreeOf(c)
		settings, _, _ := t.ID(tree.SettingsFile)
		documents, _, _ := t.ID(folder)
		if next != nil && holds != settings+" "+documents {
			out = append(out, next)
		}
		next, holds = slim(c), settings+" "+documents
		switch {
		case rev == from || from == "" && len(c.Parents) == 0:
			return append(out, next), nil
		case len(c.Parents) == 0:
			return nil, fmt.Errorf("%s is not on the first-parent chain of %s", from.Short(), to.Short())
		}
		rev = c.Parents[0]
	}
}

// slim leaves out what nobody reads here: a long history has many of them.
func slim(c *gitrepo.Commit) *gitrepo.Commit { return &gitrepo.Commit{ID: c.ID, Tree: c.Tree} }

// line is the versions of one address, as they are found.
type line struct {
	versions []Version
	last     tree.Standing
	sums     map[[sha256.Size]byte]uint64 // of the values met → the newest version that had it
}

// add takes in what the address resolves to at the next commit.
func (l *line) add(rev lcm.Revision, now tree.Standing) error {
	was := l.last
	if l.last = now; was.Same(now) {
		return nil
	}
	v := Version{Number: uint64(len(l.versions)) + 1, Revision: rev, Change: change(was, now)}
	if e := now.Entry; e != nil {
		value, err := canonjson.Marshal(map[string]any{"kind": e.Kind, "spec": e.Spec})
		if err != nil {
			return fmt.Errorf("%s at %s: %w", e.Address, rev.Short(), err)
		}
		sum := sha256.Sum256(value)
		v.Kind, v.Origin, v.Restores = e.Kind, e.Origin, l.sums[sum]
		l.sums[sum] = v.Number
	}
	l.versions = append(l.versions, v)
	return nil
}

func change(was, now tree.Standing) Change {
	switch {
	case now.Broken:
		return Broken
	case now.Entry == nil:
		return Deleted
	case was.Entry == nil && !was.Broken:
		return Created
	}
	return Changed
}

// glance reads settings, and keeps the last, which most revisions share, and some documents.
type glance struct {
	id   string
	last *tree.Settings // nil: it is unusable
	kept tree.Kept
}

// settings returns what lcm.yaml says in a tree; nil if it is missing or wrong.
func (g *glance) settings(t *gitrepo.Tree) *tree.Settings {
	if id, _, _ := t.ID(tree.SettingsFile); id != g.id || id == "" {
		g.id, g.last = id, tree.ReadSettings(t)
	}
	return g.last
}
