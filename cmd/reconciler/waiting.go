package main

import (
	"fmt"
	"log/slog"
	"strings"

	"github.com/llm-config-manager/lcm/internal/reconcile"
)

// maxWaitingLines bounds the namespaces that are named to people: a whole repository may be suspended.
const maxWaitingLines = 100

// group is what waits for one reason.
type group struct {
	why     string
	waiting []reconcile.Waiting
}

func groups(all []reconcile.Waiting) (out []*group) {
	by := map[string]*group{}
	for _, w := range all {
		why := pauseText(w.Pause)
		if by[why] == nil {
			by[why] = &group{why: why}
			out = append(out, by[why])
		}
		by[why].waiting = append(by[why].waiting, w)
	}
	return out
}

// writeWaiting tells what waits, by why it does.
func writeWaiting(b *strings.Builder, all []reconcile.Waiting) {
	left := maxWaitingLines
	for _, g := range groups(all) {
		fmt.Fprintln(b, g.why)
		for _, w := range g.waiting[:min(len(g.waiting), left)] {
			fmt.Fprintf(b, "  %s: %s\n", w.Namespace, waitingText(w))
		}
		if more := len(g.waiting) - left; more > 0 {
			fmt.Fprintf(b, "  and %s more\n", plural(more, "namespace"))
		}
		left = max(0, left-len(g.waiting))
	}
}

// pauseText says why something waits, and until when.
func pauseText(p *reconcile.Pause) string {
	switch {
	case p == nil:
		return "WAITING for the next pass: what it waited for has come"
	case p.Window():
		return fmt.Sprintf("WAITING for a window of %s, which opens at %s", p.Namespaces, stampText(p.Opens))
	}
	by := p.By
	if p.Commit != "" {
		by = "lcm.yaml of " + p.Commit.Short()
	}
	text := fmt.Sprintf("SUSPENDED %s by %s since %s", p.Namespaces, by, stampText(p.Since))
	if !p.Until.IsZero() {
		text += ", until " + stampText(p.Until)
	}
	return text + ": " + p.Reason
}

func waitingText(w reconcile.Waiting) string {
	text := waitText(w.Changes)
	if w.Serving == "" {
		return text + ", nothing was ever applied"
	}
	return text + ", still serving " + w.Serving.Short()
}

func waitText(changes int) string {
	if changes == 1 {
		return "1 change waits"
	}
	return plural(changes, "change") + " wait"
}

// logWaiting logs what waits, a line for each reason: it may wait for many passes.
func logWaiting(log *slog.Logger, all []reconcile.Waiting) {
	for _, g := range groups(all) {
		changes := 0
		for _, w := range g.waiting {
			changes += w.Changes
		}
		log.Info("waiting", "namespaces", len(g.waiting), "changes", changes, "for", g.why)
	}
}
