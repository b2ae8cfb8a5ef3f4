package lcm

import (
	"slices"
	"strconv"
	"strings"
)

// maxWithin bounds the states that Within looks at. Patterns that people write need a few dozen.
const maxWithin = 4096

// Within reports whether every path that p matches is matched by one of others. It may say no where the answer
// is yes, for patterns with very many **; never the other way round.
func (p Pattern) Within(others []Pattern) bool {
	if slices.ContainsFunc(others, func(o Pattern) bool { return slices.Equal(o.segments, p.segments) }) {
		return true
	}
	c := comparison{p.segments, others, alphabet(p, others), map[string]bool{}}
	return c.within(0, c.start(), false)
}

// alphabet is every whole name in the patterns, and one that stands for all others.
func alphabet(p Pattern, others []Pattern) []string {
	names := map[string]bool{"": true} // no segment is empty, so that no pattern names it
	for _, o := range append(slices.Clone(others), p) {
		for _, s := range o.segments {
			if s != "*" && s != "**" {
				names[s] = true
			}
		}
	}
	out := make([]string, 0, len(names))
	for n := range names {
		out = append(out, n)
	}
	return out
}

// comparison walks all paths that a pattern matches, segment by segment, with the places that the other
// patterns are at: a subset construction.
type comparison struct {
	pattern []string
	others  []Pattern
	names   []string
	seen    map[string]bool
}

// place is how far one of the others has come.
type place struct{ pattern, at int }

func (c *comparison) start() (places []place) {
	for i := range c.others {
		places = c.rest(places, place{i, 0})
	}
	return places
}

// rest adds a place, and those behind any ** that matches nothing.
func (c *comparison) rest(places []place, p place) []place {
	if slices.Contains(places, p) {
		return places
	}
	places = append(places, p)
	if s := c.others[p.pattern].segments; p.at < len(s) && s[p.at] == "**" {
		return c.rest(places, place{p.pattern, p.at + 1})
	}
	return places
}

// within reports whether, from here on, whatever the pattern still matches is matched by one of the others. A
// path has at least one segment: before it has begun, its end is none.
func (c *comparison) within(at int, places []place, begun bool) bool {
	if id := key(at, places, begun); c.seen[id] {
		return true
	} else if len(c.seen) >= maxWithin {
		return false
	} else {
		c.seen[id] = true
	}
	if at == len(c.pattern) {
		return !begun || slices.ContainsFunc(places, func(p place) bool { return p.at == len(c.others[p.pattern].segments) })
	}
	if c.pattern[at] == "**" && !c.within(at+1, places, begun) {
		return false
	}
	for _, name := range c.names {
		if s := c.pattern[at]; s != "*" && s != "**" && s != name {
			continue
		}
		next := at + 1
		if c.pattern[at] == "**" {
			next = at
		}
		if !c.within(next, c.step(places, name), true) {
			return false
		}
	}
	return true
}

// step moves all places on by one segment.
func (c *comparison) step(places []place, name string) (next []place) {
	for _, p := range places {
		switch s := c.others[p.pattern].segments; {
		case p.at == len(s):
		case s[p.at] == "**":
			next = c.rest(next, p)
		case s[p.at] == "*" || s[p.at] == name:
			next = c.rest(next, place{p.pattern, p.at + 1})
		}
	}
	return next
}

func key(at int, places []place, begun bool) string {
	sorted := slices.Clone(places)
	slices.SortFunc(sorted, func(a, b place) int { return (a.pattern-b.pattern)*1_000_000 + a.at - b.at })
	var b strings.Builder
	b.WriteString(strconv.Itoa(at) + strconv.FormatBool(begun))
	for _, p := range sorted {
		b.WriteString("," + strconv.Itoa(p.pattern) + "." + strconv.Itoa(p.at))
	}
	return b.String()
}
