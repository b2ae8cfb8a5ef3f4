package reconcile

import (
	"slices"
	"time"

	"github.com/llm-config-manager/lcm/internal/diag"
	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/state"
)

// Standing is how a namespace stands.
type Standing string

// The standings. Of several that hold, the first here is said.
const (
	StandingHeld      Standing = "held"      // by checks
	StandingFailed    Standing = "failed"    // at a target
	StandingWaiting   Standing = "waiting"   // changes are not carried out, for a suspension or a window
	StandingSuspended Standing = "suspended" // nothing would be carried out, and there is nothing to carry out
	StandingCurrent   Standing = "current"   // it is what the repository says
)

// StatusNamespace is one service in one environment.
type StatusNamespace struct {
	Namespace lcm.Namespace  `json:"namespace"`
	State     Standing       `json:"state"`
	Revision  lcm.Revision   `json:"revision"` // the last that was applied whole; "" for none
	Since     time.Time      `json:"since,omitzero"`
	Entries   int            `json:"entries"`            // in all targets, as they were put there
	Behind    lcm.Revision   `json:"behind,omitempty"`   // the revision since which it is held, fails or waits
	Findings  []diag.Finding `json:"findings,omitempty"` // why it is held
	Failed    []string       `json:"failed,omitempty"`   // the targets that did not take what is for them
	Changes   int            `json:"changes,omitempty"`  // that wait
	Pause     *Pause         `json:"pause,omitempty"`    // the suspension or the windows, also where nothing waits
}

// StatusCounts counts namespaces by their standing.
type StatusCounts map[Standing]int

// Which says which namespaces a status tells of one by one: the zero value those that are not current.
type Which struct {
	All     bool          // each
	Pattern []lcm.Pattern // each that matches one
}

func (w Which) tells(n StatusNamespace) bool {
	if len(w.Pattern) > 0 {
		name := n.Namespace.String()
		return slices.ContainsFunc(w.Pattern, func(p lcm.Pattern) bool { return p.Match(name) })
	}
	return w.All || n.State != StandingCurrent && n.State != StandingSuspended
}

// StatusOf returns where the repository stands, and each of its namespaces. It reads more of the state than Status.
func (r *Reconciler) StatusOf(w Which) (*Status, error) {
	s, err := r.Status()
	if err != nil || s.partial {
		return s, err
	}
	p, err := r.pauses(Options{})
	if err != nil {
		return nil, err
	}
	pending, err := r.State.Pending()
	if err != nil {
		return nil, err
	}
	inhabited, err := r.State.Inhabited("")
	if err != nil {
		return nil, err
	}
	for ns := range pending { // also those of which nothing was ever put anywhere
		inhabited = append(inhabited, ns)
	}
	slices.SortFunc(inhabited, byName)
	s.Counts, s.Namespaces = StatusCounts{}, []StatusNamespace{}
	for _, ns := range slices.Compact(inhabited) {
		n := standingOf(ns, pending[ns], p)
		if s.Counts[n.State]++; !w.tells(n) {
			continue
		}
		if err := n.read(r.State); err != nil {
			return nil, err
		}
		s.Namespaces = append(s.Namespaces, n)
	}
	return s, nil
}

func standingOf(ns lcm.Namespace, known state.Namespace, p *pauses) StatusNamespace {
	n := StatusNamespace{Namespace: ns, State: StandingCurrent, Behind: known.Since, Findings: known.Held, Failed: known.Failed, Changes: known.Waits, Pause: p.of(ns)}
	switch {
	case len(known.Held) > 0:
		n.State = StandingHeld
	case len(known.Failed) > 0:
		n.State = StandingFailed
	case known.Waits > 0:
		n.State = StandingWaiting
	case n.Pause != nil && !n.Pause.Window():
		n.State = StandingSuspended
	}
	return n
}

// read completes what is only read of namespaces that are told.
func (n *StatusNamespace) read(db *state.DB) error {
	known, err := db.Namespace(n.Namespace)
	if err != nil {
		return err
	}
	inventory, _, err := db.Inventory(n.Namespace)
	for _, owned := range inventory {
		n.Entries += len(owned)
	}
	n.Revision, n.Since = known.Revision, known.At
	return err
}

// StatusWindow is a maintenance window.
type StatusWindow struct {
	Namespaces string    `json:"namespaces"`
	Open       bool      `json:"open"`
	Opens      time.Time `json:"opens"` // the next time
}

// paused tells what is suspended, which windows there are, and what waits for both.
func (s *Status) paused(r *Reconciler) error {
	p, err := r.pauses(Options{})
	if err != nil {
		return err
	}
	for _, x := range p.suspended {
		s.Suspensions = append(s.Suspensions, x.Suspension)
	}
	for _, w := range p.windows {
		s.Windows = append(s.Windows, StatusWindow{w.Namespaces.String(), w.open, w.next})
	}
	for i := range s.Waiting {
		s.Waiting[i].Pause = p.of(s.Waiting[i].Namespace)
	}
	e, ok, err := r.State.Exception()
	if ok {
		s.Exception = &e
	}
	return err
}
