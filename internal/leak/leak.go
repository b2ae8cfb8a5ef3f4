// Package leak finds credentials that stand in the clear where none belongs: by the formats in which
// providers of models, clouds and tools issue them, and, in fields named like a credential, by how
// random a text looks. A hit tells where and what kind, never the text.
package leak

import (
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
	Rule    string   // secret/<id>
	Message string   // one fixed sentence for each rule
}

// Rule describes one kind of credential that is looked for.
type Rule struct {
	ID, Message string
	What        string // "an OpenAI API key"; "" if it is told by the name of its field
	Example     string // made up
}

// Rules lists what is looked for, sorted by id.
func Rules() []Rule {
	rules := []Rule{{ID: genericID, Message: genericMessage}}
	for _, f := range formats {
		rules = append(rules, Rule{f.rule(), f.message(), f.what, f.example})
	}
	slices.SortFunc(rules, func(a, b Rule) int { return strings.Compare(a.ID, b.ID) })
	return slices.Compact(rules)
}

// Contains reports whether a text holds a credential of a known format.
func Contains(text string) bool { return find(text) != nil }

// Scan looks through all texts of a parsed document, names included, in the order of the names. The
// value is made of map[string]any, []any and scalars, as internal/strictyaml gives it.
func Scan(value any) []Hit {
	s := scanner{}
	s.value(value, "")
	return s.hits
}

type scanner struct {
	path []string
	hits []Hit
}

func (s *scanner) hit(rule, message string) {
	s.hits = append(s.hits, Hit{slices.Clone(s.path), rule, message})
}

// value looks into v, which stands under the nearest name field.
func (s *scanner) value(v any, field string) {
	if len(s.hits) >= maxHits {
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
		if f := find(k); f != nil {
			s.hit(f.rule(), f.message()) // not below k, which would put it into a path
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

func (s *scanner) text(text, field string) {
	if len(text) < minLength || sealed(text) {
		return
	}
	if f := find(text); f != nil {
		s.hit(f.rule(), f.message())
		return
	}
	if Suspicious(field) && random(text) {
		s.hit(genericID, genericMessage)
	}
}

// isReference reports whether m is {ref: …}: the name of another document, which is no credential.
// A text in a known format is one even there.
func isReference(m map[string]any) bool {
	ref, ok := m["ref"].(string)
	return ok && len(m) == 1 && find(ref) == nil
}

// sealed reports whether text is a value that SOPS encrypted.
func sealed(text string) bool {
	return strings.HasPrefix(text, "ENC[AES256_GCM,data:") && strings.HasSuffix(text, "]")
}
