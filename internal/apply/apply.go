// Package apply carries out plans. It takes no revision that was not believed: Run demands a trust.Verified.
package apply

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/plan"
	"github.com/llm-config-manager/lcm/internal/store"
	"github.com/llm-config-manager/lcm/internal/trust"
)

// Parallel is how many namespaces are written at a time.
const Parallel = 64

// Result is what became of one namespace: for each target that was written to, nil or why it failed.
type Result map[string]error

// Run applies the plans of many namespaces, each target's batch on its own, so that a target that fails
// leaves the others alone. Plans must have been made from the revision that v vouches for. Once begin or ctx has
// ended no further namespace is begun: those have no result.
func Run(ctx, begin context.Context, v trust.Verified, plans []plan.Namespace, targets map[string]store.Target) (map[lcm.Namespace]Result, error) {
	if v.IsZero() {
		return nil, errors.New("apply: nothing is applied from a revision that was not verified")
	}
	results := make(map[lcm.Namespace]Result, len(plans))
	var mu sync.Mutex
	var g errgroup.Group
	g.SetLimit(Parallel)
	for _, p := range plans {
		if len(p.Held) > 0 {
			return nil, fmt.Errorf("apply: the plan of %s is held", p.Namespace)
		}
		g.Go(func() error {
			if begin.Err() != nil || ctx.Err() != nil {
				return nil
			}
			r := one(ctx, v, p, targets)
			mu.Lock()
			defer mu.Unlock()
			results[p.Namespace] = r
			return nil
		})
	}
	return results, g.Wait()
}

// one applies one namespace, in the plan's order. A target that fails holds back only itself, and the
// deletion elsewhere of what it should have taken.
func one(ctx context.Context, v trust.Verified, p plan.Namespace, targets map[string]store.Target) Result {
	r := Result{}
	for _, b := range p.Batches {
		if r[b.Target] == nil {
			r[b.Target] = batch(ctx, v, b, r, targets)
		}
	}
	return r
}

func batch(ctx context.Context, v trust.Verified, b plan.Batch, before Result, targets map[string]store.Target) error {
	t, ok := targets[b.Target]
	if !ok {
		return fmt.Errorf("target %q is not configured", b.Target)
	}
	if b.Marker.Revision != v.Revision() {
		return fmt.Errorf("the plan is of revision %s, the verified one is %s", b.Marker.Revision.Short(), v.Revision().Short())
	}
	for _, other := range b.After {
		if before[other] != nil {
			return fmt.Errorf("it keeps what moves to target %s until that one has it", other)
		}
	}
	return t.Apply(ctx, b.Batch)
}
