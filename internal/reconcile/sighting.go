package reconcile

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"time"

	"github.com/llm-config-manager/lcm/internal/gitrepo"
	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/state"
	"github.com/llm-config-manager/lcm/internal/trust"
)

// sightings is what the daemon saw of the remote, newer than the state has it.
type sightings struct {
	mu       sync.Mutex
	fetched  time.Time // the last successful fetch of this process
	failure  string    // why the last fetch failed; "" if it did not
	from     *Mirror   // where what the last pass went by came from; nil: from the URL
	last     *state.Sighting
	recorded *state.Sighting // as it stands in the state
}

// recordEvery is how much time passes before a new time of the fetch alone is written to the state: a
// pass without news should cost no write.
const recordEvery = time.Minute

// heard notes how a fetch went.
func (s *sightings) heard(now time.Time, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failure = ""; err != nil {
		s.failure = oneLine(err)
		return
	}
	s.fetched = now
}

// came notes where a fetch came from.
func (s *sightings) came(from *Mirror) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.from = from
}

func (s *sightings) mirror() *Mirror {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.from
}

// sight notes what a pass saw of the remote, and tells the report whether that is stale.
func (r *Reconciler) sight(ctx context.Context, v trust.Verified, o Options, report *Report) (err error) {
	_, end := r.stage(ctx, "sight")
	defer end(&err)
	if o.Revision != "" {
		return nil // it is not the head of the branch
	}
	s, err := r.sighting()
	if err != nil {
		return err
	}
	s.Head, s.Refusal, s.Problem = report.Head, nil, ""
	if f := report.Refusal; f != nil {
		s.Refusal = &state.Refusal{Commit: f.Commit, Path: f.Path, Rule: f.Rule, Reason: f.Reason}
	}
	if r.Freshness.MaxHeartbeatAge > 0 {
		if err := r.listen(v, &s); err != nil {
			return err
		}
	}
	report.Stale = r.Freshness.heartbeatStale(s, r.Now())
	if o.DryRun {
		return nil
	}
	return r.remember(s)
}

// sighting returns the last sighting with the time of the last fetch.
func (r *Reconciler) sighting() (state.Sighting, error) {
	r.seen.mu.Lock()
	defer r.seen.mu.Unlock()
	if r.seen.last == nil {
		s, err := r.State.Sighting()
		if err != nil {
			return s, err
		}
		r.seen.last, r.seen.recorded = &s, &s
	}
	s := *r.seen.last
	if !r.seen.fetched.IsZero() {
		s.Fetched = r.seen.fetched
	}
	return s, nil
}

// noticed tells of a head that the branch did not have when it was last looked at.
func (r *Reconciler) noticed(head lcm.Revision, o Options) error {
	if r.Seen == nil || o.DryRun {
		return nil
	}
	last, err := r.sighting()
	if err == nil && last.Head != head {
		r.Seen(head)
	}
	return err
}

// remember keeps a sighting, and records it if it is news.
func (r *Reconciler) remember(s state.Sighting) error {
	r.seen.mu.Lock()
	defer r.seen.mu.Unlock()
	r.seen.last = &s
	was := *r.seen.recorded
	passed := s.Fetched.Sub(was.Fetched)
	if was.Fetched = s.Fetched; reflect.DeepEqual(was, s) && passed >= 0 && passed < recordEvery {
		return nil
	}
	if err := r.State.Sight(s); err != nil {
		return fmt.Errorf("recording what was seen of the repository: %w", err)
	}
	r.seen.recorded = &s
	return nil
}

// listen looks for a newer heartbeat than the sighting has, and finds out whether commits are withheld.
func (r *Reconciler) listen(v trust.Verified, s *state.Sighting) error {
	h, err := r.heartbeat(v)
	old := s.Heartbeat
	switch {
	case err != nil:
		s.Problem = strings.ReplaceAll(err.Error(), "\n", "; ")
	case old == nil || h.At.After(old.At):
		s.Heartbeat = &h
	case h.At.Before(old.At):
		s.Problem = fmt.Sprintf("the heartbeat of %s lies there again, though one of %s was seen", stamp(h.At), stamp(old.At))
	}
	if h := s.Heartbeat; h != nil && (h != old || h.Withheld) {
		shown, err := r.shown(h.Head, s.Head)
		s.Heartbeat = &state.Heartbeat{At: h.At, By: h.By, Head: h.Head, Withheld: !shown}
		return err
	}
	return nil
}

// heartbeat reads the heartbeat that lies in the mirror now. Who may give one is for the policy in force to say.
func (r *Reconciler) heartbeat(v trust.Verified) (state.Heartbeat, error) {
	if v.IsZero() {
		return state.Heartbeat{}, errors.New("no policy is in force that says whose heartbeat counts")
	}
	document, err := r.Repo.Heartbeat()
	if err != nil {
		if left := r.Repo.Stale(); left != nil && errors.Is(err, gitrepo.ErrNoHeartbeat) {
			err = fmt.Errorf("%w; what lies beside the branch could not be fetched: %w", err, left)
		}
		return state.Heartbeat{}, err
	}
	h, who, err := v.Policy().Heartbeat(document, r.Freshness.HeartbeatBy, r.Now())
	if err != nil {
		return state.Heartbeat{}, err
	}
	return state.Heartbeat{At: h.At, By: who.Name, Head: h.Head}, nil
}

// maxUnaccepted bounds how far back a commit is looked for on the branch that was never accepted.
const maxUnaccepted = 10_000

// shown reports whether the server ever showed a commit: it was accepted once, or lies on the branch.
func (r *Reconciler) shown(rev, head lcm.Revision) (bool, error) {
	if _, accepted, err := r.State.AcceptedAt(rev); accepted || err != nil {
		return accepted, err
	}
	for at, n := head, 0; n < maxUnaccepted; n++ {
		if at == rev {
			return true, nil
		}
		c, err := r.Repo.Commit(at)
		if err != nil || len(c.Parents) == 0 || at == r.Introduction {
			return false, nil // what cannot be read is not shown
		}
		at = c.Parents[0]
	}
	return false, nil
}
