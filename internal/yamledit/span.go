package yamledit

import (
	"bytes"
	"slices"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// The library tells where a value begins, not where it ends. Ends are found here: in flow style from
// the text, in block style by indentation. A wrong guess is found out when the result is read again.

// offset is where a node begins; -1 if the text has no such place.
func (f *File) offset(n *yaml.Node) int {
	at := f.lineStart(n.Line - 1)
	for range n.Column - 1 {
		if at < 0 || at >= len(f.text) {
			return -1
		}
		_, size := utf8.DecodeRune(f.text[at:])
		at += size
	}
	return at
}

// lineStart is where a line begins, counted from 0; -1 if there is none.
func (f *File) lineStart(line int) int {
	at := 0
	for ; line > 0; line-- {
		i := bytes.IndexByte(f.text[at:], '\n')
		if i < 0 {
			return -1
		}
		at += i + 1
	}
	if line < 0 {
		return -1
	}
	return at
}

// end is where a scalar of one line or a value in flow style ends; -1 if it is neither.
func (f *File) end(n *yaml.Node) int {
	start := f.offset(n)
	switch {
	case start < 0:
		return -1
	case n.Kind == yaml.ScalarNode:
		return f.scalarEnd(n, start)
	case n.Style&yaml.FlowStyle == 0:
		return -1
	}
	at := start + 1
	if all := items(n); len(all) > 0 {
		at = f.end(all[len(all)-1].value)
	}
	closing := byte('}')
	if n.Kind == yaml.SequenceNode {
		closing = ']'
	}
	if at = f.skip(at, ","); at < 0 || at >= len(f.text) || f.text[at] != closing {
		return -1
	}
	return at + 1
}

func (f *File) scalarEnd(n *yaml.Node, start int) int {
	rest := f.text[start:]
	switch n.Style {
	case yaml.DoubleQuotedStyle:
		for i := 1; i < len(rest); i++ {
			if rest[i] == '\\' {
				i++
			} else if rest[i] == '"' {
				return start + i + 1
			}
		}
	case yaml.SingleQuotedStyle:
		for i := 1; i < len(rest); i++ {
			if rest[i] != '\'' {
				continue
			}
			if i+1 >= len(rest) || rest[i+1] != '\'' {
				return start + i + 1
			}
			i++
		}
	case 0:
		if bytes.HasPrefix(rest, []byte(n.Value)) {
			return start + len(n.Value)
		}
	}
	return -1
}

// skip passes over blanks, line ends, comments, and what else is named.
func (f *File) skip(at int, also string) int {
	for at >= 0 && at < len(f.text) {
		switch c := f.text[at]; {
		case c == '#':
			at = f.lineEnd(at)
		case strings.IndexByte(" \t\r\n"+also, c) >= 0:
			at++
		default:
			return at
		}
	}
	return at
}

// lineEnd is where the line that holds a place ends, its line end left out.
func (f *File) lineEnd(at int) int {
	if i := bytes.IndexByte(f.text[at:], '\n'); i >= 0 {
		return at + len(bytes.TrimRight(f.text[at:at+i], "\r"))
	}
	return len(f.text)
}

// before is what stands in front of a place in its line.
func (f *File) before(at int) string {
	return string(f.text[bytes.LastIndexByte(f.text[:at], '\n')+1 : at])
}

// entry is the lines of an item in block style, counted from 0: from that of its key or dash to the last
// that is its own. Blank lines and comments behind it are the next one's.
func (f *File) entry(in *yaml.Node, i int) (first, last int) {
	all, column := items(in), in.Column-1
	first = all[i].first().Line - 1
	lines := bytes.Split(f.text, []byte("\n"))
	for in.Kind == yaml.SequenceNode && first > 0 && !hasDash(lines, first, column) {
		first--
	}
	last = first
	for at := first + 1; at < len(lines); at++ {
		text := bytes.TrimLeft(lines[at], " ")
		deep := len(lines[at])-len(text) > column
		blank := len(bytes.TrimSpace(text)) == 0
		if deep && !blank {
			last = at
		} else if !blank && text[0] != '#' {
			break
		}
	}
	return first, max(last, f.lastLine(all[i].value))
}

func hasDash(lines [][]byte, at, column int) bool {
	return at < len(lines) && len(lines[at]) > column && lines[at][column] == '-'
}

// lastLine is where a value ends that need not be indented: one in flow style, or a list at the column of its key.
func (f *File) lastLine(n *yaml.Node) int {
	all := items(n)
	switch {
	case n.Style&yaml.FlowStyle != 0:
		if end := f.end(n); end > 0 {
			return bytes.Count(f.text[:end], []byte("\n"))
		}
	case n.Kind == yaml.SequenceNode && len(all) > 0:
		_, last := f.entry(n, len(all)-1)
		return last
	}
	return 0
}

// splice puts a text in place of what stands from a place to another.
func (f *File) splice(from, to int, text string) []byte {
	return slices.Concat(f.text[:from], []byte(text), f.text[to:])
}
