package etcdtest

import (
	"context"
	"fmt"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// What an operator does by hand, for tests that may not import etcd's client.

// operator is a client that lasts as long as the Cluster.
func (c *Cluster) operator() *clientv3.Client {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.api == nil {
		c.api = c.Operator(c.t)
	}
	return c.api
}

// Get returns the value of a key. It is an error if there is none.
func (c *Cluster) Get(ctx context.Context, key string) (string, error) {
	resp, err := c.operator().Get(ctx, key)
	if err == nil && len(resp.Kvs) == 0 {
		err = fmt.Errorf("%s: there is no such key", key)
	}
	if err != nil {
		return "", err
	}
	return string(resp.Kvs[0].Value), nil
}

// Event is what a transaction made of a key.
type Event struct {
	Key, Value string
	Gone       bool
}

// Watch calls each with all transactions that write below a prefix, from now on and in their order, until ctx ends.
func (c *Cluster) Watch(ctx context.Context, prefix string, each func(revision int64, events []Event)) error {
	api := c.operator()
	now, err := api.Get(ctx, prefix)
	if err != nil {
		return err
	}
	for resp := range api.Watch(ctx, prefix, clientv3.WithPrefix(), clientv3.WithRev(now.Header.Revision+1)) {
		if err := resp.Err(); err != nil {
			return err
		}
		for i := 0; i < len(resp.Events); {
			revision, events := resp.Events[i].Kv.ModRevision, []Event{}
			for ; i < len(resp.Events) && resp.Events[i].Kv.ModRevision == revision; i++ {
				e := resp.Events[i]
				events = append(events, Event{string(e.Kv.Key), string(e.Kv.Value), e.Type == clientv3.EventTypeDelete})
			}
			each(revision, events)
		}
	}
	return nil
}

// Put writes a value.
func (c *Cluster) Put(ctx context.Context, key, value string) error {
	_, err := c.operator().Put(ctx, key, value)
	return err
}

// Delete deletes a key. It is an error if there is none.
func (c *Cluster) Delete(ctx context.Context, key string) error {
	resp, err := c.operator().Delete(ctx, key)
	if err == nil && resp.Deleted == 0 {
		err = fmt.Errorf("%s: there is no such key", key)
	}
	return err
}

// Clear deletes everything.
func (c *Cluster) Clear(ctx context.Context) error {
	_, err := c.operator().Delete(ctx, "", clientv3.WithPrefix())
	return err
}

// Keys lists the keys that begin with a prefix.
func (c *Cluster) Keys(ctx context.Context, prefix string) (keys []string, err error) {
	resp, err := c.operator().Get(ctx, prefix, clientv3.WithPrefix(), clientv3.WithKeysOnly())
	if err != nil {
		return nil, err
	}
	for _, kv := range resp.Kvs {
		keys = append(keys, string(kv.Key))
	}
	return keys, nil
}

// Revision is etcd's own: it grows by one with each transaction that writes.
func (c *Cluster) Revision(ctx context.Context) (int64, error) {
	resp, err := c.operator().Get(ctx, "/")
	if err != nil {
		return 0, err
	}
	return resp.Header.Revision, nil
}
