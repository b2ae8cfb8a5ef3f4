package policy

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"

	"github.com/llm-config-manager/lcm/internal/diag"
)

// condition is one of a deny or warn rule that can be asked by itself, as a rule of its own beside it. Where it fails,
// so does the rule: then the rule need not be asked about any document that shares the facts which the condition
// looks at.
type condition struct {
	of   diag.Position // the rule
	name string        // data.lcm.<package>.<name>
}

// addConditions puts conditions into modules that are yet to be compiled.
func addConditions(modules map[string]*ast.Module) (all []condition) {
	for _, m := range modules {
		known := map[ast.Var]bool{"input": true, "data": true}
		for _, i := range m.Imports {
			known[i.Name()] = true
		}
		for _, r := range m.Rules {
			known[r.Head.Name] = true
		}
		for _, r := range slices.Clone(m.Rules) {
			if _, ok := severityOf(r); !ok {
				continue
			}
			for _, e := range r.Body {
				if !closed(e, known) {
					continue
				}
				as, at := ast.Var(fmt.Sprintf("condition_%d_%d", e.Location.Row, e.Location.Col)), *e.Location
				head := ast.NewHead(as, nil, ast.BooleanTerm(true))
				head.Location = &at
				m.Rules = append(m.Rules, &ast.Rule{Head: head, Body: ast.NewBody(e.Copy()), Location: &at, Module: m})
				all = append(all, condition{position(r.Location), full(m, as)})
			}
		}
	}
	return all
}

func full(m *ast.Module, rule ast.Var) string { return "data.lcm." + name(m) + "." + string(rule) }

// closed reports whether a condition stands for itself: it has no variable that others bind, or that it binds.
func closed(e *ast.Expr, known map[ast.Var]bool) bool {
	ok := len(e.With) == 0
	var v *ast.GenericVisitor
	operands := func(call []*ast.Term) bool {
		for _, t := range call[1:] { // the first is the name of what is called
			v.Walk(t)
		}
		return true
	}
	v = ast.NewGenericVisitor(func(x any) bool {
		switch x := x.(type) {
		case *ast.Expr:
			if terms, call := x.Terms.([]*ast.Term); call {
				return operands(terms)
			}
		case ast.Call:
			return operands(x)
		case ast.Var:
			ok = ok && known[x]
		}
		return !ok
	})
	v.Walk(e)
	return ok
}

// sieve leaves out the sets of a query that can hold nothing, by the conditions of their rules.
type sieve struct {
	compiler *ast.Compiler
	prepared rego.PreparedEvalQuery
	outputs  []output
	rules    [][][]int // by output, the conditions of each of its rules, by their place in the list that prepared gives
	facts    []int

	mu   sync.Mutex
	made map[string]*query // by which outputs are left
}

// newSieve finds the conditions that look at shared facts alone; nil if these never leave anything out.
func newSieve(ctx context.Context, c compiled, outputs []output) (s *sieve, err error) {
	s = &sieve{compiler: c.Compiler, outputs: outputs, made: map[string]*query{}}
	var refs []string
	spares := false
	for _, o := range outputs {
		var rules [][]int
		for _, rule := range c.reader.rules(o) {
			var own []int
			for _, x := range c.conditions {
				if facts, ok := c.reader.named(x.name).shared(); ok && x.of == position(rule.Location) {
					own, refs, s.facts = append(own, len(refs)), append(refs, "{1 | "+x.name+"}"), append(s.facts, facts...)
				}
			}
			rules = append(rules, own)
		}
		s.rules = append(s.rules, rules)
		spares = spares || !slices.ContainsFunc(rules, func(own []int) bool { return len(own) == 0 })
	}
	if !spares {
		return nil, nil
	}
	s.prepared, err = rego.New(rego.Compiler(c.Compiler), rego.Query("verdicts = ["+strings.Join(refs, ", ")+"]"),
		rego.StrictBuiltinErrors(true), rego.GenerateJSON(asTerm)).PrepareForEval(ctx)
	return s, err
}

// maxMade bounds the queries that are prepared for one kind.
const maxMade = 32

// sift returns the query of the sets that may hold something about documents of which this holds; nil if none may.
func (s *sieve) sift(ctx context.Context, holds *ast.Array, whole *query) (*query, error) {
	var left []output
	for i, o := range s.outputs {
		if slices.ContainsFunc(s.rules[i], func(conditions []int) bool {
			return !slices.ContainsFunc(conditions, func(c int) bool { return holds.Elem(c).Value.(ast.Set).Len() == 0 })
		}) {
			left = append(left, o)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	which := fmt.Sprint(left)
	if q, ok := s.made[which]; ok {
		return q, nil
	}
	if len(left) == len(s.outputs) || len(s.made) == maxMade {
		return whole, nil
	}
	q, err := prepare(ctx, s.compiler, left)
	if err == nil {
		s.made[which] = q
	}
	return q, err
}
