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

// keep opens the verdicts on a folder that an earlier run kept, and what tells whether they still hold: nil if there
// is nowhere to keep them. Only where that place was chosen it is a mistake.
func (o options) keep(ctx context.Context, dir string) (*gitrepo.Worktree, *check.Packs, error) {
	packs := &check.Packs{}
	if o.noCache {
		return nil, packs, nil
	}
	work, err := gitrepo.Look(ctx, dir, judged)
	if err == nil {
		packs.Program, err = kept.Program()
	}
	if err == nil {
		packs.Kept, err = o.verdicts(dir, packs.Program)
	}
	switch {
	case err == nil:
		return work, packs, nil
	case o.cache != "":
		return nil, nil, fmt.Errorf("--cache: %w", err)
	}
	return nil, &check.Packs{}, ctx.Err()
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
