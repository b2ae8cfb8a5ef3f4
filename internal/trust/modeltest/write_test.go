package modeltest

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/llm-config-manager/lcm/internal/gitrepo"
	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/trust"
)

// repository is a real one, which many histories share: their commits differ by their messages.
type repository struct {
	dir   string
	repo  *gitrepo.Repo
	cache trust.Cache
}

// shared memory spares the disk, where there is such a thing.
const shm = "/dev/shm"

// written is a history as Git has it: the ids of its commits.
type written struct {
	*history
	ids []lcm.Revision
}

// write makes a repository of some histories.
func write(t *testing.T, histories ...*history) (*repository, []written) {
	t.Helper()
	dir, err := os.MkdirTemp(shm, "modeltest")
	if err != nil {
		dir = t.TempDir()
	}
	r := &repository{dir: filepath.Join(dir, "repo.git")}
	if r.repo, err = gitrepo.Init(r.dir); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.close)
	p := newPack()
	var all []written
	for _, h := range histories {
		ids, err := h.write(p)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, written{h, ids})
	}
	if err := p.write(r.dir); err != nil {
		t.Fatal(err)
	}
	return r, all
}

func (r *repository) close() {
	_ = r.repo.Close()
	_ = os.RemoveAll(filepath.Dir(r.dir))
}

// write writes the commits of a history, and returns their ids.
func (h *history) write(p *pack) (ids []lcm.Revision, err error) {
	trees := h.trees()
	for i, c := range h.commits {
		message := fmt.Sprintf("history %d, commit %d\n", h.seed, i)
		for k, a := range c.trailers {
			document, err := a.sign(ids)
			if err != nil {
				return nil, err
			}
			if k == 0 {
				message += "\n"
			}
			message += trust.ApprovalTrailer(document)
		}
		var parents []lcm.Revision
		for _, parent := range c.parents {
			parents = append(parents, ids[parent])
		}
		root := p.tree(trees[i], inGitsOrder(trees[i]), "")
		id, err := p.commit(root, parents, c.sign(), message)
		if err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	return ids, nil
}

// inGitsOrder sorts paths as Git sorts trees: as if each folder's name ended with a slash.
func inGitsOrder(t tree) []string { return slices.Sorted(maps.Keys(t)) }

func (c *commit) sign() gitrepo.Signer {
	key := signerOf(c.key).Signer
	switch c.flaw {
	case unsigned:
		return nil
	case badSignature:
		good := gitrepo.SSHSigner(key)
		return func(payload []byte) ([]byte, error) { return good(append([]byte("not "), payload...)) }
	case wrongNamespace:
		return gitrepo.SSHSignerFor("file", key)
	}
	return gitrepo.SSHSigner(key)
}

// sign makes the document of an approval.
func (a approval) sign(ids []lcm.Revision) ([]byte, error) {
	statement := trust.Approval{Repository: "acme-config", Branch: "main", Base: ids[a.base], Head: ids[a.head], Adopt: a.adopt}
	if a.repository != "" {
		statement.Repository = a.repository
	}
	if a.branch != "" {
		statement.Branch = a.branch
	}
	return statement.Sign(gitrepo.SSHSignerFor(trust.ApprovalNamespace, signerOf(a.key).Signer))
}

// realDaemon is trust.Verify with what a daemon remembers.
type realDaemon struct {
	*repository
	written
	seen, accepted map[lcm.Revision]time.Time
	last           lcm.Revision
	cfg            trust.Config
}

func (r *repository) daemon(h written) *realDaemon {
	d := &realDaemon{repository: r, written: h, seen: map[lcm.Revision]time.Time{}, accepted: map[lcm.Revision]time.Time{}}
	d.cfg = trust.Config{Repository: "acme-config", Branch: "main", Tenants: []string{"acme", "globex"}, Cache: &r.cache,
		FirstSeen:  func(rev lcm.Revision) time.Time { return d.seen[rev] },
		AcceptedAt: func(rev lcm.Revision) (time.Time, bool) { at, ok := d.accepted[rev]; return at, ok },
	}
	return d
}

// push files the approvals, notes what is seen first, and lets trust judge.
func (d *realDaemon) push(t *testing.T, p push) (trust.Verified, error) {
	for _, r := range p.refs {
		document, err := r.sign(d.ids)
		if err != nil {
			return trust.Verified{}, err
		}
		if _, err := d.repo.SetApproval(d.ids[r.head], r.name, document); err != nil {
			return trust.Verified{}, err
		}
	}
	for c := range d.ancestors(p.head) {
		if id := d.ids[c]; d.seen[id].IsZero() {
			d.seen[id] = hours(p.at)
		}
	}
	d.cfg.Introduction = d.ids[p.introduction]
	v, err := trust.Verify(t.Context(), d.repo, d.cfg, d.last, d.ids[p.head])
	if v.IsZero() {
		return v, err
	}
	if d.last == "" {
		d.accepted[d.cfg.Introduction] = hours(p.at)
	}
	for _, s := range v.Steps() {
		d.accepted[s.Commit] = hours(p.at)
	}
	d.last = v.Revision()
	return v, err
}

// forget removes the approvals of the histories so far.
func (r *repository) forget() { _ = os.RemoveAll(filepath.Join(r.dir, "refs", "lcm")) }
