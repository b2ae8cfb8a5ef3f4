package yamledit

import (
	"bytes"
	"strings"

	"go.yaml.in/yaml/v3"
)

func (f *File) replace(n *yaml.Node, value any) ([]byte, error) {
	from, to := f.offset(n), f.end(n)
	if n.Kind != yaml.ScalarNode || from < 0 || to <= from {
		return nil, f.byHand(n)
	}
	return f.splice(from, to, flow(value)), nil
}

// insert writes a new item behind the last.
func (f *File) insert(in *yaml.Node, item Field) ([]byte, error) {
	if in.Style&yaml.FlowStyle != 0 {
		return f.insertFlow(in, flowField(item))
	}
	all := items(in)
	if len(all) == 0 {
		return nil, f.byHand(in)
	}
	_, last := f.entry(in, len(all)-1)
	at := f.lineStart(last + 1)
	text := f.lines(block(item, in.Column-1, long(item.Value) || tallStyle(all[len(all)-1].value)))
	if at < 0 { // the last line has no end
		return f.splice(len(f.text), len(f.text), f.lines("\n")+text), nil
	}
	return f.splice(at, at, text), nil
}

// tallStyle reports whether a neighbour takes several lines where it might take one.
func tallStyle(n *yaml.Node) bool {
	return n.Kind == yaml.MappingNode && n.Style&yaml.FlowStyle == 0
}

// lines gives a text the line ends of the file.
func (f *File) lines(text string) string {
	if bytes.Contains(f.text, []byte("\r\n")) {
		return strings.ReplaceAll(text, "\n", "\r\n")
	}
	return text
}

func (f *File) insertFlow(in *yaml.Node, text string) ([]byte, error) {
	all := items(in)
	if len(all) == 0 {
		at := f.offset(in) + 1
		return f.splice(at, at, text), nil
	}
	last := all[len(all)-1]
	start, end := f.offset(last.first()), f.end(last.value)
	if start < 0 || end < 0 {
		return nil, f.byHand(in)
	}
	pad := f.before(start)
	if strings.TrimSpace(pad) != "" || !f.alone(end) {
		return f.splice(end, end, ", "+text), nil
	}
	// It stands in lines of its own, so the new one does too, behind the comment of the last.
	eol := f.lineEnd(end)
	rest := string(f.text[end:eol])
	if strings.HasPrefix(strings.TrimLeft(rest, " \t"), ",") {
		return f.splice(eol, eol, f.lines("\n")+pad+text+","), nil
	}
	return f.splice(end, eol, ","+rest+f.lines("\n")+pad+text), nil
}

// alone reports whether nothing but a comma and a comment follows in the line.
func (f *File) alone(at int) bool {
	rest := strings.TrimLeft(string(f.text[at:f.lineEnd(at)]), " \t")
	rest = strings.TrimSpace(strings.TrimPrefix(rest, ","))
	return rest == "" || rest[0] == '#'
}

// remove takes the i-th item away.
func (f *File) remove(in *yaml.Node, i int) ([]byte, error) {
	if in.Style&yaml.FlowStyle != 0 {
		return f.removeFlow(in, i)
	}
	first, last := f.entry(in, i)
	from, to := f.lineStart(first), f.lineStart(last+1)
	if to < 0 {
		to = len(f.text)
	}
	if column := in.Column - 1; strings.TrimSpace(string(f.text[from:min(from+column, to)])) != "" {
		return nil, f.byHand(in) // it begins in another's line
	}
	return f.splice(from, to, ""), nil
}

func (f *File) removeFlow(in *yaml.Node, i int) ([]byte, error) {
	all := items(in)
	start, end := f.offset(all[i].first()), f.end(all[i].value)
	if start < 0 || end < 0 {
		return nil, f.byHand(all[i].first())
	}
	pad := f.before(start)
	switch {
	case strings.TrimSpace(pad) == "" && f.alone(end):
		next := end + bytes.IndexByte(f.text[end:], '\n') + 1 // the closing bracket follows, so there is one
		return f.splice(start-len(pad), max(end, next), ""), nil
	case i+1 < len(all):
		return f.splice(start, max(start, f.offset(all[i+1].first())), ""), nil
	case i > 0:
		return f.splice(f.end(all[i-1].value), end, ""), nil
	}
	return f.splice(start, end, ""), nil
}
