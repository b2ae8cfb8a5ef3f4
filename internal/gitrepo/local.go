package gitrepo

import (
	"context"
	"errors"
	"io"

	"github.com/go-git/go-git/v5/plumbing"
)

// localSource is a repository on the same machine. Its objects are read from its files: no process is
// started, no hook or configuration of it is looked at, and the cost follows what is new.
type localSource struct {
	path   string
	limits Limits
	repo   *Repo // opened by the first list, which the mirror's lock makes one at a time
}

func (s *localSource) close() error {
	if s.repo == nil {
		return nil
	}
	return s.repo.Close()
}

func (s *localSource) list(_ context.Context, branch string) (conversation, error) {
	if s.repo == nil {
		repo, err := Open(s.path, s.limits)
		if err != nil {
			return nil, err
		}
		s.repo = repo
	}
	if _, err := locate(s.path); err != nil { // as when it is not mounted any more; else it would seem to have no branch
		return nil, err
	}
	refs, err := s.repo.refs.list(approvalPrefix)
	if err != nil {
		return nil, err
	}
	switch id, err := s.repo.refs.get(branch); {
	case err == nil:
		refs[branch] = id
	case !errors.Is(err, errNoReference):
		return nil, err
	}
	return &localConversation{s.repo, refs}, nil
}

type localConversation struct {
	repo  *Repo
	known map[string]plumbing.Hash
}

func (c *localConversation) refs() map[string]plumbing.Hash { return c.known }
func (c *localConversation) close() error                   { return nil }

func (c *localConversation) pack(ctx context.Context, wants []plumbing.Hash, mirror *Repo) (io.ReadCloser, error) {
	ids, err := c.repo.reachable(ctx, wants, mirror.objects.has)
	if err != nil {
		return nil, err
	}
	pr, pw := io.Pipe()
	go func() {
		pw.CloseWithError(c.repo.writePack(ctx, pw, ids))
	}()
	return pr, nil
}

// reachable lists the wanted objects and all that they need, without what the receiver has: there,
// an object never is without what it needs.
func (r *Repo) reachable(ctx context.Context, wants []plumbing.Hash, has func(plumbing.Hash) (bool, error)) (ids []plumbing.Hash, err error) {
	type object struct {
		id plumbing.Hash
		t  plumbing.ObjectType
	}
	var todo []object
	seen := map[plumbing.Hash]bool{}
	name := func(id plumbing.Hash, t plumbing.ObjectType) error {
		if seen[id] {
			return nil
		}
		seen[id] = true
		there, err := has(id)
		if err != nil || there {
			return err
		}
		if ids = append(ids, id); int64(len(ids)) > r.limits.fetchObjects() {
			return &LimitError{What: "what there is to fetch", Limit: r.limits.fetchObjects(), Unit: "objects"}
		}
		if t != plumbing.BlobObject {
			todo = append(todo, object{id, t})
		}
		return nil
	}
	for _, id := range wants {
		if err := name(id, plumbing.AnyObject); err != nil {
			return nil, err
		}
	}
	for len(todo) > 0 {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		next := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		t, data, err := r.objects.readWhatever(next.id, r.limits.objectBytes())
		if err != nil {
			return nil, err
		}
		if err := references(t, data, name); err != nil {
			return nil, describe(t, next.id, err)
		}
	}
	return ids, nil
}
