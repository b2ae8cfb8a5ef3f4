package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/llm-config-manager/lcm/internal/gitrepo"
	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/trust"
)

// desk is the repository as far as trust is concerned, seen from somebody's desk: the policy is that of
// the protected branch as it was last fetched, and times are what commits claim. The daemon has the last
// word.
type desk struct {
	repo   *gitrepo.Repo
	branch string // its name
	tip    lcm.Revision
	policy *trust.Policy // of the tip
}

func (c *cli) branchFlags(cmd *cobra.Command, base bool) {
	cmd.Flags().StringVar(&c.branch, "branch", "", "the protected branch (default: what the policy says)")
	if base {
		cmd.Flags().StringVar(&c.base, "base", "", "the `REV` of the protected branch to go by (default: origin's branch if it is there, or else the branch)")
	}
}

// openDesk opens the repository. Which branch is protected may be read from any revision; what is then
// believed is the policy of that branch itself, which must say the same: as fetched, or the local one.
func (c *cli) openDesk(any string, local bool) (d *desk, err error) {
	repo, err := gitrepo.Open(c.repo, gitrepo.Limits{})
	if err != nil {
		return nil, usagef("%v", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, repo.Close())
		}
	}()
	d = &desk{repo: repo, branch: c.branch}
	if d.branch == "" {
		rev, err := d.repo.Resolve(any)
		if err != nil {
			return nil, usagef("%v", err)
		}
		p, err := d.policyOf(c, rev)
		if err != nil {
			return nil, err
		}
		d.branch = p.Branch
	}
	if d.tip, err = d.resolveTip(c.base, local); err != nil {
		return nil, err
	}
	if d.policy, err = d.policyOf(c, d.tip); err != nil {
		return nil, err
	}
	if d.policy.Branch != d.branch {
		return nil, fmt.Errorf("the policy of %s is for the branch %s: name the protected branch with --branch", d.tip.Short(), d.policy.Branch)
	}
	return d, nil
}

// unborn reports whether the repository is there and has no commit yet.
func (c *cli) unborn() bool {
	repo, err := gitrepo.Open(c.repo, gitrepo.Limits{})
	if err != nil {
		return false
	}
	defer repo.Close()
	_, err = repo.Resolve("HEAD")
	all, listErr := repo.Branches()
	return err != nil && listErr == nil && len(all) == 0
}

func (d *desk) resolveTip(base string, local bool) (lcm.Revision, error) {
	if base != "" {
		rev, err := d.repo.Resolve(base)
		if err != nil {
			return "", usagef("%v", err)
		}
		return rev, nil
	}
	places := []string{"refs/remotes/origin/" + d.branch, "refs/heads/" + d.branch}
	if local {
		slices.Reverse(places)
	}
	for _, p := range places {
		if rev, err := d.repo.Resolve(p); err == nil {
			return rev, nil
		}
	}
	return "", usagef("there is no branch %s here, nor at origin: fetch it", d.branch)
}

func (d *desk) policyOf(c *cli, rev lcm.Revision) (*trust.Policy, error) {
	t, err := d.repo.Tree(rev)
	if err != nil {
		return nil, err
	}
	p, findings := trust.LoadPolicy(t)
	if p == nil {
		return nil, c.refuse(findings)
	}
	return p, nil
}

// config judges from a revision on, as far as a desk can know.
func (d *desk) config(from lcm.Revision, at func(lcm.Revision) time.Time) trust.Config {
	return trust.Config{Repository: d.policy.Repository, Branch: d.policy.Branch, Tenants: []string{"*"}, Introduction: from,
		FirstSeen: at, AcceptedAt: func(r lcm.Revision) (time.Time, bool) { return d.committed(r), true }}
}

func (d *desk) committed(r lcm.Revision) time.Time { return committed(d.repo, r) }

// committed is when a commit says that it was made.
func committed(repo *gitrepo.Repo, r lcm.Revision) time.Time {
	if c, err := repo.Commit(r); err == nil {
		return c.Committer.When
	}
	return time.Now()
}

func now(lcm.Revision) time.Time { return time.Now() }

// fork returns the newest revision of the protected branch that is in head: what a change is read against.
func (d *desk) fork(ctx context.Context, head lcm.Revision) (lcm.Revision, error) {
	return d.repo.ForkPoint(ctx, d.tip, head)
}

// firstParent returns the revision that a commit was made upon.
func (d *desk) firstParent(rev lcm.Revision) (lcm.Revision, error) {
	c, err := d.repo.Commit(rev)
	if err != nil {
		return "", err
	}
	if len(c.Parents) == 0 {
		return "", fmt.Errorf("%s is the first commit: it can only be believed as an introduction", rev.Short())
	}
	return c.Parents[0], nil
}
