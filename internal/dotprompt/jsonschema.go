package dotprompt

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
)

// The part of JSON Schema that prompts are checked with. What is outside of it gets a warning where the schema
// stands, so that nobody relies on a keyword that nothing checks.

var annotations = []string{"title", "description", "default", "examples", "format", "deprecated", "readOnly", "writeOnly", "$schema", "$id", "$comment"}

var keywords = append([]string{"type", "enum", "const", "properties", "required", "additionalProperties", "items", "minItems", "maxItems",
	"minLength", "maxLength", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "anyOf", "oneOf", "allOf"}, annotations...)

var types = []string{"string", "number", "integer", "boolean", "null", "object", "array"}

// json checks a schema that was written as JSON Schema.
func (p *pico) json(v any, path []string) {
	if _, ok := v.(bool); ok {
		return
	}
	m, ok := v.(map[string]any)
	if !ok {
		p.wrong(path, false, "a JSON Schema is a mapping, true or false")
		return
	}
	if len(path) >= 2*maxSchemaDepth {
		p.wrong(path, false, "a schema is nested 32 levels deep at most")
		return
	}
	if t, ok := m["type"].(string); ok && t == "any" && len(path) == 0 {
		delete(m, "type") // as Picoschema has it
	}
	for _, k := range slices.Sorted(maps.Keys(m)) {
		p.keyword(m, k, append(path[:len(path):len(path)], k))
	}
	p.requires(m, path)
}

func (p *pico) keyword(m map[string]any, k string, at []string) {
	v := m[k]
	switch k {
	case "type":
		p.types(v, at)
	case "properties":
		fields, ok := v.(map[string]any)
		if !ok {
			p.wrong(at, false, "properties are a mapping of names to schemas")
		}
		if len(fields) > maxFields {
			p.wrong(at, false, "a mapping has at most 1000 fields")
			return
		}
		for _, name := range slices.Sorted(maps.Keys(fields)) {
			p.json(fields[name], append(at[:len(at):len(at)], name))
		}
	case "additionalProperties", "items":
		p.json(v, at)
	case "anyOf", "oneOf", "allOf":
		list, ok := v.([]any)
		if !ok || len(list) == 0 {
			p.wrong(at, false, k+" is a list of schemas")
		}
		for i, e := range list {
			p.json(e, append(at[:len(at):len(at)], strconv.Itoa(i)))
		}
	case "enum":
		if list, ok := v.([]any); !ok || len(list) == 0 || len(list) > maxFields {
			p.wrong(at, false, "an enum is a list of its values, at most 1000")
		}
	case "required":
		if list, ok := v.([]any); !ok || len(list) > maxFields || slices.ContainsFunc(list, func(e any) bool { _, ok := e.(string); return !ok }) {
			p.wrong(at, false, "required is a list of names, at most 1000")
		}
	case "minItems", "maxItems", "minLength", "maxLength", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum":
		if _, ok := toFloat(v); !ok {
			p.wrong(at, false, k+" is a number")
		}
	default:
		if !slices.Contains(keywords, k) && len(p.problems) < maxProblems {
			p.problems = append(p.problems, SchemaProblem{Path: at, Key: true, Warning: true,
				Message: fmt.Sprintf("no check of ours knows the keyword %.40q of JSON Schema; with a type at its top the schema is not Picoschema", k)})
		}
	}
}

func (p *pico) types(v any, at []string) {
	list, ok := v.([]any)
	if !ok {
		list = []any{v}
	}
	for _, e := range list {
		if s, _ := e.(string); !slices.Contains(types, s) {
			p.wrong(at, false, "a type is string, number, integer, boolean, null, object or array, or a list of those")
			return
		}
	}
}

// requires looks for required names that no property bears.
func (p *pico) requires(m map[string]any, path []string) {
	properties, _ := m["properties"].(map[string]any)
	if closed := m["additionalProperties"] == false || properties != nil; !closed {
		return
	}
	for _, name := range texts(m["required"]) {
		if _, ok := properties[name]; !ok {
			p.wrong(append(path[:len(path):len(path)], "required"), false, fmt.Sprintf("%.80q is required, and no property has this name", name))
		}
	}
}

// Invalid is one thing that does not fit a schema.
type Invalid struct {
	Path    []string
	Message string // never the value
}

// Validate holds a value against a schema made by Schema.
func Validate(schema map[string]any, v any) []Invalid {
	c := validator{}
	c.check(schema, v, nil)
	return c.found
}

type validator struct {
	found []Invalid
	steps int
	full  bool // it was too much
}

const maxValidation = 1_000_000

func (c *validator) wrong(path []string, format string, args ...any) {
	if len(c.found) < maxProblems {
		c.found = append(c.found, Invalid{slices.Clone(path), fmt.Sprintf(format, args...)})
	}
}

func (c *validator) check(schema any, v any, path []string) {
	if c.steps++; c.steps > maxValidation {
		if !c.full {
			c.full = true
			c.found = append(c.found, Invalid{Message: "is too large to be checked"})
		}
		return
	}
	if schema == false {
		c.wrong(path, "is not known to the schema")
		return
	}
	m, ok := schema.(map[string]any)
	if !ok {
		return
	}
	if !c.typed(m, v, path) {
		return
	}
	c.alternatives(m, v, path)
	switch v := v.(type) {
	case map[string]any:
		c.object(m, v, path)
	case []any:
		c.array(m, v, path)
	case string:
		n := len([]rune(v))
		c.bounds(m, "minLength", "maxLength", float64(n), path, " characters")
	default:
		if f, ok := toFloat(v); ok {
			c.bounds(m, "minimum", "maximum", f, path, "")
			c.exclusive(m, f, path)
		}
	}
}

func (c *validator) typed(m map[string]any, v any, path []string) bool {
	if allowed := typesOf(m); len(allowed) > 0 && !slices.ContainsFunc(allowed, func(t string) bool { return isType(v, t) }) {
		c.wrong(path, "must be %s", orWords(allowed))
		return false
	}
	enum, _ := m["enum"].([]any)
	c.steps += len(enum)
	if list, ok := m["enum"].([]any); ok && !slices.ContainsFunc(list, func(e any) bool { return equal(e, v) }) {
		c.wrong(path, "must be one of the values of its enum")
		return false
	}
	if want, ok := m["const"]; ok && !equal(want, v) {
		c.wrong(path, "must be the constant of the schema")
		return false
	}
	return true
}

func (c *validator) alternatives(m map[string]any, v any, path []string) {
	fits := func(list []any) (n int) {
		for _, e := range list {
			inner := validator{steps: c.steps}
			inner.check(e, v, nil)
			if c.steps = inner.steps; len(inner.found) == 0 {
				n++
			}
		}
		return n
	}
	if list, ok := m["anyOf"].([]any); ok && fits(list) == 0 {
		c.wrong(path, "fits none of the schemas of anyOf")
	}
	if list, ok := m["oneOf"].([]any); ok && fits(list) != 1 {
		c.wrong(path, "must fit exactly one of the schemas of oneOf")
	}
	list, _ := m["allOf"].([]any)
	for _, e := range list {
		c.check(e, v, path)
	}
}

func (c *validator) object(m, v map[string]any, path []string) {
	properties, _ := m["properties"].(map[string]any)
	for _, name := range texts(m["required"]) {
		if _, ok := v[name]; !ok {
			c.wrong(append(path[:len(path):len(path)], name), "is required")
		}
	}
	rest, closed := m["additionalProperties"]
	for _, name := range slices.Sorted(maps.Keys(v)) {
		at := append(path[:len(path):len(path)], name)
		if p, ok := properties[name]; ok {
			c.check(p, v[name], at)
		} else if closed {
			c.check(rest, v[name], at)
		}
	}
}

func (c *validator) array(m map[string]any, v []any, path []string) {
	c.bounds(m, "minItems", "maxItems", float64(len(v)), path, " items")
	items, ok := m["items"]
	for i := 0; ok && i < len(v); i++ {
		c.check(items, v[i], append(path[:len(path):len(path)], strconv.Itoa(i)))
	}
}

func (c *validator) bounds(m map[string]any, least, most string, n float64, path []string, unit string) {
	if f, ok := toFloat(m[least]); ok && n < f {
		c.wrong(path, "must be at least %v%s", f, unit)
	}
	if f, ok := toFloat(m[most]); ok && n > f {
		c.wrong(path, "must be at most %v%s", f, unit)
	}
}

func (c *validator) exclusive(m map[string]any, n float64, path []string) {
	if f, ok := toFloat(m["exclusiveMinimum"]); ok && n <= f {
		c.wrong(path, "must be above %v", f)
	}
	if f, ok := toFloat(m["exclusiveMaximum"]); ok && n >= f {
		c.wrong(path, "must be below %v", f)
	}
}

// typesOf returns the types that a schema allows; none for any.
func typesOf(m map[string]any) []string {
	if s, ok := m["type"].(string); ok {
		return []string{s}
	}
	return texts(m["type"])
}

func texts(v any) (out []string) {
	list, _ := v.([]any)
	for _, e := range list {
		if s, ok := e.(string); ok {
			out = append(out, s)
		}
	}
	return out
}

func isType(v any, t string) bool {
	switch v := v.(type) {
	case nil:
		return t == "null"
	case string:
		return t == "string"
	case bool:
		return t == "boolean"
	case map[string]any:
		return t == "object"
	case []any:
		return t == "array"
	default:
		f, ok := toFloat(v)
		return ok && (t == "number" || t == "integer" && f == float64(int64(f)))
	}
}

func toFloat(v any) (float64, bool) {
	switch v := v.(type) {
	case int64:
		return float64(v), true
	case int:
		return float64(v), true
	case float64:
		return v, true
	}
	return 0, false
}

// equal is equality as in JSON: 1 and 1.0 are the same.
func equal(a, b any) bool {
	if x, ok := toFloat(a); ok {
		y, ok := toFloat(b)
		return ok && x == y
	}
	switch a := a.(type) {
	case map[string]any:
		m, ok := b.(map[string]any)
		return ok && maps.EqualFunc(a, m, equal)
	case []any:
		l, ok := b.([]any)
		return ok && slices.EqualFunc(a, l, equal)
	}
	switch b.(type) {
	case map[string]any, []any:
		return false
	}
	return a == b
}

func orWords(words []string) string {
	out := ""
	for i, w := range words {
		switch {
		case i == 0:
		case i == len(words)-1:
			out += " or "
		default:
			out += ", "
		}
		out += article(w)
	}
	return out
}

func article(w string) string {
	switch w {
	case "null":
		return w
	case "integer", "object", "array":
		return "an " + w
	}
	return "a " + w
}
