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
// takes input as a whole counts, since nobody can tell what it looks at.
func (r *reader) askers() map[diag.Position]bool {
	found := map[diag.Position]bool{}
	for _, m := range r.compiler.Modules {
		for _, rule := range m.Rules {
			if _, ok := severityOf(rule); ok && slices.ContainsFunc(r.rule(rule, map[*ast.Rule]bool{}), isChange) {
				found[position(rule.Location)] = true
			}
		}
	}
	return found
}

func isChange(path []string) bool { return len(path) == 0 || path[0] == "change" }
