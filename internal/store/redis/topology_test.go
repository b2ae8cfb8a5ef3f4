package redis_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/store"
	"github.com/llm-config-manager/lcm/internal/store/redis"
	"github.com/llm-config-manager/lcm/internal/store/redis/redistest"
)

// TestFailover: the master dies, the replica takes over, and the target goes on with it. Until then
// nothing is called absent.
func TestFailover(t *testing.T) {
	w := redistest.StartWatched(t, redistest.Options{})
	target := open(t, redis.Config{Sentinel: redis.Sentinel{Master: redistest.Master, Addresses: w.SentinelAddresses()},
		Login: login(), TLS: tlsOf(w.Servers[0]), Durability: redis.Durability{Replicas: 1}, Limits: redis.Limits{Timeout: 2 * time.Second}})
	apply(t, target, create("a", "1"), create("b", "2"))
	w.Failover(t)
	eventually(t, "the target finds the new master", func() bool {
		l, err := target.List(t.Context(), production)
		if err == nil && len(l.Items) != 2 {
			t.Fatalf("List = %+v: what a replica had confirmed is lost", l)
		}
		return err == nil
	})
	// The new master has no replica: nobody can confirm a write.
	update := create("a", "3")
	update.Action, update.If = store.Update, item(t, target, "a").Token
	expectSays(t, target.Apply(t.Context(), batch(update)), "written, and not confirmed to be durable: it reached 0 of 1 replicas")
	if l := list(t, target); l.Marker.Phase != store.Writing {
		t.Errorf("what is not confirmed is listed as %q", l.Marker.Phase)
	}

	// The old master comes back, and is made a replica.
	w.Servers[0].Resume(t)
	eventually(t, "the old master follows the new one", func() bool {
		out, _ := w.Servers[0].Try("INFO", "replication")
		return strings.Contains(out, "master_link_status:up")
	})
	apply(t, target)
	if l := list(t, target); l.Marker.Phase != store.Whole || len(l.Items) != 2 {
		t.Errorf("after it was confirmed: %+v", l)
	}
	if got := w.Servers[0].Do(t, "HGET", "lcm:{"+production.String()+"}/a", "value"); got != "3" {
		t.Errorf("the replica has %q", got)
	}
}

func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if is() {
			return
		}
	}
	t.Fatalf("it never came about that %s", what)
}

// TestReplica: a replica is not believed.
func TestReplica(t *testing.T) {
	w := redistest.StartWatched(t, redistest.Options{})
	c := redis.Config{Address: w.Servers[0].Address, Login: login(), TLS: tlsOf(w.Servers[0])}
	apply(t, open(t, c), create("a", "1"))
	c.Address = w.Servers[1].Address
	replica := open(t, c)
	_, err := replica.List(t.Context(), production)
	expectSays(t, err, "answered READONLY: this server is a replica that only reads")
	expectSays(t, replica.Apply(t.Context(), batch(create("b", `"`+canary+`"`))), "answered READONLY")
}

func TestSentinelsDown(t *testing.T) {
	w := redistest.StartWatched(t, redistest.Options{})
	c := redis.Config{Sentinel: redis.Sentinel{Master: "another", Addresses: w.SentinelAddresses()}, Login: login(), TLS: tlsOf(w.Servers[0]),
		Limits: redis.Limits{Timeout: 2 * time.Second}}
	expectNothing(t, open(t, c), "redis: ")
	for _, s := range w.Sentinels {
		s.Kill()
	}
	c.Sentinel.Master = redistest.Master
	expectNothing(t, open(t, c), "redis: no answer: dial tcp")
}

// TestClusterBroken: a Cluster without one of its masters answers for nothing, though the other masters could
// still tell the names that they have.
func TestClusterBroken(t *testing.T) {
	c := redistest.StartCluster(t, redistest.Options{})
	target := open(t, redis.Config{Cluster: c.Addresses(), Login: login(), TLS: tlsOf(c.Servers[0]), Limits: redis.Limits{Timeout: 3 * time.Second}})
	spread := map[lcm.Namespace]bool{}
	for i := range 20 {
		b := batch(create("key", "1"))
		b.Namespace = lcm.Service{Org: "acme-corp", Project: "platform", Name: fmt.Sprint("s", i)}.In("production")
		if err := target.Apply(t.Context(), b); err != nil {
			t.Fatal(err)
		}
		spread[b.Namespace] = true
	}
	for i, s := range c.Servers {
		if s.Do(t, "DBSIZE") == "0" {
			t.Fatalf("server %d holds nothing: the namespaces are not spread", i)
		}
	}
	if all, err := target.Namespaces(t.Context(), []string{"acme-corp"}); err != nil || len(all) != len(spread) {
		t.Errorf("Namespaces = %v, %v", all, err)
	}
	c.Servers[1].Kill()
	expectUnable(t, target)
	eventually(t, "the Cluster notices", func() bool {
		return strings.Contains(c.Servers[0].Do(t, "CLUSTER", "INFO"), "cluster_state:fail")
	})
	expectUnable(t, target)
	c.Servers[1].Resume(t)
	eventually(t, "the Cluster is whole again", func() bool {
		all, err := target.Namespaces(t.Context(), []string{"acme-corp"})
		return err == nil && len(all) == len(spread)
	})
}

func expectUnable(t *testing.T, target *redis.Target) {
	t.Helper()
	if all, err := target.Namespaces(t.Context(), []string{"acme-corp"}); err == nil {
		t.Errorf("Namespaces = %v, though a master is gone", all)
	}
	if l, err := target.List(t.Context(), production); err == nil {
		t.Errorf("List = %+v, though a master is gone", l)
	}
}

// TestClusterMoves: a slot moves to another master under a target that is at work.
func TestClusterMoves(t *testing.T) {
	c := redistest.StartCluster(t, redistest.Options{})
	target := open(t, redis.Config{Cluster: c.Addresses(), Login: login(), TLS: tlsOf(c.Servers[0])})
	apply(t, target, create("a", "1"), create("b", "2"))
	c.Move(t, "lcm:{"+production.String()+"}/a")
	eventually(t, "the target finds the slot again", func() bool {
		l, err := target.List(t.Context(), production)
		if err == nil && len(l.Items) != 2 {
			t.Fatalf("List = %+v", l)
		}
		return err == nil
	})
	apply(t, target, create("c", "3"))
	if l := list(t, target); len(l.Items) != 3 {
		t.Errorf("List = %+v", l)
	}
}
