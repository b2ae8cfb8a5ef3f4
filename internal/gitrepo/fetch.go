package gitrepo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/llm-config-manager/lcm/internal/lcm"
)

// Config says which branch of which repository a mirror follows, and where the mirror is.
type Config struct {
	URL       string // a local path, file://, https://, ssh:// or user@host:path
	Branch    string
	Dir       string // the mirror; made if absent, and nobody else's
	Bundle    string // a file made by `git bundle`, to fetch from in place of the URL; "": none
	Auth      Auth
	Elsewhere []Remote // where the same repository is, too
	Limits    Limits
}

// Remote is where a repository is.
type Remote struct {
	URL  string // as in Config
	Auth Auth
}

// elsewhere is a Remote that can be asked.
type elsewhere struct {
	name string // its URL, without whoever logs in
	source
}

// source is where a mirror fetches from.
type source interface {
	// list begins a conversation, which names the branch, if it is there, and the approvals.
	list(ctx context.Context, branch string) (conversation, error)
	close() error
}

// conversation is one fetch: what is there, then, once, the objects.
type conversation interface {
	refs() map[string]plumbing.Hash
	// pack streams a pack with all objects that the wanted ones need and the mirror does not have.
	// The reader ends with an error when the context does.
	pack(ctx context.Context, wants []plumbing.Hash, mirror *Repo) (io.ReadCloser, error)
	close() error
}

// Signed approvals travel beside the branch, in references that anybody may push who may push at all.
const (
	approvalPrefix   = "refs/lcm/"
	maxApprovals     = 4096
	maxApprovalBytes = 64 << 20
)

// CheckURL says what is wrong with the address of a repository, or with how we log in there. Nothing is asked.
func CheckURL(address string, auth Auth) error {
	s, err := newSource(address, auth, Limits{}.WithDefaults())
	if err != nil {
		return err
	}
	return s.close()
}

// Ask asks a remote where a branch is, and fetches nothing.
func Ask(ctx context.Context, at Remote, branch string) (head lcm.Revision, err error) {
	defer contain(&err)
	name, err := branchRef(branch)
	if err != nil {
		return "", err
	}
	s, err := newSource(at.URL, at.Auth, Limits{}.WithDefaults())
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	talk, err := s.list(ctx, name)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, talk.close()) }()
	id, ok := talk.refs()[name]
	if !ok {
		return "", fmt.Errorf("%w in the remote repository: push it there, or configure another", ErrNoBranch)
	}
	return revision(id), nil
}

// CheckBranch says what is wrong with the name of a branch.
func CheckBranch(name string) error {
	_, err := branchRef(name)
	return err
}

// OpenMirror opens the mirror in cfg.Dir, or makes it. Nothing is fetched yet.
func OpenMirror(cfg Config) (*Repo, error) {
	branch, err := branchRef(cfg.Branch)
	if err != nil {
		return nil, err
	}
	limits := cfg.Limits.WithDefaults()
	remote, err := newSource(cfg.URL, cfg.Auth, limits)
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(filepath.Join(cfg.Dir, "HEAD")); errors.Is(err, os.ErrNotExist) {
		// What the repository holds is nobody else's business on this machine.
		if err := errors.Join(os.MkdirAll(cfg.Dir, 0o700), create(cfg.Dir)); err != nil {
			return nil, fmt.Errorf("making the mirror: %w", err)
		}
	}
	// Not locate: a mirror is bare, and no .git in it may divert us.
	r, err := open(location{cfg.Dir, cfg.Dir}, limits)
	if err != nil {
		return nil, fmt.Errorf("opening the mirror: %w", err)
	}
	r.remote, r.branch = remote, branch
	if cfg.Bundle != "" {
		r.remote, r.partial = &bundleSource{cfg.Bundle}, true
		cfg.Elsewhere = nil
	}
	r.answers = r.remote
	for _, e := range cfg.Elsewhere {
		s, err := newSource(e.URL, e.Auth, limits)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("%s: %w", Shown(e.URL), err), r.Close())
		}
		r.elsewhere = append(r.elsewhere, elsewhere{Shown(e.URL), s})
	}
	r.objects.alone, r.refs.alone = true, true
	if err := errors.Join(r.sweep(), r.refs.tidy(branch)); err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return r, nil
}

// Fetch brings the branch up to date and returns its head, and refs/lcm/ with it. The branch may have
// moved anywhere: whether that is allowed is trust's affair. When nothing moved, the cost is one
// listing of references. With an error comes the head that could not be fetched, if the other side
// named one.
func (r *Repo) Fetch(ctx context.Context) (head lcm.Revision, err error) {
	if r.remote == nil {
		return "", errors.New("this repository is no mirror; it has nothing to fetch from")
	}
	return r.fetch(ctx, r.remote, r.partial)
}

// Elsewhere names where else the repository is, for FetchElsewhere.
func (r *Repo) Elsewhere() []string {
	var names []string
	for _, e := range r.elsewhere {
		names = append(names, e.name)
	}
	return names
}

// FetchElsewhere fetches as Fetch does, from one of the other places. What is not there may well be at the URL: an older head
// does not take the branch back, and no approval is forgotten.
func (r *Repo) FetchElsewhere(ctx context.Context, i int) (lcm.Revision, error) {
	return r.fetch(ctx, r.elsewhere[i].source, true)
}

func (r *Repo) fetch(ctx context.Context, from source, partial bool) (head lcm.Revision, err error) {
	defer contain(&err)
	r.fetchMu.Lock()
	defer r.fetchMu.Unlock()
	if err := r.loadKnown(); err != nil {
		return "", fmt.Errorf("fetching: the mirror is damaged: %w; remove the mirror %s: the next fetch makes it anew", err, r.refs.common)
	}
	refs, err := r.fetchBranch(ctx, from)
	if err != nil {
		if id, ok := refs[r.branch]; ok {
			head = revision(id)
		}
		return head, fmt.Errorf("fetching: %w", err)
	}
	// Approvals never stop the branch: junk among them would hold everything. Those that did not
	// arrive do not count, which is the safe side.
	r.answers = from
	r.stale = errors.Join(r.fetchApprovals(ctx, from, refs, partial), r.mergePacks(ctx))
	return revision(refs[r.branch]), nil
}

// Stale says what the last Fetch left undone beside the branch: that refs/lcm/ is not up to date, or
// the mirror not tidied. The next Fetch tries again.
func (r *Repo) Stale() error {
	r.fetchMu.Lock()
	defer r.fetchMu.Unlock()
	return r.stale
}

// Partial reports whether Fetch takes from a bundle, which tells nothing of what the server has.
func (r *Repo) Partial() bool { return r.partial }

// fetchBranch follows the branch and returns all references of the remote.
func (r *Repo) fetchBranch(ctx context.Context, from source) (refs map[string]plumbing.Hash, err error) {
	talk, err := from.list(ctx, r.branch)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, talk.close()) }()
	head, ok := talk.refs()[r.branch]
	if !ok {
		return nil, fmt.Errorf("%w in the remote repository: %q; push it there, or configure another", ErrNoBranch, strings.TrimPrefix(r.branch, "refs/heads/"))
	}
	if r.known[r.branch] == head {
		return talk.refs(), nil
	}
	if err := r.bring(ctx, talk, []plumbing.Hash{head}, r.limits.MaxFetchBytes); err != nil {
		return talk.refs(), err
	}
	if _, err := r.Commit(revision(head)); err != nil {
		return talk.refs(), fmt.Errorf("the head of the branch: %w", err)
	}
	if from != r.remote && r.passed(head) {
		return talk.refs(), nil
	}
	return talk.refs(), r.move(r.branch, head)
}

// maxPassed bounds how far back an older head is looked for.
const maxPassed = 10_000

// passed reports whether the branch was at a head, and went on from there.
func (r *Repo) passed(head plumbing.Hash) bool {
	at, ok := r.known[r.branch]
	for n := 0; ok && n < maxPassed; n++ {
		if at == head {
			return true
		}
		c, err := r.Commit(revision(at))
		if err != nil || len(c.Parents) == 0 {
			return false
		}
		at, err = parseID(string(c.Parents[0]))
		ok = err == nil
	}
	return false
}

// fetchApprovals makes refs/lcm/ what it is in the remote; what a partial one does not have stays.
func (r *Repo) fetchApprovals(ctx context.Context, from source, remote map[string]plumbing.Hash, partial bool) (err error) {
	var moved []string
	var wants []plumbing.Hash
	names := approvalNames(remote)
	for _, name := range names {
		if id := remote[name]; r.known[name] != id {
			moved, wants = append(moved, name), append(wants, id)
		}
	}
	if !partial {
		if err := r.prune(names); err != nil {
			return err
		}
	}
	if len(moved) == 0 {
		return nil
	}
	talk, err := from.list(ctx, r.branch)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, talk.close()) }()
	if err := r.bring(ctx, talk, wants, min(maxApprovalBytes, r.limits.MaxFetchBytes)); err != nil {
		return fmt.Errorf("fetching approvals: %w", err)
	}
	for _, name := range moved {
		if err := r.move(name, remote[name]); err != nil {
			return err
		}
	}
	return nil
}

// approvalNames lists the approvals of the remote, at most maxApprovals, leaving out what is no name. The
// heartbeat is among them and comes first, so that no flood of approvals crowds it out.
func approvalNames(remote map[string]plumbing.Hash) []string {
	var names []string
	for name := range remote {
		if strings.HasPrefix(name, approvalPrefix) && checkRefName(name) == nil {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	if at, ok := slices.BinarySearch(names, heartbeatRef); ok {
		names = slices.Insert(slices.Delete(names, at, at+1), 0, heartbeatRef)
	}
	return names[:min(len(names), maxApprovals)]
}

// prune removes approvals that the remote no longer has.
func (r *Repo) prune(remote []string) error {
	for name := range maps.Clone(r.known) {
		if name == r.branch || slices.Contains(remote, name) {
			continue
		}
		if err := r.refs.remove(name); err != nil {
			return err
		}
		delete(r.known, name)
	}
	return nil
}

// loadKnown reads, once, what the mirror has: nobody else writes to it.
func (r *Repo) loadKnown() error {
	if r.known != nil {
		return nil
	}
	known, err := r.refs.list(approvalPrefix)
	if err != nil {
		return err
	}
	switch id, err := r.refs.get(r.branch); {
	case err == nil:
		known[r.branch] = id
	case !errors.Is(err, errNoReference):
		return err
	}
	r.known = known
	return nil
}

func (r *Repo) move(name string, id plumbing.Hash) error {
	if err := r.refs.set(name, id); err != nil {
		return err
	}
	r.known[name] = id
	return nil
}

// bring fetches those of the wanted objects that are not there yet, with all that they need.
func (r *Repo) bring(ctx context.Context, talk conversation, wants []plumbing.Hash, limit int64) error {
	var missing []plumbing.Hash
	for _, id := range wants {
		there, err := r.objects.has(id)
		if err != nil {
			return err
		}
		if !there && !slices.Contains(missing, id) {
			missing = append(missing, id)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	pack, err := talk.pack(ctx, missing, r)
	if err != nil {
		return err
	}
	err = r.ingest(ctx, pack, limit)
	if err = errors.Join(err, pack.Close()); err != nil {
		return err
	}
	return r.have(missing)
}

// have demands that what was asked for has come.
func (r *Repo) have(wants []plumbing.Hash) error {
	for _, id := range wants {
		there, err := r.objects.has(id)
		if err == nil && !there {
			err = fmt.Errorf("%w: what was fetched lacks %s", ErrMissing, id)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
