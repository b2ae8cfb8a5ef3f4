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
func (o options) keep(ctx context.Context, dir string, packs *check.Packs) (*gitrepo.Worktree, error) {
	if !o.noCache {
		var err error
		if packs.Program, err = kept.Program(); err == nil {
			packs.Kept, err = o.verdicts(dir, packs.Program)
		}
		if err != nil && o.cache != "" {
			return nil, fmt.Errorf("--cache: %w", err)
		}
	}
	if packs.Kept != nil {
		if work, err := gitrepo.Look(ctx, dir, judged); err == nil {
			return work, nil
		}
		packs.Kept = nil
	}
	return gitrepo.List(ctx, dir, judged)
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
