package policy

import (
	"maps"
	"slices"
	"sync"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/llm-config-manager/lcm/internal/diag"
)

// Change tells who answers for one step that brought a document to its present state. Every field is always
// there in Rego, so that no condition on one is undefined. It is shared by all documents that the step
// changed in the same way: make one and pass its pointer. It must not change after its first use.
type Change struct {
	Revision string `json:"revision"`
	// Vouched says that the daemon's operator answers for it: it is the introduction, or was accepted by hand.
	Vouched   bool                `json:"vouched"`
	Signer    string              `json:"signer"`    // a principal; "" if nobody's signature counts
	Forge     string              `json:"forge"`     // the forge that made the commit, of the trust policy; "" for none
	Approvers []string            `json:"approvers"` // persons whose consent to every path that changed the document counted, sorted
	Roles     map[string][]string `json:"roles"`     // of signer and approvers, by the policy that judged the step
	FirstSeen string              `json:"firstSeen"` // when the daemon first saw the revision (RFC 3339)
	Paths     []string            `json:"paths"`     // all that the step changed, sorted

	once sync.Once
	term *ast.Term
}

func (c *Change) value() *ast.Term {
	c.once.Do(func() {
		var o, roles object
		for _, name := range slices.Sorted(maps.Keys(c.Roles)) {
			roles.add(name, list(c.Roles[name]))
		}
		o.add("revision", ast.StringTerm(c.Revision))
		o.add("vouched", ast.BooleanTerm(c.Vouched))
		o.add("signer", ast.StringTerm(c.Signer))
		o.add("forge", ast.StringTerm(c.Forge))
		o.add("approvers", list(c.Approvers))
		o.add("roles", roles.term())
		o.add("firstSeen", ast.StringTerm(c.FirstSeen))
		o.add("paths", list(c.Paths))
		c.term = o.term()
	})
	return c.term
}

func list(values []string) *ast.Term {
	terms := make([]*ast.Term, len(values))
	for i, v := range values {
		terms[i] = ast.StringTerm(v)
	}
	return ast.ArrayTerm(terms...)
}

// askers finds the deny and warn rules that look at input.change, themselves or through other rules. What
// takes input as a whole counts, since nobody can tell what it looks at. The sources are read as they were
// written: the compiler takes conditions apart.
func askers(sources map[string]*ast.Module, c *ast.Compiler) map[diag.Position]bool {
	direct, found := map[diag.Position]bool{}, map[diag.Position]bool{}
	for _, m := range sources {
		imported := slices.ContainsFunc(m.Imports, func(i *ast.Import) bool { r, ok := i.Path.Value.(ast.Ref); return ok && isChange(r) })
		for _, r := range m.Rules {
			direct[position(r.Location)] = direct[position(r.Location)] || imported || looksAtChange(r)
		}
	}
	for _, m := range c.Modules {
		for _, r := range m.Rules {
			if _, ok := severityOf(r); ok && asks(c, r, direct, map[*ast.Rule]bool{}) {
				found[position(r.Location)] = true
			}
		}
	}
	return found
}

func asks(c *ast.Compiler, r *ast.Rule, direct map[diag.Position]bool, seen map[*ast.Rule]bool) bool {
	if seen[r] {
		return false
	}
	seen[r] = true
	if direct[position(r.Location)] {
		return true
	}
	for d := range c.Graph.Dependencies(r) {
		if rule, ok := d.(*ast.Rule); ok && asks(c, rule, direct, seen) {
			return true
		}
	}
	return false
}

func looksAtChange(r *ast.Rule) (found bool) {
	var v *ast.GenericVisitor
	walk := func(terms []*ast.Term) bool {
		for _, t := range terms {
			v.Walk(t)
		}
		return true
	}
	v = ast.NewGenericVisitor(func(x any) bool {
		switch x := x.(type) {
		case *ast.Expr:
			terms, _ := x.Terms.([]*ast.Term)
			return len(x.With) == 0 && otherFact(terms) && walk(terms[2:])
		case ast.Call:
			return otherFact(x) && walk(x[2:])
		case ast.Ref:
			found = found || isChange(x)
			return walk(x[1:])
		case ast.Var:
			found = found || x.Equal(ast.InputRootDocument.Value)
		}
		return found
	})
	v.Walk(r)
	return found
}

func isChange(r ast.Ref) bool {
	if !r[0].Equal(ast.InputRootDocument) {
		return false
	}
	if len(r) == 1 {
		return true
	}
	name, known := r[1].Value.(ast.String)
	return !known || name == "change"
}

// otherFact reports whether a call is object.get of input with the name of another fact than change.
func otherFact(call []*ast.Term) bool {
	if len(call) < 4 || call[0].String() != "object.get" || !isInput(call[1]) {
		return false
	}
	key := call[2].Value
	if path, ok := key.(*ast.Array); ok && path.Len() > 0 {
		key = path.Elem(0).Value
	}
	name, known := key.(ast.String)
	return known && name != "change"
}

func isInput(t *ast.Term) bool {
	r, ok := t.Value.(ast.Ref)
	return t.Equal(ast.InputRootDocument) || ok && r.Equal(ast.InputRootRef)
}
