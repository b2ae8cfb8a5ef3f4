package main

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/llm-config-manager/lcm/internal/gitrepo"
)

// askWithin bounds how long one server is waited for.
const askWithin = 30 * time.Second

// target opens a target that is elsewhere, which asks it nothing yet, and then asks it. One in a file is left alone: a daemon
// that runs holds it.
func (x *examination) target(ctx context.Context, name string, online bool) {
	t := x.cfg.Targets[name]
	if t.Path != "" {
		return
	}
	s, err := x.app.openTarget(ctx, name, t, true)
	if err != nil {
		x.wrong(err, "targets", name)
		return
	}
	if online {
		ctx, cancel := context.WithTimeout(ctx, askWithin)
		defer cancel()
		if _, err = s.Namespaces(ctx, x.cfg.tenants()); err == nil {
			fmt.Fprintf(x.said, "target %s answers\n", name)
		} else {
			x.unanswered(exitTarget, fmt.Errorf("the target does not answer as it should: %w", err), "targets", name)
		}
	}
	x.wrong(s.Close(), "targets", name)
}

// tenants are those of all repositories.
func (c *daemonConfig) tenants() (all []string) {
	for _, r := range c.Repositories {
		all = append(all, r.Tenants...)
	}
	return all
}

// online asks the repositories for their branches, at their URLs and at their mirrors.
func (x *examination) online(ctx context.Context) {
	for i, r := range x.cfg.Repositories {
		at := []string{"repositories", strconv.Itoa(i)}
		if x.cfg.Repository != nil {
			at = []string{"repository"}
		}
		x.remote(ctx, r, gitrepo.Remote{URL: r.URL, Auth: r.Auth.login()}, append(at, "url"))
		for j, mirror := range r.elsewhere() {
			x.remote(ctx, r, mirror, append(at, "mirrors", strconv.Itoa(j)))
		}
	}
}

func (x *examination) remote(ctx context.Context, r repositoryConfig, remote gitrepo.Remote, at []string) {
	ctx, cancel := context.WithTimeout(ctx, askWithin)
	defer cancel()
	head, err := gitrepo.Ask(ctx, remote, r.Branch)
	if err == nil {
		fmt.Fprintf(x.said, "repository %s: %s has branch %s at %s\n", r.Name, gitrepo.Shown(remote.URL), r.Branch, head.Short())
		return
	}
	x.unanswered(exitFailed, fmt.Errorf("%s does not show branch %s: %w", gitrepo.Shown(remote.URL), r.Branch, err), at...)
}
