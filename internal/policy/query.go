package policy

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"

	"github.com/llm-config-manager/lcm/internal/diag"
)

// output is one deny or warn set.
type output struct {
	name     string // of the package, without lcm.
	severity diag.Severity
	kinds    []string      // the only kinds of documents that it can say anything of; nil: any
	at       diag.Position // where its first rule stands
}

func (o output) set() string {
	if o.severity == diag.Error {
		return "deny"
	}
	return "warn"
}

func (o output) concerns(kind string) bool { return o.kinds == nil || slices.Contains(o.kinds, kind) }

func packages(modules map[string]*ast.Module) (names []string) {
	for _, m := range modules {
		names = append(names, name(m))
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// outputs finds the sets of all packages. A set can be spread over several rules and files.
func outputs(modules map[string]*ast.Module) (outputs []output) {
	for _, m := range modules {
		for _, r := range m.Rules {
			severity, ok := severityOf(r)
			if !ok {
				continue
			}
			o := output{name(m), severity, kindsOf(r), diag.Position{File: r.Location.File, Line: r.Location.Row, Column: r.Location.Col}}
			i := slices.IndexFunc(outputs, func(x output) bool { return x.name == o.name && x.severity == o.severity })
			if i >= 0 && before(o.at, outputs[i].at) {
				outputs[i].at = o.at
			}
			switch {
			case i < 0:
				outputs = append(outputs, o)
			case outputs[i].kinds == nil || o.kinds == nil:
				outputs[i].kinds = nil
			default:
				outputs[i].kinds = append(outputs[i].kinds, o.kinds...)
			}
		}
	}
	slices.SortFunc(outputs, func(a, b output) int {
		return cmp.Or(cmp.Compare(a.name, b.name), cmp.Compare(a.severity, b.severity))
	})
	return outputs
}

func before(a, b diag.Position) bool {
	return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line)) < 0
}

// kindsOf reads from a rule's own conditions for which kinds alone it can hold:
// input.document.kind == "Budget", or in {"Preset", "Budget"}. It gives nil where it is not sure.
func kindsOf(r *ast.Rule) []string {
	for _, e := range r.Body {
		if e.Negated || len(e.With) > 0 || !e.IsCall() || len(e.Operands()) != 2 {
			continue
		}
		a, b := e.Operand(0), e.Operand(1)
		var kinds []string
		switch e.Operator().String() {
		case "equal", "eq":
			if a.Value.Compare(kindRef) != 0 {
				a, b = b, a
			}
			kinds = texts(b)
		case "internal.member_2":
			if set, ok := b.Value.(ast.Set); ok {
				kinds = texts(set.Slice()...)
			}
		}
		if kinds != nil && a.Value.Compare(kindRef) == 0 {
			return kinds
		}
	}
	return nil
}

// texts gives the terms as texts, or nil if one of them is none.
func texts(terms ...*ast.Term) (all []string) {
	for _, t := range terms {
		s, ok := t.Value.(ast.String)
		if !ok {
			return nil
		}
		all = append(all, string(s))
	}
	return all
}

var kindRef = ast.MustParseRef("input.document.kind")

// query gives the sets that concern one kind as one list.
type query struct {
	prepared rego.PreparedEvalQuery
	outputs  []output // in the order of the list
}

func (p *pack) prepare(ctx context.Context, c *ast.Compiler) (err error) {
	p.queries = map[string]*query{"": nil}
	for _, o := range p.outputs {
		for _, kind := range o.kinds {
			p.queries[kind] = nil
		}
	}
	for kind := range p.queries {
		q := &query{}
		var refs []string
		for _, o := range p.outputs {
			if o.concerns(kind) {
				q.outputs = append(q.outputs, o)
				refs = append(refs, fmt.Sprintf("data.lcm.%s.%s", o.name, o.set()))
			}
		}
		q.prepared, err = rego.New(rego.Compiler(c), rego.Query("verdicts = ["+strings.Join(refs, ", ")+"]"),
			rego.StrictBuiltinErrors(true), rego.GenerateJSON(asTerm)).PrepareForEval(ctx)
		if err != nil {
			return err
		}
		p.queries[kind] = q
	}
	return nil
}

// query finds the query for the kind of the document in input.
func (p *pack) query(input ast.Value) *query {
	kind, err := input.Find(kindPath)
	if err == nil {
		if s, ok := kind.(ast.String); ok && s != "" {
			if q := p.queries[string(s)]; q != nil {
				return q
			}
		}
	}
	return p.queries[""]
}

var kindPath = kindRef[1:]
