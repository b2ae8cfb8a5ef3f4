package rule

import (
	"fmt"
	"strings"
)

// Text explains a rule on a terminal.
func (r Rule) Text() (string, error) {
	var b strings.Builder
	fmt.Fprintf(&b, "%s (%s%s)\n%s\n\n%s\n\n%s\n", r.ID, r.Severity, r.judge(), r.Title, r.Why, r.Fix)
	if r.Bad == nil {
		fmt.Fprintf(&b, "\nShown by %s.\n", strings.Join(r.Tests, ", "))
	} else {
		bad, good, err := r.Panes()
		if err != nil {
			return "", err
		}
		fmt.Fprintf(&b, "\nWrong:\n%s\n    %s\n\nRight:\n%s", panesText(bad), r.Finding, panesText(good))
	}
	fmt.Fprintf(&b, "\n%s\n", r.Page())
	return b.String(), nil
}

func (r Rule) judge() string {
	if r.Daemon {
		return ", judged by the daemon alone"
	}
	return ""
}

func panesText(panes []Pane) string {
	var b strings.Builder
	for _, p := range panes {
		b.WriteString("\n    " + p.head() + "\n")
		for line := range strings.Lines(p.Text) {
			b.WriteString("    | " + line)
		}
	}
	return b.String()
}

func (p Pane) head() string {
	if p.Note != "" {
		return p.File + " (" + p.Note + ")"
	}
	return p.File
}
