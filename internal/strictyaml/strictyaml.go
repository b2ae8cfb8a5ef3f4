// Package strictyaml reads the one dialect of YAML that the repository format allows: UTF-8, one
// document a file, no duplicate keys, anchors, aliases, merge keys or tags, and the scalars of the
// YAML 1.2 core schema. Every value keeps its place, so that a finding can name line and column.
package strictyaml

import (
	"bytes"
	"errors"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"github.com/llm-config-manager/lcm/internal/diag"
)

// Limits on one file. Nothing a person writes comes near them.
const (
	MaxBytes   = 1 << 20
	MaxDepth   = 64
	MaxNodes   = 30_000
	MaxEntries = 2_000 // of one mapping or list: CUE takes quadratic time over them
)

// Document is a parsed file. Value holds map[string]any, []any, string, int64, float64, bool or nil.
type Document struct {
	File  string
	Value any
	// Comments is the end of every line that may hold one, from a # on. One that stands in a block scalar or in
	// quotes is no comment, and is here all the same.
	Comments []Comment
	root     *yaml.Node
}

// Placeless returns the document with what it says, and without where: every position is its beginning. It takes a
// third of the memory.
func (d *Document) Placeless() *Document {
	return &Document{File: d.File, Value: d.Value, root: beginning}
}

var beginning = &yaml.Node{Line: 1, Column: 1}

// Comment is a line's end.
type Comment struct {
	diag.Position
	Text string
}

// Map returns the document's top-level mapping, or nil if it is none.
func (d *Document) Map() map[string]any {
	m, _ := d.Value.(map[string]any)
	return m
}

// Parse reads one file strictly. It returns a nil Document if there is any finding.
func Parse(file string, data []byte) (*Document, []diag.Finding) {
	if f := encoding(file, data); f != nil {
		return nil, []diag.Finding{*f}
	}
	root, f := decode(file, data)
	if f != nil {
		return nil, []diag.Finding{*f}
	}
	c := converter{file: file}
	v := c.value(root, 0)
	if len(c.findings) > 0 {
		return nil, c.findings
	}
	return &Document{File: file, Value: v, Comments: comments(file, data), root: root}, nil
}

func comments(file string, data []byte) (out []Comment) {
	if bytes.IndexByte(data, '#') < 0 {
		return nil
	}
	n := 0
	for line := range bytes.Lines(data) {
		n++
		i := bytes.IndexByte(line, '#')
		for i > 0 && line[i-1] != ' ' && line[i-1] != '\t' {
			next := bytes.IndexByte(line[i+1:], '#')
			if next < 0 {
				i = -1
				break
			}
			i += 1 + next
		}
		if i >= 0 {
			out = append(out, Comment{diag.Position{File: file, Line: n, Column: 1 + utf8.RuneCount(line[:i])}, string(bytes.TrimRight(line[i:], "\r\n"))})
		}
	}
	return out
}

// encoding refuses what is wrong with the bytes before YAML is looked at.
func encoding(file string, data []byte) *diag.Finding {
	start := diag.Position{File: file, Line: 1, Column: 1}
	var f diag.Finding
	switch {
	case len(data) > MaxBytes:
		f = diag.Errorf(start, "yaml/too-large", "the file has %d bytes; at most %d are read: split it", len(data), MaxBytes)
	case bytes.HasPrefix(data, []byte("\xef\xbb\xbf")):
		f = diag.Errorf(start, "yaml/bom", "the file begins with a byte order mark: save it as UTF-8 without one")
	case !utf8.Valid(data):
		f = diag.Errorf(offset(file, data, invalidAt(data)), "yaml/encoding", "the file is not valid UTF-8 here")
	default:
		i := bytes.IndexFunc(data, func(r rune) bool {
			return r < ' ' && r != '\t' && r != '\n' && r != '\r' || r == 0x7f || r == 0xfeff
		})
		if i < 0 {
			return nil
		}
		f = diag.Errorf(offset(file, data, i), "yaml/control-character", "a control character stands here: write it escaped, in double quotes")
	}
	return &f
}

func invalidAt(data []byte) int {
	for i := 0; i < len(data); {
		r, n := utf8.DecodeRune(data[i:])
		if r == utf8.RuneError && n == 1 {
			return i
		}
		i += n
	}
	return 0
}

func offset(file string, data []byte, i int) diag.Position {
	line := 1 + bytes.Count(data[:i], []byte("\n"))
	begin := bytes.LastIndexByte(data[:i], '\n') + 1
	return diag.Position{File: file, Line: line, Column: 1 + utf8.RuneCount(data[begin:i])}
}

func decode(file string, data []byte) (*yaml.Node, *diag.Finding) {
	d := yaml.NewDecoder(bytes.NewReader(data))
	var doc, next yaml.Node
	err := d.Decode(&doc)
	if errors.Is(err, io.EOF) || err == nil && len(doc.Content) == 0 {
		f := diag.Errorf(diag.Position{File: file, Line: 1, Column: 1}, "yaml/empty", "the file holds no document")
		return nil, &f
	}
	if err != nil {
		f := syntax(file, data, err)
		return nil, &f
	}
	if err := d.Decode(&next); err == nil {
		f := diag.Errorf(diag.Position{File: file, Line: next.Line, Column: next.Column}, "yaml/multiple-documents",
			"a second document begins here: one document a file")
		return nil, &f
	} else if !errors.Is(err, io.EOF) {
		f := syntax(file, data, err)
		return nil, &f
	}
	return doc.Content[0], nil
}

var errorLine = regexp.MustCompile(`^yaml: (?:line (\d+): )?(?:(?:did not find|found|could not find|mapping|block|control|unknown|document).*)`)

// syntax turns the parser's error into a finding. Only the parser's own fixed sentences are kept:
// some of its messages quote the text.
func syntax(file string, data []byte, err error) diag.Finding {
	pos := diag.Position{File: file, Line: 1, Column: 1}
	msg := "this is not valid YAML"
	if m := errorLine.FindStringSubmatch(err.Error()); m != nil {
		text := strings.TrimPrefix(err.Error(), "yaml: ")
		if _, after, ok := strings.Cut(text, ": "); ok && m[1] != "" {
			text = after
		}
		if n, e := strconv.Atoi(m[1]); e == nil {
			pos.Line = n
			if countsFromZero(text) {
				pos.Line++
			}
		}
		if !strings.ContainsAny(text, "\"`") && len(text) < 100 {
			msg += ": " + text
		}
	}
	lines := bytes.Split(data, []byte("\n"))
	for pos.Line = min(pos.Line, len(lines)); pos.Line > 1 && len(bytes.TrimSpace(lines[pos.Line-1])) == 0; {
		pos.Line-- // what is never closed shows at the end, where nothing stands
	}
	text := lines[pos.Line-1]
	pos.Column = 1 + len(text) - len(bytes.TrimLeft(text, " \t"))
	if bytes.HasPrefix(bytes.TrimLeft(text, " "), []byte("\t")) {
		pos.Column = 1 + len(text) - len(bytes.TrimLeft(text, " "))
		msg = "this is not valid YAML: a tab indents this line; indent with spaces"
	}
	return diag.Errorf(pos, "yaml/syntax", "%s", msg)
}

// countsFromZero tells the complaints of the library's parser, which name the line before the one that
// they mean, from those of its scanner.
func countsFromZero(text string) bool {
	return strings.HasPrefix(text, "did not find expected <") ||
		slices.Contains([]string{
			"did not find expected node content", "did not find expected key", "did not find expected '-' indicator",
			"did not find expected ',' or ']'", "did not find expected ',' or '}'", "found undefined tag handle",
			"found duplicate %YAML directive", "found duplicate %TAG directive", "found incompatible YAML document",
		}, text)
}

type converter struct {
	file     string
	findings []diag.Finding
	nodes    int
	anchors  map[string]bool // those refused: what repeats them is no mistake of its own
}

func (c *converter) refuse(n *yaml.Node, rule, format string, args ...any) {
	if len(c.findings) < 20 {
		c.findings = append(c.findings, diag.Errorf(c.at(n), rule, format, args...))
	}
}

func (c *converter) at(n *yaml.Node) diag.Position {
	return diag.Position{File: c.file, Line: n.Line, Column: n.Column}
}

func (c *converter) value(n *yaml.Node, depth int) any {
	c.nodes++
	switch {
	case depth > MaxDepth:
		c.refuse(n, "yaml/depth", "nested deeper than %d levels", MaxDepth)
		return nil
	case c.nodes > MaxNodes:
		if c.nodes == MaxNodes+1 {
			c.refuse(n, "yaml/too-large", "more than %d values in one file", MaxNodes)
		}
		return nil
	case n.Kind == yaml.AliasNode:
		c.alias(n)
		return nil
	case n.Anchor != "":
		c.anchor(n)
		return nil
	case n.Style&yaml.TaggedStyle != 0:
		c.refuse(n, "yaml/tag", "tags such as %.40q are not allowed", n.Tag)
		return nil
	}
	switch n.Kind {
	case yaml.MappingNode:
		return c.mapping(n, depth)
	case yaml.SequenceNode:
		if c.tooMany(n.Content, 1) {
			return nil
		}
		s := make([]any, 0, len(n.Content))
		for _, e := range n.Content {
			s = append(s, c.value(e, depth+1))
		}
		return s
	default:
		return c.scalar(n)
	}
}

// tooMany refuses a mapping or list with too many entries, each of which has some nodes.
func (c *converter) tooMany(content []*yaml.Node, each int) bool {
	if len(content) <= MaxEntries*each {
		return false
	}
	c.refuse(content[MaxEntries*each], "yaml/too-large", "more than %d entries in one mapping or list: split it", MaxEntries)
	return true
}

func (c *converter) anchor(n *yaml.Node) {
	if c.anchors == nil {
		c.anchors = map[string]bool{}
	}
	c.anchors[n.Anchor] = true
	c.refuse(n, "yaml/anchor", "anchors (&%s) are not allowed: write the value out here and wherever it is repeated", n.Anchor)
}

// alias refuses what repeats an anchor, unless something was refused before it: the anchor itself, or what holds it.
func (c *converter) alias(n *yaml.Node) {
	if len(c.findings) == 0 {
		c.refuse(n, "yaml/anchor", "aliases (*%s) are not allowed: write the value out, or refer to a key", n.Value)
	}
}

func (c *converter) mapping(n *yaml.Node, depth int) any {
	if c.tooMany(n.Content, 2) {
		return nil
	}
	m := make(map[string]any, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		switch {
		case k.Kind == yaml.AliasNode:
			c.alias(k)
			continue
		case k.Anchor != "":
			c.anchor(k)
			continue
		case k.Kind == yaml.ScalarNode && k.Tag == "!!merge":
			if v.Kind != yaml.AliasNode || !c.anchors[v.Value] {
				c.refuse(k, "yaml/merge-key", "merge keys (<<) are not allowed: write the fields out, or use metadata.merge: deep")
			}
			continue
		case k.Kind != yaml.ScalarNode || k.Style&yaml.TaggedStyle != 0:
			c.refuse(k, "yaml/key", "a key must be a plain or quoted string")
			continue
		case k.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle) == 0 && notAString(k.Value):
			c.refuse(k, "yaml/key", "the key %s is not a string in YAML: quote it", k.Value)
			continue
		}
		if _, dup := m[k.Value]; dup {
			c.refuse(k, "yaml/duplicate-key", "the key %q stands twice in this mapping", k.Value)
			continue
		}
		m[k.Value] = c.value(v, depth+1)
	}
	return m
}

func notAString(s string) bool {
	_, kind := core(s)
	return kind != str
}

func (c *converter) scalar(n *yaml.Node) any {
	if n.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle|yaml.LiteralStyle|yaml.FoldedStyle) != 0 {
		return n.Value
	}
	v, kind := core(n.Value)
	switch kind {
	case octal:
		c.refuse(n, "yaml/ambiguous-number", "a number with a leading zero is octal in one version of YAML and decimal in another: quote it, or write it without the zero")
	case outOfRange:
		c.refuse(n, "yaml/number-range", "this number does not survive JSON (integers within ±2^53, finite floats): quote it")
	}
	return v
}

type scalarKind int

const (
	str scalarKind = iota
	other
	octal
	outOfRange
)

var (
	integer  = regexp.MustCompile(`^[-+]?[0-9]+$`)
	based    = regexp.MustCompile(`^0(o[0-7]+|x[0-9a-fA-F]+)$`)
	floating = regexp.MustCompile(`^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$`)
	special  = regexp.MustCompile(`^([-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN))$`)
)

const maxInt = 1 << 53

// core resolves a plain scalar by the YAML 1.2 core schema (section 10.3.2).
func core(s string) (any, scalarKind) {
	switch s {
	case "", "~", "null", "Null", "NULL":
		return nil, other
	case "true", "True", "TRUE":
		return true, other
	case "false", "False", "FALSE":
		return false, other
	}
	if c := s[0]; c > '9' && c != '~' {
		return s, str
	}
	switch {
	case integer.MatchString(s):
		digits := strings.TrimLeft(s, "+-")
		if len(digits) > 1 && digits[0] == '0' {
			return nil, octal
		}
		i, err := strconv.ParseInt(s, 10, 64)
		if err != nil || i > maxInt || i < -maxInt {
			return nil, outOfRange
		}
		return i, other
	case based.MatchString(s):
		base := 8
		if s[1] == 'x' {
			base = 16
		}
		i, err := strconv.ParseInt(s[2:], base, 64)
		if err != nil || i > maxInt {
			return nil, outOfRange
		}
		return i, other
	case floating.MatchString(s):
		f, err := strconv.ParseFloat(s, 64)
		if err != nil {
			return nil, outOfRange
		}
		return f, other
	case special.MatchString(s):
		return nil, outOfRange
	}
	return s, str
}

// Position returns the place of the value at path, or of the nearest enclosing value that exists. An
// element of a sequence is named by its index.
func (d *Document) Position(path ...string) diag.Position {
	_, v := d.find(path)
	return diag.Position{File: d.File, Line: v.Line, Column: v.Column}
}

// KeyPosition returns the place of the key at path, or of the nearest enclosing value that exists.
func (d *Document) KeyPosition(path ...string) diag.Position {
	k, v := d.find(path)
	if k == nil {
		k = v
	}
	return diag.Position{File: d.File, Line: k.Line, Column: k.Column}
}

// find walks down path as far as it exists. The key is nil for the root, for elements of
// sequences, and where the path does not exist to its end.
func (d *Document) find(path []string) (key, value *yaml.Node) {
	value = d.root
	for _, p := range path {
		k, v := child(value, p)
		if v == nil {
			return key, value
		}
		key, value = k, v
	}
	return key, value
}

func child(n *yaml.Node, name string) (key, value *yaml.Node) {
	switch n.Kind {
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			if n.Content[i].Value == name {
				return n.Content[i], n.Content[i+1]
			}
		}
	case yaml.SequenceNode:
		if i, err := strconv.Atoi(name); err == nil && i >= 0 && i < len(n.Content) {
			return nil, n.Content[i]
		}
	}
	return nil, nil
}
