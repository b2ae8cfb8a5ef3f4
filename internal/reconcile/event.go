package reconcile

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/llm-config-manager/lcm/internal/diag"
	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/state"
	"github.com/llm-config-manager/lcm/internal/store"
)

// EventSchema names the form of an Event as JSON.
const EventSchema = "lcm.event/v1"

// EventKind says what happened.
type EventKind string

// What happens. docs/observability.md has an example of each.
const (
	EventAccepted  EventKind = "accepted"  // a revision is believed, by trust or by hand
	EventRefused   EventKind = "refused"   // trust refuses what the branch has
	EventHeld      EventKind = "held"      // a namespace stays at its last good revision, or all do; or it is for another reason than before
	EventReleased  EventKind = "released"  // it is held no more
	EventApplied   EventKind = "applied"   // something of a namespace was written
	EventFailed    EventKind = "failed"    // a target does not take what it should
	EventRecovered EventKind = "recovered" // it has taken everything since
	EventDrift     EventKind = "drift"     // a target holds an entry otherwise than it was put there
	EventCorrected EventKind = "corrected" // it holds it as it should again
	EventSuspended EventKind = "suspended" // somebody suspended what a pattern names
	EventResumed   EventKind = "resumed"   // that is over
	EventStale     EventKind = "stale"     // the repository could not be fetched for too long, or its heartbeat raises an alarm
	EventFresh     EventKind = "fresh"     // that is over
)

// EventKinds lists them all.
func EventKinds() []EventKind {
	return []EventKind{EventAccepted, EventRefused, EventHeld, EventReleased, EventApplied, EventFailed, EventRecovered,
		EventDrift, EventCorrected, EventSuspended, EventResumed, EventStale, EventFresh}
}

// Event is one thing that an operator may alert on or audit. As JSON it is lcm.event/v1; what does not apply is left
// out. It holds no value.
type Event struct {
	Schema     string               `json:"schema"`
	At         time.Time            `json:"at"`
	Event      EventKind            `json:"event"`
	Repository string               `json:"repository"`
	Revision   lcm.Revision         `json:"revision,omitempty"`   // that it is about
	From       lcm.Revision         `json:"from,omitempty"`       // accepted: what was believed before
	Signer     string               `json:"signer,omitempty"`     // accepted: of that revision
	Approvers  []string             `json:"approvers,omitempty"`  // accepted: further persons who consented to it
	Namespace  string               `json:"namespace,omitempty"`  // missing where all are held
	Serving    lcm.Revision         `json:"serving,omitempty"`    // held: what stays in force
	Target     string               `json:"target,omitempty"`     //
	Namespaces int                  `json:"namespaces,omitempty"` // failed: how many it did not take
	Changes    map[store.Action]int `json:"changes,omitempty"`    // applied: how many entries
	Address    string               `json:"address,omitempty"`    // drift, corrected
	Kind       state.DriftKind      `json:"kind,omitempty"`       // drift, corrected
	By         string               `json:"by,omitempty"`         // drift: who did it, as far as the target tells; suspended, resumed: whoever said so
	Pattern    string               `json:"pattern,omitempty"`    // suspended, resumed
	Until      *time.Time           `json:"until,omitempty"`      // suspended: when it ends by itself
	Rule       string               `json:"rule,omitempty"`       // refused, held
	Path       string               `json:"path,omitempty"`       // refused, held
	Line       int                  `json:"line,omitempty"`       // held
	Reason     string               `json:"reason,omitempty"`     //
}

// Tell completes an event and hands it to whoever listens.
func (r *Reconciler) Tell(e Event) {
	if r.Events == nil {
		return
	}
	e.Schema, e.At, e.Repository = EventSchema, r.Now().UTC(), r.Repository
	r.Events(e)
}

// standing is where the repository stands, as far as events tell of its changes.
type standing struct {
	accepted lcm.Revision
	refusal  *state.Refusal
	whole    *diag.Finding // why all is held
	held     map[lcm.Namespace]state.Namespace
	failed   map[string]int // targets, and how many namespaces they did not take
	stale    string
	paused   map[string]state.Suspension // in force, by pattern and who said so
}

// stood reads it from the state.
func (r *Reconciler) stood() (*standing, error) {
	ratchet, _, err := r.State.Ratchet()
	if err != nil {
		return nil, err
	}
	seen, err := r.sighting()
	if err != nil {
		return nil, err
	}
	pending, err := r.State.Pending()
	if err != nil {
		return nil, err
	}
	suspensions, err := r.State.Suspensions()
	if err != nil {
		return nil, err
	}
	s := &standing{paused: map[string]state.Suspension{}, accepted: ratchet.Accepted, refusal: seen.Refusal, held: map[lcm.Namespace]state.Namespace{}, failed: map[string]int{}}
	for ns, n := range pending {
		if len(n.Held) > 0 {
			s.held[ns] = n
		}
		for _, target := range n.Failed {
			s.failed[target]++
		}
	}
	for _, p := range slices.Concat(suspensions.Operator, suspensions.Repository) {
		if p.InForce(r.Now()) {
			s.paused[p.Namespaces+" "+p.By] = p
		}
	}
	if s.stale = r.Freshness.fetchStale(seen, r.Now()); s.stale == "" && r.Freshness.MaxHeartbeatAge > 0 {
		s.stale = r.Freshness.heartbeatStale(seen, r.Now())
	}
	return s, nil
}

// telling returns a function that tells what a pass, which is about to be made, changed. Of a pass that could not be made
// the report is nil.
func (r *Reconciler) telling(o Options) (func(*Report), error) {
	if r.Events == nil || o.DryRun {
		return func(*Report) {}, nil
	}
	if r.before == nil {
		before, err := r.stood()
		if err != nil {
			return nil, err
		}
		before.stale = "" // it is told again by a process that starts
		r.before = before
	}
	return func(p *Report) {
		after, err := r.stood()
		if err != nil {
			r.Log.Error("what changed can't be told", "error", err)
			return
		}
		before := r.before
		after.seen(before, p)
		r.before = after
		r.tellTrust(before, after)
		r.tellPaused(before, after)
		r.tellHeld(before, after)
		if p != nil {
			r.tellDone(p)
		}
		r.tellTargets(before, after, p)
	}, nil
}

// seen adds to a standing what only the report of the pass knows.
func (s *standing) seen(before *standing, p *Report) {
	if p == nil {
		s.refusal, s.whole = before.refusal, before.whole
		return
	}
	s.refusal = nil
	if f := p.Refusal; f != nil {
		s.refusal, s.whole = &state.Refusal{Commit: f.Commit, Path: f.Path, Rule: f.Rule, Reason: f.Reason}, before.whole
	} else {
		s.whole = p.whole()
	}
}

func (r *Reconciler) tellTrust(before, after *standing) {
	if after.accepted != before.accepted {
		r.tellAccepted(before.accepted, after.accepted)
	}
	if f, was := after.refusal, before.refusal; f != nil && (was == nil || *was != *f) {
		r.Tell(Event{Event: EventRefused, Revision: f.Commit, Rule: f.Rule, Path: f.Path, Reason: f.Reason})
	}
	switch {
	case after.stale != "" && before.stale == "":
		r.Tell(Event{Event: EventStale, Reason: after.stale})
	case after.stale == "" && before.stale != "":
		r.Tell(Event{Event: EventFresh})
	}
}

func (r *Reconciler) tellAccepted(from, to lcm.Revision) {
	e := Event{Event: EventAccepted, Revision: to, From: from}
	if by, err := r.byHand(to); err == nil && by != nil {
		e.Reason = "accepted by hand: " + by.Reason
	} else if a, known, err := r.State.Answer(to); err == nil && known {
		e.Signer = a.Signer
		if a.Forge != "" {
			e.Reason = "made by the forge " + a.Forge
		}
		for _, c := range a.Consents {
			e.Approvers = append(e.Approvers, c.Persons...)
		}
		slices.Sort(e.Approvers)
		e.Approvers = slices.DeleteFunc(slices.Compact(e.Approvers), func(p string) bool { return p == a.Signer })
	} else if to == r.Introduction {
		e.Reason = "the introduction"
	}
	r.Tell(e)
}

// tellPaused tells of suspensions, of operators and of lcm.yaml.
func (r *Reconciler) tellPaused(before, after *standing) {
	for _, key := range slices.Sorted(maps.Keys(after.paused)) {
		s := after.paused[key]
		if was, paused := before.paused[key]; paused && was == s {
			continue
		}
		e := Event{Event: EventSuspended, Pattern: s.Namespaces, By: s.By, Revision: s.Commit, Reason: s.Reason}
		if !s.Until.IsZero() {
			e.Until = &s.Until
		}
		r.Tell(e)
	}
	for _, key := range slices.Sorted(maps.Keys(before.paused)) {
		if _, paused := after.paused[key]; !paused {
			s := before.paused[key]
			r.Tell(Event{Event: EventResumed, Pattern: s.Namespaces, By: s.By, Revision: s.Commit})
		}
	}
}

func (r *Reconciler) tellHeld(before, after *standing) {
	switch {
	case after.whole != nil && (before.whole == nil || *before.whole != *after.whole):
		r.Tell(Event{Event: EventHeld, Serving: after.accepted}.found(*after.whole))
	case after.whole == nil && before.whole != nil:
		r.Tell(Event{Event: EventReleased})
	}
	for _, ns := range sorted(after.held) {
		now := after.held[ns]
		if was, held := before.held[ns]; !held || was.Held[0] != now.Held[0] {
			r.Tell(Event{Event: EventHeld, Namespace: ns.String(), Revision: now.Since, Serving: now.Revision}.found(now.Held[0]))
		}
	}
	for _, ns := range sorted(before.held) {
		if _, held := after.held[ns]; !held {
			r.Tell(Event{Event: EventReleased, Namespace: ns.String(), Revision: after.accepted})
		}
	}
}

func (e Event) found(f diag.Finding) Event {
	e.Rule, e.Path, e.Line, e.Reason = f.Rule, f.File, f.Line, f.Message
	return e
}

// tellDone tells of what was written, and of what had been changed by hand.
func (r *Reconciler) tellDone(p *Report) {
	for _, n := range p.Plan.Namespaces {
		changes := map[string]map[store.Action]int{}
		for _, c := range n.Changes {
			if changes[c.Target] == nil {
				changes[c.Target] = map[store.Action]int{}
			}
			changes[c.Target][c.Action]++
		}
		for _, target := range slices.Sorted(maps.Keys(changes)) {
			r.Tell(Event{Event: EventApplied, Namespace: n.Namespace.String(), Target: target, Revision: p.Revision, Changes: changes[target]})
		}
	}
	for _, d := range p.Drift {
		e := Event{Event: EventDrift, Address: d.Address.String(), Target: d.Target, Kind: d.Kind, By: d.By}
		if !d.Found.Before(p.start) {
			r.Tell(e)
		}
		if e.Event, e.By = EventCorrected, ""; !d.Corrected.IsZero() {
			r.Tell(e)
		}
	}
}

func (r *Reconciler) tellTargets(before, after *standing, p *Report) {
	for _, target := range slices.Sorted(maps.Keys(after.failed)) {
		if before.failed[target] == 0 {
			r.Tell(Event{Event: EventFailed, Target: target, Namespaces: after.failed[target], Reason: p.failureOf(target)})
		}
	}
	for _, target := range slices.Sorted(maps.Keys(before.failed)) {
		if after.failed[target] == 0 {
			r.Tell(Event{Event: EventRecovered, Target: target})
		}
	}
}

func (p *Report) failureOf(target string) string {
	if p == nil {
		return ""
	}
	for _, f := range p.Failed {
		if f.Target == target {
			return fmt.Sprintf("%s: %s", f.Namespace, f.ErrorText())
		}
	}
	return ""
}

func sorted[V any](m map[lcm.Namespace]V) []lcm.Namespace {
	return slices.SortedFunc(maps.Keys(m), func(a, b lcm.Namespace) int { return strings.Compare(a.String(), b.String()) })
}
