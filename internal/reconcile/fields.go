package reconcile

import (
	"context"

	"golang.org/x/sync/errgroup"

	"github.com/llm-config-manager/lcm/internal/apply"
	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/plan"
	"github.com/llm-config-manager/lcm/internal/store"
)

// maxCompared bounds how many values one plan reads from the targets, to name the fields within them that differ. Of the
// others the fields at the top are named, which needs no reading.
const maxCompared = 1_000

// detail names the fields that differ more closely, by what the targets hold now. Secrets are left alone: of theirs only
// fingerprints are compared. A value that cannot be read keeps what is known of it.
func (r *Reconciler) detail(ctx context.Context, chunk []*judged, plans []plan.Namespace, report *Report) {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(apply.Parallel)
	for i := range plans {
		wanted := map[lcm.Address][]byte{}
		for _, e := range chunk[i].entries {
			wanted[e.Address] = e.Value
		}
		for k := range plans[i].Changes {
			c := &plans[i].Changes[k]
			if c.Action != store.Update || c.Kind == lcm.KindSecret || report.compared == maxCompared {
				continue
			}
			report.compared++
			g.Go(func() error {
				held, meta, err := r.stores[c.Target].Get(ctx, c.Address)
				if err != nil || meta.Kind == lcm.KindSecret {
					return nil
				}
				c.Fields = plan.Differing(held, wanted[c.Address], plainDigest(meta.Kind, held) == meta.Digest)
				return nil
			})
		}
	}
	_ = g.Wait()
}
