package policy

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"

	"github.com/llm-config-manager/lcm/internal/diag"
	"github.com/llm-config-manager/lcm/internal/lcm"
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

// query gives sets as one list.
type query struct {
	prepared rego.PreparedEvalQuery
	outputs  []output // in the order of the list
}

// kind is what judges the documents of one kind, or of all kinds that no rule names. For the first documents it is one
// query. A kind that is met often is worth taking apart, by what its rules look at.
type kind struct {
	asked   atomic.Int32
	whole   func() (*query, error)
	divided func() (*divided, error)
}

// often is how many documents of a kind are judged as they come.
const often = 64

// divided is the rules of a kind, apart.
type divided struct {
	shared *query // looks at facts alone that many documents share; nil: none does
	rest   *query // nil: none
	sieve  *sieve // of rest; nil: all of it is asked about every document
	facts  []int  // of common, which shared and sieve look at
	known  known  // what they said
}

// compiled is what queries are made of.
type compiled struct {
	*ast.Compiler
	reader     *reader
	conditions []condition
}

func (p *pack) kindsOf(c *ast.Compiler, more func() (compiled, error)) map[string]*kind {
	all := map[string]*kind{}
	for _, o := range append([]output{{kinds: []string{""}}}, p.outputs...) {
		for _, name := range o.kinds {
			outputs := slices.DeleteFunc(slices.Clone(p.outputs), func(o output) bool { return !o.concerns(name) })
			// Not by the context of who happens to come first: who comes next is to find it whole.
			all[name] = &kind{
				whole: sync.OnceValues(func() (*query, error) { return prepare(context.Background(), c, outputs) }),
				divided: sync.OnceValues(func() (*divided, error) {
					c, err := more()
					if err != nil {
						return nil, err
					}
					d := &divided{}
					return d, d.make(context.Background(), c, outputs)
				}),
			}
		}
	}
	return all
}

func (k *divided) make(ctx context.Context, c compiled, outputs []output) (err error) {
	var shared, rest []output
	for _, o := range outputs {
		if facts, ok := c.reader.output(o).shared(); ok {
			shared, k.facts = append(shared, o), append(k.facts, facts...)
		} else {
			rest = append(rest, o)
		}
	}
	if k.shared, err = prepare(ctx, c.Compiler, shared); err != nil {
		return err
	}
	if k.rest, err = prepare(ctx, c.Compiler, rest); err != nil {
		return err
	}
	if k.sieve, err = newSieve(ctx, c, rest); err != nil {
		return err
	}
	if k.sieve != nil {
		k.facts = append(k.facts, k.sieve.facts...)
	}
	slices.Sort(k.facts)
	k.facts = slices.Compact(k.facts)
	return nil
}

func prepare(ctx context.Context, c *ast.Compiler, outputs []output) (q *query, err error) {
	if len(outputs) == 0 {
		return nil, nil
	}
	var refs []string
	for _, o := range outputs {
		refs = append(refs, fmt.Sprintf("data.lcm.%s.%s", o.name, o.set()))
	}
	q = &query{outputs: outputs}
	q.prepared, err = rego.New(rego.Compiler(c), rego.Query("verdicts = ["+strings.Join(refs, ", ")+"]"),
		rego.StrictBuiltinErrors(true), rego.GenerateJSON(asTerm)).PrepareForEval(ctx)
	return q, err
}

// kind finds what judges the documents of a kind.
func (p *pack) kind(name lcm.Kind) *kind {
	if k := p.kinds[string(name)]; k != nil {
		return k
	}
	return p.kinds[""]
}

// key tells apart the documents that shared may say something different of.
func (k *divided) key(in *Input) *key {
	var of key
	for _, f := range k.facts {
		common[f].write(&of, in)
	}
	return &of
}
