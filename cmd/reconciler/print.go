package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/llm-config-manager/lcm/internal/diag"
	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/plan"
	"github.com/llm-config-manager/lcm/internal/reconcile"
	"github.com/llm-config-manager/lcm/internal/state"
	"github.com/llm-config-manager/lcm/internal/trust"
)

// version is what the build says of itself.
func version() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(devel)"
}

func (c *cli) print(r *reconcile.Report, o reconcile.Options) error {
	switch {
	case c.format == "json" && o.DryRun:
		_, err := io.WriteString(c.stderr, troubles(r)) // the form of a plan has no place for them
		return errors.Join(err, printJSON(c.stdout, r.Plan))
	case c.format == "json":
		return printJSON(c.stdout, passJSON(r))
	}
	return c.printText(r, o)
}

func printJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

type refusalJSON struct {
	Commit lcm.Revision `json:"commit"`
	Path   string       `json:"path"`
	Rule   string       `json:"rule"`
	Reason string       `json:"reason"`
}

type heldJSON struct {
	Namespace lcm.Namespace  `json:"namespace"`
	Since     lcm.Revision   `json:"since"`
	Serving   lcm.Revision   `json:"serving"`
	Findings  []diag.Finding `json:"findings"`
}

type failureJSON struct {
	Namespace lcm.Namespace `json:"namespace"`
	Target    string        `json:"target"`
	Error     string        `json:"error"`
}

// byHandJSON is that an operator, not trust, accepted the revision.
type byHandJSON struct {
	Reason  string    `json:"reason"`
	At      time.Time `json:"at"`
	Lost    bool      `json:"lost"`
	Refused string    `json:"refused"`
}

type reportJSON struct {
	Schema   string            `json:"schema"`
	Head     lcm.Revision      `json:"head"`
	Revision lcm.Revision      `json:"revision"`
	Mirror   *reconcile.Mirror `json:"mirror"`
	Refusal  *refusalJSON      `json:"refusal"`
	ByHand   *byHandJSON       `json:"byHand"`
	Stale    string            `json:"stale"`
	Findings []diag.Finding    `json:"findings"`
	// HeldWhole says that the settings can't be used: every namespace stays as it is.
	HeldWhole bool                `json:"heldWhole"`
	Held      []heldJSON          `json:"held"`
	Failed    []failureJSON       `json:"failed"`
	Waiting   []reconcile.Waiting `json:"waiting"`
	Drift     []state.Drift       `json:"drift"`
	Plan      plan.Plan           `json:"plan"`
	Seconds   float64             `json:"seconds"`
}

// passJSON is a pass as lcm.pass/v1.
func passJSON(r *reconcile.Report) reportJSON {
	out := reportJSON{Schema: "lcm.pass/v1", Head: r.Head, Mirror: r.Mirror, Revision: r.Revision, Stale: r.Stale, Findings: append([]diag.Finding{}, r.Findings...),
		HeldWhole: r.HeldWhole, Held: []heldJSON{}, Failed: []failureJSON{}, Waiting: append([]reconcile.Waiting{}, r.Waiting...), Drift: append([]state.Drift{}, r.Drift...), Plan: r.Plan, Seconds: r.Took.Seconds()}
	if f := r.Refusal; f != nil {
		out.Refusal = &refusalJSON{f.Commit, f.Path, f.Rule, f.Reason}
	}
	if o := r.ByHand; o != nil {
		out.ByHand = &byHandJSON{o.Reason, o.At, o.Lost, o.Refused}
	}
	for _, h := range r.Held {
		out.Held = append(out.Held, heldJSON{h.Namespace, h.Since, h.Serving, h.Findings})
	}
	for _, f := range r.Failed {
		out.Failed = append(out.Failed, failureJSON{f.Namespace, f.Target, f.ErrorText()})
	}
	return out
}

func (c *cli) printText(r *reconcile.Report, o reconcile.Options) error {
	var b strings.Builder
	b.WriteString(troubles(r))
	if o.DryRun {
		writeChanges(&b, r.Plan, diag.Paint(c.colour))
	}
	fmt.Fprintln(&b, summary(r, o))
	_, err := io.WriteString(c.stdout, b.String())
	return err
}

// troubles tells what is refused, held, failed or found besides.
func troubles(r *reconcile.Report) string {
	var b strings.Builder
	if r.Mirror != nil {
		fmt.Fprintf(&b, "FETCHED FROM A MIRROR: %s\n", mirrorText(r.Mirror))
	}
	if r.Refusal != nil {
		writeRefusal(&b, r.Refusal)
		if r.Revision != "" {
			fmt.Fprintf(&b, "  still at %s, the last good revision\n", r.Revision.Short())
		}
	}
	writeByHand(&b, r.ByHand)
	if r.Stale != "" {
		fmt.Fprintf(&b, "STALE: %s\n", r.Stale)
	}
	writeLoosens(&b, r.Plan.Loosens)
	for _, f := range r.Findings {
		fmt.Fprintln(&b, f)
	}
	if r.HeldWhole {
		fmt.Fprintf(&b, "HELD everything: the settings of %s can't be used\n", r.Revision.Short())
	}
	writeHeld(&b, r.Held)
	writeWaiting(&b, r.Waiting)
	for _, f := range r.Failed {
		fmt.Fprintf(&b, "FAILED %s on target %s: %s\n", f.Namespace, f.Target, f.ErrorText())
	}
	writeDrift(&b, r.Drift, r.Drifted.Total())
	return b.String()
}

func writeRefusal(b *strings.Builder, f *trust.Refusal) {
	fmt.Fprintf(b, "REFUSED commit %s: %s\n  ", f.Commit.Short(), f.Rule)
	if f.Path != "" {
		fmt.Fprintf(b, "%s: ", f.Path)
	}
	fmt.Fprintln(b, f.Reason)
}

func writeByHand(b *strings.Builder, o *state.Override) {
	if o == nil {
		return
	}
	fmt.Fprintf(b, "ACCEPTED BY HAND at %s: %s", o.At.UTC().Format(time.RFC3339), o.Head.Short())
	if o.Lost {
		b.WriteString(", after the state was lost")
	}
	if o.Reason != "" {
		fmt.Fprintf(b, ": %s", o.Reason)
	}
	b.WriteString("\n")
	if o.Refused != "" {
		fmt.Fprintf(b, "  %s\n", o.Refused)
	}
}

// writeLoosens says what commits permit that was not permitted before, or what has to be looked at.
func writeLoosens(b *strings.Builder, all []plan.Loosening) {
	for _, l := range all {
		fmt.Fprintf(b, "LOOSENS %s: %s: %s\n", l.Revision.Short(), l.File, l.What)
	}
}

func writeHeld(b *strings.Builder, held []reconcile.Held) {
	for _, h := range held {
		serving := "nothing was ever applied"
		if h.Serving != "" {
			serving = "still serving " + h.Serving.Short()
		}
		fmt.Fprintf(b, "HELD %s: %s\n", h.Namespace, serving)
		for _, f := range h.Findings {
			fmt.Fprintf(b, "  %s\n", f)
		}
	}
}

// maxDriftLines bounds the entries that are named to people and in the log: of a target that was wiped there may be many.
const maxDriftLines = 100

func writeDrift(b *strings.Builder, found []state.Drift, total int) {
	for _, d := range found[:min(len(found), maxDriftLines)] {
		fmt.Fprintf(b, "DRIFT %s on target %s: %s\n", d.Address, d.Target, driftText(d))
	}
	if total > maxDriftLines {
		fmt.Fprintf(b, "DRIFT of %d more\n", total-maxDriftLines)
	}
}

// driftText says what differs, since when, and what was done about it. It knows no value.
func driftText(d state.Drift) string {
	text := map[state.DriftKind]string{
		state.DriftMissing: "it is gone",
		state.DriftValue:   "another value stands there",
		state.DriftMark:    "its mark was changed",
		state.DriftForeign: "something that is not ours stands there",
	}[d.Kind]
	if len(d.Fields) > 0 && !slices.Contains(d.Fields, "") {
		text += ", in " + pointers(d.Fields)
	}
	if !d.At.IsZero() {
		text += ", since " + stampText(d.At)
	}
	if d.By != "" {
		text += ", by " + d.By
	}
	text += "; found " + stampText(d.Found)
	if !d.Corrected.IsZero() {
		return text + ", put right " + stampText(d.Corrected)
	}
	return text + ", not put right"
}

// summary is the last line: what was done, in how many places, how fast.
func summary(r *reconcile.Report, o reconcile.Options) string {
	changes, parts := 0, []string(nil)
	for _, t := range tally(r.Plan) {
		changes += t.documents + t.secrets
		parts = append(parts, t.String())
	}
	took := r.Took.Round(time.Millisecond)
	if r.Revision == "" {
		return fmt.Sprintf("nothing is believed, so nothing was done (%s)", took)
	}
	if r.HeldWhole {
		return fmt.Sprintf("%s: nothing was changed (%s)", r.Revision.Short(), took)
	}
	held := ""
	if n := len(r.Held); n > 0 && o.DryRun {
		held = fmt.Sprintf("; %s held", plural(n, "namespace"))
	}
	if n := len(r.Waiting); n > 0 {
		held += fmt.Sprintf("; %s waiting", plural(n, "namespace"))
	}
	if changes == 0 {
		return fmt.Sprintf("%s: nothing to change%s (%s)", r.Revision.Short(), held, took)
	}
	if o.DryRun {
		return fmt.Sprintf("%s: would apply %s: %s%s (%s)", r.Revision.Short(), plural(changes, "change"), actions(r.Plan), held, took)
	}
	return fmt.Sprintf("%s: applied %s: %s%s (%s)", r.Revision.Short(), plural(changes, "change"), strings.Join(parts, ", "), held, took)
}

// count is what one target was given.
type count struct {
	target             string
	documents, secrets int
}

func (c count) String() string {
	var parts []string
	if c.documents > 0 {
		parts = append(parts, plural(c.documents, "document"))
	}
	if c.secrets > 0 {
		parts = append(parts, plural(c.secrets, "secret"))
	}
	return strings.Join(parts, " and ") + " → " + c.target
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

func tally(p plan.Plan) []count {
	var out []count
	index := map[string]int{}
	for _, n := range p.Namespaces {
		if len(n.Held) > 0 {
			continue
		}
		for _, c := range n.Changes {
			i, ok := index[c.Target]
			if !ok {
				i = len(out)
				index[c.Target] = i
				out = append(out, count{target: c.Target})
			}
			if c.Kind == lcm.KindSecret {
				out[i].secrets++
			} else {
				out[i].documents++
			}
		}
	}
	return out
}

// logReport logs what a pass found; the pass itself logs its one line.
// mirrorText tells from which mirror commits come, and why.
func mirrorText(m *reconcile.Mirror) string {
	text := m.URL
	if m.Behind {
		text += fmt.Sprintf(", which is behind, at %s", m.Head.Short())
	}
	return text + "; the URL failed: " + m.Why
}

func logReport(log *slog.Logger) func(*reconcile.Report, error) {
	return func(r *reconcile.Report, err error) {
		if err != nil {
			log.Error("pass failed", "error", err)
			return
		}
		if m := r.Mirror; m != nil {
			log.Warn("fetched from a mirror", "mirror", m.URL, "head", m.Head.Short(), "behind", m.Behind, "error", m.Why)
		}
		for _, l := range r.Plan.Loosens {
			log.Warn("rules loosened", "revision", l.Revision.Short(), "file", l.File, "what", l.What)
		}
		for _, f := range r.Findings {
			log.Warn("finding", "at", f.Position.String(), "severity", f.Severity, "rule", f.Rule, "message", f.Message)
		}
		for _, h := range r.Held {
			for _, f := range h.Findings {
				log.Warn("held", "namespace", h.Namespace.String(), "serving", h.Serving.Short(), "at", f.Position.String(), "rule", f.Rule, "message", f.Message)
			}
		}
		logWaiting(log, r.Waiting)
		for _, d := range r.Drift[:min(len(r.Drift), maxDriftLines)] {
			log.Warn("drift", "address", d.Address.String(), "target", d.Target, "kind", d.Kind, "fields", d.Fields, "found", d.Found, "corrected", !d.Corrected.IsZero(), "text", driftText(d))
		}
		if n := r.Drifted.Total(); n > maxDriftLines {
			log.Warn("drift of more entries", "count", n-maxDriftLines)
		}
		for _, f := range r.Failed {
			log.Error("target failed", "namespace", f.Namespace.String(), "target", f.Target, "error", f.ErrorText())
		}
	}
}
