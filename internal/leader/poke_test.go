package leader_test

import (
	"context"
	"testing"
	"time"

	"github.com/llm-config-manager/lcm/internal/store/etcd/etcdtest"
)

// What a follower hears reaches the leader, also after their etcd was away.
func TestPoke(t *testing.T) {
	c := etcdtest.Start(t, etcdtest.Options{})
	leads := replica(t, "leads", "/poke/", c.Endpoints()...)
	follows := replica(t, "follows", "/poke/", c.Endpoints()...)
	ctx, cancel := context.WithCancel(t.Context())
	heard, done := make(chan string, 100), make(chan struct{})
	go func() {
		defer close(done)
		leads.Poked(ctx, func(repository string) { heard <- repository })
	}()
	poke := func(repository string) {
		t.Helper()
		for tries := 0; ; tries++ {
			if err := follows.Poke(t.Context(), repository); err != nil && tries > 100 {
				t.Fatal(err)
			}
			select {
			case got := <-heard:
				if got != repository {
					t.Fatalf("heard %q, not %q", got, repository)
				}
				return
			case <-time.After(200 * time.Millisecond): // the watch may not stand yet
			}
		}
	}
	poke("one")
	c.Members[0].Kill(t)
	c.Members[0].Restart(t)
	for len(heard) > 0 {
		<-heard
	}
	poke("two")
	cancel()
	<-done
}
