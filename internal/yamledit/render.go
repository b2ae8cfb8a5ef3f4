package yamledit

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// plain is a value as it is read: Mappings become maps.
func plain(v any) any {
	switch v := v.(type) {
	case Mapping:
		m := make(map[string]any, len(v))
		for _, f := range v {
			m[f.Key] = plain(f.Value)
		}
		return m
	case []any:
		s := make([]any, len(v))
		for i, e := range v {
			s[i] = plain(e)
		}
		return s
	}
	return v
}

// flow writes a value in one line.
func flow(v any) string {
	switch v := v.(type) {
	case Mapping:
		var fields []string
		for _, f := range v {
			fields = append(fields, flowField(f))
		}
		return "{" + strings.Join(fields, ", ") + "}"
	case []any:
		var all []string
		for _, e := range v {
			all = append(all, flow(e))
		}
		return "[" + strings.Join(all, ", ") + "]"
	case string:
		return Scalar(v)
	}
	return fmt.Sprint(v)
}

// flowField writes an entry of a mapping, or an element of a sequence, in one line.
func flowField(f Field) string {
	if f.Key == "" {
		return flow(f.Value)
	}
	return Scalar(f.Key) + ": " + flow(f.Value)
}

// bare is what needs no quotes: words that mean nothing else in YAML, and times.
var (
	bare = regexp.MustCompile(`^([A-Za-z][A-Za-z0-9._/-]*|[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]+Z)$`)
	word = []string{"null", "true", "false", "yes", "no", "on", "off", "y", "n"}
)

// Scalar writes a text as it stands in YAML, in quotes where it needs them.
func Scalar(s string) string {
	if bare.MatchString(s) && !slices.Contains(word, strings.ToLower(s)) {
		return s
	}
	return strconv.QuoteToGraphic(s)
}

// Entry writes an entry of a mapping that is indented so far, in one line if it is short: if none of its lists holds
// more than one mapping, and no text has several lines.
func Entry(f Field, indent int) string { return block(f, indent, long(f.Value)) }

// long reports whether a value would be hard to read in one line: several mappings in a list.
func long(v any) bool {
	m, _ := v.(Mapping)
	return slices.ContainsFunc(m, func(f Field) bool {
		s, ok := f.Value.([]any)
		return ok && len(s) > 1 && hasMapping(s)
	})
}

// block writes an entry of a mapping, or an element of a sequence, over as many lines as it needs: what holds
// a text of several lines in several, anything else in one.
func block(f Field, indent int, nested bool) string {
	pad := strings.Repeat(" ", indent)
	head := pad + "- "
	if f.Key != "" {
		head = pad + Scalar(f.Key) + ":"
	}
	switch v := f.Value.(type) {
	case string:
		if lines, ok := strings.CutSuffix(v, "\n"); ok {
			text := pad + "  " + strings.ReplaceAll(lines, "\n", "\n"+pad+"  ")
			return strings.TrimRight(head, " ") + " |\n" + blankLines.ReplaceAllString(text, "\n\n") + "\n"
		}
	case Mapping:
		if nested || tall(v) {
			return blockMapping(head, v, indent, f.Key == "")
		}
	case []any:
		if tall(v) || f.Key != "" && nested && len(v) > 1 && hasMapping(v) {
			return blockSequence(head, v, indent)
		}
	}
	if f.Key != "" {
		head += " "
	}
	return head + flow(f.Value) + "\n"
}

var blankLines = regexp.MustCompile(`\n +\n`)

func blockMapping(head string, m Mapping, indent int, element bool) string {
	var b strings.Builder
	for i, f := range m {
		line := block(f, indent+2, true)
		if i == 0 && element {
			line = head + strings.TrimLeft(line, " ")
		} else if i == 0 {
			line = head + "\n" + line
		}
		b.WriteString(line)
	}
	return b.String()
}

func blockSequence(head string, s []any, indent int) string {
	var b strings.Builder
	b.WriteString(strings.TrimRight(head, " ") + "\n")
	for _, e := range s {
		b.WriteString(block(Field{Value: e}, indent+2, false))
	}
	return b.String()
}

// tall reports whether a value holds a text of several lines.
func tall(v any) bool {
	switch v := v.(type) {
	case Mapping:
		return slices.ContainsFunc(v, func(f Field) bool { return tall(f.Value) })
	case []any:
		return slices.ContainsFunc(v, tall)
	case string:
		return strings.HasSuffix(v, "\n")
	}
	return false
}

func hasMapping(s []any) bool {
	return slices.ContainsFunc(s, func(v any) bool { _, ok := v.(Mapping); return ok })
}
