package main

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/policyfile"
)

// inFlight warns of what is under way and would no longer count: commits on branches that are not merged yet, and
// approvals of them, signed with a key that is revoked. It is a help; what cannot be read is passed over.
func (c *cli) inFlight(ctx context.Context, d *desk, changes []policyfile.Change) []string {
	keys, names := map[string]bool{}, map[string]bool{}
	for _, ch := range changes {
		switch ch.What {
		case "key-removed":
			keys[ch.Key], names[ch.Principal] = true, true
		case "principal-removed":
			names[ch.Principal] = true
			for _, k := range d.keysOf(ch.Principal) {
				keys[k] = true
			}
		}
	}
	if len(names) == 0 || d == nil {
		return nil
	}
	branches, err := d.repo.Branches()
	if err != nil {
		return nil
	}
	var warnings []string
	told := map[lcm.Revision]bool{}
	for _, name := range slices.Sorted(maps.Keys(branches)) {
		head := branches[name]
		if told[head] {
			continue // origin's branch of the same head
		}
		told[head] = true
		if w := d.signedOn(ctx, name, head, keys, names); w != "" {
			warnings = append(warnings, w)
		}
	}
	return warnings
}

func (d *desk) keysOf(name string) []string {
	if d == nil || d.policy.Principal(name) == nil {
		return nil
	}
	var all []string
	for _, k := range d.policy.Principal(name).Keys {
		all = append(all, k.Fingerprint)
	}
	return all
}

// signedOn tells what a branch holds that is signed with one of the keys, or approved under one of the names.
func (d *desk) signedOn(ctx context.Context, branch string, head lcm.Revision, keys, names map[string]bool) string {
	own, err := d.repo.Unmerged(ctx, d.tip, head)
	if err != nil {
		return ""
	}
	approvals, err := d.repo.Approvals()
	if err != nil {
		return ""
	}
	commits, approved := 0, 0
	for _, rev := range own {
		if commit, err := d.repo.Commit(rev); err == nil {
			if k := d.policy.SignerOf(commit); k != nil && keys[k.Fingerprint] {
				commits++
			}
		}
		for _, name := range approvals.Names(rev) {
			if names[name] {
				approved++
			}
		}
	}
	if commits+approved == 0 {
		return ""
	}
	return fmt.Sprintf("the branch %s holds %d commits signed with what is revoked, and %d approvals: have them signed anew before it is merged", branch, commits, approved)
}
