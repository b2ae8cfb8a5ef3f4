package dotprompt

import (
	"maps"
	"slices"
	"strings"
)

// RuleSchema is the rule of problems with Picoschema and JSON Schema.
const RuleSchema = "prompt/schema"

// SchemaProblem is something wrong at a path of a schema as it was written.
type SchemaProblem struct {
	Path    []string
	Key     bool // it is the key at the path that is wrong, not its value
	Warning bool // the schema can be used all the same
	Message string
}

// Limits on one schema.
const (
	maxSchemaDepth = 32
	maxFields      = 1000 // of one mapping, and values of one enum
)

var scalars = []string{"string", "number", "integer", "boolean", "null", "any"}

// Schema turns what stands as schema in front matter, Picoschema or JSON Schema, into JSON Schema. named are
// schemas that types may name. It shares no memory with v.
func Schema(v any, named map[string]any) (map[string]any, []SchemaProblem) {
	p := pico{named: named}
	var out map[string]any
	if m, ok := v.(map[string]any); ok && jsonSchema(m) {
		out = clone(m).(map[string]any)
		if _, typed := out["type"]; !typed {
			out["type"] = "object"
		}
		p.json(out, nil)
	} else {
		out = p.value(v, nil)
	}
	if slices.ContainsFunc(p.problems, func(f SchemaProblem) bool { return !f.Warning }) {
		return nil, p.problems
	}
	return out, p.problems
}

// jsonSchema reports whether a mapping is JSON Schema: it has a type, or properties.
func jsonSchema(m map[string]any) bool {
	t, _ := m["type"].(string)
	_, properties := m["properties"].(map[string]any)
	return slices.Contains(scalars, t) || t == "object" || t == "array" || properties
}

type pico struct {
	named    map[string]any
	problems []SchemaProblem
}

func (p *pico) wrong(path []string, key bool, message string) map[string]any {
	if len(p.problems) < maxProblems {
		p.problems = append(p.problems, SchemaProblem{Path: slices.Clone(path), Key: key, Message: message})
	}
	return map[string]any{}
}

func (p *pico) value(v any, path []string) map[string]any {
	switch v := v.(type) {
	case string:
		return p.typed(v, path)
	case map[string]any:
		return p.object(v, path)
	}
	return p.wrong(path, false, "a schema is the name of a type, or a mapping of names to types")
}

// typed reads "type, description".
func (p *pico) typed(text string, path []string) map[string]any {
	name, description := describe(text)
	out := map[string]any{}
	if named, ok := p.named[name].(map[string]any); ok && !slices.Contains(scalars, name) {
		out = clone(named).(map[string]any)
	} else if !slices.Contains(scalars, name) {
		return p.wrong(path, false, unknownType(name))
	} else if name != "any" {
		out["type"] = name
	}
	if description != "" {
		out["description"] = description
	}
	return out
}

func unknownType(name string) string {
	meant := map[string]string{"str": "string", "text": "string", "String": "string", "int": "integer", "float": "number", "double": "number", "bool": "boolean",
		"object": "a mapping of its fields", "array": "name(array): type", "list": "name(array): type", "enum": "name(enum): [ONE, OTHER]", "date": "string", "None": "null"}[name]
	if meant != "" {
		return "there is no type " + name + " here: write " + meant
	}
	return "there is no type of this name: write " + strings.Join(scalars[:5], ", ") + " or any, and after a comma what it is for"
}

func describe(text string) (name, description string) {
	name, description, _ = strings.Cut(text, ",")
	return strings.TrimSpace(name), strings.TrimSpace(description)
}

// object reads {name: type, optional?: type, name(array, description): type, (*): type}.
func (p *pico) object(m map[string]any, path []string) map[string]any {
	if len(path) >= maxSchemaDepth {
		return p.wrong(path, false, "a schema is nested 32 levels deep at most")
	}
	if len(m) > maxFields {
		return p.wrong(path, false, "a mapping has at most 1000 fields")
	}
	properties, required := map[string]any{}, []any{}
	out := map[string]any{"type": "object", "properties": properties, "additionalProperties": false}
	for _, key := range slices.Sorted(maps.Keys(m)) {
		at := append(path[:len(path):len(path)], key)
		if key == "(*)" {
			out["additionalProperties"] = p.value(m[key], at)
			continue
		}
		f, why := parseField(key)
		if why != "" {
			p.wrong(at, true, why)
			continue
		}
		if _, twice := properties[f.name]; twice {
			p.wrong(at, true, "this name stands twice in the schema")
			continue
		}
		properties[f.name] = p.property(f, m[key], at)
		if !f.optional {
			required = append(required, f.name)
		}
	}
	if len(required) > 0 {
		slices.SortFunc(required, func(a, b any) int { return strings.Compare(a.(string), b.(string)) })
		out["required"] = required
	}
	return out
}

// field is what a key of Picoschema says: name?(form, description).
type field struct {
	name, form, description string
	optional                bool
}

func parseField(key string) (f field, why string) {
	name, inside, parenthesis := strings.Cut(key, "(")
	f.name, f.optional = strings.CutSuffix(strings.TrimSpace(name), "?")
	if f.name == "" {
		return f, "a name should stand here, or (*) for all others"
	}
	if !parenthesis {
		return f, ""
	}
	inside, closed := strings.CutSuffix(strings.TrimSpace(inside), ")")
	if f.form, f.description = describe(inside); !closed {
		return f, "the parenthesis of this name is never closed"
	}
	switch f.form {
	case "array", "object", "enum":
		return f, ""
	}
	return f, "in parentheses stands array, object or enum, and after a comma what it is for"
}

func (p *pico) property(f field, v any, at []string) map[string]any {
	var out map[string]any
	switch f.form {
	case "array":
		out = map[string]any{"type": "array", "items": p.value(v, at)}
	case "enum":
		out = p.enum(f, v, at)
	case "object":
		if _, ok := v.(map[string]any); !ok {
			return p.wrong(at, false, "the fields of the object should stand here, as a mapping")
		}
		fallthrough
	default:
		out = p.value(v, at)
	}
	if t, ok := out["type"].(string); ok && f.optional {
		out["type"] = []any{t, "null"}
	}
	if f.description != "" {
		out["description"] = f.description
	}
	return out
}

func (p *pico) enum(f field, v any, at []string) map[string]any {
	list, ok := v.([]any)
	if !ok || len(list) == 0 {
		return p.wrong(at, false, "an enum is a list of its values")
	}
	if len(list) > maxFields {
		return p.wrong(at, false, "an enum has at most 1000 values")
	}
	list = slices.Clone(list)
	for i, e := range list {
		switch e.(type) {
		case map[string]any, []any:
			return p.wrong(at, false, "the values of an enum are strings, numbers, booleans or null")
		}
		if slices.Contains(list[:i], e) {
			return p.wrong(at, false, "a value of this enum stands twice")
		}
	}
	if f.optional && !slices.Contains(list, nil) {
		list = append(list, nil)
	}
	return map[string]any{"enum": list}
}

// clone copies a value of JSON.
func clone(v any) any {
	switch v := v.(type) {
	case map[string]any:
		m := make(map[string]any, len(v))
		for k, e := range v {
			m[k] = clone(e)
		}
		return m
	case []any:
		l := make([]any, len(v))
		for i, e := range v {
			l[i] = clone(e)
		}
		return l
	}
	return v
}
