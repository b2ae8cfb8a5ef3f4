package gitrepo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp/capability"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp/sideband"
	"github.com/go-git/go-git/v5/plumbing/transport"
	"github.com/llm-config-manager/lcm/internal/lcm"
)

// maxHaves is how many commits we name to the other side as those we have. It takes the newest of
// ours, so any that it knows will do.
const maxHaves = 64

// remoteSource speaks Git's protocol over a transport of go-git.
type remoteSource struct {
	transport transport.Transport
	endpoint  *transport.Endpoint
	auth      func() (transport.AuthMethod, error) // read anew each time: tokens and keys are rotated
}

func (s *remoteSource) close() error { return nil }

func (s *remoteSource) list(ctx context.Context, _ string) (conversation, error) {
	auth, err := s.auth()
	if err != nil {
		return nil, err
	}
	session, err := s.session(ctx, auth)
	if err != nil {
		return nil, remoteError(err)
	}
	adv, err := session.AdvertisedReferencesContext(ctx)
	if err != nil {
		session.Close()
		return nil, remoteError(err)
	}
	return &remoteConversation{session: session, adv: adv}, nil
}

// session connects. The SSH transport does not heed a context while it does, so it is left behind when
// the context ends; it ends by itself at its own timeout.
func (s *remoteSource) session(ctx context.Context, auth transport.AuthMethod) (transport.UploadPackSession, error) {
	type result struct {
		session transport.UploadPackSession
		err     error
	}
	done := make(chan result, 1)
	go func() {
		var r result
		defer func() { done <- r }()
		defer contain(&r.err)
		endpoint := *s.endpoint // the HTTP transport changes its own after a redirect
		r.session, r.err = s.transport.NewUploadPackSession(&endpoint, auth)
	}()
	select {
	case r := <-done:
		return r.session, r.err
	case <-ctx.Done():
		go func() {
			if r := <-done; r.session != nil && r.err == nil {
				r.session.Close()
			}
		}()
		return nil, ctx.Err()
	}
}

type remoteConversation struct {
	session transport.UploadPackSession
	adv     *packp.AdvRefs
	closed  bool
}

func (c *remoteConversation) refs() map[string]plumbing.Hash { return c.adv.References }

func (c *remoteConversation) close() error {
	if c.closed {
		return nil
	}
	c.closed = true
	// The other side hangs up in its own way; all that matters was checked by then.
	_ = c.session.Close()
	return nil
}

func (c *remoteConversation) pack(ctx context.Context, wants []plumbing.Hash, mirror *Repo) (io.ReadCloser, error) {
	req := packp.NewUploadPackRequestFromCapabilities(c.adv.Capabilities)
	// Progress is for people.
	if c.adv.Capabilities.Supports(capability.NoProgress) {
		if err := req.Capabilities.Set(capability.NoProgress); err != nil {
			return nil, err
		}
	}
	req.Wants = wants
	haves, err := mirror.haves()
	if err != nil {
		return nil, err
	}
	req.Haves = haves
	resp, err := c.session.UploadPack(ctx, req)
	if err != nil {
		return nil, remoteError(err)
	}
	var r io.Reader = resp
	switch {
	case req.Capabilities.Supports(capability.Sideband64k):
		r = sideband.NewDemuxer(sideband.Sideband64k, resp)
	case req.Capabilities.Supports(capability.Sideband):
		r = sideband.NewDemuxer(sideband.Sideband, resp)
	}
	return &packStream{r, resp}, nil
}

// packStream cleans up what the other side says when something goes wrong.
type packStream struct {
	r io.Reader
	c io.Closer
}

func (s *packStream) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	if err != nil && err != io.EOF {
		err = remoteError(err)
	}
	return n, err
}

func (s *packStream) Close() error {
	_ = s.c.Close() // as in remoteConversation.close
	return nil
}

// haves names commits that the mirror has: the newest of the branch, along first parents, and other
// heads.
func (r *Repo) haves() ([]plumbing.Hash, error) {
	var ids []plumbing.Hash
	for name, id := range r.known {
		if name != r.branch && len(ids) < maxHaves/2 {
			ids = append(ids, id)
		}
	}
	at, ok := r.known[r.branch]
	for ok && len(ids) < maxHaves {
		ids = append(ids, at)
		c, err := r.Commit(lcm.Revision(at.String()))
		if err != nil {
			return nil, err
		}
		if len(c.Parents) == 0 {
			break
		}
		if at, err = parseID(string(c.Parents[0])); err != nil {
			return nil, err
		}
	}
	return ids, nil
}

// remoteError keeps of an error what may be shown: it can hold whatever the other side wrote.
func remoteError(err error) error {
	var limit *LimitError
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded), errors.As(err, &limit):
		return err
	case errors.Is(err, transport.ErrAuthenticationRequired), errors.Is(err, transport.ErrAuthorizationFailed):
		return errors.New("the server refused our credentials; check auth and that the account may read the repository")
	case errors.Is(err, transport.ErrRepositoryNotFound):
		return errors.New("the server has no such repository, or hides it from this account; check the URL and auth")
	case errors.Is(err, transport.ErrEmptyRemoteRepository):
		return fmt.Errorf("%w: the remote repository is empty", ErrNoBranch)
	}
	text := strings.Map(func(c rune) rune {
		if c < ' ' || c == 0x7f {
			return ' '
		}
		return c
	}, strings.ToValidUTF8(err.Error(), "?"))
	return errors.New("the server said or did: " + text[:min(len(text), 300)])
}
