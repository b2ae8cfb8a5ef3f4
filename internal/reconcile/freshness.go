package reconcile

import (
	"fmt"
	"time"

	"github.com/robfig/cron/v3"

	"github.com/llm-config-manager/lcm/internal/state"
)

// A server that keeps serving an old head, or nothing at all, stops every change, revocations too, and no
// signature shows it. So the daemon knows when what it sees is stale. That is an alarm, not a stop: the last
// good state goes on being served, nothing is applied or deleted because of it, and a new commit is judged
// by its own signatures as ever. To stop would give whoever controls the server what they want.

// Freshness says when what is known of the remote counts as stale.
type Freshness struct {
	Schedule        string        // of the passes
	MaxFetchAge     time.Duration // since the last successful fetch; 0: ten firings of the schedule, ten minutes at least
	MaxHeartbeatAge time.Duration // 0: no heartbeat is looked for
	HeartbeatBy     []string      // the principals who may give it; empty: all of .lcm/trust.yaml
}

// firings is how many passes may fail to fetch before that is an alarm.
const firings = 10

// due is when the fetch after one at that time has to have been made.
func (f Freshness) due(fetched time.Time) time.Time {
	if f.MaxFetchAge > 0 {
		return fetched.Add(f.MaxFetchAge)
	}
	least := fetched.Add(10 * time.Minute)
	s, err := cron.ParseStandard(f.Schedule)
	if err != nil {
		return least
	}
	at := fetched
	for range firings {
		at = s.Next(at)
	}
	if at.Before(least) { // that a schedule never fires is the zero time
		return least
	}
	return at
}

// fetchStale says why the last fetch is too long ago; "" if it is not.
func (f Freshness) fetchStale(s state.Sighting, now time.Time) string {
	switch due := f.due(s.Fetched); {
	case s.Fetched.IsZero():
		return "the repository was never fetched"
	case s.Fetched.After(now.Add(time.Minute)):
		return fmt.Sprintf("the last successful fetch was at %s, which lies in the future: set the clock right", stamp(s.Fetched))
	case now.After(due):
		return fmt.Sprintf("the last successful fetch was at %s, and another was due by %s", stamp(s.Fetched), stamp(due))
	}
	return ""
}

// heartbeatStale says why the heartbeat raises an alarm; "" if it does not. Only the newest that ever counted
// matters: it says up to when nothing can have been withheld, whatever lies in its place now.
func (f Freshness) heartbeatStale(s state.Sighting, now time.Time) string {
	h := s.Heartbeat
	why := ""
	if s.Problem != "" {
		why = ": " + s.Problem
	}
	switch {
	case f.MaxHeartbeatAge == 0:
		return ""
	case h == nil:
		return "no heartbeat was ever seen" + why
	case h.Withheld:
		return fmt.Sprintf("%s says that the head of the branch was %s at %s, and the server does not show that commit: it withholds commits", h.By, h.Head.Short(), stamp(h.At))
	case now.Sub(h.At) > f.MaxHeartbeatAge:
		return fmt.Sprintf("the newest heartbeat, by %s, is of %s, which is more than %v ago%s", h.By, stamp(h.At), f.MaxHeartbeatAge, why)
	}
	return ""
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }
