package lcm

import (
	"fmt"
	"strings"
)

// Pattern is an anchored path pattern that matches whole segments: * stands for exactly one
// segment, ** for any number, none included. Nothing else is special.
type Pattern struct{ segments []string }

// ParsePattern parses a pattern. A segment either is * or ** or holds no asterisk at all.
func ParsePattern(s string) (Pattern, error) {
	if s == "" {
		return Pattern{}, fmt.Errorf("a pattern must not be empty")
	}
	if len(s) > 4096 {
		return Pattern{}, fmt.Errorf("a pattern of %d bytes: at most 4096", len(s))
	}
	segs := strings.Split(s, "/")
	stars := 0
	for _, seg := range segs {
		switch {
		case seg == "**":
			stars++
		case seg == "*":
		case seg == "" || seg == "." || seg == "..":
			return Pattern{}, fmt.Errorf("pattern %q: empty, . and .. segments match nothing", s)
		case strings.ContainsAny(seg, "*?[]{}\\"):
			return Pattern{}, fmt.Errorf("pattern %q: a segment is *, ** or a whole name", s)
		}
	}
	if stars > 8 {
		return Pattern{}, fmt.Errorf("pattern %q: at most 8 times **", s)
	}
	return Pattern{segs}, nil
}

// MustPattern is ParsePattern for patterns written in code.
func MustPattern(s string) Pattern {
	p, err := ParsePattern(s)
	if err != nil {
		panic(err)
	}
	return p
}

func (p Pattern) String() string { return strings.Join(p.segments, "/") }

// Match reports whether the whole of path matches. The zero Pattern matches nothing.
func (p Pattern) Match(path string) bool {
	if len(p.segments) == 0 || path == "" {
		return false
	}
	segments := make([]string, 0, 16) // as most paths need, on the stack
	for s := range strings.SplitSeq(path, "/") {
		segments = append(segments, s)
	}
	return match(p.segments, segments)
}

// match follows the single-restart algorithm of shell globs: only the last ** needs to be retried,
// so the time is bounded by pattern times path.
func match(pattern, path []string) bool {
	i, j, star, mark := 0, 0, -1, 0
	for j < len(path) {
		switch {
		case i < len(pattern) && pattern[i] == "**":
			star, mark = i, j
			i++
		case i < len(pattern) && (pattern[i] == "*" || pattern[i] == path[j]):
			i++
			j++
		case star >= 0:
			mark++
			i, j = star+1, mark
		default:
			return false
		}
	}
	for i < len(pattern) && pattern[i] == "**" {
		i++
	}
	return i == len(pattern)
}
