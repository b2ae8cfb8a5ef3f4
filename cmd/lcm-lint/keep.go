package main

import (
	"context"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"

	"github.com/llm-config-manager/lcm/internal/check"
	"github.com/llm-config-manager/lcm/internal/gitrepo"
	"github.com/llm-config-manager/lcm/internal/kept"
)

// keep looks at the folder, and opens the verdicts that an earlier run kept on what it holds. It goes on without where
// there is nowhere to keep them, unless the place was chosen.
func (o options) keep(ctx context.Context, dir string) (*gitrepo.Worktree, *check.Packs, error) {
	packs := &check.Packs{}
	var err error
	if !o.noCache {
		if packs.Program, err = kept.Program(); err == nil {
			packs.Kept, err = o.verdicts(dir, packs.Program)
		}
		if err != nil && o.cache != "" {
			return nil, nil, fmt.Errorf("--cache: %w", err)
		}
	}
	if packs.Kept != nil {
		if work, err := gitrepo.Look(ctx, dir, judged); err == nil {
			return work, packs, nil
		}
	}
	work, err := gitrepo.List(ctx, dir, judged)
	return work, &check.Packs{}, err
}

func (o options) verdicts(dir, program string) (*kept.Values, error) {
	cache := o.cache
	if cache == "" {
		user, err := os.UserCacheDir()
		if err != nil {
			return nil, err
		}
		cache = filepath.Join(user, "lcm-lint")
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	name := kept.NewKey(program, dir)
	return kept.Open(cache, hex.EncodeToString(name[:16]))
}
