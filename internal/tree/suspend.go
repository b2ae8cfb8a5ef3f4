package tree

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/llm-config-manager/lcm/internal/diag"
	"github.com/llm-config-manager/lcm/internal/lcm"
)

// Suspend is that the repository itself says of some namespaces that nothing is written for them.
type Suspend struct {
	Namespaces lcm.Pattern
	Reason     string
	Until      time.Time // when it ends by itself; zero: it does not
	Position   diag.Position
}

const (
	maxSuspends = 100
	maxReason   = 256 // characters
)

func (s *Settings) suspends(f *form, v any) {
	const rule = "settings/suspend"
	list, ok := v.([]any)
	if !ok || len(list) > maxSuspends {
		f.at([]string{"suspend"}, rule, "suspend is a list of at most %d entries, each with namespaces and reason", maxSuspends)
		return
	}
	for i, v := range list {
		at := join([]string{"suspend"}, strconv.Itoa(i))
		m, ok := v.(map[string]any)
		if !ok {
			f.at(at, rule, "an entry is a mapping of namespaces, reason and, if wanted, until")
			continue
		}
		f.only(m, at, "settings/unknown-field", "namespaces", "reason", "until")
		s.Suspend = append(s.Suspend, f.suspend(m, at, rule))
	}
}

func (f *form) suspend(m map[string]any, at []string, rule string) (s Suspend) {
	var err error
	text, _ := m["namespaces"].(string)
	if s.Namespaces, err = lcm.ParsePattern(text); err != nil {
		f.at(join(at, "namespaces"), rule, "namespaces must be a pattern of whole segments, * for one and ** for any number, such as acme-corp/*/*/production")
	}
	s.Position = f.doc.Position(join(at, "namespaces")...)
	s.Reason, _ = m["reason"].(string)
	if s.Reason = strings.TrimSpace(s.Reason); s.Reason == "" || len([]rune(s.Reason)) > maxReason || strings.ContainsAny(s.Reason, "\r\n") {
		f.at(join(at, "reason"), rule, "reason must say on one line, in at most %d characters, why nothing is to be written there", maxReason)
	}
	if v, ok := m["until"]; ok {
		text, _ := v.(string)
		if s.Until, err = time.Parse(time.RFC3339, text); err != nil {
			f.at(join(at, "until"), rule, "until must be a time such as 2027-01-31T18:00:00Z, at which it ends by itself")
		}
	}
	return s
}

// idleSuspensions finds suspensions that suspend nothing: no published namespace matches, or another entry has it all.
func (t *Tree) idleSuspensions(f *form, names []string) {
	all, left := t.settings.Suspend, maxPatternMatches
	for i, s := range all {
		k := slices.IndexFunc(all, s.within)
		switch {
		case k >= 0 && (k < i || !all[k].within(s)):
			f.warn(s.path(i), "settings/suspend-twice", "all that this suspends is suspended by line %d already: keep one of the two, so that it ends when that is meant to end", all[k].Position.Line)
		case len(names) > 0 && !matchesAny(s.Namespaces, names, &left):
			f.warn(s.path(i), "settings/suspend-nothing", "no namespace matches, so nothing is suspended: a namespace is org/project/service/environment, and patterns match whole segments")
		}
	}
}

func (s Suspend) path(i int) []string { return []string{"suspend", strconv.Itoa(i), "namespaces"} }

// within reports whether another entry suspends all of this one, and for as long.
func (s Suspend) within(o Suspend) bool {
	return s.Position != o.Position && s.Namespaces.Within([]lcm.Pattern{o.Namespaces}) && (o.Until.IsZero() || !s.Until.IsZero() && !o.Until.Before(s.Until))
}
