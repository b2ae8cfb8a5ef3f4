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

// Failed reports whether any target failed.
func (r Result) Failed() bool {
	for _, err := range r {
		if err != nil {
			return true
		}
	}
	return false
}

// Run applies the plans of many namespaces, each target's batch on its own, so that a target that fails
// leaves the others alone. Plans must have been made from the revision that v vouches for.
func Run(ctx context.Context, v trust.Verified, plans []plan.Namespace, targets map[string]store.Target) (map[lcm.Namespace]Result, error) {
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
			r := one(ctx, v, p, targets)
			mu.Lock()
			defer mu.Unlock()
			results[p.Namespace] = r
			return nil
		})
	}
	return results, g.Wait()
}

// one applies one namespace, secrets first. A target that fails holds back only itself.
func one(ctx context.Context, v trust.Verified, p plan.Namespace, targets map[string]store.Target) Result {
	r := Result{}
	for _, b := range p.Batches {
		switch t, ok := targets[b.Target]; {
		case !ok:
			r[b.Target] = fmt.Errorf("target %q is not configured", b.Target)
		case b.Marker.Revision != v.Revision():
			r[b.Target] = fmt.Errorf("the plan is of revision %s, the verified one is %s", b.Marker.Revision.Short(), v.Revision().Short())
		default:
			r[b.Target] = t.Apply(ctx, b.Batch)
		}
	}
	return r
}
