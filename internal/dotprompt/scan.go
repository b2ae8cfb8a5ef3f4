package dotprompt

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// scanner walks over a text. After the first problem it stands at the end, so that everything returns
// without a check of its own.
type scanner struct {
	text     string
	at       int
	problems []Problem
	failed   bool
}

func (s *scanner) fail(at int, rule, message string) {
	if !s.failed {
		s.failed, s.at = true, len(s.text)
		s.problems = []Problem{{At: at, Rule: rule, Message: message}} // what was noted before may come of this
	}
}

// note is a problem that does not keep the rest from being read.
func (s *scanner) note(at int, rule, message string) {
	if !s.failed && len(s.problems) < maxProblems {
		s.problems = append(s.problems, Problem{At: at, Rule: rule, Message: message})
	}
}

func (s *scanner) rest() string { return s.text[s.at:] }

func (s *scanner) has(prefix string) bool { return strings.HasPrefix(s.rest(), prefix) }

func (s *scanner) skip(prefix string) bool {
	if !s.has(prefix) {
		return false
	}
	s.at += len(prefix)
	return true
}

const (
	blank    = " \t\r\n\f\v\u00a0\ufeff"
	tagBlank = " \t\r\n" // what all implementations take for white space inside of tags
)

// space skips white space, and reports whether there was any.
func (s *scanner) space() bool {
	from := s.at
	s.at = len(s.text) - len(strings.TrimLeft(s.rest(), tagBlank))
	return s.at > from
}

// content returns the text up to the next tag. A backslash before a tag makes it text; two are one
// backslash before the tag.
func (s *scanner) content() string {
	from := s.at
	i := strings.Index(s.rest(), "{{")
	if i < 0 {
		s.at = len(s.text)
		return s.text[from:]
	}
	s.at += i
	before := s.text[from:s.at]
	if strings.HasSuffix(before, `\\`) {
		return before[:len(before)-1]
	}
	if !strings.HasSuffix(before, `\`) {
		return before
	}
	return before[:len(before)-1] + s.escaped()
}

// escaped returns the text from an escaped tag up to the next tag, or to what escapes that.
func (s *scanner) escaped() string {
	from := s.at
	i := strings.Index(s.text[s.at+2:], "{{")
	if i < 0 {
		s.at = len(s.text)
		return s.text[from:]
	}
	s.at += 2 + i
	for n := 0; n < 2 && s.at > from+2 && s.text[s.at-1] == '\\'; n++ {
		s.at--
	}
	return s.text[from:s.at]
}

// id returns a name as Handlebars has it; "" if none stands here.
func (s *scanner) id() string {
	from := s.at
	for s.at < len(s.text) {
		r, n := utf8.DecodeRuneInString(s.rest())
		if strings.ContainsRune(blank+"!\"#%&'()*+,./;<=>@[\\]^`{|}~", r) {
			break
		}
		s.at += n
	}
	return s.text[from:s.at]
}

// ended reports whether a name or literal may end here.
func (s *scanner) ended() bool {
	return s.at == len(s.text) || strings.ContainsRune(tagBlank+"=~}/.)|]", rune(s.text[s.at]))
}

// expression reads a path or a literal.
func (s *scanner) expression() expr {
	e := expr{at: s.at}
	switch {
	case s.at == len(s.text):
		s.fail(e.at, RuleTemplate, "this expression is never closed")
	case s.has(`"`), s.has("'"):
		e.literal, e.value = true, s.quoted()
	case s.has("("):
		s.fail(e.at, RulePortable, "subexpressions are not portable: let the application compute the value, or use nested blocks")
	default:
		if v, ok := s.literal(); ok {
			e.literal, e.value = true, v
			break
		}
		e.data = s.skip("@")
		s.path(&e)
	}
	if s.oddBlank(); !s.failed && !s.ended() {
		s.fail(s.at, RuleTemplate, "this does not belong into an expression")
	}
	e.source = s.text[e.at:max(e.at, s.at)]
	return e
}

// quoted reads a string. A backslash stands for itself but before its own quote.
func (s *scanner) quoted() string {
	from, quote := s.at, s.text[s.at:s.at+1]
	for s.at++; s.at < len(s.text); s.at++ {
		switch {
		case s.skip(quote):
			return strings.ReplaceAll(s.text[from+1:s.at-1], `\`+quote, quote)
		case s.has(`\` + quote):
			s.at++
		case s.has("\n") || s.has("\r"):
			s.fail(from, RulePortable, "a string that goes over several lines is not portable: let the application hand it in, or write it as text")
			return ""
		}
	}
	s.fail(from, RuleTemplate, "this string is never closed")
	return ""
}

// literal reads a number, true, false, null or undefined.
func (s *scanner) literal() (any, bool) {
	from := s.at
	for s.at < len(s.text) && strings.IndexByte("-0123456789.", s.text[s.at]) >= 0 {
		s.at++
	}
	if word := s.text[from:s.at]; word != "" && s.ended() {
		if v, ok := number(word); ok {
			return v, true
		}
	}
	s.at = from
	word := s.id()
	if s.ended() {
		switch word {
		case "true", "false":
			return word == "true", true
		case "null", "undefined":
			return nil, true
		}
	}
	s.at = from
	return nil, false
}

func number(word string) (any, bool) {
	digits := strings.TrimPrefix(word, "-")
	if digits == "" || digits[0] == '.' || digits[len(digits)-1] == '.' || strings.Contains(digits, "-") || len(digits) > 15 {
		return nil, false
	}
	if i, err := strconv.ParseInt(word, 10, 64); err == nil {
		return i, true
	}
	f, err := strconv.ParseFloat(word, 64)
	return f, err == nil
}

// path reads names, separated by dots or slashes.
func (s *scanner) path(e *expr) {
	for n := 1; ; n++ {
		at := s.at
		if n > maxNames {
			s.fail(at, RuleTemplate, "a path has at most 32 names")
			return
		}
		name, plain := s.segment()
		switch {
		case s.failed:
			return
		case plain && (name == ".." || name == "." || name == "this"):
			if len(e.names) > 0 {
				s.fail(at, RuleTemplate, "this path climbs up after a name")
				return
			}
			if e.scoped = true; name == ".." {
				e.up++
			}
		default:
			e.names = append(e.names, name)
		}
		if !s.skip(".") && !s.skip("/") {
			return
		}
	}
}

// literalLike reports whether some implementations take a name for a literal.
func literalLike(name string) bool {
	switch name {
	case "true", "false", "null", "undefined":
		return true
	}
	return name[0] >= '0' && name[0] <= '9' || name[0] == '-'
}

// oddBlank refuses white space that some implementations take for part of a name.
func (s *scanner) oddBlank() {
	if r, _ := utf8.DecodeRuneInString(s.rest()); !s.failed && s.at < len(s.text) && strings.ContainsRune(blank, r) && !strings.ContainsRune(tagBlank, r) {
		s.fail(s.at, RulePortable, "this white space is no plain blank, though it may look like one: write a blank")
	}
}

// segment reads one name of a path, or [any text].
func (s *scanner) segment() (name string, plain bool) {
	from := s.at
	switch {
	case s.skip(".."):
		return "..", true
	case s.has(".") && len(s.rest()) > 1 && strings.ContainsRune(tagBlank+"=~}/.)|]", rune(s.rest()[1])):
		s.at++
		return ".", true
	case s.skip("["):
		i := strings.IndexByte(s.rest(), ']')
		if i < 0 {
			s.fail(from, RuleTemplate, "this [ is never closed")
			return "", false
		}
		s.at += i + 1
		if name = s.text[from+1 : s.at-1]; strings.ContainsAny(name, "\r\n") {
			s.fail(from, RulePortable, "a name that goes over several lines is not portable")
		}
		return name, false
	}
	switch name = s.id(); {
	case name == "":
		s.oddBlank()
		s.fail(from, RuleTemplate, "a name should stand here")
	case literalLike(name):
		s.fail(from, RulePortable, "some implementations take this for a number, true, false or null and not for a name: write it [in brackets]")
	}
	return name, true
}
