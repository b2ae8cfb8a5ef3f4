package policy

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync/atomic"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"

	"github.com/llm-config-manager/lcm/internal/diag"
)

// pack is a number of modules behind prepared queries: for each kind that some rule names, and for all
// other kinds.
type pack struct {
	kinds    map[string]*kind       // "" stands for the others
	outputs  []output               // sorted
	packages []string               // sorted
	askers   map[diag.Position]bool // the rules that look at input.change
	confined bool                   // evaluate at arm's length: the rules are not ours
	limits   limits
	stuck    atomic.Bool
	overran  atomic.Int32 // evaluations that took too much time or memory
}

// maxOverran is how many evaluations may: a repository has many documents, and each would take a second.
const maxOverran = 3

// asTerm keeps results as they are: most are empty sets, and the rest is decoded by decode.
func asTerm(t *ast.Term, _ *rego.EvalContext) (any, error) { return t.Value, nil }

// evaluate gives the verdicts of all rules in the order of p.outputs. What looks at facts alone that many
// documents share is asked once about all that share them.
func (p *pack) evaluate(ctx context.Context, in *Input, c *Change) (verdicts []Verdict, err error) {
	k := p.kind(in.Document.Kind)
	if k.asked.Add(1) <= often {
		q, err := k.whole()
		if err != nil || q == nil {
			return nil, err
		}
		return p.ask(ctx, q, in, c)
	}
	d, err := k.divided()
	if err != nil {
		return nil, err
	}
	a, err := p.answer(ctx, d, in, c)
	if err != nil || a.rest == nil {
		return a.verdicts, err
	}
	more, err := p.ask(ctx, a.rest, in, c)
	if err != nil {
		return nil, err
	}
	verdicts = slices.Concat(a.verdicts, more)
	slices.SortStableFunc(verdicts, func(a, b Verdict) int {
		return cmp.Or(cmp.Compare(a.Package(), b.Package()), cmp.Compare(a.Severity, b.Severity))
	})
	return verdicts, nil
}

// answer is what is known of all documents with the same facts.
type answer struct {
	verdicts []Verdict
	rest     *query // what is yet to be asked; nil: nothing
}

func (p *pack) answer(ctx context.Context, k *divided, in *Input, c *Change) (a answer, err error) {
	key := k.key(in)
	if a, ok := k.known.get(key); ok {
		return a, nil
	}
	if a.rest = k.rest; k.shared != nil {
		if a.verdicts, err = p.ask(ctx, k.shared, in, c); err != nil {
			return answer{}, err
		}
	}
	if k.sieve != nil {
		if a.rest, err = p.sift(ctx, k, in, c); err != nil {
			return answer{}, err
		}
	}
	k.known.put(key, a)
	return a, nil
}

func (p *pack) sift(ctx context.Context, k *divided, in *Input, c *Change) (*query, error) {
	input, err := in.value(c)
	if err != nil {
		return nil, err
	}
	g := newGuard(ctx, p.limits)
	defer g.stop()
	holds, err := p.list(g, k.sieve.prepared, input)
	if err != nil {
		return nil, err
	}
	return k.sieve.sift(ctx, holds, k.rest)
}

// ask bounds the time. The engine looks at the cancellation between steps; rules that are not
// ours can be caught within one step, so they run in a goroutine that is left behind in the worst
// case, and only once: a stuck pack judges nothing any more.
func (p *pack) ask(ctx context.Context, q *query, in *Input, c *Change) ([]Verdict, error) {
	input, err := in.value(c)
	if err != nil {
		return nil, err
	}
	if p.stuck.Load() {
		return nil, errStuck
	}
	if p.confined && p.overran.Load() >= maxOverran {
		return nil, errSpent
	}
	g := newGuard(ctx, p.limits)
	defer g.stop()
	if !p.confined {
		return p.run(g, q, input)
	}
	type result struct {
		verdicts []Verdict
		err      error
	}
	done := make(chan result, 1)
	go func() {
		v, err := p.run(g, q, input)
		done <- result{v, err}
	}()
	select {
	case r := <-done:
		return r.verdicts, r.err
	case <-g.overdue:
		p.stuck.Store(true)
		return nil, *g.reason.Load()
	}
}

func (p *pack) run(g *guard, q *query, input ast.Value) (verdicts []Verdict, err error) {
	sets, err := p.list(g, q.prepared, input)
	if err != nil {
		return nil, err
	}
	if sets.Len() != len(q.outputs) {
		return nil, errPanic
	}
	for i, o := range q.outputs {
		if verdicts, err = o.decode(verdicts, sets.Elem(i).Value); err != nil {
			return nil, err
		}
	}
	return verdicts, nil
}

// list gives what a query calls its verdicts.
func (p *pack) list(g *guard, q rego.PreparedEvalQuery, input ast.Value) (sets *ast.Array, err error) {
	defer func() {
		if recover() != nil { // whatever it says may quote a value
			sets, err = nil, errPanic
		}
	}()
	results, err := q.Eval(g.ctx, rego.EvalParsedInput(input), rego.EvalExternalCancel(g.cancel))
	if err != nil {
		err = g.explain(err)
		if errors.Is(err, errTime) || errors.Is(err, errMemory) {
			p.overran.Add(1)
		}
		return nil, err
	}
	if len(results) != 1 {
		return nil, errors.New("the rules contradict each other: deny and warn must be sets in every package")
	}
	sets, ok := results[0].Bindings["verdicts"].(*ast.Array)
	if !ok {
		return nil, errPanic
	}
	return sets, nil
}
