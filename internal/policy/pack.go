package policy

import (
	"context"
	"errors"
	"sync/atomic"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"

	"github.com/llm-config-manager/lcm/internal/diag"
)

// pack is a number of modules behind prepared queries: one for each kind that some rule names, and one
// for all other kinds.
type pack struct {
	queries  map[string]*query      // by kind; "" stands for the others
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

// evaluate bounds the time. The engine looks at the cancellation between steps; rules that are not
// ours can be caught within one step, so they run in a goroutine that is left behind in the worst
// case, and only once: a stuck pack judges nothing any more.
func (p *pack) evaluate(ctx context.Context, input ast.Value) ([]Verdict, error) {
	if p.stuck.Load() {
		return nil, errStuck
	}
	if p.confined && p.overran.Load() >= maxOverran {
		return nil, errSpent
	}
	g := newGuard(ctx, p.limits)
	defer g.stop()
	if !p.confined {
		return p.run(g, input)
	}
	type result struct {
		verdicts []Verdict
		err      error
	}
	done := make(chan result, 1)
	go func() {
		v, err := p.run(g, input)
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

func (p *pack) run(g *guard, input ast.Value) (verdicts []Verdict, err error) {
	defer func() {
		if recover() != nil { // whatever it says may quote a value
			verdicts, err = nil, errPanic
		}
	}()
	q := p.query(input)
	results, err := q.prepared.Eval(g.ctx, rego.EvalParsedInput(input), rego.EvalExternalCancel(g.cancel))
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
	if !ok || sets.Len() != len(q.outputs) {
		return nil, errPanic
	}
	for i, o := range q.outputs {
		if verdicts, err = o.decode(verdicts, sets.Elem(i).Value); err != nil {
			return nil, err
		}
	}
	return verdicts, nil
}
