package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"

	"github.com/llm-config-manager/lcm/internal/check"
	"github.com/llm-config-manager/lcm/internal/diag"
	"github.com/llm-config-manager/lcm/internal/gitrepo"
	"github.com/llm-config-manager/lcm/internal/lcm"
)

// judged are the entries of a repository's root that mean something. Nothing else is judged.
var judged = []string{"lcm.yaml", ".sops.yaml", ".lcm", "namespaces", "schemas", "policies"}

// change is what the work tree is compared with. A nil change is no comparison.
type change struct {
	work  *gitrepo.Worktree
	since string            // the commit
	diff  *check.Difference // nil: all is new
}

func (c *change) difference() *check.Difference {
	if c == nil {
		return nil
	}
	return c.diff
}

// since finds out what changed in dir since the branch that is checked out left --base.
func (o options) since(ctx context.Context, dir string) (*change, error) {
	f, err := o.folders(dir)
	if err != nil {
		return nil, err
	}
	defer f.close()
	w, err := gitrepo.OpenWorktree(ctx, dir, judged, f.Listings)
	if errors.Is(err, gitrepo.ErrNoWorktree) {
		return nil, fmt.Errorf("--base compares with a commit, and %s is in no Git work tree", dir)
	}
	if err != nil {
		return nil, fmt.Errorf("--base: %w", err)
	}
	fork, base, err := w.Since(ctx, o.base)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("--base: %w", err), w.Close())
	}
	c := &change{work: w, since: string(fork)}
	if base == nil { // there was no such folder: all of it is new
		return c, nil
	}
	paths, err := w.Changed(base)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("--base: %w", err), w.Close())
	}
	c.diff = &check.Difference{Base: base, Paths: paths, Past: func(ctx context.Context, folders []string) iter.Seq2[fs.FS, error] { return w.Past(ctx, fork, folders) }}
	return c, nil
}

// scope says what was looked at, and why.
func (c *change) scope(s diag.Scope) *diag.Scope {
	if c == nil {
		return nil
	}
	s.Since = c.since
	if c.diff != nil {
		s.Changed = len(c.diff.Paths)
	} else {
		s.Everything = "there was nothing before"
	}
	return &s
}

// tell says in a sentence what was left out.
func tell(w io.Writer, s *diag.Scope) {
	fmt.Fprintf(w, "since %s %s changed: checked %s", lcm.Revision(s.Since).Short(), count(s.Changed, "file"), count(s.Namespaces, "namespace"))
	if s.Everything != "" {
		fmt.Fprintf(w, ", skipped none: %s\n", s.Everything)
	} else {
		fmt.Fprintf(w, ", skipped %d that this can't affect\n", s.Skipped)
	}
}
