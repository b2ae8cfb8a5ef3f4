package jsonschema

import (
	"regexp"
	"strings"

	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/token"
)

// Keys are the names of the fields of the mapping at a path in a document of a definition, such as #Budget, in their
// order.
func (d *Definitions) Keys(name string, path []string) []string {
	p := &page{of: d}
	s, _ := p.structOf(d.at(name, path))
	if s == nil {
		return nil
	}
	var keys []string
	for _, e := range s.Elts {
		if f, ok := e.(*ast.Field); ok {
			if name, _, err := ast.LabelName(f.Label); err == nil {
				keys = append(keys, name)
			}
		}
	}
	return keys
}

// MustBeText reports whether what stands at a path must be a text and may be this one: a number, say, that lacks
// its quotes.
func (d *Definitions) MustBeText(name string, path []string, text string) bool {
	return d.isText(d.at(name, path), text)
}

func (d *Definitions) isText(e ast.Expr, text string) bool {
	switch x := e.(type) {
	case *ast.BasicLit:
		value, ok := constant(x)
		return ok && value == text
	case *ast.Ident:
		def := d.byName[x.Name]
		return def != nil && d.isText(def.value, text)
	case *ast.UnaryExpr:
		expr, ok := constant(x.X)
		if x.Op != token.MAT || !ok {
			return false
		}
		re, err := regexp.Compile(expr.(string))
		return err == nil && re.MatchString(text)
	}
	return false
}

// at is what a definition says of the value at a path, elements of lists being named by their index; nil if nothing.
func (d *Definitions) at(name string, path []string) ast.Expr {
	def := d.byName[name]
	if def == nil {
		return nil
	}
	p := &page{of: d}
	e := def.value
	for _, step := range path {
		if s, _ := p.structOf(e); s != nil {
			e = d.member(s, step)
		} else {
			e = d.element(e)
		}
	}
	return e
}

// member is what a struct says of a field: by its name, or by a pattern for names.
func (d *Definitions) member(s *ast.StructLit, name string) ast.Expr {
	if f := fieldOf(s, name); f != nil {
		return f.Value
	}
	for _, e := range s.Elts {
		if f, ok := e.(*ast.Field); ok {
			if list, ok := f.Label.(*ast.ListLit); ok && len(list.Elts) == 1 && (text(list.Elts[0]) == "string" || d.isText(list.Elts[0], name)) {
				return f.Value
			}
		}
	}
	return nil
}

// element is what a list says of its elements.
func (d *Definitions) element(e ast.Expr) ast.Expr {
	switch x := e.(type) {
	case *ast.ListLit:
		if rest, ok := x.Elts[0].(*ast.Ellipsis); ok {
			return rest.Type
		}
	case *ast.BinaryExpr:
		if found := d.element(x.X); found != nil {
			return found
		}
		return d.element(x.Y)
	case *ast.ParenExpr:
		return d.element(x.X)
	case *ast.Ident:
		if def := d.byName[x.Name]; def != nil && strings.HasPrefix(x.Name, "#") {
			return d.element(def.value)
		}
	}
	return nil
}
