package schema

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/literal"
	"cuelang.org/go/cue/parser"
	"cuelang.org/go/cue/token"

	"github.com/llm-config-manager/lcm/internal/lcm"
)

// collector finds the classes of a definition in its syntax. It knows the constructs by which a verdict
// can depend on a value only by what classes tell; with any other one, such as a field that must equal
// another, the definition has no classes, and every document is judged by itself.
type collector struct {
	top      map[string][]ast.Expr // the package's definitions by name
	done     map[string]bool
	compiled map[string]*regexp.Regexp // of all kinds
	classes  *classes
	unknown  bool
}

// classesOf returns the classes of the built-in kinds; a kind without an entry has none.
func classesOf() (map[lcm.Kind]*classes, error) {
	sources, err := embedded()
	if err != nil {
		return nil, err
	}
	top := map[string][]ast.Expr{}
	for _, s := range sources {
		f, err := parser.ParseFile(s.name, s.data)
		if err != nil {
			return nil, err
		}
		for name, field := range labels(f) {
			top[name] = append(top[name], field.Value)
		}
	}
	out, compiled := map[lcm.Kind]*classes{}, map[string]*regexp.Regexp{}
	for _, kind := range kinds {
		c := &collector{top: top, done: map[string]bool{}, compiled: compiled, classes: &classes{texts: map[string]int{}}}
		c.definition("#" + string(kind))
		if !c.unknown {
			out[kind] = c.classes
		}
	}
	return out, nil
}

func (c *collector) definition(name string) {
	if c.done[name] {
		return
	}
	c.done[name] = true
	if len(c.top[name]) != 1 {
		c.unknown = true
		return
	}
	c.constraint(c.top[name][0])
}

// plainTypes are constraints on the type alone, which a document's digest tells anyway.
var plainTypes = [...]string{"string", "number", "int", "float", "bool", "_"}

// constraint takes what a value must fit.
func (c *collector) constraint(n ast.Expr) {
	switch n := n.(type) {
	case *ast.Ident:
		if strings.HasPrefix(n.Name, "#") {
			c.definition(n.Name)
		} else if n.Node != nil || !slices.Contains(plainTypes[:], n.Name) {
			c.unknown = true
		}
	case *ast.BasicLit:
		c.literal(n)
	case *ast.UnaryExpr:
		c.bound(n)
	case *ast.BinaryExpr:
		if n.Op != token.AND && n.Op != token.OR {
			c.unknown = true
			return
		}
		c.constraint(n.X)
		c.constraint(n.Y)
	case *ast.ParenExpr:
		c.constraint(n.X)
	case *ast.ListLit:
		for _, e := range n.Elts {
			c.declaration(e)
		}
	case *ast.StructLit:
		for _, d := range n.Elts {
			c.declaration(d)
		}
	case *ast.CallExpr:
		c.call(n)
	case *ast.IndexExpr:
		c.choice(n)
	default:
		c.unknown = true
	}
}

// declaration takes a part of a mapping or list. How long a list is and what the keys of a mapping are the digest tells.
func (c *collector) declaration(n ast.Node) {
	switch n := n.(type) {
	case *ast.Field:
		c.field(n)
	case *ast.Ellipsis:
		if n.Type != nil {
			c.constraint(n.Type)
		}
	case *ast.Comprehension:
		for _, clause := range n.Clauses {
			cond, ok := clause.(*ast.IfClause)
			if !ok {
				c.unknown = true
				return
			}
			c.condition(cond.Condition)
		}
		value, ok := n.Value.(*ast.StructLit)
		if !ok {
			c.unknown = true
			return
		}
		c.constraint(value)
	case *ast.Attribute, *ast.CommentGroup:
	default:
		c.unknown = true
	}
}

func (c *collector) field(n *ast.Field) {
	if pattern, ok := n.Label.(*ast.ListLit); ok && len(pattern.Elts) == 1 {
		c.constraint(pattern.Elts[0])
	} else if name, _, err := ast.LabelName(n.Label); err == nil {
		c.classes.text(name) // #SealedFields[type] is chosen by it
	} else {
		c.unknown = true
	}
	c.constraint(n.Value)
}

// condition takes what an if asks of the mapping around it.
func (c *collector) condition(n ast.Expr) {
	b, ok := n.(*ast.BinaryExpr)
	if !ok {
		c.unknown = true
		return
	}
	switch b.Op {
	case token.LAND, token.LOR:
		c.condition(b.X)
		c.condition(b.Y)
		return
	case token.EQL, token.NEQ, token.MAT, token.NMAT:
	default:
		c.unknown = true
		return
	}
	if index, ok := b.X.(*ast.IndexExpr); ok {
		c.choice(index)
	} else if !isPath(b.X) {
		c.unknown = true
	}
	switch y := b.Y.(type) {
	case *ast.BottomLit:
	case *ast.BasicLit:
		if b.Op == token.EQL || b.Op == token.NEQ {
			c.literal(y)
		} else {
			c.pattern(y)
		}
	default:
		c.unknown = true
	}
}

// choice is #Definition[path]: chosen by a text of the document.
func (c *collector) choice(n *ast.IndexExpr) {
	x, ok := n.X.(*ast.Ident)
	if !ok || !isPath(n.Index) {
		c.unknown = true
		return
	}
	c.constraint(x)
}

// isPath holds for a field of the document, or one below it.
func isPath(n ast.Expr) bool {
	switch n := n.(type) {
	case *ast.Ident:
		return !strings.HasPrefix(n.Name, "#")
	case *ast.SelectorExpr:
		return isPath(n.X)
	}
	return false
}

// bound is a unary constraint: a pattern, or a number compared with.
func (c *collector) bound(n *ast.UnaryExpr) {
	lit, ok := n.X.(*ast.BasicLit)
	minus := false
	if u, isMinus := n.X.(*ast.UnaryExpr); isMinus && u.Op == token.SUB {
		lit, ok = u.X.(*ast.BasicLit)
		minus = true
	}
	switch {
	case !ok:
		c.unknown = true
	case n.Op == token.MAT || n.Op == token.NMAT:
		c.pattern(lit)
	case n.Op == token.GEQ || n.Op == token.LEQ || n.Op == token.GTR || n.Op == token.LSS:
		number, ok := integer(lit)
		if minus {
			number = -number
		}
		c.unknown = c.unknown || !ok
		c.classes.number(number)
	default:
		c.unknown = true
	}
}

// call is one of the few functions that a definition may use.
func (c *collector) call(n *ast.CallExpr) {
	if _, ok := errorText(n); ok {
		return
	}
	sel, ok := n.Fun.(*ast.SelectorExpr)
	if !ok || len(n.Args) != 1 {
		c.unknown = true
		return
	}
	pkg, isIdent := sel.X.(*ast.Ident)
	name, _, err := ast.LabelName(sel.Sel)
	lit, isLit := n.Args[0].(*ast.BasicLit)
	if !isIdent || err != nil || !isLit {
		c.unknown = true
		return
	}
	limit, ok := integer(lit)
	switch pkg.Name + "." + name {
	case "list.MaxItems", "list.MinItems": // how long a list is the digest tells
	case "strings.MaxRunes", "strings.MinRunes":
		c.classes.length(int(limit))
	default:
		ok = false
	}
	c.unknown = c.unknown || !ok
}

func (c *collector) literal(n *ast.BasicLit) {
	switch n.Kind {
	case token.STRING:
		text, err := literal.Unquote(n.Value)
		c.unknown = c.unknown || err != nil
		c.classes.text(text)
	case token.INT:
		number, ok := integer(n)
		c.unknown = c.unknown || !ok
		c.classes.number(number)
	case token.TRUE, token.FALSE, token.NULL:
	default:
		c.unknown = true
	}
}

func (c *collector) pattern(n *ast.BasicLit) {
	text, err := literal.Unquote(n.Value)
	if err != nil || n.Kind != token.STRING {
		c.unknown = true
		return
	}
	re := c.compiled[text]
	if re == nil {
		if re, err = regexp.Compile(text); err != nil {
			c.unknown = true
			return
		}
		c.compiled[text] = re
	}
	if !slices.Contains(c.classes.patterns, re) {
		c.classes.patterns = append(c.classes.patterns, re)
	}
}

func integer(n *ast.BasicLit) (int64, bool) {
	i, err := strconv.ParseInt(n.Value, 10, 64)
	return i, err == nil && n.Kind == token.INT && i <= maxExact
}
