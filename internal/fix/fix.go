// Package fix mends in a file what leaves no choice: its layout, the order of its keys, quotes that a value needs, and
// fields that can have one value only. What people or machines sealed or signed by its bytes is left alone.
package fix

import (
	"bytes"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/llm-config-manager/lcm/internal/diag"
	"github.com/llm-config-manager/lcm/internal/jsonschema"
	"github.com/llm-config-manager/lcm/internal/strictyaml"
	"github.com/llm-config-manager/lcm/internal/yamlfmt"
)

// Fixable reports whether a file of a repository may be mended: a document that is not sealed, lcm.yaml, .sops.yaml. A
// policy of trust has a version, which a person has to count up with every change.
func Fixable(name string) bool {
	switch {
	case name == "lcm.yaml" || name == ".sops.yaml":
		return true
	case strings.HasSuffix(name, ".sops.yaml"):
		return false
	}
	return strings.HasPrefix(name, "namespaces/") && strings.HasSuffix(name, ".yaml")
}

// Layout is a file as it should be laid out; findings if it cannot be read.
func Layout(d *jsonschema.Definitions, name string, text []byte) ([]byte, []diag.Finding) {
	doc, findings := strictyaml.Parse(name, text)
	if len(findings) > 0 {
		return nil, findings
	}
	of := definition(name, doc)
	return yamlfmt.Format(name, text, func(path []string) []string { return d.Keys(of, path) })
}

// Mend returns a file with what can be mended, and laid out. One that cannot be read even so is returned as far
// as it was mended.
func Mend(d *jsonschema.Definitions, name string, text []byte) []byte {
	text = bytes.TrimPrefix(text, []byte("\ufeff"))
	text = bytes.ReplaceAll(text, []byte("\r\n"), []byte("\n"))
	doc, findings := strictyaml.Parse(name, text)
	if len(findings) > 0 {
		return text
	}
	text = quoted(d, definition(name, doc), doc, text)
	text = completed(d, name, doc, text)
	if out, findings := Layout(d, name, text); len(findings) == 0 {
		return out
	}
	return text
}

// definition is what a file is held to, by its place or its kind; "" if that is not known.
func definition(name string, doc *strictyaml.Document) string {
	switch name {
	case "lcm.yaml":
		return "#Repository"
	case ".sops.yaml":
		return "#SealRules"
	}
	if kind, ok := doc.Map()["kind"].(string); ok {
		return "#" + kind
	}
	return ""
}

// completed adds the fields that can have one value only: the version of the format, and the edition of the rules.
func completed(d *jsonschema.Definitions, name string, doc *strictyaml.Document, text []byte) []byte {
	of, top := definition(name, doc), doc.Map()
	if top == nil {
		return text
	}
	for _, field := range [...][2]string{{"rules", `"1"`}, {"apiVersion", "lcm/v1"}} {
		key, value := field[0], field[1]
		if _, there := top[key]; there || !slices.Contains(d.Keys(of, nil), key) {
			continue
		}
		at := firstKey(doc, text)
		if at < 0 {
			return text
		}
		text = slices.Insert(text, at, []byte(key+": "+value+"\n")...)
		if doc, _ = strictyaml.Parse(name, text); doc == nil {
			return text
		}
	}
	return text
}

// firstKey is the offset of the line of the first key; -1 if keys do not begin lines.
func firstKey(doc *strictyaml.Document, text []byte) int {
	first := 0
	for key := range doc.Map() {
		at := doc.KeyPosition(key)
		if at.Column != 1 {
			return -1
		}
		if first == 0 || at.Line < first {
			first = at.Line
		}
	}
	return offset(text, first, 1)
}

// literal is a number or a word as it stands in YAML, up to what ends it.
var literal = regexp.MustCompile(`^[-+0-9A-Za-z.]+`)

// place is a value to be quoted.
type place struct{ line, column int }

// quoted puts quotes around numbers, and true and false, where a text is asked for that they could be.
func quoted(d *jsonschema.Definitions, of string, doc *strictyaml.Document, text []byte) []byte {
	var places []place
	visit(doc.Value, nil, func(path []string, value any) {
		switch value.(type) {
		case int64, float64, bool:
		default:
			return
		}
		at := doc.Position(path...)
		if word := wordAt(text, at.Line, at.Column); word != "" && d.MustBeText(of, path, word) {
			places = append(places, place{at.Line, at.Column})
		}
	})
	slices.SortFunc(places, func(a, b place) int { // the last first, so that the others stay where they are
		if a.line != b.line {
			return b.line - a.line
		}
		return b.column - a.column
	})
	for _, p := range places {
		from := offset(text, p.line, p.column)
		to := from + len(wordAt(text, p.line, p.column))
		text = slices.Concat(text[:from], []byte(strconv.Quote(string(text[from:to]))), text[to:])
	}
	return text
}

func visit(v any, path []string, f func([]string, any)) {
	f(path, v)
	switch v := v.(type) {
	case map[string]any:
		for key, below := range v {
			visit(below, append(slices.Clone(path), key), f)
		}
	case []any:
		for i, below := range v {
			visit(below, append(slices.Clone(path), strconv.Itoa(i)), f)
		}
	}
}

func wordAt(text []byte, line, column int) string {
	from := offset(text, line, column)
	if from < 0 {
		return ""
	}
	return string(literal.Find(text[from:]))
}

// offset is where a line and column, both from 1, stand; columns are code points.
func offset(text []byte, line, column int) int {
	at := 0
	for ; line > 1; line-- {
		n := bytes.IndexByte(text[at:], '\n')
		if n < 0 {
			return -1
		}
		at += n + 1
	}
	for range column - 1 {
		if at >= len(text) || text[at] == '\n' {
			return -1
		}
		at++
		for at < len(text) && text[at]&0xc0 == 0x80 {
			at++
		}
	}
	return at
}
