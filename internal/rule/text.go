package rule

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// Text explains a rule on a terminal.
func (r Rule) Text() (string, error) {
	var b strings.Builder
	fmt.Fprintf(&b, "%s (%s%s)\n%s\n\n%s\n\n%s\n", r.ID, r.Severity, r.judge(), r.Title, wrap(r.Why), wrap(r.Fix))
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

// columns is where prose is wrapped for a terminal, in code points.
const columns = 100

func wrap(prose string) string {
	var b strings.Builder
	at := 0
	for line := range strings.Lines(prose) {
		for _, w := range strings.Fields(line) {
			n := utf8.RuneCountInString(w)
			if at > 0 && at+1+n > columns {
				b.WriteByte('\n')
				at = 0
			} else if at > 0 {
				b.WriteByte(' ')
				at++
			}
			b.WriteString(w)
			at += n
		}
		if strings.HasSuffix(line, "\n") {
			b.WriteByte('\n')
			at = 0
		}
	}
	return b.String()
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
