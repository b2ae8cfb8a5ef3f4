package jsonschema

import (
	"fmt"
	"slices"
	"strings"

	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/literal"
	"cuelang.org/go/cue/token"
)

// note tells what a condition among fields demands, and adds the fields that only it declares.
func (p *page) note(prefix string, x *ast.Comprehension, under []string, of *ast.StructLit) error {
	for _, clause := range x.Clauses {
		c, ok := clause.(*ast.IfClause)
		if !ok {
			return unknown(clause)
		}
		words, err := conditionWords(prefix, c.Condition)
		if err != nil {
			return err
		}
		if words != "" {
			under = append(under, words)
		}
	}
	for _, e := range x.Value.(*ast.StructLit).Elts {
		var err error
		switch y := e.(type) {
		case *ast.Comprehension:
			err = p.note(prefix, y, under, of)
		case *ast.Field:
			err = p.demand(prefix, y, under, of)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (p *page) demand(prefix string, x *ast.Field, under []string, of *ast.StructLit) error {
	name, err := p.label(x)
	if err != nil {
		return err
	}
	if fieldOf(of, name) == nil && !p.has(prefix+name, under) {
		optional := *x
		if !p.apart {
			optional.Constraint = token.OPTION
		}
		outer := p.under
		p.under = append(slices.Clone(outer), under...)
		err := p.field(prefix, &optional, nil)
		if p.under = outer; err != nil || p.apart {
			return err
		}
	}
	what, err := p.demanded(x, fieldOf(of, name))
	if err != nil || what == "" {
		return err
	}
	// Of what is demanded of any given field, that it is given goes without saying.
	note := fmt.Sprintf("- `%s` %s", prefix+name, what)
	if len(under) > 0 {
		note += " where " + strings.Join(moreThanPresence(under), " and ")
	}
	p.notes = append(p.notes, note+".")
	return nil
}

// has reports whether a field has a row already, of those that are apart one that also holds under these conditions.
func (p *page) has(path string, under []string) bool {
	under = append(slices.Clone(p.under), under...)
	return slices.ContainsFunc(p.table, func(r row) bool {
		return r.path == path && (!p.apart || len(r.under) <= len(under) && slices.Equal(r.under, under[:len(r.under)]))
	})
}

// moreThanPresence leaves out that a field is given where the rest says what it is.
func moreThanPresence(conditions []string) []string {
	var out []string
	for i, c := range conditions {
		field, isPresence := strings.CutSuffix(c, " is given")
		if isPresence && i+1 < len(conditions) && strings.Contains(strings.Join(conditions[i+1:], " "), strings.TrimSuffix(field, "`")) {
			continue
		}
		out = append(out, c)
	}
	return out
}

func (p *page) demanded(x, declared *ast.Field) (string, error) {
	if c, ok := x.Value.(*ast.CallExpr); ok && text(c.Fun) == "error" {
		words, err := literal.Unquote(c.Args[0].(*ast.BasicLit).Value)
		return "is refused (" + words + ")", err
	}
	if x.Constraint == token.NOT {
		if text(x.Value) != "_" && declared != nil && text(x.Value) != text(declared.Value) {
			value, _, err := p.words(x.Value)
			return "must be " + value, err
		}
		return "is required", nil
	}
	if _, ok := x.Value.(*ast.IndexExpr); ok {
		return "has the fields of its `type`", nil
	}
	if words := limit(x.Value); words != "" {
		return "has " + words, nil
	}
	return "is allowed", nil
}

func conditionWords(prefix string, e ast.Expr) (string, error) {
	x, ok := e.(*ast.BinaryExpr)
	if !ok {
		return "", unknown(e)
	}
	if x.Op == token.LOR || x.Op == token.LAND {
		a, err := conditionWords(prefix, x.X)
		if err != nil {
			return "", err
		}
		b, err := conditionWords(prefix, x.Y)
		if subject, rest, ok := strings.Cut(b, " is "); ok && strings.HasPrefix(a, subject+" is ") {
			b = rest // said once
		}
		return a + map[token.Token]string{token.LOR: " or ", token.LAND: " and "}[x.Op] + b, err
	}
	if _, isIndex := x.X.(*ast.IndexExpr); isIndex {
		return "", nil
	}
	path, ok := fieldPath(x.X)
	if !ok {
		return "", unknown(e)
	}
	subject := "`" + prefix + strings.Join(path, ".") + "`"
	if _, isBottom := x.Y.(*ast.BottomLit); isBottom {
		return subject + map[bool]string{true: " is absent", false: " is given"}[x.Op == token.EQL], nil
	}
	value, _ := constant(x.Y)
	return fmt.Sprintf("%s %s `%v`", subject, map[token.Token]string{token.EQL: "is", token.NEQ: "is not", token.MAT: "matches", token.NMAT: "does not match"}[x.Op], value), nil
}
