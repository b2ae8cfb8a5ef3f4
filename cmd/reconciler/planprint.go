package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/llm-config-manager/lcm/internal/plan"
	"github.com/llm-config-manager/lcm/internal/store"
)

// signs are how an action is shown, in which colour, and how it is counted.
var signs = map[store.Action]struct{ sign, colour, count string }{
	store.Create: {"+", "32", "to add"},
	store.Update: {"~", "33", "to change"},
	store.Delete: {"-", "31", "to delete"},
	store.Remark: {"=", "2", "to mark anew"},
}

// counted is the order in which actions are counted.
var counted = []store.Action{store.Create, store.Update, store.Delete, store.Remark}

// writeChanges shows a plan: each namespace, each target of it, and what happens there to each key.
func writeChanges(b *strings.Builder, p plan.Plan, paint func(code, text string) string) {
	for _, n := range p.Namespaces {
		if len(n.Held) > 0 {
			continue
		}
		changes := slices.SortedStableFunc(slices.Values(n.Changes), func(a, b plan.Change) int { return cmp.Compare(a.Target, b.Target) })
		width := 0
		for _, c := range changes {
			width = max(width, len(c.Address.Key))
		}
		target := ""
		for _, c := range changes {
			if c.Target != target {
				target = c.Target
				fmt.Fprintf(b, "%s → %s\n", paint("1", n.Namespace.String()), paint("1", target))
			}
			s := signs[c.Action]
			line := fmt.Sprintf("%s %-*s  %s", s.sign, width, c.Address.Key, c.Kind)
			if what := whatChanges(c); what != "" {
				line = fmt.Sprintf("%s %-*s  %-14s  %s", s.sign, width, c.Address.Key, c.Kind, what)
			}
			fmt.Fprintf(b, "  %s\n", paint(s.colour, line))
		}
	}
}

// maxNamed is how many fields are named in a line.
const maxNamed = 4

// whatChanges names the fields that change, by where they are in the value.
func whatChanges(c plan.Change) string {
	switch {
	case c.Action == store.Remark:
		return "(the value stands)"
	case c.Action != store.Update:
		return ""
	case len(c.Fields) == 0: // the target holds another value than it was given
		return "(somebody else changed it)"
	}
	return pointers(c.Fields)
}

// pointers names where a value differs, for people.
func pointers(fields []string) string {
	if slices.Contains(fields, "") {
		return "(the value)"
	}
	text := strings.Join(fields[:min(len(fields), maxNamed)], " ")
	if more := len(fields) - maxNamed; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return strings.Map(func(r rune) rune { // names are anybody's
		if !unicode.IsPrint(r) {
			return unicode.ReplacementChar
		}
		return r
	}, text)
}

// actions counts what is to happen: "5 to add, 1 to change".
func actions(p plan.Plan) string {
	counts := map[store.Action]int{}
	for _, n := range p.Namespaces {
		if len(n.Held) > 0 {
			continue
		}
		for _, c := range n.Changes {
			counts[c.Action]++
		}
	}
	var parts []string
	for _, a := range counted {
		if n := counts[a]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, signs[a].count))
		}
	}
	return strings.Join(parts, ", ")
}
