// Package yamlfmt lays out a strict YAML file the one way: known keys in their order, two spaces a level, no blanks at
// line ends, one empty line at most, a newline at the end. Comments, quotes and what stands on one line stay as they
// are. What it wrote is read again, and must say exactly what was there before; where it would not, an
// arrangement that the package does not know is left as it stands.
package yamlfmt

import (
	"bytes"
	"reflect"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/llm-config-manager/lcm/internal/diag"
	"github.com/llm-config-manager/lcm/internal/strictyaml"
)

// Order gives the order of the keys of the mapping at a path; those that it does not name follow as they stand.
type Order func(path []string) []string

// Format lays out a file. There are findings if it is not in form; it is not changed then.
func Format(file string, text []byte, order Order) ([]byte, []diag.Finding) {
	before, findings := strictyaml.Parse(file, text)
	if len(findings) > 0 {
		return nil, findings
	}
	var root yaml.Node
	if err := yaml.Unmarshal(text, &root); err != nil || len(root.Content) != 1 || bytes.ContainsAny(text, otherBreaks) {
		return text, nil
	}
	for _, reindent := range [...]bool{true, false} {
		f := &formatter{lines: strings.Split(strings.TrimRight(string(text), "\n"), "\n"), order: order, reindent: reindent}
		f.keepTexts(&root)
		out := f.tidy(f.node(root.Content[0], nil, 0, len(f.lines), 0))
		if says(file, out, before) {
			return out, nil
		}
	}
	return text, nil
}

// otherBreaks end lines for a YAML parser, and not for those who see the file.
const otherBreaks = "\r\u0085\u2028\u2029"

// says reports whether a text says what was there, keys and values, and has all its comments.
func says(file string, text []byte, before *strictyaml.Document) bool {
	after, findings := strictyaml.Parse(file, text)
	return len(findings) == 0 && reflect.DeepEqual(after.Value, before.Value) && len(after.Comments) == len(before.Comments)
}

type formatter struct {
	lines    []string
	verbatim map[int]bool // lines whose blanks mean something: of texts that go over several
	order    Order
	reindent bool
}

// line is one of the result.
type line struct {
	text     string
	verbatim bool
}

// keepTexts notes the lines of scalars that go over several, all but the first.
func (f *formatter) keepTexts(n *yaml.Node) {
	if f.verbatim == nil {
		f.verbatim = map[int]bool{}
	}
	if n.Kind == yaml.ScalarNode && (n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0 || strings.Contains(n.Value, "\n")) {
		for i := n.Line; i < len(f.lines) && (strings.TrimSpace(f.lines[i]) == "" || indentOf(f.lines[i]) > f.indentAbove(n)); i++ {
			f.verbatim[i] = true
		}
	}
	for _, c := range n.Content {
		f.keepTexts(c)
	}
}

func (f *formatter) indentAbove(n *yaml.Node) int { return indentOf(f.lines[n.Line-1]) }

func indentOf(line string) int { return len(line) - len(strings.TrimLeft(line, " ")) }

// node lays out what stands in the lines from and before to, so many columns further to the right.
func (f *formatter) node(n *yaml.Node, path []string, from, to, shift int) []line {
	switch {
	case n.Style&yaml.FlowStyle != 0 || len(n.Content) == 0:
	case n.Kind == yaml.MappingNode:
		return f.mapping(n, path, from, to, shift)
	case n.Kind == yaml.SequenceNode:
		return f.sequence(n, path, from, to, shift)
	}
	return f.shifted(from, to, shift)
}

func (f *formatter) shifted(from, to, shift int) []line {
	var out []line
	for i := from; i < to; i++ {
		l := line{f.lines[i], f.verbatim[i]}
		if rest := strings.TrimLeft(l.text, " "); rest != "" {
			l.text = strings.Repeat(" ", max(0, indentOf(l.text)+shift)) + rest
		}
		out = append(out, l)
	}
	return out
}

// mapping lays out the entries of a mapping, in order. What stands above the first key of a file belongs to the file.
func (f *formatter) mapping(n *yaml.Node, path []string, from, to, shift int) []line {
	type entry struct {
		key, value *yaml.Node
		from, to   int
	}
	var entries []entry
	for i := 0; i < len(n.Content); i += 2 {
		e := entry{key: n.Content[i], value: n.Content[i+1]}
		if e.from = max(from, f.lead(e.key)); i == 0 {
			e.from = from
			if len(path) == 0 {
				e.from = e.key.Line - 1
			}
		}
		entries = append(entries, e)
	}
	for i := range entries {
		if entries[i].to = to; i+1 < len(entries) {
			entries[i].to = entries[i+1].from
		}
	}
	out := f.shifted(from, entries[0].from, shift)
	if !f.dashBefore(n) {
		entries = sortBy(entries, f.rank(path), func(e entry) string { return e.key.Value })
	}
	for _, e := range entries {
		out = append(out, f.entry(e.key, e.value, append(path[:len(path):len(path)], e.key.Value), e.from, e.to, shift)...)
	}
	return out
}

// dashBefore reports whether a mapping begins in the line of its dash, which can't be moved from its first entry.
func (f *formatter) dashBefore(n *yaml.Node) bool {
	return strings.Contains(f.lines[n.Line-1][:min(n.Column-1, len(f.lines[n.Line-1]))], "-")
}

// lead is where the comment right above a key begins, or else the key.
func (f *formatter) lead(key *yaml.Node) int {
	i := key.Line - 1
	for i > 0 && strings.HasPrefix(strings.TrimSpace(f.lines[i-1]), "#") && indentOf(f.lines[i-1]) == key.Column-1 && !f.verbatim[i-1] {
		i--
	}
	return i
}

func (f *formatter) rank(path []string) map[string]int {
	ranks := map[string]int{}
	if f.order == nil {
		return ranks
	}
	for i, key := range f.order(path) {
		ranks[key] = i
	}
	return ranks
}

func sortBy[T any](list []T, ranks map[string]int, name func(T) string) []T {
	known, rest := make([]T, len(ranks)), []T(nil)
	there := make([]bool, len(ranks))
	for _, x := range list {
		if i, ok := ranks[name(x)]; ok {
			known[i], there[i] = x, true
		} else {
			rest = append(rest, x)
		}
	}
	var out []T
	for i, x := range known {
		if there[i] {
			out = append(out, x)
		}
	}
	return append(out, rest...)
}

// entry lays out one key with what it holds.
func (f *formatter) entry(key, value *yaml.Node, path []string, from, to, shift int) []line {
	if value.Line == key.Line || value.Style&yaml.FlowStyle != 0 || value.Kind == yaml.ScalarNode {
		return f.shifted(from, to, shift)
	}
	begins := key.Line // the line after the key's
	out := f.shifted(from, begins, shift)
	below := shift
	if f.reindent {
		want := key.Column + shift + 2 // counted from 1
		if value.Kind == yaml.SequenceNode && value.Column == key.Column {
			want = key.Column + shift
		}
		below = want - value.Column
	}
	return append(out, f.node(value, path, begins, to, below)...)
}

// sequence lays out the elements of a list.
func (f *formatter) sequence(n *yaml.Node, path []string, from, to, shift int) []line {
	var out []line
	for i, e := range n.Content {
		end := to
		if i+1 < len(n.Content) {
			end = max(from, f.begin(n.Content[i+1], n.Column))
		}
		out = append(out, f.node(e, append(path[:len(path):len(path)], "[]"), from, end, shift)...)
		from = end
	}
	return out
}

// begin is where an element begins, with the comment right above it.
func (f *formatter) begin(e *yaml.Node, column int) int {
	return f.lead(&yaml.Node{Line: e.Line, Column: column})
}

// tidy takes blanks from line ends and empty lines that follow another.
func (f *formatter) tidy(lines []line) []byte {
	var b bytes.Buffer
	empty := true // as at the beginning
	for _, l := range lines {
		text := l.text
		if !l.verbatim {
			text = strings.TrimRight(text, " \t")
			if text == "" && empty {
				continue
			}
		}
		empty = text == "" && !l.verbatim
		b.WriteString(text)
		b.WriteByte('\n')
	}
	return append(bytes.TrimRight(b.Bytes(), "\n"), '\n')
}
