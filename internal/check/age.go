package check

import (
	"cmp"
	"time"

	"github.com/llm-config-manager/lcm/internal/diag"
	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/tree"
)

// due is a warning that time brings. What it says does not depend on when it is said, so that it can be kept.
type due struct {
	diag.Finding
	From  time.Time `json:"from"`
	Until time.Time `json:"until,omitzero"` // zero: for good
}

// begun gives those that hold now. Without a clock none do.
func begun(all []due, clock func() time.Time) (out []diag.Finding) {
	if clock == nil {
		return nil
	}
	now := clock()
	for _, d := range all {
		if !now.Before(d.From) && (d.Until.IsZero() || now.Before(d.Until)) {
			out = append(out, d.Finding)
		}
	}
	return out
}

// Overdue is what the age of a namespace's Secrets calls for by now. It never holds anything: what was good must not
// turn bad by itself.
func (r *Rules) Overdue(res *tree.Resolved) []diag.Finding { return begun(dues(res), r.clock) }

func dues(res *tree.Resolved) (out []due) {
	for _, e := range res.Entries {
		if e.Kind == lcm.KindSecret {
			out = append(out, rotation(e)...)
			out = append(out, expiry(e)...)
		}
	}
	return out
}

// habit is how often a Secret of a type changes, and how long before it is due somebody should look to it, where
// it does not say so itself.
func habit(secretType string) (interval, grace string) {
	switch secretType {
	case "api-key":
		return "90d", "7d"
	case "database":
		return "30d", "24h"
	case "tls": // the usual 24h is for certificates that a machine renews, and would be told of every other one
		return "", "2h"
	case "jwt-signing-key":
		return "90d", "7d"
	}
	return "", "7d"
}

// rhythm is what a Secret says of its rotation, or its type. An interval of 0 is none.
func rhythm(e *tree.Entry) (interval, grace time.Duration, written string) {
	kind, _ := e.Spec["type"].(string)
	usual, usualGrace := habit(kind)
	own, _ := e.Spec["rotation"].(map[string]any)
	said, _ := own["interval"].(string)
	saidGrace, _ := own["grace"].(string)
	written = cmp.Or(said, usual)
	interval, _ = lcm.ParseDuration(written)
	grace, _ = lcm.ParseDuration(cmp.Or(saidGrace, usualGrace))
	return interval, grace, written
}

// rotation is told by when the file was last sealed, which stands in the clear and is under the MAC. The value may be
// older than that, never younger.
func rotation(e *tree.Entry) []due {
	sops, _ := e.Documents[0].Value["sops"].(map[string]any)
	text, _ := sops["lastmodified"].(string)
	sealed, err := time.Parse(time.RFC3339, text)
	interval, _, written := rhythm(e)
	if err != nil || interval == 0 {
		return nil
	}
	at := e.Documents[0].YAML.Position("sops", "lastmodified")
	return []due{{From: sealed.Add(interval), Finding: diag.Warnf(at, "secret/overdue",
		"the value was last sealed on %s and should change every %s: put a new one in its place", day(sealed), written)}}
}

func expiry(e *tree.Entry) []due {
	text, _ := e.Spec["expires_at"].(string)
	end, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return nil
	}
	_, grace, _ := rhythm(e)
	at := e.Position("spec", "expires_at")
	return []due{
		{From: end, Finding: diag.Warnf(at, "secret/expired", "it ceased to work on %s: put a new value in its place, or delete the Secret", day(end))},
		{From: end.Add(-grace), Until: end, Finding: diag.Warnf(at, "secret/expires-soon", "it ceases to work on %s: put a new value in its place before", day(end))},
	}
}

func day(t time.Time) string { return t.UTC().Format(time.DateOnly) }
