package redis

import (
	"errors"
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
	switch {
	case err != nil && errors.Is(translateAnswer(err), errOld):
		return errUnconfirmed("durability.fsync needs Redis 7.2 or newer")
	case err != nil:
		return d.enough(0, 0, err)
	case len(n) != 2:
		return errAnswer
	}
	return d.enough(n[0], n[1], nil)
}

func (d Durability) enough(local, replicas int64, err error) error {
	switch {
	case err != nil:
		return fmt.Errorf("%w: %w", errUnconfirmed("no answer to that"), translateAnswer(err))
	case local < 1:
		return errUnconfirmed("it did not reach the server's disk in time")
	case replicas < int64(d.Replicas):
		return errUnconfirmed(fmt.Sprintf("it reached %d of %d replicas in time", replicas, d.Replicas))
	}
	return nil
}

// errUnconfirmed says that a batch was written and may be lost yet.
func errUnconfirmed(why string) error {
	return fault("redis: it is written, and not confirmed to be durable: " + why)
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
