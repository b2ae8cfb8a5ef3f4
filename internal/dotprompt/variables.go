package dotprompt

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Variables are what a prompt may be given.
type Variables struct {
	Schema  map[string]any // made by Schema; nil if there is none, and then only Default declares variables
	Default map[string]any
}

// Usage is what a template does with its variables.
type Usage struct {
	Problems []Problem       // those in partials stand where the template names the partial
	Used     map[string]bool // by name
	All      bool            // it hands on all of them at once
}

// Uses says whether a variable is used.
func (u Usage) Uses(name string) bool { return u.All || u.Used[name] }

const maxLookups = 100_000

// Check follows the variables through the template and its partials.
func (s Set) Check(v Variables) Usage {
	c := &checker{set: s, variables: v, partialAt: -1, Usage: Usage{Used: map[string]bool{}}}
	c.nodes(s.Template.nodes, &place{shape: shape{schema: v.Schema, root: true}})
	if c.steps > maxLookups {
		c.All = true
		c.partialAt = 0
		c.note(0, RuleTemplate, false, "the partials of this prompt are used too many times by each other: use fewer")
	}
	return c.Usage
}

type checker struct {
	set       Set
	variables Variables
	partials  []string // that are being looked into
	partialAt int      // where the template names the first of them
	steps     int
	guesses   int // how often a similar name was looked for
	Usage
}

// shape is what is known of a value.
type shape struct {
	schema map[string]any // nil: nothing
	root   bool           // its fields are the prompt's variables
	extra  map[string]shape
}

// place is the value that paths begin at.
type place struct {
	shape
	each  bool // it is an item of #each
	outer *place
	loops int
}

func (c *checker) note(at int, rule string, warning bool, format string, args ...any) {
	p := Problem{At: at, Rule: rule, Warning: warning, Message: fmt.Sprintf(format, args...)}
	if n := len(c.partials); n > 0 {
		p.At, p.Message = c.partialAt, fmt.Sprintf("the partial %s: %s", c.partials[n-1], p.Message)
	}
	if len(c.Problems) < maxProblems && !slices.Contains(c.Problems, p) {
		c.Problems = append(c.Problems, p)
	}
}

func (c *checker) nodes(nodes []*node, at *place) {
	for _, n := range nodes {
		if c.steps++; c.steps > maxLookups {
			return
		}
		switch n.kind {
		case printNode:
			c.print(n, at)
		case blockNode:
			c.block(n, at)
		case partialNode:
			c.partial(n, at)
		}
	}
}

func (c *checker) print(n *node, at *place) {
	name := n.call.name.simple()
	if _, helper := helpers(name); !helper {
		s := c.value(n.call.name, at)
		if is := s.types(); len(is) == 1 && is[0] == "object" {
			c.note(n.at, RuleUnprintable, true, "%s is a mapping, which has no text: write {{json %[1]s}}, or the name of one of its fields", brief(n.call.name.source))
		}
		return
	}
	for _, e := range n.call.params {
		c.value(e, at)
	}
	for _, a := range n.call.hash {
		c.value(a.value, at)
	}
}

func (c *checker) block(n *node, at *place) {
	name, first := n.call.name.simple(), n.call.params[0]
	v, inner := c.value(first, at), at
	switch name {
	case "each":
		inner = &place{shape: c.items(first, v), each: true, outer: at, loops: at.loops + 1}
	case "with":
		inner = &place{shape: v, outer: at, loops: at.loops}
	case "ifEquals", "unlessEquals":
		c.compare(first, v, n.call.params[1], c.value(n.call.params[1], at))
	}
	c.nodes(n.body, inner)
	c.nodes(n.inverse, at)
}

// items is what #each goes over.
func (c *checker) items(e expr, v shape) shape {
	is := v.types()
	if v.root {
		c.All = true
	}
	switch {
	case len(is) == 0 || v.root:
		return shape{}
	case slices.Contains(is, "array"):
		return schemaOf(v.schema["items"])
	case slices.Contains(is, "object"):
		if m, _ := v.schema["properties"].(map[string]any); len(m) == 0 {
			return schemaOf(v.schema["additionalProperties"])
		}
		return shape{}
	}
	c.note(e.at, RuleType, false, "#each goes over a list or a mapping, and %s is %s", brief(e.source), orWords(is))
	return shape{}
}

func (c *checker) partial(n *node, at *place) {
	inner := &place{shape: at.shape, loops: at.loops}
	if len(n.call.params) > 0 {
		inner.shape = c.value(n.call.params[0], at)
	}
	if len(n.call.hash) > 0 {
		inner.extra = maps.Clone(inner.extra)
		if inner.extra == nil {
			inner.extra = map[string]shape{}
		}
		for _, a := range n.call.hash {
			inner.extra[a.name] = c.value(a.value, at)
		}
	}
	t := c.set.Partials[n.text]
	if t == nil || len(c.partials) == maxPartials || slices.Contains(c.partials, n.text) {
		return // that it is missing or contains itself is for those who look it up
	}
	if len(c.partials) == 0 {
		c.partialAt = n.call.name.at
	}
	c.partials = append(c.partials, n.text)
	c.nodes(t.nodes, inner)
	c.partials = c.partials[:len(c.partials)-1]
}

// value is what is known of an expression's value.
func (c *checker) value(e expr, at *place) shape {
	switch {
	case e.literal:
		return shape{schema: map[string]any{"const": e.value, "type": typeOf(e.value)}}
	case e.data:
		return c.data(e, at)
	}
	base := at
	for range e.up {
		if base = base.outer; base == nil {
			c.note(e.at, RuleScope, false, "there is nothing further up than here: write %s", brief(strings.Join(e.names, ".")))
			return shape{}
		}
	}
	if len(e.names) == 0 {
		c.All = c.All || base.root
		return base.shape
	}
	return c.fields(e, base, base.shape, e.names)
}

func (c *checker) data(e expr, at *place) shape {
	name := e.names[0]
	switch {
	case name == "root" && len(e.names) == 1:
		c.All = true
		return shape{schema: c.variables.Schema, root: true}
	case name == "root":
		return c.fields(e, &place{}, shape{schema: c.variables.Schema, root: true}, e.names[1:])
	case !loopVariable(name):
		return shape{} // the application's
	case at.loops <= e.up:
		c.note(e.at, RuleScope, false, "%s is known inside of #each only", brief(e.source))
	case name == "first" || name == "last":
		return shape{schema: map[string]any{"type": "boolean"}}
	case name == "index":
		return shape{schema: map[string]any{"type": "integer"}}
	}
	return shape{}
}

// fields follows the names of a path.
func (c *checker) fields(e expr, base *place, s shape, names []string) shape {
	for i, name := range names {
		inner, known := c.field(s, name)
		if !known {
			c.unknown(e, base, s, names[:i+1])
			return shape{}
		}
		s = inner
	}
	return s
}

// field looks up one field.
func (c *checker) field(s shape, name string) (inner shape, known bool) {
	if v, ok := s.extra[name]; ok {
		return v, true
	}
	if s.root {
		c.Used[name] = true
		if _, ok := c.variables.Default[name]; ok && s.schema == nil {
			return shape{}, true
		}
		if s.schema == nil {
			return shape{}, false
		}
	}
	if s.schema == nil || s.composed() {
		return shape{}, true
	}
	properties, some := s.schema["properties"].(map[string]any)
	if p, ok := properties[name]; ok {
		return schemaOf(p), true
	}
	is, rest := s.types(), s.schema["additionalProperties"]
	switch {
	case rest == false:
		return shape{}, false
	case rest != nil:
		return schemaOf(rest), true
	case slices.Contains(is, "array"):
		_, err := strconv.Atoi(name)
		return schemaOf(s.schema["items"]), err == nil
	}
	return shape{}, !some && (len(is) == 0 || slices.Contains(is, "object"))
}

// unknown says what is wrong with a path whose last name is not there.
func (c *checker) unknown(e expr, base *place, s shape, names []string) {
	name := brief(names[len(names)-1])
	properties, _ := s.schema["properties"].(map[string]any)
	hint := ""
	if c.guesses++; c.guesses <= maxProblems {
		if near := nearest(name, properties); near != "" {
			hint = fmt.Sprintf(" (did you mean %s?)", near)
		}
	}
	is := s.types()
	switch {
	case s.root && s.schema == nil:
		c.note(e.at, RuleUndeclared, false, "the variable %s is not declared: write an input.schema that names it", name)
	case s.root:
		c.note(e.at, RuleUndeclared, false, "the variable %s is not declared: add it to input.schema%s", name, hint)
	case len(names) == 1 && base.outer != nil && c.declares(name):
		c.Used[name] = true // it is meant
		c.note(e.at, RuleUndeclared, false, "%[1]s is not here, inside of a block that goes into another value: write {{@root.%[1]s}}", name)
	case len(is) > 0 && !slices.Contains(is, "object"):
		c.note(e.at, RuleType, false, "%s has no field %s: it is %s", owner(names), name, orWords(is))
	default:
		c.note(e.at, RuleUndeclared, false, "%s has no field %s in input.schema: add it there%s", owner(names), name, hint)
	}
}

func owner(names []string) string {
	if len(names) == 1 {
		return "this"
	}
	return brief(strings.Join(names[:len(names)-1], "."))
}

func (c *checker) declares(name string) bool {
	properties, _ := c.variables.Schema["properties"].(map[string]any)
	_, ok := properties[name]
	return ok
}

// compare looks for comparisons that always come out the same.
func (c *checker) compare(a expr, left shape, b expr, right shape) {
	l, r := left.types(), right.types()
	if len(l) == 0 || len(r) == 0 {
		return
	}
	if !slices.ContainsFunc(l, func(t string) bool { return slices.ContainsFunc(r, func(u string) bool { return comparable(t, u) }) }) {
		c.note(a.at, RuleNeverEqual, true, "%s is %s and %s is %s: they are never equal", brief(a.source), orWords(l), brief(b.source), orWords(r))
		return
	}
	for _, pair := range [...]struct {
		of, with shape
		e, value expr
	}{{left, right, a, b}, {right, left, b, a}} {
		if list, ok := pair.of.schema["enum"].([]any); ok && pair.value.literal && !slices.ContainsFunc(list, func(v any) bool { return equal(v, pair.value.value) }) {
			c.note(pair.value.at, RuleNeverEqual, true, "%s is not one of the values that %s can have", brief(pair.value.source), brief(pair.e.source))
		}
	}
}

func comparable(a, b string) bool {
	number := func(t string) bool { return t == "number" || t == "integer" }
	return a == b && a != "object" && a != "array" || number(a) && number(b)
}

// types are the types that a value can have; none if that is not known.
func (s shape) types() []string {
	if s.schema == nil || s.composed() {
		return nil
	}
	if list, ok := s.schema["enum"].([]any); ok {
		var out []string
		for _, v := range list {
			if t := typeOf(v); !slices.Contains(out, t) {
				out = append(out, t)
			}
		}
		return out
	}
	is := typesOf(s.schema)
	if len(is) > 1 { // what is optional is looked at as if it were there
		is = slices.DeleteFunc(is, func(t string) bool { return t == "null" })
	}
	return is
}

// composed reports whether a schema says more than is looked at here.
func (s shape) composed() bool {
	for _, k := range [...]string{"anyOf", "oneOf", "allOf", "$ref"} {
		if _, ok := s.schema[k]; ok {
			return true
		}
	}
	return false
}

func schemaOf(v any) shape {
	m, _ := v.(map[string]any)
	return shape{schema: m}
}

func typeOf(v any) string {
	for _, t := range types {
		if t != "integer" && isType(v, t) {
			return t
		}
	}
	return ""
}

// nearest is the name most like another, if it is like it at all.
func nearest(name string, among map[string]any) (best string) {
	least := min(2, len(name)/3) + 1
	for _, other := range slices.Sorted(maps.Keys(among)) {
		if len(other) > 64 || len(name) > 64 {
			continue
		}
		if d := distance(name, other); d < least {
			best, least = other, d
		}
	}
	return best
}

// distance is how many letters must be changed, added or removed.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		last := row[0]
		row[0]++
		for j := range len(b) {
			cost := last
			if a[i] != b[j] {
				cost++
			}
			last = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

// SchemaPath is where a schema, as it was written, declares a variable.
func SchemaPath(v any, name string) []string {
	m, ok := v.(map[string]any)
	if !ok {
		return nil
	}
	if jsonSchema(m) {
		return []string{"properties", name}
	}
	for key := range m {
		if f, why := parseField(key); why == "" && f.name == name && key != "(*)" {
			return []string{key}
		}
	}
	return nil
}

// Declared lists the variables that a schema declares, sorted.
func (v Variables) Declared() []string {
	properties, _ := v.Schema["properties"].(map[string]any)
	return slices.Sorted(maps.Keys(properties))
}

// Required lists the variables that must be given, sorted: those that are required and have no default.
func (v Variables) Required() []string {
	names := texts(v.Schema["required"])
	slices.Sort(names)
	return slices.DeleteFunc(names, func(name string) bool { _, ok := v.Default[name]; return ok })
}

// Types are the types that a variable, or a field of one, can have; none if that is not known.
func (v Variables) Types(path []string) []string {
	c := checker{variables: v, Usage: Usage{Used: map[string]bool{}}}
	s := shape{schema: v.Schema, root: true}
	for _, name := range path {
		inner, ok := c.field(s, name)
		if !ok {
			return nil
		}
		s = inner
	}
	return s.types()
}
