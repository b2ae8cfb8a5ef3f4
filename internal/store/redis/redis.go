// Package redis is the target that keeps values in Redis: the entry of a key as the hash
// lcm:{<namespace>}/<key>, with the value in one field and the mark in others, the marker of a namespace as
// lcm:{<namespace>}/.lcm/revision and the names of its entries as the set lcm:{<namespace>}/.lcm/keys. The
// braces put a namespace on one slot of a Cluster, so that a batch is one script, which Redis carries out in
// one step: it compares all tokens, writes values, marks and marker, and tells of it on the channel
// lcm:changes. So Redis holds each namespace wholly at one revision or wholly at the next, and its marker
// never says writing. It keeps no secrets. user.acl is all that the login needs to be allowed.
package redis

import (
	"context"
	"fmt"
	"sync"

	"github.com/redis/rueidis"
	"golang.org/x/sync/singleflight"

	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/store"
)

// Target is a Redis: a single one, one that Sentinels watch, or a Cluster. It is safe for concurrent use.
type Target struct {
	config  Config
	running chan struct{} // holds one element for each operation under way
	sweeper sweeper

	connecting singleflight.Group
	mu         sync.Mutex // guards what follows
	conn       rueidis.Client
	closed     bool
	unsettled  map[lcm.Namespace]bool // written, and not confirmed to be durable
}

var (
	_ store.Target      = (*Target)(nil)
	_ store.WholeReader = (*Target)(nil)
)

const errClosed = fault("redis: the target is closed")

// New checks the configuration and makes a Target. It does not speak to Redis: the first use does, so that
// a Redis that is down when the daemon starts holds itself up and nothing else.
func New(c Config) (*Target, error) {
	c, err := c.complete()
	if err != nil {
		return nil, err
	}
	t := &Target{config: c, running: make(chan struct{}, c.Concurrency), unsettled: map[lcm.Namespace]bool{}}
	t.sweeper.look = t.sweep
	return t, nil
}

// Capabilities says that Redis keeps no secrets: what it holds lies in its memory and on its disk as it is.
func (t *Target) Capabilities() store.Capabilities { return store.Capabilities{} }

// Close closes the connections.
func (t *Target) Close() error {
	t.mu.Lock()
	conn := t.conn
	t.conn, t.closed = nil, true
	t.mu.Unlock()
	if conn != nil {
		conn.Close()
	}
	return nil
}

// client returns the client, which it connects on the first use and after a refused login. All who come
// while it connects wait for that one attempt.
func (t *Target) client(ctx context.Context) (rueidis.Client, error) {
	if conn, err := t.current(); conn != nil || err != nil {
		return conn, err
	}
	select {
	case r := <-t.connecting.DoChan("", t.connect):
		if r.Err != nil {
			return nil, r.Err
		}
		return r.Val.(rueidis.Client), nil
	case <-ctx.Done():
		return nil, fmt.Errorf("%w: %w", errConnection, context.Cause(ctx))
	}
}

func (t *Target) current() (rueidis.Client, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return nil, errClosed
	}
	return t.conn, nil
}

func (t *Target) connect() (any, error) {
	if conn, err := t.current(); conn != nil || err != nil { // somebody else was just before
		return conn, err
	}
	options, err := t.config.options()
	if err != nil {
		return nil, err
	}
	conn, err := rueidis.NewClient(options)
	if err != nil {
		if conn != nil {
			conn.Close()
		}
		return nil, translate(context.Background(), err)
	}
	if len(t.config.Cluster) > 0 && conn.Mode() != rueidis.ClientModeCluster { // the client makes do with a single server
		conn.Close()
		return nil, errNoCluster
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		conn.Close()
		return nil, errClosed
	}
	t.conn = conn
	return conn, nil
}

// forget drops the client after a refused login, so that the next use reads the password anew.
func (t *Target) forget(conn rueidis.Client) {
	t.mu.Lock()
	current := t.conn == conn
	if current {
		t.conn = nil
	}
	t.mu.Unlock()
	if current {
		conn.Close()
	}
}

// use calls f with the client and a context that ends after the configured time, a bounded number at a
// time, and makes its error into one of ours.
func (t *Target) use(ctx context.Context, f func(context.Context, rueidis.Client) error) error {
	select {
	case t.running <- struct{}{}:
		defer func() { <-t.running }()
	case <-ctx.Done():
		return fmt.Errorf("%w: %w", errConnection, context.Cause(ctx))
	}
	if ctx.Err() != nil {
		return fmt.Errorf("%w: %w", errConnection, context.Cause(ctx))
	}
	ctx, cancel := context.WithTimeout(ctx, t.config.Timeout)
	defer cancel()
	conn, err := t.client(ctx)
	if err != nil {
		return err
	}
	err = translate(ctx, f(ctx, conn))
	if isLogin(err) {
		t.forget(conn)
	}
	return err
}
