package reconcile

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/llm-config-manager/lcm/internal/gitrepo"
	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/trust"
)

// A mirror brings commits while the repository's own server is down, and they are believed for their signatures as ever. But it
// says nothing of what that server has by now: what comes from a mirror is never a fresh fetch, and a mirror that has not caught
// up is passed over. One that shows another history is refused, and tells of it: somebody rewrote one of the two.

// Mirror is where a fetch came from that did not come from the repository's URL.
type Mirror struct {
	URL    string       `json:"url"` // without whoever logs in
	At     time.Time    `json:"at"`
	Head   lcm.Revision `json:"head"`   // of the branch there
	Behind bool         `json:"behind"` // it is older than what was accepted, which stays
	Why    string       `json:"why"`    // the URL was not fetched from
}

// fetchAnywhere fetches from the URL, or else from the first mirror that has caught up. A nil Mirror stands for the URL.
func (r *Reconciler) fetchAnywhere(ctx context.Context) (lcm.Revision, *Mirror, error) {
	mirrors := r.Repo.Elsewhere()
	part, cancel := share(ctx, 1+len(mirrors))
	defer cancel()
	head, err := r.Repo.Fetch(part)
	if !r.Repo.Partial() {
		r.seen.heard(r.Now(), err)
	}
	if conclusive(head, err) || len(mirrors) == 0 {
		return head, nil, err
	}
	ratchet, _, stateErr := r.State.Ratchet()
	if stateErr != nil {
		return "", nil, stateErr
	}
	var late *Mirror
	for i, name := range mirrors {
		part, cancel := share(ctx, len(mirrors)-i)
		head, mirrorErr := r.Repo.FetchElsewhere(part, i)
		cancel()
		m := &Mirror{URL: name, At: r.Now().UTC(), Head: head, Why: oneLine(err), Behind: mirrorErr == nil && r.passed(head, ratchet.Accepted)}
		switch {
		case conclusive(head, mirrorErr) && !m.Behind:
			return head, m, mirrorErr
		case m.Behind && late == nil:
			late = m
		case mirrorErr != nil:
			err = fmt.Errorf("%w; mirror %s: %w", err, name, mirrorErr)
		}
	}
	if late != nil {
		return ratchet.Accepted, late, nil
	}
	return "", nil, err
}

// conclusive reports whether a server told what the branch is, good or bad, so that no other need be asked.
func conclusive(head lcm.Revision, err error) bool {
	return err == nil || errors.Is(err, gitrepo.ErrNoBranch) || trust.Unreadable(head, "", err) != nil
}

// passed reports whether a head is older than what was accepted, on the way to it.
func (r *Reconciler) passed(head, accepted lcm.Revision) bool {
	if accepted == "" || head == accepted {
		return false
	}
	if _, ahead := r.behind(accepted, head); ahead {
		return false
	}
	_, behind := r.behind(head, accepted)
	return behind
}

// share is the part of the time left that the first of some has.
func share(ctx context.Context, among int) (context.Context, context.CancelFunc) {
	end, ok := ctx.Deadline()
	if !ok {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, time.Until(end)/time.Duration(among))
}

func oneLine(err error) string { return strings.ReplaceAll(err.Error(), "\n", "; ") }
