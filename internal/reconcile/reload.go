package reconcile

import (
	"context"
	"fmt"

	"github.com/llm-config-manager/lcm/internal/lcm"
)

// Quiet waits until no pass is made, and has none begun until it is released.
func (r *Reconciler) Quiet(ctx context.Context) (release func(), err error) {
	select {
	case r.passing <- struct{}{}:
		return func() { <-r.passing }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Introduces says why the introduction can't be moved to a revision; nil if it can: forward, and no further than what is
// accepted. It is for while no pass is made.
func (r *Reconciler) Introduces(rev lcm.Revision) error {
	ratchet, known, err := r.State.Ratchet()
	if err != nil {
		return err
	}
	if _, on := r.behind(r.Introduction, rev); !on && known {
		return fmt.Errorf("%s is not built on %s, the introduction so far: it only moves forward", rev.Short(), r.Introduction.Short())
	}
	if _, on := r.behind(rev, ratchet.Accepted); !on && known {
		return fmt.Errorf("%s was not accepted yet: it is not on the way to %s", rev.Short(), ratchet.Accepted.Short())
	}
	return nil
}
