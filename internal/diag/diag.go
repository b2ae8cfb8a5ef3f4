// Package diag is what a check has to say: a finding with its place, as text or JSON.
package diag

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"slices"
)

// Severity decides whether a finding fails a check.
type Severity string

// Only errors fail a check; warnings alone exit 0.
const (
	Error   Severity = "error"
	Warning Severity = "warning"
)

// Position is a place in a file of the repository. Line and Column count from 1, Column in code
// points; 0 means that the finding concerns the file as a whole.
type Position struct {
	File   string `json:"file"`
	Line   int    `json:"line"`
	Column int    `json:"column"`
}

func (p Position) String() string {
	return fmt.Sprintf("%s:%d:%d", p.File, max(p.Line, 1), max(p.Column, 1))
}

// Finding is one thing wrong, or odd, at one place. Rule is a stable id such as
// yaml/duplicate-key. Message never holds the value of a secret.
type Finding struct {
	Position
	Severity Severity `json:"severity"`
	Rule     string   `json:"rule"`
	Message  string   `json:"message"`
}

func (f Finding) String() string {
	return fmt.Sprintf("%s: %s: %s: %s", f.Position, f.Severity, f.Rule, f.Message)
}

// Errorf makes a finding that fails the check.
func Errorf(at Position, rule, format string, args ...any) Finding {
	return Finding{at, Error, rule, fmt.Sprintf(format, args...)}
}

// Warnf makes a finding that does not fail the check.
func Warnf(at Position, rule, format string, args ...any) Finding {
	return Finding{at, Warning, rule, fmt.Sprintf(format, args...)}
}

// Failed reports whether any finding is an error.
func Failed(fs []Finding) bool {
	return slices.ContainsFunc(fs, func(f Finding) bool { return f.Severity == Error })
}

// Sort orders findings by place and rule and drops repetitions.
func Sort(fs []Finding) []Finding {
	slices.SortFunc(fs, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column),
			cmp.Compare(a.Rule, b.Rule), cmp.Compare(a.Message, b.Message))
	})
	return slices.Compact(fs)
}

// Text writes one line a finding: path:line:col: severity: rule: message.
func Text(w io.Writer, fs []Finding) error {
	for _, f := range fs {
		if _, err := fmt.Fprintln(w, f); err != nil {
			return err
		}
	}
	return nil
}

// Scope says what a check of a change looked at, and what it left alone.
type Scope struct {
	Since      string `json:"since"`   // the commit that the change is compared with
	Changed    int    `json:"changed"` // files
	Namespaces int    `json:"namespaces"`
	Skipped    int    `json:"skipped"`              // namespaces that the change can't affect
	Everything string `json:"everything,omitempty"` // why none was skipped
}

// JSON writes {"schema": "lcm.findings/v1", "findings": [...]}, and the scope if there is one. Each finding whose rule
// the tool can tell of has the page about it as help.
func JSON(w io.Writer, tool Tool, fs []Finding, scope *Scope) error {
	type helped struct {
		Finding
		Help string `json:"help,omitempty"`
	}
	out := make([]helped, len(fs))
	for i, f := range fs {
		out[i] = helped{f, tool.about(f.Rule).Page}
	}
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(struct {
		Schema   string   `json:"schema"`
		Findings []helped `json:"findings"`
		Scope    *Scope   `json:"scope,omitempty"`
	}{"lcm.findings/v1", out, scope})
}
