package gitrepo

import (
	"context"
	"fmt"
	"strings"

	"github.com/llm-config-manager/lcm/internal/lcm"
)

// Branches returns the commits that the branches point to, those of remotes included, by their short names:
// "topic", "origin/topic".
func (r *Repo) Branches() (map[string]lcm.Revision, error) {
	all := map[string]lcm.Revision{}
	for _, prefix := range []string{"refs/heads/", "refs/remotes/"} {
		refs, err := r.refs.list(prefix)
		if err != nil {
			return nil, fmt.Errorf("listing branches: %w", err)
		}
		for name, id := range refs {
			if !strings.HasSuffix(name, "/HEAD") {
				all[strings.TrimPrefix(name, prefix)] = revision(id)
			}
		}
	}
	return all, nil
}

// Unmerged returns the commits that are in head and not in base, in no particular order.
func (r *Repo) Unmerged(ctx context.Context, base, head lcm.Revision) ([]lcm.Revision, error) {
	merged, err := r.ancestors(ctx, nil, base)
	if err != nil {
		return nil, err
	}
	seen, err := r.ancestors(ctx, func(c lcm.Revision) bool { return merged[c] }, head)
	if err != nil {
		return nil, err
	}
	var own []lcm.Revision
	for c := range seen {
		if !merged[c] {
			own = append(own, c)
		}
	}
	return own, nil
}
