package etcdtest

import (
	"testing"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// TestStart also serves to build etcdd ahead of all other tests, with a time limit of its own.
func TestStart(t *testing.T) {
	c := Start(t, Options{Members: 3})
	api := c.Operator(t)
	if _, err := api.Put(t.Context(), "a", "b"); err != nil {
		t.Fatal(err)
	}
	led := c.Leader(t)
	c.Members[led].Kill(t)
	if got := read(t, api, "a"); got != "b" {
		t.Errorf("after the leader was killed: %q", got)
	}
	c.Members[led].Restart(t)
	c.Members[led].Pause(t)
	if got := read(t, api, "a"); got != "b" {
		t.Errorf("after a member was paused: %q", got)
	}
	c.Members[led].Resume(t)
}

func read(t *testing.T, api *clientv3.Client, key string) string {
	t.Helper()
	resp, err := api.Get(t.Context(), key)
	if err != nil || len(resp.Kvs) != 1 {
		t.Fatalf("%+v, %v", resp, err)
	}
	return string(resp.Kvs[0].Value)
}
