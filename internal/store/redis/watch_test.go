package redis_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/redis/rueidis"

	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/store"
	"github.com/llm-config-manager/lcm/internal/store/redis"
	"github.com/llm-config-manager/lcm/internal/store/redis/redistest"
)

// TestWatch: applications that read as the page says, polling hard, see one revision at a time.
func TestWatch(t *testing.T) {
	s := redistest.Start(t, redistest.Options{Plain: true})
	s.Do(t, "ACL", "SETUSER", "chat", "on", ">canary-chat", "%R~lcm:*", "-@all", "+ping", "+hmget", "+get", "+smembers", "+watch", "+unwatch", "+multi", "+exec", "+discard")
	target := open(t, redis.Config{Address: s.Address, Login: login()})
	turn(t, target, 0)
	var done atomic.Bool
	var seen, changed atomic.Int64
	var wg sync.WaitGroup
	for range 3 {
		c, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{s.Address}, ForceSingleClient: true, DisableCache: true, Username: "chat", Password: "canary-chat"})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(c.Close)
		wg.Go(func() {
			for !done.Load() {
				switch err := watch(t, c); {
				case errors.Is(err, store.ErrHalf):
					changed.Add(1)
				case err != nil:
					t.Error(err)
					return
				default:
					seen.Add(1)
				}
			}
		})
	}
	passes := 1000
	if testing.Short() {
		passes = 100
	}
	for i := 1; i <= passes; i++ {
		turn(t, target, i)
	}
	done.Store(true)
	wg.Wait()
	if seen.Load() == 0 || changed.Load() == 0 {
		t.Errorf("%d reads, %d begun again: this shows nothing", seen.Load(), changed.Load())
	}
	t.Logf("%d passes, %d reads, %d begun again", passes, seen.Load(), changed.Load())
}

// turn brings the namespace to the i-th revision: all values say i, and one entry comes and goes.
func turn(t *testing.T, target *redis.Target, i int) {
	t.Helper()
	tokens := map[string]store.Token{}
	for _, item := range list(t, target).Items {
		tokens[item.Key] = item.Token
	}
	b := batch()
	b.Marker.Revision = lcm.Revision(fmt.Sprintf("%040d", i))
	for _, key := range []string{"a", "b", "c"} {
		c := create(key, fmt.Sprint(i))
		c.If = tokens[key]
		switch {
		case key == "c" && i%2 == 1 && c.If != "":
			c = store.Change{Action: store.Delete, Key: key, If: c.If}
		case key == "c" && i%2 == 1:
			continue
		case c.If != "":
			c.Action = store.Update
		}
		b.Changes = append(b.Changes, c)
	}
	if err := target.Apply(t.Context(), b); err != nil {
		t.Fatal(err)
	}
}

// watch reads the namespace as the page says, and demands that it is all of one revision.
func watch(t *testing.T, client rueidis.Client) error {
	const in = "lcm:{acme-corp/platform/chat/production}/"
	return client.Dedicated(func(c rueidis.DedicatedClient) error {
		head := c.DoMulti(t.Context(), c.B().Watch().Key(in+".lcm/revision").Build(),
			c.B().Get().Key(in+".lcm/revision").Build(), c.B().Smembers().Key(in+".lcm/keys").Build())
		text, errText := head[1].ToString()
		keys, errKeys := head[2].AsStrSlice()
		if err := errors.Join(head[0].Error(), errText, errKeys); err != nil {
			return err
		}
		commands := rueidis.Commands{c.B().Multi().Build()}
		for _, key := range keys {
			commands = append(commands, c.B().Hmget().Key(in+key).Field("value", "version").Build())
		}
		answers := c.DoMulti(t.Context(), append(commands, c.B().Exec().Build())...)
		entries, err := answers[len(answers)-1].ToArray()
		if rueidis.IsRedisNil(err) {
			return store.ErrHalf
		}
		var m store.Marker
		if err := errors.Join(err, json.Unmarshal([]byte(text), &m)); err != nil {
			return err
		}
		return oneRevision(m, entries)
	})
}

func oneRevision(m store.Marker, entries []rueidis.RedisMessage) error {
	n := 0
	for _, e := range entries {
		held, err := e.AsStrSlice()
		if err != nil {
			return err
		}
		if fmt.Sprintf("%040s", held[0]) != string(m.Revision) {
			return fmt.Errorf("%s at revision %s", held[0], m.Revision)
		}
		n++
	}
	if last := m.Revision[len(m.Revision)-1]; n != 3-int(last%2) { // '0' is even
		return fmt.Errorf("%d entries at revision %s", n, m.Revision)
	}
	return nil
}
