package main

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/llm-config-manager/lcm/internal/gitrepo"
	"github.com/llm-config-manager/lcm/internal/history"
	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/trust"
)

// jury judges the commits behind versions.
type jury struct {
	repo         *gitrepo.Repo
	address      lcm.Address
	introduction lcm.Revision // "": each commit is judged by itself
	first        lcm.Revision // of the branch; "" until it is looked for
	steps        map[lcm.Revision]trust.Step
	refusal      *trust.Refusal
	cache        trust.Cache
}

// verify judges all steps from the introduction on, and keeps those of the versions.
func (j *jury) verify(ctx context.Context, head lcm.Revision, versions []history.Version) error {
	if j.introduction == "" {
		return nil
	}
	j.steps = map[lcm.Revision]trust.Step{}
	cfg, reason, err := j.config(j.introduction)
	if err != nil || reason != "" {
		return errors.Join(err, asError(reason))
	}
	cfg.Introduction, cfg.AcceptedAt = j.introduction, nil
	cfg.OnStep = func(s trust.Step) {
		if slices.ContainsFunc(versions, func(v history.Version) bool { return v.Revision == s.Commit }) {
			j.steps[s.Commit] = s
		}
	}
	if _, err = trust.Verify(ctx, j.repo, cfg, "", head); errors.As(err, &j.refusal) {
		return nil
	}
	return err
}

func asError(reason string) error {
	if reason == "" {
		return nil
	}
	return errors.New(reason)
}

// on tells who is behind a commit.
func (j *jury) on(ctx context.Context, c *gitrepo.Commit, kind lcm.Kind) (history.Attribution, error) {
	nobody := func(reason string) (history.Attribution, error) {
		return history.Attribution{Approvers: []string{}, Reason: reason}, nil
	}
	switch s, ok := j.steps[c.ID]; {
	case ok:
		return j.credit(s, kind), nil
	case c.ID == j.introduction:
		return nobody("the introduction: the daemon's operator trusts it")
	case j.refusal != nil:
		return refused(j.refusal), nil
	case len(c.Parents) == 0:
		return nobody("the first commit: it can only be trusted as an introduction")
	}
	cfg, reason, err := j.config(c.Parents[0])
	if err != nil || reason != "" {
		return history.Attribution{Approvers: []string{}, Reason: reason}, err
	}
	if j.first == "" {
		if j.first, err = firstOf(j.repo, c.ID); err != nil {
			return history.Attribution{}, err
		}
	}
	v, err := judgeAlone(ctx, j.repo, cfg, j.first, c.Parents[0], c.ID)
	if refusal := new(trust.Refusal); errors.As(err, &refusal) {
		return refused(refusal), nil
	} else if err != nil {
		return history.Attribution{}, err
	}
	return j.credit(v.Steps()[0], kind), nil
}

// judgeAlone judges one step. What was before it, from the first commit on, counts as accepted, so that a way back is
// known for one.
func judgeAlone(ctx context.Context, repo *gitrepo.Repo, cfg trust.Config, first, parent, rev lcm.Revision) (trust.Verified, error) {
	if cfg.Cache == nil {
		cfg.Cache = &trust.Cache{}
	}
	cfg.Introduction = first
	cfg.Cache.Built(parent, first)
	return trust.Verify(ctx, repo, cfg, parent, rev)
}

// firstOf returns the first commit of all before a revision, along first parents.
func firstOf(repo *gitrepo.Repo, rev lcm.Revision) (lcm.Revision, error) {
	for {
		c, err := repo.Commit(rev)
		if err != nil || len(c.Parents) == 0 {
			return rev, err
		}
		rev = c.Parents[0]
	}
}

func refused(r *trust.Refusal) history.Attribution {
	return history.Attribution{Approvers: []string{}, Refused: &history.Refusal{Commit: r.Commit, Path: r.Path, Rule: r.Rule, Reason: r.Reason}}
}

// config judges what comes after a revision; reason says why nobody can.
func (j *jury) config(from lcm.Revision) (cfg trust.Config, reason string, err error) {
	t, err := j.repo.Tree(from)
	if err != nil {
		return cfg, "", err
	}
	p, _ := trust.LoadPolicy(t)
	if p == nil {
		return cfg, "not judged: " + from.Short() + " has no sound policy", nil
	}
	at := func(r lcm.Revision) time.Time { return committed(j.repo, r) }
	return trust.Config{Repository: p.Repository, Branch: p.Branch, Tenants: []string{"*"}, Introduction: from, Cache: &j.cache,
		FirstSeen: at, AcceptedAt: func(r lcm.Revision) (time.Time, bool) { return at(r), true }}, "", nil
}

// credit names who consented to the changes that concern the address.
func (j *jury) credit(s trust.Step, kind lcm.Kind) history.Attribution {
	a := history.Attribution{Believed: true, By: s.By(), Signer: s.Signer}
	known := false
	for _, c := range s.Consented() {
		prompt := kind == lcm.KindPromptTemplate || kind == ""
		if c.Paths == nil || slices.ContainsFunc(c.Paths, func(p string) bool { return trust.Concerns(p, j.address, prompt) }) {
			a.Approvers, known = append(a.Approvers, c.Persons...), true
		}
	}
	if !known { // a change of the environments, say, is one of the whole
		a.Approvers = slices.Clone(s.Approvers)
	}
	slices.Sort(a.Approvers)
	a.Approvers = slices.DeleteFunc(slices.Compact(a.Approvers), func(p string) bool { return p == s.Signer })
	a.Approvers = append([]string{}, a.Approvers...)
	return a
}
