package strictyaml

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/llm-config-manager/lcm/internal/diag"
)

// FuzzParse: a file is either read or told what is wrong with it, at a place that it has; and what was read,
// written and read again, is the same.
func FuzzParse(f *testing.F) {
	for _, s := range []string{
		"a: 1", "a: [b, {c: d}]", "? a\n: b", "a: |\n  x\n", "- 1\n- 2", "a: &x [*x]",
		"a: &a [x]\nb: &b [*a, *a]\nc: [*b, *b]", "<<: {a: 1}", "a: !!binary aGk=", "!x y", "%YAML 1.1\n---\na: yes", "---\na: 1\n---\nb: 2", "a: 1\n...\n",
		"\ufeffa: 1", "a: \x00", "\xff\xfe", "a: \xc3\x28", "a: \"\\uD800\"", "a: \"\\x41\\u2028\\U0001F600\"", "\"\": {\"\": \"\"}", "a: 'it''s'",
		"a:\tb", "\ta: b", "a: >-\n  b\n\n  c\n", "a: |2\n    b\n", "a: |+\n\n\n", "a: b # c", "#", "# only\n", "a: [", "a: {b", "a: 'b", "a: \"b\\", "a: b: c", "- - - a", "[[[[[[[[", "{{{{{{{{", "? ? ? a",
		"a: 007", "a: 0o17", "a: 0x1F", "a: 9007199254740993", "a: 1e999", "a: .5", "a: -.inf", "a: .NaN", "a: ~", "a: Null", "a: no", "a: 2027-01-01", "1: a", "true: a", "~: a", "[a]: b", "a: 1\na: 2",
		"a: " + strings.Repeat("x", 2000), strings.Repeat("k", 1100) + ": 1", strings.Repeat("- ", 70) + "a", "a:\r\n  b\r\n", "a: b\rc: d", "a: \u0085b", "a: \"\\x81\\U0001F600\"", "a: \u2028",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		d, fs := Parse("f", data)
		if (d == nil) == (len(fs) == 0) {
			t.Fatal("either a document or a finding")
		}
		for _, finding := range fs {
			inside(t, data, finding.Position)
			if finding.Rule == "" || strings.ContainsAny(finding.Message, "\n\r") {
				t.Errorf("%q is not one line of a rule", finding.Message)
			}
		}
		if d == nil {
			return
		}
		places(t, data, d, nil, d.Value)
		text := flow(d.Value)
		if len(text) > MaxBytes {
			return
		}
		again, fs := Parse("f", []byte(text))
		if len(fs) > 0 {
			t.Fatalf("%q, written as %q: %v", data, text, fs)
		}
		if !reflect.DeepEqual(d.Value, again.Value) {
			t.Errorf("%q, written as %q, is %v", data, text, again.Value)
		}
	})
}

// inside holds a position to the lines that the file has, or the one after its end.
func inside(t *testing.T, data []byte, p diag.Position) {
	lines := 1 + strings.Count(strings.NewReplacer("\r\n", "\n", "\r", "\n", "\u0085", "\n", "\u2028", "\n", "\u2029", "\n").Replace(string(data)), "\n")
	if p.File != "f" || p.Line < 1 || p.Line > lines+1 || p.Column < 1 || p.Column > len(data)+1 {
		t.Errorf("%+v is no place in %q", p, data)
	}
}

func places(t *testing.T, data []byte, d *Document, path []string, v any) {
	inside(t, data, d.Position(path...))
	inside(t, data, d.KeyPosition(path...))
	if len(path) > 4 {
		return
	}
	switch v := v.(type) {
	case map[string]any:
		for k, e := range v {
			places(t, data, d, append(slices.Clip(path), k), e)
		}
	case []any:
		for i, e := range v {
			places(t, data, d, append(slices.Clip(path), strconv.Itoa(i)), e)
		}
	}
}

// flow writes a value so that any length of key, and every scalar, comes back as it was.
func flow(v any) string {
	switch v := v.(type) {
	case map[string]any:
		parts := make([]string, 0, len(v))
		for _, k := range slices.Sorted(maps.Keys(v)) {
			parts = append(parts, "? "+quoted(k)+" : "+flow(v[k]))
		}
		return "{" + strings.Join(parts, ", ") + "}"
	case []any:
		parts := make([]string, 0, len(v))
		for _, e := range v {
			parts = append(parts, flow(e))
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case string:
		return quoted(v)
	case float64:
		text := strconv.FormatFloat(v, 'g', -1, 64)
		if !strings.ContainsAny(text, ".e") {
			text += ".0"
		}
		return text
	case nil:
		return "null"
	}
	return fmt.Sprint(v)
}

// quoted writes a string as a double-quoted scalar in which whatever is not plain is escaped.
func quoted(s string) string {
	var b strings.Builder
	for _, r := range s {
		if r < ' ' || r > '~' || r == '"' || r == '\\' {
			fmt.Fprintf(&b, `\U%08X`, r)
		} else {
			b.WriteRune(r)
		}
	}
	return `"` + b.String() + `"`
}
