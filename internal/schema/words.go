package schema

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"cuelang.org/go/cue"
)

func (e *explainer) subject(path []string) string { return subject(slices.Concat(e.prefix, path)) }

// subject names a place in a sentence: the field, or the element of a list.
func subject(path []string) string {
	if len(path) == 0 {
		return "the document"
	}
	name := path[len(path)-1]
	if _, err := strconv.Atoi(name); err == nil && len(path) > 1 {
		return fmt.Sprintf("%s[%s]", path[len(path)-2], name)
	}
	if len(name) > 80 {
		return strconv.Quote(name[:80]) + "…"
	}
	return name
}

func missing(name string, x expectation) string {
	if words := x.say(); words != "" {
		return fmt.Sprintf("%s is missing: it must be %s", name, words)
	}
	return name + " is missing"
}

// say tells the whole expectation, or nothing if it asks for nothing that words can tell.
func (x expectation) say() string {
	switch {
	case x.words != "":
		return x.words
	case len(x.shapes) > 0:
		return x.shapeWords()
	case x.enum != nil:
		return x.enumWords()
	case x.min != nil || x.max != nil:
		return x.numberWords()
	case x.kind == cue.TopKind || x.kind == cue.BottomKind:
		return ""
	}
	return x.kindWords()
}

func (x expectation) shapeWords() string {
	var words []string
	for _, s := range x.shapes {
		if s.kind&x.kind == 0 {
			continue // another demand rules this shape out
		}
		if w := s.say(); w != "" && !slices.Contains(words, w) {
			words = append(words, w)
		}
	}
	return orList(words)
}

// kindWords says what kind of value it must be.
func (x expectation) kindWords() string {
	if x.words != "" {
		return x.words
	}
	if len(x.shapes) > 0 {
		return x.shapeWords()
	}
	if x.enum != nil {
		return x.enumWords()
	}
	if x.min != nil || x.max != nil {
		return x.numberWords()
	}
	var words []string
	for _, k := range [...]struct {
		kind cue.Kind
		word string
	}{
		{cue.StringKind, "a string"}, {cue.BoolKind, "true or false"}, {cue.ListKind, "a list"},
		{cue.StructKind, "a mapping"}, {cue.NullKind, "null"}, {cue.BytesKind, "bytes"},
	} {
		if x.kind&k.kind != 0 {
			words = append(words, k.word)
		}
	}
	switch x.kind & cue.NumberKind {
	case cue.NumberKind, cue.FloatKind:
		words = slices.Insert(words, min(1, len(words)), "a number")
	case cue.IntKind:
		words = slices.Insert(words, min(1, len(words)), "a whole number")
	}
	if len(words) == 0 {
		return "something else"
	}
	return orList(words)
}

func (x expectation) enumWords() string {
	quoted := make([]string, 0, len(x.enum))
	for _, s := range x.enum {
		if x.kind&cue.StringKind != 0 && !word(s) {
			s = strconv.Quote(s)
		}
		if !slices.Contains(quoted, s) {
			quoted = append(quoted, s)
		}
	}
	if len(quoted) == 0 {
		return "something that the constraints on it cannot agree on"
	}
	if len(quoted) < 3 {
		return orList(quoted)
	}
	return "one of " + list(quoted)
}

// word reports whether s can stand in a sentence without quotes.
func word(s string) bool {
	if s == "" || s[0] >= '0' && s[0] <= '9' {
		return false
	}
	return !strings.ContainsFunc(s, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_/.", r))
	})
}

func (x expectation) numberWords() string {
	noun := "a number"
	if x.kind&cue.NumberKind == cue.IntKind {
		noun = "a whole number"
	}
	switch {
	case x.min != nil && x.max != nil && !x.min.exclusive && !x.max.exclusive:
		return fmt.Sprintf("%s from %s to %s", noun, x.min.text, x.max.text)
	case x.min != nil && x.max != nil:
		return fmt.Sprintf("%s %s and %s", noun, x.min.low(), x.max.high())
	case x.min != nil:
		return fmt.Sprintf("%s %s", noun, x.min.low())
	case x.max != nil:
		return fmt.Sprintf("%s %s", noun, x.max.high())
	}
	return noun
}

func (b *bound) low() string {
	if b.exclusive {
		return "greater than " + b.text
	}
	return "of at least " + b.text
}

func (b *bound) high() string {
	if b.exclusive {
		return "less than " + b.text
	}
	return "of at most " + b.text
}

// lengthWords tells how many of a unit there may be.
func (x expectation) lengthWords(unit string) string {
	var low, high *length
	for _, l := range x.lengths {
		switch {
		case l.unit != unit:
		case l.min && (low == nil || l.n > low.n):
			low = &l
		case !l.min && (high == nil || l.n < high.n):
			high = &l
		}
	}
	switch {
	case low != nil && high != nil && low.n == high.n:
		return fmt.Sprintf("exactly %d %s", low.n, plural(low.n, unit))
	case low != nil && high != nil:
		return fmt.Sprintf("%d to %d %s", low.n, high.n, unit)
	case low != nil:
		return fmt.Sprintf("at least %d %s", low.n, plural(low.n, unit))
	case high.n == 0:
		return "no " + unit
	default:
		return fmt.Sprintf("at most %d %s", high.n, plural(high.n, unit))
	}
}

func plural(n int64, unit string) string {
	if n == 1 {
		return strings.TrimSuffix(unit, "s")
	}
	return unit
}

func (p pattern) say() string {
	switch {
	case p.words != "":
		return "be " + p.words
	case p.negate:
		return "not match " + p.expr
	}
	return "match " + p.expr
}

func list(words []string) string { return strings.Join(words, ", ") }

func orList(words []string) string {
	if len(words) < 2 {
		return list(words)
	}
	return list(words[:len(words)-1]) + " or " + words[len(words)-1]
}
