package diag

import (
	"fmt"
	"io"
	"os"
	"strings"
	"unicode"

	"golang.org/x/term"
)

// Colourful reports whether somebody looks who can see colours (no-color.org).
func Colourful(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb" && term.IsTerminal(int(f.Fd()))
}

// Source gives a line of a file, counted from 1; false where it may not or can't be shown.
type Source func(file string, line int) (string, bool)

// Paint returns what puts a colour around a text, by its code (ECMA-48, SGR); one that does nothing if no colour is wanted.
func Paint(colour bool) func(code, text string) string {
	if !colour {
		return func(_, text string) string { return text }
	}
	return func(code, text string) string { return "\x1b[" + code + "m" + text + "\x1b[0m" }
}

// Terminal writes findings for people: in colour if asked for, each with its line and a caret below the place.
func Terminal(w io.Writer, fs []Finding, colour bool, source Source) error {
	paint := Paint(colour)
	for _, f := range fs {
		shade := map[Severity]string{Error: "1;31", Warning: "1;33"}[f.Severity]
		if _, err := fmt.Fprintf(w, "%s: %s: %s: %s\n", paint("1", f.Position.String()), paint(shade, string(f.Severity)), paint("2", f.Rule), f.Message); err != nil {
			return err
		}
		line, ok := source(f.File, f.Line)
		if !ok || f.Line < 1 || f.Column < 1 {
			continue
		}
		text, before := excerpt(line, f.Column)
		if _, err := fmt.Fprintf(w, "    %s\n    %s%s\n", text, before, paint(shade, "^")); err != nil {
			return err
		}
	}
	return nil
}

// width is how much of a long line is shown, in code points.
const width = 100

// excerpt returns what is shown of a line, and what stands below it before the caret: blanks, and tabs where the
// line has them. Nothing that would move the cursor is left in it.
func excerpt(line string, column int) (text, before string) {
	all := []rune(strings.ToValidUTF8(strings.TrimRight(line, "\r\n"), "\uFFFD"))
	start := 0
	if column > width*3/4 {
		start = column - width/2
	}
	all = all[min(start, len(all)):]
	if len(all) > width {
		all = append(all[:width:width], '…')
	}
	var under strings.Builder
	for i, c := range all {
		if c != '\t' && !unicode.IsPrint(c) {
			all[i] = '\uFFFD'
		}
		if i < column-1-start {
			under.WriteRune(map[bool]rune{true: '\t', false: ' '}[c == '\t'])
		}
	}
	return string(all), under.String() + strings.Repeat(" ", max(0, column-1-start-len(all)))
}
