package jsonschema

import (
	"maps"
	"slices"
	"strings"

	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/token"
)

// structure is that of {…}, which is closed as CUE's definitions are.
func (t *translator) structure(s *ast.StructLit) (object, error) {
	out, open, err := t.fields(s)
	if err != nil {
		return nil, err
	}
	out["type"] = "object"
	if err := t.onlySometimes(s, out); err != nil {
		return nil, err
	}
	if _, said := out["additionalProperties"]; !open && !said {
		out["additionalProperties"] = false
	}
	return out, nil
}

// onlySometimes declares the fields that only conditions do, and refuses them where none of these holds.
func (t *translator) onlySometimes(s *ast.StructLit, out object) error {
	properties, _ := out["properties"].(object)
	where := map[string][]any{}
	if err := t.conditional(s, nil, where); err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(where)) {
		if _, ok := properties[name]; ok {
			continue
		}
		properties[name] = object{}
		if !t.partial {
			conditions, _ := out["allOf"].([]any)
			out["allOf"] = append(conditions, object{"if": object{"anyOf": where[name]}, "else": object{"properties": object{name: false}}})
		}
	}
	return nil
}

// conditional collects under which conditions fields are declared.
func (t *translator) conditional(s *ast.StructLit, under []any, where map[string][]any) error {
	for _, e := range s.Elts {
		switch x := e.(type) {
		case *ast.Field:
			if name, _, err := ast.LabelName(x.Label); err == nil && len(under) > 0 {
				where[name] = append(where[name], object{"allOf": slices.Clone(under)})
			}
		case *ast.Comprehension:
			all := slices.Clone(under)
			for _, clause := range x.Clauses {
				condition, err := t.condition(clause.(*ast.IfClause).Condition)
				if err != nil {
					return err
				}
				all = append(all, condition)
			}
			if err := t.conditional(x.Value.(*ast.StructLit), all, where); err != nil {
				return err
			}
		}
	}
	return nil
}

// fields are the members of a struct, with the conditions among them.
func (t *translator) fields(s *ast.StructLit) (out object, open bool, err error) {
	out = object{}
	properties, required, conditions := object{}, []string{}, []any{}
	for _, e := range s.Elts {
		switch x := e.(type) {
		case *ast.Ellipsis:
			open = true
		case *ast.Comprehension:
			c, err := t.comprehension(x)
			if err != nil {
				return nil, false, err
			}
			conditions = append(conditions, c)
		case *ast.Field:
			if _, isPattern := x.Label.(*ast.ListLit); isPattern {
				if err := t.members(x, out); err != nil {
					return nil, false, err
				}
				continue
			}
			name, _, err := ast.LabelName(x.Label)
			if err != nil {
				return nil, false, unknown(x.Label)
			}
			if index, ok := x.Value.(*ast.IndexExpr); ok {
				c, err := t.chosen(name, index)
				if err != nil {
					return nil, false, err
				}
				conditions = append(conditions, c...)
				continue
			}
			if properties[name], err = t.field(x); err != nil {
				return nil, false, err
			}
			if x.Constraint == token.NOT && !t.partial {
				required = append(required, name)
			}
		default:
			return nil, false, unknown(e)
		}
	}
	if len(properties) > 0 {
		out["properties"] = properties
	}
	if len(required) > 0 {
		out["required"] = required
	}
	if len(conditions) > 0 && !t.partial {
		out["allOf"] = conditions
	}
	return out, open, nil
}

func (t *translator) field(x *ast.Field) (object, error) {
	value, err := t.expr(x.Value)
	if err != nil {
		return nil, err
	}
	doc := comment(x)
	if doc != "" {
		value = t.inline(value)
	}
	if t.partial {
		value = either(value, object{"type": "null"})
	}
	return describe(value, doc, expectation(x)), nil
}

// inline puts a text in place of the reference to it, so that what a field means can stand beside it: editors show
// the innermost description.
func (t *translator) inline(s object) object {
	ref, _ := s["$ref"].(string)
	def, _ := t.written[strings.TrimPrefix(ref, "#/definitions/")].(object)
	if def["pattern"] == nil && def["enum"] == nil {
		return s
	}
	def = maps.Clone(def)
	delete(def, "description")
	return def
}

// members are fields whose names are told by a pattern: [#Name]: …
func (t *translator) members(x *ast.Field, out object) error {
	value, err := t.field(x)
	if err != nil {
		return err
	}
	label := x.Label.(*ast.ListLit)
	if len(label.Elts) != 1 {
		return unknown(label)
	}
	names, err := t.expr(label.Elts[0])
	if err != nil {
		return err
	}
	if ident, ok := label.Elts[0].(*ast.Ident); ok && strings.HasPrefix(ident.Name, "#") {
		if names, err = t.expr(t.of.byName[ident.Name].value); err != nil {
			return err
		}
	}
	if expr, ok := names["pattern"].(string); ok {
		patterns, _ := out["patternProperties"].(object)
		if patterns == nil {
			patterns = object{}
		}
		patterns[expr] = value
		out["patternProperties"] = patterns
		return nil
	}
	out["additionalProperties"] = value
	return nil
}

// comprehension is that of if … {…}.
func (t *translator) comprehension(x *ast.Comprehension) (object, error) {
	body, ok := x.Value.(*ast.StructLit)
	if !ok {
		return nil, unknown(x)
	}
	then, _, err := t.fields(body)
	if err != nil {
		return nil, err
	}
	var all []any
	for _, clause := range x.Clauses {
		c, ok := clause.(*ast.IfClause)
		if !ok {
			return nil, unknown(x)
		}
		condition, err := t.condition(c.Condition)
		if err != nil {
			return nil, err
		}
		all = append(all, condition)
	}
	if len(all) == 1 {
		return object{"if": all[0], "then": then}, nil
	}
	return object{"if": object{"allOf": all}, "then": then}, nil
}

// condition is a schema that holds where a condition on other fields does.
func (t *translator) condition(e ast.Expr) (object, error) {
	x, ok := e.(*ast.BinaryExpr)
	if !ok {
		return nil, unknown(e)
	}
	switch x.Op {
	case token.LOR, token.LAND:
		a, err := t.condition(x.X)
		if err != nil {
			return nil, err
		}
		b, err := t.condition(x.Y)
		return object{map[token.Token]string{token.LOR: "anyOf", token.LAND: "allOf"}[x.Op]: []any{a, b}}, err
	}
	if _, isIndex := x.X.(*ast.IndexExpr); isIndex {
		return object{}, nil // whether there is such a field: where there is none, nothing is chosen
	}
	path, ok := fieldPath(x.X)
	if !ok {
		return nil, unknown(e)
	}
	if _, isBottom := x.Y.(*ast.BottomLit); isBottom {
		if x.Op == token.EQL {
			return object{"not": where(path, object{})}, nil
		}
		return where(path, object{}), nil
	}
	value, ok := constant(x.Y)
	if !ok {
		return nil, unknown(e)
	}
	switch x.Op {
	case token.EQL:
		return where(path, object{"const": value}), nil
	case token.NEQ:
		return where(path, object{"not": object{"const": value}}), nil
	case token.MAT:
		return where(path, object{"type": "string", "pattern": pattern(value.(string))}), nil
	case token.NMAT:
		return where(path, object{"not": object{"type": "string", "pattern": pattern(value.(string))}}), nil
	}
	return nil, unknown(e)
}

// fieldPath is the names of strategy.mode.
func fieldPath(e ast.Expr) ([]string, bool) {
	switch x := e.(type) {
	case *ast.Ident:
		return []string{x.Name}, true
	case *ast.SelectorExpr:
		path, ok := fieldPath(x.X)
		name, _, err := ast.LabelName(x.Sel)
		return append(path, name), ok && err == nil
	}
	return nil, false
}

// where demands a field that is there, and is so.
func where(path []string, s object) object {
	for _, name := range slices.Backward(path) {
		s = object{"properties": object{name: s}, "required": []string{name}}
	}
	return s
}

// chosen is that of data: #SealedFields[type]: a definition's field that another field names.
func (t *translator) chosen(name string, x *ast.IndexExpr) ([]any, error) {
	of, ok := x.X.(*ast.Ident)
	by, ok2 := x.Index.(*ast.Ident)
	if !ok || !ok2 || t.of.byName[of.Name] == nil {
		return nil, unknown(x)
	}
	table, ok := t.of.byName[of.Name].value.(*ast.StructLit)
	if !ok {
		return nil, unknown(x)
	}
	var out []any
	for _, e := range table.Elts {
		f, ok := e.(*ast.Field)
		if !ok {
			return nil, unknown(e)
		}
		label, _, err := ast.LabelName(f.Label)
		if err != nil {
			return nil, err
		}
		value, err := t.expr(f.Value)
		if err != nil {
			return nil, err
		}
		out = append(out, object{"if": is(by.Name, label), "then": object{"properties": object{name: value}}})
	}
	return out, nil
}
