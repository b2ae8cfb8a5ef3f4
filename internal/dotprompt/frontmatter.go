package dotprompt

import (
	"bytes"
	"strings"
)

// Parts are the offsets of a prompt's parts.
type Parts struct {
	Found    bool // there is front matter
	Unclosed bool // it begins, and never ends
	// Front and End enclose what stands between the two lines ---; if it is unclosed, Front is its opening line.
	Front, End int
	// Begin and Finish enclose the template: with front matter, what follows without the white space around it.
	Begin, Finish int
}

// Split finds the front matter: between two lines ---, before which only empty lines and # comments
// (license headers) may stand. Without front matter, all of it is the template.
func Split(data []byte) (p Parts) {
	front, opened := split(data)
	switch {
	case !opened:
		return Parts{Finish: len(data)}
	case front.End < 0:
		return Parts{Unclosed: true, Front: bytes.LastIndex(data[:front.Front], []byte("---")), Finish: len(data)}
	}
	rest := string(data[front.Begin:])
	text := strings.TrimSpace(rest)
	front.Begin += strings.Index(rest, text)
	front.Finish = front.Begin + len(text)
	return front
}

// split returns End -1 for front matter that is never closed.
func split(data []byte) (p Parts, opened bool) {
	for at := 0; at < len(data); {
		next := at + len(data[at:])
		if i := bytes.IndexByte(data[at:], '\n'); i >= 0 {
			next = at + i + 1
		}
		line := bytes.TrimRight(data[at:next], " \t\r\n")
		switch {
		case opened && string(line) == "---":
			return Parts{Found: true, Front: p.Front, End: at, Begin: next}, true
		case string(line) == "---":
			opened, p = true, Parts{Front: next, End: -1}
		case !opened && len(line) > 0 && line[0] != '#':
			return Parts{}, false
		}
		at = next
	}
	return p, opened
}

// Extensions are the fields of front matter with a dot in their name, by the namespace before the last dot.
func Extensions(front map[string]any) map[string]map[string]any {
	out := map[string]map[string]any{}
	for key, v := range front {
		i := strings.LastIndexByte(key, '.')
		if i < 0 {
			continue
		}
		if out[key[:i]] == nil {
			out[key[:i]] = map[string]any{}
		}
		out[key[:i]][key[i+1:]] = v
	}
	return out
}
