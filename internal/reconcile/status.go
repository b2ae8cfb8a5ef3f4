package reconcile

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/llm-config-manager/lcm/internal/diag"
	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/state"
	"github.com/llm-config-manager/lcm/internal/store"
)

// StatusSchema names the form of a Status as JSON.
const StatusSchema = "lcm.status/v1"

// Status is where a repository stands, as the daemon knows it without asking anybody. As JSON it is
// lcm.status/v1. It holds no value.
type Status struct {
	Schema       string             `json:"schema"`
	At           time.Time          `json:"at"`
	Repository   string             `json:"repository"`
	Branch       string             `json:"branch"`
	Introduction lcm.Revision       `json:"introduction"`
	Accepted     *Accepted          `json:"accepted"`  // null: nothing was ever accepted
	Processed    lcm.Revision       `json:"processed"` // the revision that was last carried out as far as that could be done
	Head         lcm.Revision       `json:"head"`      // of the branch, as last fetched
	Refusal      *state.Refusal     `json:"refusal"`   // why not all up to the head is believed
	ByHand       *state.Override    `json:"byHand"`    // that an operator, not trust, accepted the revision
	Held         []StatusHeld       `json:"held"`
	HeldWhole    *diag.Finding      `json:"heldWhole"` // why the settings can't be used, so that everything is held; null: they can, as far as this process knows
	Failed       []StatusFailed     `json:"failed"`
	Targets      []StatusTarget     `json:"targets"`     // all of them; empty where no daemon runs
	Waiting      []Waiting          `json:"waiting"`     // what is not carried out now
	Suspensions  []state.Suspension `json:"suspensions"` // those in force
	Windows      []StatusWindow     `json:"windows"`
	Reload       *StatusReload      `json:"reload"`    // of the configuration, how the last went; null: no daemon runs
	Exception    *state.Exception   `json:"exception"` // the last pass that took no notice of windows
	Drift        StatusDrift        `json:"drift"`
	Fetch        StatusFetch        `json:"fetch"`
	NextPass     *time.Time         `json:"nextPass"`  // null: no daemon runs, or it makes one now
	Failures     int                `json:"failures"`  // how often in a row the repository could not be fetched: each makes the next pass later
	Heartbeat    *StatusBeat        `json:"heartbeat"` // null: none is asked for
	Replica      *StatusReplica     `json:"replica"`   // null: the daemon is alone. Of all above a follower tells nothing
	Ready        bool               `json:"ready"`
	NotReady     []string           `json:"notReady"` // why it is not
	partial      bool               // no more is known than who leads

	Counts     StatusCounts      `json:"counts,omitempty"`     // of StatusOf alone
	Namespaces []StatusNamespace `json:"namespaces,omitempty"` // of StatusOf alone
}

// StatusReload is how the configuration of the daemon was last read: at its start, or since.
type StatusReload struct {
	At      time.Time `json:"at"`
	Success bool      `json:"success"`
	Error   string    `json:"error"` // why the daemon goes on with an older one; "" if it does not
}

// Accepted is the revision that is believed, and since when.
type Accepted struct {
	Revision lcm.Revision `json:"revision"`
	Since    time.Time    `json:"since"`
}

// StatusHeld is a namespace that stays at its last good revision.
type StatusHeld struct {
	Namespace lcm.Namespace  `json:"namespace"`
	Since     lcm.Revision   `json:"since"`
	Serving   lcm.Revision   `json:"serving"` // "" for nothing
	Findings  []diag.Finding `json:"findings"`
}

// StatusFailed is a namespace that some targets did not take.
type StatusFailed struct {
	Namespace lcm.Namespace `json:"namespace"`
	Targets   []string      `json:"targets"`
}

// StatusTarget is a target as the daemon meets it.
type StatusTarget struct {
	Target   string     `json:"target"`
	Down     bool       `json:"down"`    // it failed some times in a row, and is not asked for a while
	Since    *time.Time `json:"since"`   // it is down; null: it is not
	NextTry  *time.Time `json:"nextTry"` // when it is asked again; what is due for it waits
	Failures int        `json:"failures"`
	Error    string     `json:"error"` // the last of these
}

// StatusDrift is what targets hold otherwise than it was put there, as far as passes found it.
type StatusDrift struct {
	Open      int           `json:"open"`      // how many entries differ now
	Entries   []state.Drift `json:"entries"`   // at most 100 of them
	Corrected []state.Drift `json:"corrected"` // the last that are as they should be again, at most 50, the newest first
}

// StatusFetch is how fresh the mirror is.
type StatusFetch struct {
	At    *time.Time `json:"at"`         // of the last successful fetch; null: never
	Age   *float64   `json:"ageSeconds"` // null: never
	Stale bool       `json:"stale"`
	Error string     `json:"error"` // why the fetch after it failed, as far as this process knows
	// Mirror is where commits came from since then, which is no fresh fetch; null: from nowhere else.
	Mirror *Mirror `json:"mirror"`
}

// StatusBeat is how fresh the newest heartbeat is.
type StatusBeat struct {
	MaxAge  float64      `json:"maxAgeSeconds"`
	At      *time.Time   `json:"at"` // null: none was ever seen
	Age     *float64     `json:"ageSeconds"`
	By      string       `json:"by"`
	Head    lcm.Revision `json:"head"`
	Stale   bool         `json:"stale"`
	Problem string       `json:"problem"` // why what lies in its place now does not count
}

// Closed is a reconciler that makes no passes: it says where a repository stands by its state, at which no daemon needs to
// be, and suspends and resumes. It needs of cfg the names, the introduction, Freshness, Windows and State.
func Closed(cfg Config) *Reconciler { return &Reconciler{Config: cfg.withDefaults()} }

// Status returns where the repository stands. It may be called while passes run.
func (r *Reconciler) Status() (*Status, error) {
	now := r.Now()
	s := &Status{Schema: StatusSchema, At: now.UTC(), Repository: r.Repository, Branch: r.Branch, Introduction: r.Introduction,
		Held: []StatusHeld{}, Failed: []StatusFailed{}, Waiting: []Waiting{}, Suspensions: []state.Suspension{}, Windows: []StatusWindow{}, Targets: []StatusTarget{}, NotReady: []string{}}
	if r.Office != nil && !s.leads(r) {
		return s, nil
	}
	if err := s.believed(r); err != nil {
		return nil, err
	}
	if err := s.pending(r.State); err != nil {
		return nil, err
	}
	if err := s.paused(r); err != nil {
		return nil, err
	}
	if err := s.drift(r.State); err != nil {
		return nil, err
	}
	seen, err := r.sighting()
	if err != nil {
		return nil, err
	}
	s.Head, s.Refusal, s.Fetch.Error, s.Fetch.Mirror = seen.Head, seen.Refusal, r.seen.lastFailure(), r.seen.mirror()
	s.fresh(r.Freshness, seen, now)
	s.HeldWhole = r.whole.Load()
	s.Ready = len(s.NotReady) == 0
	if r.loop != nil {
		s.NextPass, s.Failures = r.loop.standing()
		s.targets(r.stores)
	}
	return s, nil
}

func (s *sightings) lastFailure() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.failure
}

func (s *Status) believed(r *Reconciler) error {
	ratchet, _, err := r.State.Ratchet()
	if err != nil {
		return err
	}
	if s.Processed = ratchet.Processed; ratchet.Accepted == "" {
		s.NotReady = append(s.NotReady, "no revision was accepted yet")
		return nil
	}
	since, _, err := r.State.AcceptedAt(ratchet.Accepted)
	if err != nil {
		return err
	}
	s.Accepted = &Accepted{ratchet.Accepted, since}
	s.ByHand, err = r.byHand(ratchet.Accepted)
	return err
}

func (s *Status) pending(db *state.DB) error {
	pending, err := db.Pending()
	if err != nil {
		return err
	}
	for _, ns := range slices.SortedFunc(maps.Keys(pending), func(a, b lcm.Namespace) int { return strings.Compare(a.String(), b.String()) }) {
		n := pending[ns]
		if len(n.Held) > 0 {
			s.Held = append(s.Held, StatusHeld{ns, n.Since, n.Revision, n.Held})
		}
		if len(n.Failed) > 0 {
			s.Failed = append(s.Failed, StatusFailed{ns, n.Failed})
		}
		if n.Waits > 0 {
			s.Waiting = append(s.Waiting, Waiting{Namespace: ns, Since: n.Since, Serving: n.Revision, Changes: n.Waits})
		}
	}
	return nil
}

// targets tells which targets are down.
func (s *Status) targets(stores map[string]store.Target) {
	for _, name := range slices.Sorted(maps.Keys(stores)) {
		t := StatusTarget{Target: name}
		if f, ok := stores[name].(store.Fallible); ok {
			if d := f.Down(); d != nil {
				since, until := d.Since.UTC(), d.Until.UTC()
				t.Down, t.Since, t.NextTry, t.Failures, t.Error = true, &since, &until, d.Failures, d.Err.Error()
			}
		}
		s.Targets = append(s.Targets, t)
	}
}

// Bounds of what a status names of drift.
const (
	statusDrift     = 100
	statusCorrected = 50
)

func (s *Status) drift(db *state.DB) error {
	s.Drift = StatusDrift{Entries: []state.Drift{}, Corrected: []state.Drift{}}
	newest := func(a, b state.Drift) int { return b.Corrected.Compare(a.Corrected) }
	err := db.EachDrift(func(d state.Drifts) {
		s.Drift.Open += len(d.Open) + d.More
		s.Drift.Entries = append(s.Drift.Entries, d.Open[:min(len(d.Open), statusDrift-len(s.Drift.Entries))]...)
		if s.Drift.Corrected = append(s.Drift.Corrected, d.Past...); len(s.Drift.Corrected) > 20*statusCorrected {
			slices.SortStableFunc(s.Drift.Corrected, newest)
			s.Drift.Corrected = s.Drift.Corrected[:statusCorrected]
		}
	})
	slices.SortStableFunc(s.Drift.Corrected, newest)
	s.Drift.Corrected = s.Drift.Corrected[:min(len(s.Drift.Corrected), statusCorrected)]
	return err
}

// fresh tells how old what was seen is, and whether that is too old.
func (s *Status) fresh(f Freshness, seen state.Sighting, now time.Time) {
	if !seen.Fetched.IsZero() {
		s.Fetch.At, s.Fetch.Age = age(seen.Fetched, now)
	}
	if why := f.fetchStale(seen, now); why != "" {
		s.Fetch.Stale = true
		s.NotReady = append(s.NotReady, why)
	}
	if f.MaxHeartbeatAge == 0 {
		return
	}
	s.Heartbeat = &StatusBeat{MaxAge: f.MaxHeartbeatAge.Seconds(), Problem: seen.Problem}
	if h := seen.Heartbeat; h != nil {
		s.Heartbeat.At, s.Heartbeat.Age = age(h.At, now)
		s.Heartbeat.By, s.Heartbeat.Head = h.By, h.Head
	}
	if why := f.heartbeatStale(seen, now); why != "" {
		s.Heartbeat.Stale = true
		s.NotReady = append(s.NotReady, why)
	}
}

func age(at, now time.Time) (*time.Time, *float64) {
	utc, seconds := at.UTC(), now.Sub(at).Seconds()
	return &utc, &seconds
}
