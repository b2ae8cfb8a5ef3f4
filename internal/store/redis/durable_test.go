package redis_test

import (
	"testing"
	"time"

	"github.com/llm-config-manager/lcm/internal/store"
	"github.com/llm-config-manager/lcm/internal/store/redis"
	"github.com/llm-config-manager/lcm/internal/store/redis/redistest"
)

// TestFsync: the Redis of Debian is 7.0, which knows no WAITAOF, so there this shows the refusal; a newer one
// confirms the write.
func TestFsync(t *testing.T) {
	s := redistest.Start(t, redistest.Options{})
	knows := s.Do(t, "ACL", "SETUSER", "lcm", "+waitaof") == "OK"
	target := open(t, redis.Config{Address: s.Address, Login: login(), TLS: tlsOf(s), Durability: redis.Durability{Fsync: true}})
	err := target.Apply(t.Context(), batch(create("a", "1")))
	if !knows {
		expectSays(t, err, "written, and not confirmed to be durable: durability.fsync needs Redis 7.2 or newer")
	} else if err != nil || list(t, target).Marker.Phase != store.Whole {
		t.Errorf("Apply = %v", err)
	}
}

// TestUnconfirmed: a conflict is told as one, and what is not confirmed is asked for until it is.
func TestUnconfirmed(t *testing.T) {
	s := redistest.Start(t, redistest.Options{})
	c := redis.Config{Address: s.Address, Login: login(), TLS: tlsOf(s), Durability: redis.Durability{Replicas: 1}, Limits: redis.Limits{Timeout: 2 * time.Second}}
	target := open(t, c)
	for range 2 {
		err := target.Apply(t.Context(), batch())
		expectSays(t, err, "it reached 0 of 1 replicas in time")
		if m := list(t, target).Marker; m.Phase != store.Writing {
			t.Errorf("the marker is listed as %+v", m)
		}
	}
	if m, err := target.Marker(t.Context(), production); err != nil || m.Phase != store.Whole {
		t.Errorf("readers see the marker %+v, %v", m, err)
	}
	conflict := create("a", "1")
	conflict.Action, conflict.If = store.Update, "stale"
	expectSays(t, target.Apply(t.Context(), batch(conflict)), store.ErrConflict.Error())
}
