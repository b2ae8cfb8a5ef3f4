package etcd

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// Client is a connection to an etcd for what is no target. It is safe for concurrent use.
type Client struct{ etcd *client }

// Connect checks the configuration, of which Prefix and the limits count for nothing here. It does not speak to etcd.
func Connect(c Config) (*Client, error) {
	c, err := c.complete()
	if err != nil {
		return nil, err
	}
	e, err := newClient(c)
	if err != nil {
		return nil, err
	}
	return &Client{e}, nil
}

// Do sends one request, within the configured time. It is never repeated if etcd may have carried it out.
func (c *Client) Do(ctx context.Context, ask func(context.Context, *clientv3.Client) error) error {
	return c.etcd.do(ctx, ask)
}

// Read asks something that changes nothing, and again where that may help.
func (c *Client) Read(ctx context.Context, ask func(context.Context, *clientv3.Client) error) error {
	return c.etcd.read(ctx, ask)
}

// Watch calls each with every key below a folder that is written from now on, until ctx ends or etcd can't be watched any
// more. An end by ctx is an error, too.
func (c *Client) Watch(ctx context.Context, folder string, each func(key string)) error {
	api, err := c.etcd.connected(ctx)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(clientv3.WithRequireLeader(ctx))
	defer cancel()
	for resp := range api.Watch(ctx, folder, clientv3.WithPrefix(), clientv3.WithFilterDelete()) {
		if err := resp.Err(); err != nil {
			return translate(ctx, err)
		}
		for _, event := range resp.Events {
			each(string(event.Kv.Key))
		}
	}
	return cmp.Or(context.Cause(ctx), errWatch)
}

var errWatch = errors.New("etcd ended the watch")

// Close closes the connections.
func (c *Client) Close() { c.etcd.close() }

// Passing reports whether an error of Do may be gone the next time. What was asked may have been done.
func Passing(err error) bool { return passing(err) }

// ErrCompacted is returned by Scan when etcd forgot the revision that was being read.
var ErrCompacted = errCompacted

// A page has so many keys, and fewer if they are large: then it is to have about so many bytes. Each page costs etcd a count of
// all keys that are left, so few pages are better.
const (
	scanPage  = 10_000
	scanBytes = 4 << 20
)

// Scan calls each with all keys below a folder, which ends with a slash, in their order, as they stood at one revision;
// 0: the newest.
func (c *Client) Scan(ctx context.Context, folder string, revision int64, each func(*mvccpb.KeyValue) error) error {
	rest, limit := below(folder), int64(scanPage)
	for {
		var page *clientv3.GetResponse
		err := c.Read(ctx, func(ctx context.Context, api *clientv3.Client) (err error) {
			page, err = api.Get(ctx, rest.from, clientv3.WithRange(rest.end), clientv3.WithRev(revision), clientv3.WithLimit(limit))
			return err
		})
		if errors.Is(err, errTooLarge) && limit > 1 {
			limit = max(limit/8, 1)
			continue
		}
		if err != nil {
			return fmt.Errorf("reading what is below %s: %w", folder, err)
		}
		bytes := 0
		for _, kv := range page.Kvs {
			bytes += len(kv.Key) + len(kv.Value)
			if err := each(kv); err != nil {
				return err
			}
		}
		if bytes < scanBytes/2 {
			limit = min(2*limit, scanPage)
		}
		if !page.More || len(page.Kvs) == 0 {
			return nil
		}
		revision, rest = page.Header.Revision, rest.after(string(page.Kvs[len(page.Kvs)-1].Key))
	}
}
