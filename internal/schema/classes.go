package schema

import (
	"encoding/binary"
	"math"
	"regexp"
	"slices"
	"sync"
	"unicode/utf8"
)

// classes are what a kind's definition can tell of the values in a document: which of its literals a
// text is, which of its patterns it matches, where it and every number lie among its bounds. Documents of
// the same structure whose values lie in the same classes have the same verdict, so that one of them
// can stand for all that differ in their descriptions, numbers and names only. Verdicts rest on it:
// whatever the definition looks at must have a class, and collector refuses what it does not know.
type classes struct {
	texts    map[string]int // literals, and the names of fields
	patterns []*regexp.Regexp
	lengths  []int // in code points
	numbers  []int64

	mu    sync.Mutex
	known map[string]string // the class of short texts, most of which stand in many documents
}

// maxKnown and maxKnownText bound what is kept of texts, to some 200 KB.
const (
	maxKnown     = 2048
	maxKnownText = 64
)

// maxExact is the largest bound that a float64 is compared with exactly.
const maxExact = 1 << 53

// digest is that of a document's structure and its values' classes. ok is false for a value that no document has.
func (c *classes) digest(kind string, doc map[string]any) (key verdict, ok bool) {
	return digest(kind, doc, c.appendLeaf)
}

// appendLeaf writes the class of a text or a number, told apart by type.
func (c *classes) appendLeaf(b []byte, v any) ([]byte, bool) {
	switch v := v.(type) {
	case string:
		return c.appendText(b, v)
	case int64:
		b = append(b, 'i')
		for _, n := range c.numbers {
			b = appendOrder(b, v < n, v == n)
		}
		return b, true
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return b, false
		}
		b = append(b, 'd')
		for _, n := range c.numbers {
			b = appendOrder(b, v < float64(n), v == float64(n))
		}
		return b, true
	}
	return b, false
}

func (c *classes) appendText(b []byte, s string) ([]byte, bool) {
	if n, ok := c.texts[s]; ok {
		return binary.AppendUvarint(append(b, 'T'), uint64(n)), true
	}
	if !utf8.ValidString(s) {
		return b, false
	}
	if len(s) > maxKnownText {
		return c.appendClass(b, s), true
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	class, ok := c.known[s]
	if !ok {
		if class = string(c.appendClass(nil, s)); c.known == nil || len(c.known) >= maxKnown {
			c.known = map[string]string{}
		}
		c.known[s] = class
	}
	return append(b, class...), true
}

// appendClass writes the class of a text that is no literal of the definition.
func (c *classes) appendClass(b []byte, s string) []byte {
	b = append(b, 's')
	for _, p := range c.patterns {
		b = appendOrder(b, p.MatchString(s), false)
	}
	runes := utf8.RuneCountInString(s)
	for _, n := range c.lengths {
		b = appendOrder(b, runes < n, runes == n)
	}
	return b
}

func appendOrder(b []byte, less, equal bool) []byte {
	switch {
	case less:
		return append(b, '<')
	case equal:
		return append(b, '=')
	}
	return append(b, '>')
}

func (c *classes) text(s string) {
	if _, ok := c.texts[s]; !ok {
		c.texts[s] = len(c.texts)
	}
}

func (c *classes) number(n int64) {
	if !slices.Contains(c.numbers, n) {
		c.numbers = append(c.numbers, n)
	}
}

func (c *classes) length(n int) {
	if !slices.Contains(c.lengths, n) {
		c.lengths = append(c.lengths, n)
	}
}
