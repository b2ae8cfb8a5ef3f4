// Package leak finds credentials that stand in the clear where none belongs: by the formats in which
// providers of models, clouds and tools issue them, and, in fields named like a credential, by how
// random a text looks. A hit tells where and what kind, never the text.
package leak

import (
	"crypto/sha256"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// maxHits bounds what is said about one document.
const maxHits = 100

// Hit is one credential in the clear.
type Hit struct {
	Path    []string // from the top of the value; list positions as decimals. A credential in a name is reported at its mapping.
	At      int      // where in the text it begins, in bytes
	Rule    string   // secret/<id>
	Message string   // one fixed sentence for each rule
	Unsure  bool     // only the name before it tells
}

// Rule describes one kind of credential that is looked for.
type Rule struct {
	ID, Message string
	What        string // "an OpenAI API key"; "" if it is told by the name of its field
	Example     string // made up; of a Named one with a name before it
	Named       bool   // told by the name before it alone: a warning
}

const (
	tooMuchID      = "secret/too-much"
	tooMuchMessage = "too much here begins like a credential for all of it to be looked at: split the file, or say it otherwise"
)

// Rules lists what is looked for, sorted by id.
func Rules() []Rule {
	rules := []Rule{{ID: genericID, Message: genericMessage}, {ID: tooMuchID, Message: tooMuchMessage}}
	for _, f := range formats().formats {
		rules = append(rules, Rule{ID: f.rule(), Message: f.message(), What: f.what, Named: f.named, Example: f.sample()})
	}
	slices.SortFunc(rules, func(a, b Rule) int { return strings.Compare(a.ID, b.ID) })
	return rules
}

// Contains reports whether a text holds a credential of a known form, or what may hold one and is too much to
// look at.
func Contains(text string) bool {
	s := newSearch()
	f, _ := s.find(text)
	return f != nil && !f.named || s.spent()
}

// Exceptions are texts of which somebody who may has said that they are no credentials.
type Exceptions map[[sha256.Size]byte]bool

func (e Exceptions) hold(text string) bool {
	return len(e) > 0 && e[sha256.Sum256([]byte(text))]
}

// Scan looks through all texts of a parsed document, names included, in the order of the names. The
// value is made of map[string]any, []any and scalars, as internal/strictyaml gives it.
func Scan(value any, except Exceptions) []Hit {
	s := scanner{search: newSearch(), except: except}
	s.value(value, "")
	if s.spent() && len(s.hits) < maxHits {
		s.hits = append(s.hits, Hit{Rule: tooMuchID, Message: tooMuchMessage})
	}
	return s.hits
}

// Lines looks through a text that is no YAML, or not only, and gives the hits with the lines, from 0, as Path's
// one step.
func Lines(text string, except Exceptions) []Hit {
	s := newSearch()
	if f, _ := s.find(text); f == nil && !s.spent() {
		return nil // as nearly always
	}
	lines := strings.Split(text, "\n")
	values := make([]any, len(lines))
	for i, line := range lines {
		values[i] = strings.TrimSuffix(line, "\r")
	}
	return Scan(values, except)
}

type scanner struct {
	*search
	except Exceptions
	path   []string
	hits   []Hit
}

func (s *scanner) hit(text string, h Hit) {
	if !s.except.hold(text) {
		h.Path = slices.Clone(s.path)
		s.hits = append(s.hits, h)
	}
}

func (f *format) hit(at int) Hit {
	return Hit{At: at, Rule: f.rule(), Message: f.message(), Unsure: f.named}
}

// value looks into v, which stands under the nearest name field.
func (s *scanner) value(v any, field string) {
	if len(s.hits) >= maxHits || s.spent() {
		return
	}
	switch v := v.(type) {
	case string:
		s.text(v, field)
	case []any:
		for i, e := range v {
			s.at(strconv.Itoa(i), e, field)
		}
	case map[string]any:
		s.mapping(v)
	}
}

func (s *scanner) at(step string, v any, field string) {
	s.path = append(s.path, step)
	s.value(v, field)
	s.path = s.path[:len(s.path)-1]
}

func (s *scanner) mapping(m map[string]any) {
	if isReference(m) {
		return
	}
	for _, k := range slices.Sorted(maps.Keys(m)) {
		if f, _ := s.find(k); f != nil && !f.named {
			s.hit(k, f.hit(0)) // not below k, which would put it into a path
			continue
		}
		field := k
		if k == "value" {
			if name, ok := m["name"].(string); ok { // {name: API_KEY, value: …}
				field = name
			}
		}
		s.at(k, m[k], field)
	}
}

// text tells one thing of a text: that of which it can be surest.
func (s *scanner) text(text, field string) {
	if len(text) < minLength || sealed(text) {
		return
	}
	f, at := s.find(text)
	if f != nil && !f.named {
		s.hit(text, f.hit(at))
		return
	}
	if Suspicious(field) && random(text) {
		s.hit(text, Hit{Rule: genericID, Message: genericMessage})
		return
	}
	if f == nil {
		f, at = s.under(field, text), 0
	}
	if f != nil {
		s.hit(text, f.hit(at))
	}
}

// maxNamed bounds a credential that its name alone tells, in bytes.
const maxNamed = 512

// under gives the format that a text has by the name of its field.
func (s *scanner) under(field, text string) *format {
	if len(text) > maxNamed || !namesFormat(field) || strings.ContainsAny(text, " \n") {
		return nil
	}
	if f, _ := s.find(field + ": " + text); f != nil && f.named {
		return f
	}
	return nil
}

// namesFormat reports whether a field's name is one that tells a format.
func namesFormat(field string) (found bool) {
	if len(field) > maxNamed {
		return false
	}
	b := formats()
	b.words.each(field, func(word, _ int) bool {
		found = b.formats[b.of[word]].named
		return !found
	})
	return found
}

// isReference reports whether m is {ref: …}: the name of another document, which is no credential.
// A text in a known format is one even there.
func isReference(m map[string]any) bool {
	ref, ok := m["ref"].(string)
	return ok && len(m) == 1 && !Contains(ref)
}

// sealed reports whether text is a value that SOPS encrypted.
func sealed(text string) bool {
	return strings.HasPrefix(text, "ENC[AES256_GCM,data:") && strings.HasSuffix(text, "]")
}
