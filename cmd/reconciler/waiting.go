package main

import (
	"fmt"
	"log/slog"
	"strings"

	"github.com/llm-config-manager/lcm/internal/reconcile"
)

// maxWaitingLines bounds the namespaces that are named to people and in the log: a whole repository may be suspended.
const maxWaitingLines = 100

// writeWaiting tells what waits, by why it does.
func writeWaiting(b *strings.Builder, all []reconcile.Waiting) {
	var order []string
	by := map[string][]reconcile.Waiting{}
	for _, w := range all {
		why := pauseText(w.Pause)
		if by[why] == nil {
			order = append(order, why)
		}
		by[why] = append(by[why], w)
	}
	left := maxWaitingLines
	for _, why := range order {
		fmt.Fprintln(b, why)
		for _, w := range by[why][:min(len(by[why]), left)] {
			fmt.Fprintf(b, "  %s: %s\n", w.Namespace, waitingText(w))
		}
		if more := len(by[why]) - left; more > 0 {
			fmt.Fprintf(b, "  and %s more\n", plural(more, "namespace"))
		}
		left = max(0, left-len(by[why]))
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

// logWaiting logs what waits.
func logWaiting(log *slog.Logger, all []reconcile.Waiting) {
	for _, w := range all[:min(len(all), maxWaitingLines)] {
		log.Info("waiting", "namespace", w.Namespace.String(), "changes", w.Changes, "since", w.Since.Short(), "serving", w.Serving.Short(), "for", pauseText(w.Pause))
	}
	if more := len(all) - maxWaitingLines; more > 0 {
		log.Info("waiting more", "count", more)
	}
}
