// Package jsonschema writes the CUE definitions of kinds and settings files as JSON Schema, for editors, and as
// reference pages, for people. CUE stays the only definition: what JSON Schema cannot say is left to it, and
// what this package does not understand of a definition is an error, so that nothing is said wrong.
package jsonschema

import (
	"io/fs"
	"slices"
	"strings"

	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/literal"
	"cuelang.org/go/cue/parser"
	"cuelang.org/go/cue/token"
)

// Definitions are those of a package, by their names, such as #Duration.
type Definitions struct {
	byName map[string]*definition
	names  []string // in the order of the files
}

type definition struct {
	name   string
	value  ast.Expr
	doc    string // the comment above it
	expect string // its @expect: what a value is called
	unit   string // its @unit: what a number counts
}

// Read reads the definitions of all *.cue files of a folder.
func Read(fsys fs.FS) (*Definitions, error) {
	files, err := fs.Glob(fsys, "*.cue")
	if err != nil {
		return nil, err
	}
	d := &Definitions{byName: map[string]*definition{}}
	for _, name := range files {
		data, err := fs.ReadFile(fsys, name)
		if err != nil {
			return nil, err
		}
		f, err := parser.ParseFile(name, data, parser.ParseComments)
		if err != nil {
			return nil, err
		}
		if err := d.add(f); err != nil {
			return nil, err
		}
	}
	return d, nil
}

func (d *Definitions) add(f *ast.File) error {
	for _, decl := range f.Decls {
		field, ok := decl.(*ast.Field)
		if !ok {
			continue
		}
		name, _, err := ast.LabelName(field.Label)
		if err != nil || !strings.HasPrefix(name, "#") {
			continue
		}
		if known := d.byName[name]; known != nil {
			known.value = joined(known.value, field.Value)
			continue
		}
		d.byName[name] = &definition{name: name, value: field.Value, doc: comment(field), expect: expectation(field), unit: attribute(field, "unit")}
		d.names = append(d.names, name)
	}
	return nil
}

// joined is what a definition says that is written in two places: as if it were written in one.
func joined(a, b ast.Expr) ast.Expr {
	x, ok := a.(*ast.StructLit)
	y, ok2 := b.(*ast.StructLit)
	switch {
	case text(a) == text(b):
		return a
	case !ok || !ok2:
		return &ast.BinaryExpr{Op: token.AND, X: a, Y: b}
	}
	out := &ast.StructLit{Elts: slices.Clone(x.Elts)}
	for _, e := range y.Elts {
		f, isField := e.(*ast.Field)
		i := -1
		if isField {
			i = slices.IndexFunc(out.Elts, func(e ast.Decl) bool { return sameLabel(e, f) })
		}
		if i < 0 {
			out.Elts = append(out.Elts, e)
			continue
		}
		both := *out.Elts[i].(*ast.Field)
		both.Value = joined(both.Value, f.Value)
		if f.Constraint == token.NOT || f.Constraint == token.ILLEGAL {
			both.Constraint = token.NOT
		}
		out.Elts[i] = &both
	}
	return out
}

func sameLabel(e ast.Decl, f *ast.Field) bool {
	other, ok := e.(*ast.Field)
	if !ok {
		return false
	}
	a, _, err := ast.LabelName(other.Label)
	b, _, err2 := ast.LabelName(f.Label)
	return err == nil && err2 == nil && a == b
}

// And returns the definitions with those of another folder, which may say more of the same ones: a repository's own.
func (d *Definitions) And(fsys fs.FS) (*Definitions, error) {
	own, err := Read(fsys)
	if err != nil {
		return nil, err
	}
	out := &Definitions{byName: map[string]*definition{}, names: slices.Clone(d.names)}
	for name, def := range d.byName {
		out.byName[name] = def
	}
	for _, name := range own.names {
		def := *own.byName[name]
		if known := out.byName[name]; known != nil {
			def.value, def.doc, def.expect = joined(known.value, def.value), known.doc, known.expect
		} else {
			out.names = append(out.names, name)
		}
		out.byName[name] = &def
	}
	return out, nil
}

// Has reports whether there is a definition of the name, such as #Config.
func (d *Definitions) Has(name string) bool { return d.byName[name] != nil }

// Kinds lists the kinds of documents that are defined, sorted: what has a kind and a spec.
func (d *Definitions) Kinds() []string {
	var kinds []string
	for name, def := range d.byName {
		s, ok := def.value.(*ast.StructLit)
		if !ok {
			continue
		}
		kind, spec := fieldOf(s, "kind"), fieldOf(s, "spec")
		if kind == nil || spec == nil {
			continue
		}
		if word, ok := constant(kind.Value); ok && word == strings.TrimPrefix(name, "#") {
			kinds = append(kinds, strings.TrimPrefix(name, "#"))
		}
	}
	slices.Sort(kinds)
	return kinds
}

func fieldOf(s *ast.StructLit, name string) *ast.Field {
	for _, e := range s.Elts {
		if f, ok := e.(*ast.Field); ok {
			if label, _, err := ast.LabelName(f.Label); err == nil && label == name {
				return f
			}
		}
	}
	return nil
}

// comment is what stands above a field, without marks and line ends.
func comment(n ast.Node) string {
	var lines []string
	for _, group := range ast.Comments(n) {
		if !group.Doc {
			continue
		}
		for _, c := range group.List {
			lines = append(lines, strings.TrimSpace(strings.TrimPrefix(c.Text, "//")))
		}
	}
	return strings.Join(lines, " ")
}

func expectation(f *ast.Field) string { return attribute(f, "expect") }

// attribute is the text of an attribute such as @unit("bytes"); empty if there is none.
func attribute(f *ast.Field, name string) string {
	for _, a := range f.Attrs {
		if key, body := a.Split(); key == name {
			if words, err := literal.Unquote(body); err == nil {
				return words
			}
		}
	}
	return ""
}

// constant is the value of a literal: a string, a number or a bool.
func constant(e ast.Expr) (any, bool) {
	lit, ok := e.(*ast.BasicLit)
	if !ok {
		return nil, false
	}
	switch lit.Kind {
	case token.STRING:
		s, err := literal.Unquote(lit.Value)
		return s, err == nil
	case token.TRUE, token.FALSE:
		return lit.Kind == token.TRUE, true
	case token.INT, token.FLOAT:
		return number(lit.Value), true
	}
	return nil, false
}
