package trust

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/llm-config-manager/lcm/internal/gitrepo"
	"github.com/llm-config-manager/lcm/internal/lcm"
)

// Git's modes of entries that are not files.
const (
	modeSymlink   = 0o120000
	modeSubmodule = 0o160000
)

// signed is a commit with whose signature it bears.
type signed struct {
	*gitrepo.Commit
	signer *Principal // nil: nobody's that counts
	forge  *Forge     // not nil: a forge made it, and nobody signed it
}

// brought is the commits that a step brings in, with whose they are.
type brought struct {
	head     signed
	side     []signed
	squashed lcm.Revision // the head of the pull request that a forge squashed into the one commit; "" for none
	lacking  *Refusal     // that some commit bears no signature that counts; nil if each bears one
}

// step judges the step from p to the next commit of the chain by p's policy, whole: all commits that
// it brings in, all paths that differ, and the next policy.
func (w *walk) step(ctx context.Context, p state, revision lcm.Revision) (state, Step, error) {
	if err := ctx.Err(); err != nil {
		return state{}, Step{}, err
	}
	at, err := w.firstSeen(revision)
	if err != nil {
		return state{}, Step{}, err
	}
	in, err := w.signatures(ctx, p, revision, at)
	if err != nil {
		return state{}, Step{}, err
	}
	approvals, err := w.approvals(p, in, at)
	if err != nil {
		return state{}, Step{}, err
	}
	adopted := adopters(p, revision, approvals)
	if in.lacking != nil && len(adopted) == 0 {
		return state{}, Step{}, in.lacking
	}
	c, changed, err := w.next(p, revision, at)
	if err != nil {
		return state{}, Step{}, err
	}
	j := &judge{w: w, p: p, c: c, at: at, head: in.head, side: in.side, changed: changed}
	if in.lacking != nil {
		j.adoption = &adoption{in.lacking, adopted}
	} else if j.consents, err = w.consents(ctx, in.side, changed, at); err != nil {
		return state{}, Step{}, err
	} else if err := w.approved(ctx, p, approvals, changed, &j.consents); err != nil {
		return state{}, Step{}, err
	}
	judged, err := j.judge(ctx)
	if err != nil {
		return state{}, Step{}, err
	}
	w.chain.push(revision, at)
	return c, Step{Parent: p.revision, Commit: revision, Signer: in.head.name(), Forge: in.head.forgeName(), Squashed: in.squashed, FirstSeen: at, Adopted: in.lacking != nil,
		Author: in.head.Author, Committer: in.head.Committer, Approvers: approvers(judged), SignedApprovers: j.signedApprovers(judged), Reviewers: j.counted(),
		Changed: changed, Judged: judged, policy: p.policy}, nil
}

// next reads the revision after p, and refuses what nobody's consent would let pass.
func (w *walk) next(p state, revision lcm.Revision, at time.Time) (c state, changed []gitrepo.Change, err error) {
	if c, err = w.load(p, revision); err != nil {
		return c, nil, err
	}
	if changed, err = w.repo.Diff(p.tree, c.tree); err != nil {
		return c, nil, readError(revision, "comparing", err)
	}
	if err := w.bounds(revision, changed); err != nil {
		return c, nil, err
	}
	return c, changed, succession(p, c, at)
}

// signatures demands of every commit that the step brings in exactly one valid signature by a
// principal of p's policy. So a key that was removed cannot come back on a branch that is older. That
// one lacks is told apart from what no approval mends.
func (w *walk) signatures(ctx context.Context, p state, revision lcm.Revision, at time.Time) (in brought, err error) {
	c, err := w.commit(revision)
	if err != nil {
		return in, err
	}
	if len(c.Parents) == 0 || c.Parents[0] != p.revision {
		return in, fmt.Errorf("trust: commit %s does not follow %s, as was read before: the repository is damaged, or changes underway", revision, p.revision)
	}
	if in.head, err = w.verify(p.policy, c, &in, revision, at); err != nil {
		return in, err
	}
	tips, err := w.forged(ctx, p, &in)
	if err != nil {
		return in, err
	}
	side, err := w.brought(ctx, revision, tips)
	if err != nil {
		return in, err
	}
	for _, b := range side {
		if err := ctx.Err(); err != nil {
			return in, err
		}
		s, err := w.verify(p.policy, b, &in, revision, at)
		if err == nil {
			err = w.remade(ctx, &in, s)
		}
		if err != nil {
			return in, err
		}
		in.side = append(in.side, s)
	}
	return in, nil
}

func (w *walk) verify(t *Policy, c *gitrepo.Commit, in *brought, step lcm.Revision, at time.Time) (signed, error) {
	key, bad := w.signer(t, c, at)
	switch {
	case bad == nil && key.Owner.forge != nil:
		return signed{Commit: c, forge: key.Owner.forge}, nil
	case bad == nil:
		return signed{Commit: c, signer: key.Owner}, nil
	}
	reason := bad.reason
	if c.ID != step {
		reason += fmt.Sprintf("; the merge %s brings this commit in", step.Short())
	}
	refusal := refuse(c.ID, "", bad.rule, "%s (judged by version %d of the policy)", reason, t.Version)
	if !adoptable(bad.rule) {
		return signed{}, refusal
	}
	in.lacks(refusal)
	return signed{Commit: c}, nil
}

// name is the principal's; "" for nobody's.
func (s signed) name() string {
	if s.signer == nil {
		return ""
	}
	return s.signer.Name
}

func (s signed) forgeName() string {
	if s.forge == nil {
		return ""
	}
	return s.forge.Name
}

// bounds refuses what may not be in a repository of ours at all, whoever consents.
func (w *walk) bounds(revision lcm.Revision, changed []gitrepo.Change) error {
	for _, ch := range changed {
		if ch.New == (gitrepo.Blob{}) {
			continue // taking away what should not be there is always in bounds
		}
		if ch.New.Mode == modeSymlink || ch.New.Mode == modeSubmodule {
			return refuse(revision, ch.Path, "trust/file-mode", "symlinks and submodules lead out of the commit that was judged: commit plain files only")
		}
		outside := strings.HasPrefix(ch.Path, "namespaces/") || strings.HasPrefix(ch.Path, tenantsDir+"/")
		if org := tenantOf(ch.Path); outside && !w.cfg.tenant(org) {
			return refuse(revision, ch.Path, "trust/outside-tenants", "%q is none of the tenants that the daemon's configuration gives this repository (%s)", org, strings.Join(w.cfg.Tenants, ", "))
		}
	}
	return nil
}

// succession demands that a changed policy is the very next version and that nobody is locked out
// by it. That it parses was seen on loading.
func succession(p, c state, at time.Time) error {
	if p.folder == c.folder {
		return nil
	}
	was, is := policyIDOf(p.tree), policyIDOf(c.tree)
	if was == is {
		return nil
	}
	if was.file != is.file && c.policy.Version != p.policy.Version+1 {
		return refuse(c.revision, policyFile, "trust/policy-version", "the policy changed, so its version must be %d, one more than before; it is %d", p.policy.Version+1, c.policy.Version)
	}
	for org, t := range c.policy.tenants {
		before := int64(0)
		if old := p.policy.tenants[org]; old != nil {
			before = old.Version
		}
		file := tenantsDir + "/" + org + ".yaml"
		if idOf(p.tree, file) != idOf(c.tree, file) && t.Version != before+1 {
			return refuse(c.revision, file, "trust/policy-version", "the tenant's policy changed, so its version must be %d, one more than before; it is %d", before+1, t.Version)
		}
	}
	if findings := c.policy.locked(at); len(findings) > 0 {
		return refuseFindings(c.revision, findings)
	}
	return nil
}

func idOf(t *gitrepo.Tree, path string) gitrepo.Blob {
	id, mode, ok := t.ID(path)
	if !ok {
		return gitrepo.Blob{}
	}
	return gitrepo.Blob{ID: id, Mode: mode}
}

func approvers(judged []Judged) []string {
	var names []string
	for _, j := range judged {
		names = append(names, j.Consents...)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// signedApprovers returns those who consented by a signed approval and were counted.
func (j *judge) signedApprovers(judged []Judged) []string {
	if j.adoption != nil {
		return j.adoption.names()
	}
	by := map[string]bool{}
	for _, persons := range j.consents.signed {
		for _, p := range persons {
			by[p.Name] = true
		}
	}
	return slices.DeleteFunc(approvers(judged), func(name string) bool { return !by[name] })
}
