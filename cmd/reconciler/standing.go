package main

import (
	"fmt"
	"strings"

	"github.com/llm-config-manager/lcm/internal/reconcile"
	"github.com/llm-config-manager/lcm/internal/state"
)

// Bounds of what a status tells people of namespaces that they did not ask for.
const (
	maxStandingRows = 50
	maxStandingWhy  = 5 // lines of reasons for each
)

var standingColours = map[reconcile.Standing]string{
	reconcile.StandingHeld: "31", reconcile.StandingFailed: "31", reconcile.StandingWaiting: "33", reconcile.StandingSuspended: "33", reconcile.StandingCurrent: "32",
}

// writeNamespaces lists namespaces, each with why it is not as it should be, and counts the others. Who watches over
// HTTP is told only what is wrong.
func writeNamespaces(b *strings.Builder, s *reconcile.Status, t telling, paint func(code, text string) string) {
	if s.Counts == nil {
		writeWrong(b, s)
		return
	}
	rows := s.Namespaces
	if !t.all && len(t.patterns) == 0 {
		rows = rows[:min(len(rows), maxStandingRows)]
	}
	width := len("NAMESPACE")
	for _, n := range rows {
		width = max(width, len(n.Namespace.String()))
	}
	if len(rows) > 0 {
		fmt.Fprintf(b, "\n%s\n", paint("1", fmt.Sprintf("%-*s  %-9s  %-10s  %-20s  %7s", width, "NAMESPACE", "STATE", "REVISION", "SINCE", "ENTRIES")))
	}
	for _, n := range rows {
		since := ""
		if !n.Since.IsZero() {
			since = stampText(n.Since)
		}
		word := paint(standingColours[n.State], fmt.Sprintf("%-9s", strings.ToUpper(string(n.State))))
		fmt.Fprintf(b, "%-*s  %s  %-10s  %-20s  %7d\n", width, n.Namespace, word, orNothing(n.Revision), since, n.Entries)
		for _, why := range whyText(n) {
			fmt.Fprintf(b, "    %s\n", why)
		}
	}
	if more := len(s.Namespaces) - len(rows); more > 0 {
		fmt.Fprintf(b, "and %d more that are not as they should be: --all lists them\n", more)
	}
	fmt.Fprintf(b, "\nnamespaces  %s\n", countsText(s.Counts))
}

// writeWrong tells what is held, failed or waits, without any other namespace.
func writeWrong(b *strings.Builder, s *reconcile.Status) {
	var held []reconcile.Held
	for _, h := range s.Held {
		held = append(held, reconcile.Held(h))
	}
	writeHeld(b, held)
	for _, f := range s.Failed {
		fmt.Fprintf(b, "FAILED %s on target %s\n", f.Namespace, strings.Join(f.Targets, ", "))
	}
	writeWaiting(b, s.Waiting)
}

// whyText says why a namespace is not as it should be, and since when.
func whyText(n reconcile.StatusNamespace) (out []string) {
	for _, f := range n.Findings[:min(len(n.Findings), maxStandingWhy)] {
		out = append(out, f.String())
	}
	if more := len(n.Findings) - maxStandingWhy; more > 0 {
		out = append(out, fmt.Sprintf("and %s more", plural(more, "finding")))
	}
	for _, target := range n.Failed {
		out = append(out, "target "+target+" did not take what is for it")
	}
	if n.Changes > 0 {
		out = append(out, waitText(n.Changes))
	}
	if n.Pause != nil && (n.Changes > 0 || !n.Pause.Window()) {
		out = append(out, pauseText(n.Pause))
	}
	if n.Behind != "" && len(out) > 0 {
		out[0] = "since " + n.Behind.Short() + ": " + out[0]
	}
	return out
}

// countsText counts namespaces, those first that are not as they should be.
func countsText(c reconcile.StatusCounts) string {
	total, parts := 0, []string(nil)
	for _, s := range []reconcile.Standing{reconcile.StandingHeld, reconcile.StandingFailed, reconcile.StandingWaiting, reconcile.StandingSuspended, reconcile.StandingCurrent} {
		if total += c[s]; c[s] > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", c[s], s))
		}
	}
	if total == 0 {
		return "none yet"
	}
	return strings.Join(parts, ", ")
}

func writeSuspensions(b *strings.Builder, all []state.Suspension) {
	for _, s := range all[:min(len(all), maxWaitingLines)] {
		fmt.Fprintln(b, pauseText(&reconcile.Pause{Suspension: s}))
	}
	if more := len(all) - maxWaitingLines; more > 0 {
		fmt.Fprintf(b, "and %s more\n", plural(more, "suspension"))
	}
}

// writeWindows tells of maintenance windows, the last time that they were taken no notice of, and a configuration that is not
// in force.
func writeWindows(b *strings.Builder, s *reconcile.Status) {
	for _, w := range s.Windows {
		is := "closed"
		if w.Open {
			is = "open"
		}
		fmt.Fprintf(b, "window      %s is %s, opens at %s\n", w.Namespaces, is, stampText(w.Opens))
	}
	if r := s.Reload; r != nil && !r.Success {
		fmt.Fprintf(b, "reload      FAILED at %s, the daemon goes on with the old configuration: %s\n", stampText(r.At), strings.ReplaceAll(r.Error, "\n", "; "))
	}
	if e := s.Exception; e != nil {
		fmt.Fprintf(b, "exception   windows of %s were taken no notice of at %s by %s: %s\n", e.Namespaces, stampText(e.At), e.By, e.Reason)
	}
}
