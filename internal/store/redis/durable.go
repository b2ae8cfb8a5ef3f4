package redis

import (
	"fmt"
	"time"

	"github.com/redis/rueidis"

	"github.com/llm-config-manager/lcm/internal/lcm"
)

// confirm gives the command by which Redis tells that what was just written on its connection is durable.
func (d Durability) confirm(timeout time.Duration) []func(rueidis.Client) rueidis.Completed {
	wait := max(timeout/2, time.Millisecond).Milliseconds()
	switch {
	case d.Fsync:
		return []func(rueidis.Client) rueidis.Completed{func(c rueidis.Client) rueidis.Completed {
			return c.B().Waitaof().Numlocal(1).Numreplicas(int64(d.Replicas)).Timeout(wait).Build()
		}}
	case d.Replicas > 0:
		return []func(rueidis.Client) rueidis.Completed{func(c rueidis.Client) rueidis.Completed {
			return c.B().Wait().Numreplicas(int64(d.Replicas)).Timeout(wait).Build()
		}}
	}
	return nil
}

// confirmed reports an error unless as many have it as must.
func (d Durability) confirmed(results []rueidis.RedisResult) error {
	if len(results) == 0 {
		return nil
	}
	if !d.Fsync {
		n, err := results[0].AsInt64()
		return d.enough(1, n, err)
	}
	n, err := results[0].AsIntSlice()
	if err == nil && len(n) != 2 {
		err = errAnswer
	}
	if err != nil {
		return fmt.Errorf("it is written, and not confirmed to be on disk: durability.fsync needs Redis 7.2 or newer with appendonly yes: %w", translateAnswer(err))
	}
	return d.enough(n[0], n[1], nil)
}

func (d Durability) enough(local, replicas int64, err error) error {
	switch {
	case err != nil:
		return fmt.Errorf("it is written, and not confirmed to be durable: %w", translateAnswer(err))
	case local < 1:
		return errUnconfirmed("the server's disk")
	case replicas < int64(d.Replicas):
		return errUnconfirmed(fmt.Sprintf("%d of %d replicas", replicas, d.Replicas))
	}
	return nil
}

func errUnconfirmed(had string) error {
	return &unconfirmedError{had}
}

// unconfirmedError says that a batch was written and may be lost yet.
type unconfirmedError struct{ had string }

func (e *unconfirmedError) Error() string {
	return "redis: it is written, and not confirmed to be durable: in time it had reached " + e.had
}

// settle notes whether what stands in a namespace is confirmed. What is not is listed as half-written, so
// that the next pass writes the marker anew and asks for a confirmation of that, and of all before it.
func (t *Target) settle(ns lcm.Namespace, confirmed bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if confirmed {
		delete(t.unsettled, ns)
	} else {
		t.unsettled[ns] = true
	}
}

func (t *Target) isUnsettled(ns lcm.Namespace) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.unsettled[ns]
}
