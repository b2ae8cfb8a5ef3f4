package schema

import (
	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/token"
)

// meter estimates, from the syntax alone, what evaluating CUE may cost at most. CUE has no recursion,
// so what grows grows by references used many times over: each is counted as what it stands for.
type meter struct {
	known map[ast.Node]cost
	open  map[ast.Node]bool     // being measured: a cycle, which CUE itself refuses
	top   map[string][]ast.Expr // the package's fields by name
	loops int                   // the deepest nesting of for
}

// cost is an upper bound.
type cost struct {
	size  float64 // nodes, references written out
	alts  float64 // alternatives that CUE may have to try together
	text  float64 // strings put together to one
	loops int     // for within for
}

const (
	maxSize  = 200_000
	maxAlts  = 4_096
	maxText  = 64
	maxLoops = 2
	maxDeep  = 200
	// patternSize stands for what a pattern of keys costs: each is compared with each other one.
	patternSize = 400
	// perLoop stands for the elements that one for goes over.
	perLoop = 50
)

func (c cost) tooMuch() string {
	switch {
	case c.loops > maxLoops:
		return "for may stand in for only once"
	case c.alts > maxAlts:
		return "too many alternatives multiply; write the disjunctions into fewer fields"
	case c.text > maxText:
		return "too many strings are put together"
	case c.size > maxSize:
		return "the references in it, written out, make it too large"
	}
	return ""
}

func newMeter(files []*ast.File) *meter {
	m := &meter{known: map[ast.Node]cost{}, open: map[ast.Node]bool{}, top: map[string][]ast.Expr{}}
	for _, f := range files {
		for name, field := range labels(f) {
			m.top[name] = append(m.top[name], field.Value)
		}
	}
	return m
}

// cost of a node and all that it refers to.
func (m *meter) cost(n ast.Node, depth int) (c cost) {
	if c, ok := m.known[n]; ok {
		return c
	}
	if depth > maxDeep {
		return cost{size: maxSize + 1, alts: 1, text: 1}
	}
	if m.open[n] {
		return cost{size: 1, alts: 1, text: 1}
	}
	m.open[n] = true
	defer func() {
		delete(m.open, n)
		m.known[n] = c
		m.loops = max(m.loops, c.loops)
	}()
	switch n := n.(type) {
	case *ast.Ident:
		return m.reference(n, depth)
	case *ast.BinaryExpr:
		return m.binary(n, depth)
	case *ast.Comprehension:
		return m.comprehension(n, depth)
	case *ast.Interpolation:
		return m.children(n, depth, true)
	case *ast.Field:
		c = m.children(n, depth, false)
		if _, ok := n.Label.(*ast.ListLit); ok {
			c.size += patternSize
		}
		return c
	case *ast.ListLit, *ast.StructLit:
		c = m.children(n, depth, false)
		c.alts = 1 // those inside are tried field by field
		return c
	default:
		return m.children(n, depth, false)
	}
}

// children adds up what stands directly in a node.
func (m *meter) children(n ast.Node, depth int, joined bool) cost {
	c := cost{size: 1, alts: 1, text: 1}
	ast.Walk(n, func(child ast.Node) bool {
		if child == n {
			return true
		}
		if _, ok := child.(ast.Label); ok && isLabel(n, child) {
			return false
		}
		k := m.cost(child, depth+1)
		c.size += k.size * k.alts
		c.alts = max(c.alts, k.alts)
		if c.loops = max(c.loops, k.loops); joined {
			c.text += k.text
		} else {
			c.text = max(c.text, k.text)
		}
		return false
	}, nil)
	return c
}

// isLabel reports whether child only names the field, or the selected field, that n is.
func isLabel(n, child ast.Node) bool {
	switch n := n.(type) {
	case *ast.Field:
		_, plain := n.Label.(*ast.Ident)
		return plain && n.Label == child
	case *ast.SelectorExpr:
		return ast.Node(n.Sel) == child
	}
	return false
}

// reference costs what it refers to.
func (m *meter) reference(n *ast.Ident, depth int) cost {
	c := cost{size: 1, alts: 1, text: 1}
	var targets []ast.Node
	if n.Node != nil {
		targets = append(targets, n.Node)
	} else {
		for _, e := range m.top[n.Name] {
			targets = append(targets, e)
		}
	}
	for _, t := range targets {
		if _, ok := t.(*ast.ImportSpec); ok {
			continue
		}
		k := m.cost(t, depth+1)
		c = cost{c.size + k.size, c.alts * k.alts, max(c.text, k.text), max(c.loops, k.loops)}
	}
	return c
}

func (m *meter) binary(n *ast.BinaryExpr, depth int) cost {
	x, y := m.cost(n.X, depth+1), m.cost(n.Y, depth+1)
	c := cost{size: 1 + x.size + y.size, alts: max(x.alts, y.alts), text: max(x.text, y.text), loops: max(x.loops, y.loops)}
	switch n.Op {
	case token.AND:
		c.alts = x.alts * y.alts
	case token.OR:
		c.alts = x.alts + y.alts
	case token.ADD:
		c.text = x.text + y.text
	}
	return c
}

func (m *meter) comprehension(n *ast.Comprehension, depth int) cost {
	c := m.children(n, depth, false)
	for _, clause := range n.Clauses {
		if _, ok := clause.(*ast.ForClause); ok {
			c.size *= perLoop
			c.loops++
		}
	}
	return c
}
