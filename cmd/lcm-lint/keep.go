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
			packs.Kept, err = o.values(dir, packs.Program)
		}
		if err != nil && o.cache != "" {
			return nil, fmt.Errorf("--cache: %w", err)
		}
	}
	if packs.Kept != nil {
		f, err := o.folders(dir)
		if err != nil {
			return nil, err
		}
		defer f.close()
		if work, err := gitrepo.Look(ctx, dir, judged, f.Listings); err == nil {
			return work, nil
		}
		packs.Kept = nil
	}
	return gitrepo.List(ctx, dir, judged)
}

// values opens what is kept of a folder for a use.
func (o options) values(dir, use string) (*kept.Values, error) {
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
	name := kept.NewKey(use, dir)
	return kept.Open(cache, hex.EncodeToString(name[:16]))
}

// folders is what is remembered of a repository's folders between runs. The zero value remembers nothing.
type folders struct {
	*gitrepo.Listings
	values *kept.Values
}

// folders goes on without where there is nowhere to keep anything, unless the place was chosen.
func (o options) folders(dir string) (f folders, err error) {
	if o.noCache {
		return f, nil
	}
	if f.values, err = o.values(dir, listings); err != nil {
		if o.cache != "" {
			return f, fmt.Errorf("--cache: %w", err)
		}
		return folders{}, nil
	}
	data, _ := f.values.Get(kept.NewKey(listings))
	f.Listings = gitrepo.ReadListings(data)
	return f, nil
}

const listings = "listings 1"

// close keeps what is new. What can't be kept is found again.
func (f folders) close() {
	if f.values == nil {
		return
	}
	if data, ok := f.Bytes(); ok {
		f.values.Put(kept.NewKey(listings), data)
	}
	_ = f.values.Close()
}
