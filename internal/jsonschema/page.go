package jsonschema

import (
	"fmt"
	"slices"
	"strings"

	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/token"
)

// Page is the reference of one definition, such as #Budget, in Markdown: its example, a table of its fields, and what
// holds between them.
func (d *Definitions) Page(name, example string) (string, error) {
	def := d.byName[name]
	if def == nil {
		return "", fmt.Errorf("%s is not defined", name)
	}
	p := &page{of: d}
	if err := p.rows("", def.value, nil); err != nil {
		return "", fmt.Errorf("%s: %w", name, err)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "# %s\n\n%s\n", strings.TrimPrefix(name, "#"), sentence(name, def.doc))
	if example != "" {
		fmt.Fprintf(&b, "\n```yaml\n%s```\n", example)
	}
	b.WriteString("\n")
	p.write(&b)
	if name == "#Secret" {
		err := p.opened(&b)
		return b.String(), err
	}
	return b.String(), nil
}

// opened adds what the data of each type of Secret hold once opened.
func (p *page) opened(b *strings.Builder) error {
	def := p.of.byName["#OpenedSecret"]
	if def == nil {
		return fmt.Errorf("#OpenedSecret is not defined")
	}
	b.WriteString("\n## The fields of data, by type\n\nOnce opened. `previous` has the same.\n")
	for _, e := range def.value.(*ast.StructLit).Elts {
		f, ok := e.(*ast.Field)
		if !ok {
			return unknown(e)
		}
		name, err := p.label(f)
		if err != nil {
			return err
		}
		of := &page{of: p.of}
		if err := of.rows("", f.Value, nil); err != nil {
			return err
		}
		fmt.Fprintf(b, "\n### %s\n\n", name)
		if len(of.table) == 0 {
			b.WriteString("Any fields.\n")
			continue
		}
		of.write(b)
	}
	return nil
}

func (p *page) write(b *strings.Builder) {
	b.WriteString("| field | value | |\n|---|---|---|\n")
	for _, r := range p.table {
		fmt.Fprintf(b, "| `%s`%s | %s | %s |\n", r.path, map[bool]string{true: " **required**"}[r.required], cell(r.value), cell(r.doc))
	}
	if len(p.notes) > 0 {
		b.WriteString("\n" + strings.Join(p.notes, "\n") + "\n")
	}
}

// sentence makes one of the comment of a definition, which begins with its name.
func sentence(name, doc string) string {
	rest, ok := strings.CutPrefix(doc, strings.TrimPrefix(name, "#")+" is ")
	if article, _, _ := strings.Cut(rest, " "); ok && slices.Contains([]string{"a", "an", "the"}, article) {
		return strings.ToUpper(rest[:1]) + rest[1:]
	}
	return doc
}

func cell(s string) string { return strings.ReplaceAll(s, "|", `\|`) }

type page struct {
	of    *Definitions
	table []row
	notes []string

	apart bool     // a field that is declared under several conditions has a row for each
	under []string // the conditions of the fields that are looked at
}

type row struct {
	path, value, doc string
	required         bool
	under            []string
	absent, unit     string
}

// rows adds a row for each field of a struct, and for those below.
func (p *page) rows(prefix string, e ast.Expr, within []string) error {
	s, name := p.structOf(e)
	if s == nil || slices.Contains(within, name) {
		return nil
	}
	if name != "" {
		within = append(slices.Clone(within), name)
	}
	for _, elt := range s.Elts {
		var err error
		switch x := elt.(type) {
		case *ast.Field:
			err = p.field(prefix, x, within)
		case *ast.Comprehension:
			err = p.note(prefix, x, nil, s)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (p *page) field(prefix string, x *ast.Field, within []string) error {
	name, err := p.label(x)
	if err != nil {
		return err
	}
	value, below, err := p.words(x.Value)
	if err != nil {
		return err
	}
	if words := expectation(x); words != "" {
		value = words
	}
	p.table = append(p.table, row{prefix + name, value, comment(x), x.Constraint == token.NOT, p.under, absent(x), p.unit(x)})
	if below.of == nil {
		return nil
	}
	return p.rows(prefix+name+below.by, below.of, within)
}

// label is a field's name, or <names> where a pattern tells it.
func (p *page) label(x *ast.Field) (string, error) {
	list, ok := x.Label.(*ast.ListLit)
	if !ok {
		name, _, err := ast.LabelName(x.Label)
		return name, err
	}
	switch l := list.Elts[0].(type) {
	case *ast.Ident:
		if name, ok := strings.CutPrefix(l.Name, "#"); ok {
			return "<" + strings.ToLower(name) + ">", nil
		}
		return "<name>", nil
	case *ast.UnaryExpr:
		if expr, ok := constant(l.X); ok {
			return strings.NewReplacer("^", "", "$", "", "[a-z0-9_]{1,64}", "…").Replace(expr.(string)), nil
		}
	}
	return "", unknown(x.Label)
}

// structOf is the struct that an expression is, perhaps by the name of a definition.
func (p *page) structOf(e ast.Expr) (s *ast.StructLit, name string) {
	switch x := e.(type) {
	case *ast.StructLit:
		return x, ""
	case *ast.BinaryExpr:
		if s, name := p.structOf(x.X); s != nil {
			return s, name
		}
		return p.structOf(x.Y)
	case *ast.Ident:
		if def := p.of.byName[x.Name]; def != nil {
			s, _ := p.structOf(def.value)
			return s, x.Name
		}
	}
	return nil, ""
}

// below is what has rows of its own, and what stands between the paths.
type below struct {
	of ast.Expr
	by string
}

// words tell what a value may be.
func (p *page) words(e ast.Expr) (string, below, error) {
	if c, ok := constant(e); ok {
		return fmt.Sprintf("`%v`", c), below{}, nil
	}
	switch x := e.(type) {
	case *ast.ParenExpr:
		return p.words(x.X)
	case *ast.StructLit:
		return p.mapping(x)
	case *ast.ListLit:
		return p.listing(x)
	case *ast.Ident:
		return p.named(x)
	case *ast.BinaryExpr:
		return p.joined(x)
	case *ast.UnaryExpr, *ast.CallExpr:
		return limit(e), below{}, nil
	case *ast.IndexExpr:
		return "by `" + text(x.Index) + "`", below{}, nil
	}
	return "", below{}, unknown(e)
}

var plainWords = map[string]string{"string": "text", "int": "a whole number", "number": "a number", "bool": "`true` or `false`", "_": "any value"}

func (p *page) named(x *ast.Ident) (string, below, error) {
	if words, ok := plainWords[x.Name]; ok {
		return words, below{}, nil
	}
	def := p.of.byName[x.Name]
	if def == nil {
		return "", below{}, unknown(x)
	}
	words, under, err := p.words(def.value)
	switch {
	case def.expect == "":
		return words, under, err
	case p.apart:
		return def.expect, under, err
	}
	return def.expect, below{}, nil
}

func (p *page) mapping(s *ast.StructLit) (string, below, error) {
	if len(s.Elts) == 1 {
		if f, ok := s.Elts[0].(*ast.Field); ok {
			if list, ok := f.Label.(*ast.ListLit); ok {
				names := "names"
				if ident, ok := list.Elts[0].(*ast.Ident); ok && strings.HasPrefix(ident.Name, "#") {
					if words := p.of.byName[ident.Name].expect; words != "" {
						names, _, _ = strings.Cut(words, ":")
						names = plural(names)
					}
				}
				value, _, err := p.words(f.Value)
				return "a mapping of " + names + " to " + value, below{s, "."}, err
			}
		}
	}
	return "a mapping", below{s, "."}, nil
}

func plural(words string) string {
	for _, article := range []string{"a ", "an ", "the "} {
		words = strings.TrimPrefix(words, article)
	}
	if first, rest, ok := strings.Cut(words, " "); ok {
		return first + "s " + rest
	}
	return words + "s"
}

func (p *page) listing(x *ast.ListLit) (string, below, error) {
	rest := x.Elts[0].(*ast.Ellipsis)
	if rest.Type == nil {
		return "a list", below{}, nil
	}
	value, under, err := p.words(rest.Type)
	switch {
	case under.of == nil:
		return "a list of: " + value, below{}, err
	case value != "a mapping":
		return "a list of: " + value, below{under.of, "[]."}, err
	}
	return "a list of mappings", below{under.of, "[]."}, err
}

func (p *page) joined(x *ast.BinaryExpr) (string, below, error) {
	a, under, err := p.words(x.X)
	if err != nil {
		return "", below{}, err
	}
	b, other, err := p.words(x.Y)
	if err != nil {
		return "", below{}, err
	}
	if under.of == nil {
		under = other
	}
	if x.Op == token.OR {
		return alternatives(a, b), under, nil
	}
	for _, words := range []string{a, b} { // what says nothing by itself
		if words == "" {
			return a + b, under, nil
		}
	}
	if strings.HasPrefix(a, "a list") || strings.HasPrefix(a, "a mapping") || strings.HasPrefix(a, "text") {
		return a + ", " + b, under, nil
	}
	return a + " " + b, under, nil
}

func alternatives(a, b string) string {
	return strings.Replace(a, " or ", ", ", 1) + " or " + b
}

// limit tells a bound.
func limit(e ast.Expr) string {
	switch x := e.(type) {
	case *ast.UnaryExpr:
		words := map[token.Token]string{token.GEQ: "from ", token.LEQ: "to ", token.GTR: "above ", token.LSS: "below ", token.MAT: "matching ", token.NMAT: "not matching "}[x.Op]
		if x.Op == token.MAT || x.Op == token.NMAT {
			expr, _ := constant(x.X)
			return fmt.Sprintf("text %s`%v`", words, expr)
		}
		if n, ok := signed(x.X); ok {
			return words + fmt.Sprint(n)
		}
		n, _ := signed(x)
		return fmt.Sprintf("`%v`", n)
	case *ast.CallExpr:
		if len(x.Args) == 1 {
			n, _ := constant(x.Args[0])
			switch text(x.Fun) {
			case "list.MinItems":
				return fmt.Sprintf("at least %v", n)
			case "list.MaxItems":
				return fmt.Sprintf("at most %v", n)
			case "strings.MaxRunes":
				return fmt.Sprintf("at most %v characters", n)
			}
		}
	}
	return ""
}
