package jsonschema

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/format"
	"cuelang.org/go/cue/token"
)

// object is a JSON Schema, of draft 7, which editors know best.
type object = map[string]any

// Draft is the URI of the dialect.
const Draft = "http://json-schema.org/draft-07/schema#"

// Schema is that of one definition, such as #TrustPolicy, with all that it refers to.
func (d *Definitions) Schema(name string) ([]byte, error) {
	t := &translator{of: d, written: object{}}
	root, err := t.refer(name)
	if err != nil {
		return nil, err
	}
	return t.finish(root)
}

// Documents is the schema of any document: its kind decides. What is to be merged onto an inherited document need not be
// whole, and deletes by null; a file that is sealed has what SOPS adds.
func (d *Definitions) Documents() ([]byte, error) {
	t := &translator{of: d, written: object{}}
	kinds := d.Kinds()
	var cases []any
	for _, kind := range kinds {
		whole, err := t.refer("#" + kind)
		if err != nil {
			return nil, err
		}
		t.partial = true
		part, err := t.refer("#" + kind)
		if err != nil {
			return nil, err
		}
		t.partial = false
		cases = append(cases, object{"if": is("kind", kind), "then": object{"if": isDeep, "then": part, "else": whole}})
	}
	return t.finish(object{
		"title": "A document of a configuration repository",
		"type":  "object", "required": []string{"apiVersion", "kind"},
		"properties": object{"apiVersion": object{"const": "lcm/v1"}, "kind": object{"enum": kinds}},
		"allOf":      cases,
	})
}

func is(field string, value any) object {
	return object{"properties": object{field: object{"const": value}}, "required": []string{field}}
}

var isDeep = object{"properties": object{"metadata": is("merge", "deep")}, "required": []string{"metadata"}}

func (t *translator) finish(root object) ([]byte, error) {
	root = maps.Clone(root)
	root["$schema"] = Draft
	root["definitions"] = t.written
	out, err := json.MarshalIndent(root, "", "  ")
	return append(out, '\n'), err
}

// translator writes definitions, each once.
type translator struct {
	of      *Definitions
	partial bool // what may be merged onto something: nothing is required, null deletes
	written object
}

// refer returns a reference to a definition, which is written if it is not yet.
func (t *translator) refer(name string) (object, error) {
	def := t.of.byName[name]
	if def == nil {
		return nil, fmt.Errorf("%s is not defined", name)
	}
	key := strings.TrimPrefix(name, "#")
	if t.partial {
		key += ".part"
	}
	if _, ok := t.written[key]; !ok {
		t.written[key] = object{} // for those that refer to themselves
		s, err := t.expr(def.value)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		t.written[key] = describe(t.sealed(name, s), def.doc, def.expect)
	}
	return object{"$ref": "#/definitions/" + key}, nil
}

// sealed lets a Secret have what SOPS adds to a file.
func (t *translator) sealed(name string, s object) object {
	if properties, ok := s["properties"].(object); ok && name == "#Secret" {
		properties["sops"] = object{"type": "object", "description": "Written by SOPS: recipients, MAC, and what is sealed."}
	}
	return s
}

// describe adds what is said about a value. Draft 7 ignores what stands beside a reference.
func describe(s object, doc, expect string) object {
	if doc == "" && expect == "" {
		return s
	}
	s = maps.Clone(s)
	if s["$ref"] != nil {
		s = object{"allOf": []any{s}}
	}
	if doc != "" {
		s["description"] = doc
	}
	if expect != "" {
		s["title"] = expect
		if s["pattern"] != nil {
			s["patternErrorMessage"] = "must be " + expect // of yaml-language-server and vscode
		}
	}
	return s
}

func (t *translator) expr(e ast.Expr) (object, error) {
	if value, ok := constant(e); ok {
		return object{"const": value}, nil
	}
	switch x := e.(type) {
	case *ast.ParenExpr:
		return t.expr(x.X)
	case *ast.Ident:
		return t.ident(x)
	case *ast.UnaryExpr:
		return bound(x)
	case *ast.BinaryExpr:
		return t.binary(x)
	case *ast.CallExpr:
		return call(x)
	case *ast.ListLit:
		return t.list(x)
	case *ast.StructLit:
		return t.structure(x)
	}
	return nil, unknown(e)
}

func unknown(n ast.Node) error {
	return fmt.Errorf("%s: there is no JSON Schema for %s", n.Pos(), text(n))
}

func text(n ast.Node) string {
	out, err := format.Node(n)
	if err != nil {
		return fmt.Sprintf("%T", n)
	}
	return string(out)
}

var basic = map[string]object{
	"string": {"type": "string"}, "int": {"type": "integer"}, "number": {"type": "number"}, "bool": {"type": "boolean"}, "_": {},
}

func (t *translator) ident(x *ast.Ident) (object, error) {
	if strings.HasPrefix(x.Name, "#") {
		return t.refer(x.Name)
	}
	if s, ok := basic[x.Name]; ok {
		return maps.Clone(s), nil
	}
	return nil, unknown(x)
}

func (t *translator) binary(x *ast.BinaryExpr) (object, error) {
	a, err := t.expr(x.X)
	if err != nil {
		return nil, err
	}
	b, err := t.expr(x.Y)
	if err != nil {
		return nil, err
	}
	switch x.Op {
	case token.AND:
		return both(a, b), nil
	case token.OR:
		return either(a, b), nil
	}
	return nil, unknown(x)
}

// both demands two schemas.
func both(a, b object) object {
	for key := range b {
		if _, ok := a[key]; ok || key == "$ref" || a["$ref"] != nil {
			return object{"allOf": []any{a, b}}
		}
	}
	out := maps.Clone(a)
	maps.Copy(out, b)
	return out
}

// either demands one of two schemas; constants become a list.
func either(a, b object) object {
	if x, ok := values(a); ok {
		if y, ok := values(b); ok {
			return object{"enum": slices.Concat(x, y)}
		}
	}
	out, ok := a["anyOf"].([]any)
	if !ok || len(a) > 1 {
		out = []any{a}
	}
	return object{"anyOf": append(slices.Clone(out), b)}
}

func values(s object) ([]any, bool) {
	if len(s) != 1 {
		return nil, false
	}
	if c, ok := s["const"]; ok {
		return []any{c}, true
	}
	all, ok := s["enum"].([]any)
	return all, ok
}

func (t *translator) list(x *ast.ListLit) (object, error) {
	out := object{"type": "array"}
	if len(x.Elts) != 1 {
		return nil, unknown(x)
	}
	rest, ok := x.Elts[0].(*ast.Ellipsis)
	if !ok {
		return nil, unknown(x)
	}
	if rest.Type == nil {
		return out, nil
	}
	items, err := t.expr(rest.Type)
	out["items"] = items
	return out, err
}
