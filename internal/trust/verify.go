// Package trust decides whether a revision of the protected branch is believed. The operator
// believes one commit, the introduction; from there every first-parent step is judged, whole, by the
// policy of the commit before it: who signed, whose consent counts for each changed path, and
// whether the next policy is sound. Only Verify makes a Verified, and what opens, plans or applies
// demands one.
package trust

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/llm-config-manager/lcm/internal/gitrepo"
	"github.com/llm-config-manager/lcm/internal/lcm"
)

// Config is what the daemon's own configuration and state say; nothing of it comes from the
// repository.
type Config struct {
	Repository, Branch string   // must equal what every policy on the way says
	Tenants            []string // whose documents may stand below namespaces/; "*": anybody's; empty: nobody's
	Introduction       lcm.Revision

	// FirstSeen is when the daemon first saw a commit reachable from the branch. Required. Keys are
	// judged as of that time, since a commit's own dates are its signer's claim.
	FirstSeen func(lcm.Revision) time.Time

	// AcceptedAt is when a revision of the branch was accepted, if it was. Signatures on a side branch
	// count as consent only if it forks from a revision accepted within 30 days. With nil, only last
	// and the commits of the current walk count as accepted: last without regard to its age.
	AcceptedAt func(lcm.Revision) (time.Time, bool)

	// Squashed returns the heads of pull requests of which a commit may be the squash, the likeliest first.
	// Whoever tells them need not be believed: the merge is made again, and judged. nil: none is known.
	Squashed func(context.Context, *gitrepo.Commit) ([]lcm.Revision, error)

	// Reviews returns what forges were told of a step: the reviews of the pull request that a commit of the
	// branch merges. They are asked for only where they would decide. nil: there are none.
	Reviews func(ctx context.Context, step *gitrepo.Commit) ([]Review, error)

	// OnStep is told every step that is believed, oldest first, and Verified has no Steps then: a long
	// history has more than should be in memory at once. nil: Verified has them.
	OnStep func(Step)

	// Cache spares work between calls; nil keeps nothing.
	Cache *Cache
}

func (c *Config) check(last, head lcm.Revision) error {
	switch {
	case c.Repository == "" || c.Branch == "":
		return errors.New("trust: the repository's name and branch are required")
	case c.FirstSeen == nil:
		return errors.New("trust: FirstSeen is required")
	case !lcm.ValidRevision(string(c.Introduction)):
		return fmt.Errorf("trust: the introduction %q is no full commit id", c.Introduction)
	case !lcm.ValidRevision(string(head)) || last != "" && !lcm.ValidRevision(string(last)):
		return fmt.Errorf("trust: %q and %q are no full commit ids", last, head)
	}
	return nil
}

func (c *Config) tenant(org string) bool {
	return slices.Contains(c.Tenants, org) || slices.Contains(c.Tenants, "*")
}

// Verify walks the first-parent chain from last, the last accepted revision, to head, and judges
// each step by the policy of the commit before it. With last empty it starts at the introduction,
// which is believed itself, but whose policy must be sound and name the repository and branch.
//
// A *Refusal as error comes with the Verified of the longest believed prefix (at least last; the zero
// Verified only if last itself cannot stand). Any other error means that nothing could be
// judged, and comes with the zero Verified.
func Verify(ctx context.Context, repo *gitrepo.Repo, cfg Config, last, head lcm.Revision) (Verified, error) {
	if err := cfg.check(last, head); err != nil {
		return Verified{}, err
	}
	w := newWalk(repo, cfg, last)
	at, err := w.begin(ctx)
	if err != nil {
		return Verified{}, err
	}
	v := Verified{revision: at.revision, tree: at.tree, policy: at.policy}
	todo, err := w.ratchet(ctx, at.revision, head)
	for i := 0; err == nil && i < len(todo); i++ {
		if i%maxAhead == 0 {
			w.lookAhead(at.policy, todo[i:min(i+maxAhead, len(todo))])
		}
		var next state
		var step Step
		if next, step, err = w.step(ctx, at, todo[i]); err == nil {
			v.believe(next, step, cfg.OnStep)
			at = next
		}
	}
	w.cache.Built(v.revision, cfg.Introduction)
	if _, refused := isRefusal(err); err != nil && !refused {
		return Verified{}, err
	}
	return v, err
}

func (v *Verified) believe(s state, step Step, on func(Step)) {
	v.revision, v.tree, v.policy = s.revision, s.tree, s.policy
	if on != nil {
		on(step)
		return
	}
	v.steps = append(v.steps, step)
}

// walk is one call of Verify.
type walk struct {
	repo    *gitrepo.Repo
	cfg     Config
	cache   *Cache
	start   lcm.Revision
	chain   *chain
	commits commits
	refs    *gitrepo.Approvals // nil until asked for
	ahead   ahead
}

// state is one believed revision, ready to judge the next.
type state struct {
	revision lcm.Revision
	tree     *gitrepo.Tree
	policy   *Policy
	folder   gitrepo.Blob // of the policy's files: where it is the same, so is the policy
}

func newWalk(repo *gitrepo.Repo, cfg Config, last lcm.Revision) *walk {
	w := &walk{repo: repo, cfg: cfg, cache: cfg.Cache, start: last}
	if w.cache == nil {
		w.cache = &Cache{}
	}
	if last == "" {
		w.start = cfg.Introduction
	}
	w.chain = newChain(w, w.start)
	return w
}

// begin takes up the revision that the walk starts from.
func (w *walk) begin(ctx context.Context) (state, error) {
	if err := w.present(); err != nil {
		return state{}, err
	}
	if err := w.introduced(ctx); err != nil {
		return state{}, err
	}
	s, err := w.load(state{}, w.start)
	if err != nil {
		return state{}, err
	}
	at, err := w.firstSeen(w.start)
	if err != nil {
		return state{}, err
	}
	if w.cfg.AcceptedAt != nil {
		if t, ok := w.cfg.AcceptedAt(w.start); ok {
			at = t
		}
	}
	w.chain.seen[0] = at
	return s, nil
}

// present refuses where the repository does not have the revision to start from: fetched anew, a branch
// that was rewritten lacks it.
func (w *walk) present() error {
	_, err := w.commit(w.start)
	switch {
	case !errors.Is(err, gitrepo.ErrMissing):
		return err
	case w.start == w.cfg.Introduction:
		return refuse(w.start, "", "trust/introduction",
			"the repository does not have the introduction: check its id, and that the branch contains it")
	}
	return refuse(w.start, "", "trust/rewritten",
		"the repository does not have the last accepted revision any more: its history was rewritten; push that revision again, or something built on it")
}

// load reads a revision's tree and its policy, which must be in form and name this very repository
// and branch: a history made for another one proves nothing here. p is the revision before; zero for none.
func (w *walk) load(p state, revision lcm.Revision) (state, error) {
	tree, err := w.tree(revision)
	if err != nil {
		return state{}, readError(revision, "reading the tree of", err)
	}
	folder := idOf(tree, policyFolder)
	if folder == p.folder && p.policy != nil {
		return state{revision, tree, p.policy, folder}, nil
	}
	t, err := w.cache.policy(tree)
	if err != nil {
		return state{}, readError(revision, "reading the policy of", err)
	}
	if t.policy == nil {
		return state{}, refuseFindings(revision, t.findings)
	}
	if t.policy.Repository != w.cfg.Repository || t.policy.Branch != w.cfg.Branch {
		return state{}, refuse(revision, policyFile, "trust/wrong-repository",
			"the policy is for repository %q, branch %q; this daemon was told %q, %q: both must agree at every commit",
			t.policy.Repository, t.policy.Branch, w.cfg.Repository, w.cfg.Branch)
	}
	return state{revision, tree, t.policy, folder}, nil
}

func (w *walk) firstSeen(r lcm.Revision) (time.Time, error) {
	at := w.cfg.FirstSeen(r)
	if at.IsZero() {
		return at, fmt.Errorf("trust: it is not recorded when commit %s was first seen", r)
	}
	return at, nil
}
