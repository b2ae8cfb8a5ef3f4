package reconcile

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/llm-config-manager/lcm/internal/apply"
	"github.com/llm-config-manager/lcm/internal/diag"
	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/plan"
	"github.com/llm-config-manager/lcm/internal/state"
	"github.com/llm-config-manager/lcm/internal/store"
	"github.com/llm-config-manager/lcm/internal/trust"
)

// Report is what a pass found and did.
type Report struct {
	Head     lcm.Revision    // what the branch says
	Revision lcm.Revision    // what is believed of it; "" for nothing
	Mirror   *Mirror         // where the head comes from; nil: from the repository's URL
	Refusal  *trust.Refusal  // why the rest is not believed
	ByHand   *state.Override // that an operator, not trust, accepted Revision; nil from the next regular commit on
	Stale    string          // why the heartbeat raises an alarm; "" for none. It stops nothing.
	// HeldWhole says that the settings can't be used: every namespace stays as it is. Findings say why.
	HeldWhole bool
	Findings  []diag.Finding // of the settings, and all warnings
	Held      []Held         // what is held now, by this pass or since an earlier one
	Failed    []Failure      // what targets did not take in this pass
	Waiting   []Waiting      // what is not carried out now, since it is suspended, or its windows are closed
	Drift     []state.Drift  // what targets held otherwise than it was put there, at most 1,000 of them
	Drifted   DriftCount     // all of it
	Plan      plan.Plan      // what was changed, or would be
	Worked    int            // namespaces looked at
	Judged    int            // of these, those that no kept verdict spared the rules
	Entries   int            // entries in them that are wanted
	Took      time.Duration

	Operations map[Operation]int // what was to be written, and whether the target took it

	start   time.Time
	dryRun  bool
	held    map[lcm.Namespace]Held
	waiting map[lcm.Namespace]Waiting
	worked  map[lcm.Namespace]bool
	pauses  *pauses
	resumes time.Time // when the first of what waits need not wait any more; zero: never by itself

	compared int // values that were read for a plan
}

// Operation is what was to be done to entries of a project.
type Operation struct {
	Project
	Action store.Action
	Failed bool
}

// Held is a namespace that stays at its last good revision.
type Held struct {
	Namespace lcm.Namespace
	Since     lcm.Revision // the revision that it is held at
	Serving   lcm.Revision // the last one that was applied whole; "" for none
	Findings  []diag.Finding
}

// Waiting is a namespace whose changes wait.
type Waiting struct {
	Namespace lcm.Namespace `json:"namespace"`
	Since     lcm.Revision  `json:"since"`   // the revision since which they do
	Serving   lcm.Revision  `json:"serving"` // the last one that was applied whole; "" for none
	Changes   int           `json:"changes"` // how many, as far as the targets could be asked
	Pause     *Pause        `json:"pause"`   // null: it has just ended, and the next pass carries them out
}

// Failure is a target that did not take what a namespace has for it.
type Failure struct {
	Namespace lcm.Namespace
	Target    string
	Err       error
}

// ErrorText is the failure as people read it. Targets keep values out of their errors.
func (f Failure) ErrorText() string { return f.Err.Error() }

func (r *Reconciler) newReport(o Options) *Report {
	return &Report{start: r.Now(), dryRun: o.DryRun, Drifted: DriftCount{}, Operations: map[Operation]int{}, held: map[lcm.Namespace]Held{}, waiting: map[lcm.Namespace]Waiting{}, worked: map[lcm.Namespace]bool{}}
}

func (p *Report) addFindings(fs []diag.Finding) { p.Findings = append(p.Findings, fs...) }

// DriftCount counts drift by target and kind.
type DriftCount map[string]map[state.DriftKind]int

// Total is the sum of all counts.
func (c DriftCount) Total() (n int) {
	for _, kinds := range c {
		for _, k := range kinds {
			n += k
		}
	}
	return n
}

// maxReportedDrift bounds the entries that a report names.
const maxReportedDrift = 1000

func (p *Report) addDrift(found []drift) {
	for _, d := range found {
		if p.Drifted[d.Target] == nil {
			p.Drifted[d.Target] = map[state.DriftKind]int{}
		}
		p.Drifted[d.Target][d.Kind]++
		if len(p.Drift) == maxReportedDrift {
			continue
		}
		if d.Found.IsZero() { // a plan corrects nothing
			d.Found = p.start
		}
		p.Drift = append(p.Drift, d.Drift)
	}
}

// add takes in what became of some namespaces; results is nil for a plan.
func (p *Report) add(chunk []*judged, plans []plan.Namespace, results map[lcm.Namespace]apply.Result) {
	for i, n := range plans {
		j := chunk[i]
		p.Worked++
		p.Entries += len(j.entries)
		p.worked[n.Namespace] = true
		p.addDrift(j.drift)
		for _, f := range j.findings {
			if f.Severity != diag.Error {
				p.Findings = append(p.Findings, f)
			}
		}
		if len(n.Held) > 0 {
			p.held[n.Namespace] = Held{Namespace: n.Namespace, Findings: n.Held}
		}
		if j.waits(n) {
			if changes := j.waiting(n); changes > 0 {
				p.waiting[n.Namespace] = Waiting{Namespace: n.Namespace, Since: p.Revision, Changes: changes, Pause: j.pause}
			}
			continue
		}
		failed := failures(n, results[n.Namespace])
		for _, target := range slices.Sorted(maps.Keys(failed)) {
			p.Failed = append(p.Failed, Failure{n.Namespace, target, failed[target]})
		}
		for _, c := range n.Changes {
			p.Operations[Operation{ProjectOf(n.Namespace), c.Action, failed[c.Target] != nil}]++
		}
		n.Changes = slices.DeleteFunc(n.Changes, func(c plan.Change) bool { return failed[c.Target] != nil })
		n.Batches, n.Inventory = nil, nil // people read what changes, not values
		if len(n.Held) > 0 || len(n.Changes) > 0 {
			p.Plan.Namespaces = append(p.Plan.Namespaces, n)
		}
	}
}

// whole is why everything is held; nil if it is not.
func (p *Report) whole() *diag.Finding {
	if !p.HeldWhole {
		return nil
	}
	return &errorsOf(p.Findings)[0]
}

func errorsOf(fs []diag.Finding) []diag.Finding {
	return slices.DeleteFunc(slices.Clone(fs), func(f diag.Finding) bool { return f.Severity != diag.Error })
}

// publish completes the report: what earlier passes hold, and the log line of the pass.
func (p *Report) publish(ctx context.Context, r *Reconciler) (err error) {
	_, end := r.stage(ctx, "publish")
	defer end(&err)
	pending, err := r.State.Pending()
	if err != nil {
		return err
	}
	if err := p.addWaiting(r, pending); err != nil {
		return err
	}
	for ns, n := range pending {
		h, now := p.held[ns]
		switch {
		case len(n.Held) == 0 || p.worked[ns] && !now:
			continue
		case !now:
			h = Held{Namespace: ns, Findings: n.Held}
		}
		h.Since, h.Serving = n.Since, n.Revision
		p.held[ns] = h
	}
	p.Held = slices.SortedFunc(maps.Values(p.held), func(a, b Held) int { return strings.Compare(a.Namespace.String(), b.Namespace.String()) })
	p.Findings = diag.Sort(p.Findings)
	p.Plan.Schema, p.Plan.Revision = "lcm.plan/v1", p.Revision
	if p.dryRun {
		p.planHeld()
	}
	if p.Plan.Namespaces == nil {
		p.Plan.Namespaces = []plan.Namespace{}
	}
	if p.Plan.Loosens == nil {
		p.Plan.Loosens = []plan.Loosening{}
	}
	p.Took = r.Now().Sub(p.start)
	p.log(r)
	return nil
}

// addWaiting completes what waits: also what this pass did not look at.
func (p *Report) addWaiting(r *Reconciler, pending map[lcm.Namespace]state.Namespace) (err error) {
	if p.pauses == nil {
		if p.pauses, err = r.pauses(Options{}); err != nil {
			return err
		}
	}
	for ns, w := range p.waiting {
		n, err := r.State.Namespace(ns)
		if err != nil {
			return err
		}
		w.Serving = n.Revision
		p.waiting[ns] = w
	}
	for ns, n := range pending {
		w, now := p.waiting[ns]
		switch {
		case n.Waits == 0 && !now || p.worked[ns] && !now:
			continue
		case !now:
			w = Waiting{Namespace: ns, Changes: n.Waits, Pause: p.pauses.of(ns)}
		}
		if w.Serving = n.Revision; n.Since != "" {
			w.Since = n.Since
		}
		p.waiting[ns] = w
	}
	p.Waiting = slices.SortedFunc(maps.Values(p.waiting), func(a, b Waiting) int { return byName(a.Namespace, b.Namespace) })
	for _, w := range p.Waiting {
		if w.Pause == nil { // what keeps it now ends when it ends
			continue
		}
		if at := w.Pause.ends(); !at.IsZero() && (p.resumes.IsZero() || at.Before(p.resumes)) {
			p.resumes = at
		}
	}
	return nil
}

// planHeld adds to a plan what earlier passes hold: it is part of why things are as they are.
func (p *Report) planHeld() {
	for _, h := range p.Held {
		if !slices.ContainsFunc(p.Plan.Namespaces, func(n plan.Namespace) bool { return n.Namespace == h.Namespace }) {
			p.Plan.Namespaces = append(p.Plan.Namespaces, plan.Namespace{Namespace: h.Namespace, Held: h.Findings, Changes: []plan.Change{}})
		}
	}
	slices.SortFunc(p.Plan.Namespaces, func(a, b plan.Namespace) int { return strings.Compare(a.Namespace.String(), b.Namespace.String()) })
}

// changes counts the entries that the pass changed, or would.
func (p *Report) changes() (n int) {
	for _, ns := range p.Plan.Namespaces {
		n += len(ns.Changes)
	}
	return n
}

func (p *Report) log(r *Reconciler) {
	attrs := []any{"repository", r.Repository, "head", p.Head.Short(), "revision", p.Revision.Short(), "namespaces", p.Worked, "changes", p.changes(),
		"held", len(p.Held), "failed", len(p.Failed), "waiting", len(p.Waiting), "drifted", p.Drifted.Total(), "judged", p.Judged, "dryRun", p.dryRun, "took", p.Took}
	if p.Stale != "" {
		r.Log.Error("STALE", "repository", r.Repository, "reason", p.Stale)
	}
	if p.Refusal != nil {
		r.Log.Error("pass refused", append(attrs, "reason", p.Refusal.Error())...)
		return
	}
	r.Log.Info("pass", attrs...)
}
