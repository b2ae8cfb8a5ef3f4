// Package bolt keeps the values of a target in one bbolt database file. A batch is one transaction,
// so the file holds each namespace wholly at one revision or wholly at the next, and its marker never
// says writing. Secrets are sealed before they reach the file.
package bolt

import (
	"context"
	"crypto/subtle"
	"fmt"
	"sync"
	"time"

	bbolt "go.etcd.io/bbolt"

	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/store"
)

// Config says where the database is.
type Config struct {
	// Path of the database file. It is made if absent (mode 0600), and so are its folders (0700).
	Path string
	// SealKey is the key of 32 bytes that secrets are sealed under. Nil: the target keeps no
	// secrets; those that the file holds already can be listed and deleted, not read.
	SealKey []byte
	// LockTimeout is how long New waits for another process to release the file. 0: 5 seconds.
	LockTimeout time.Duration
}

// Store is a store.Target on a database file that this process alone has open.
type Store struct {
	path string
	db   *bbolt.DB
	seal *sealer // nil: keeps no secrets

	commit func(run func() error) error // runs one writing transaction; tests have it fail

	queueMu sync.Mutex // guards queue
	queue   []*request
	writing sync.Mutex // held by the one Apply that carries out the queue
}

var _ store.Target = (*Store)(nil)

// Capabilities says that secrets are kept if there is a key to seal them.
func (s *Store) Capabilities() store.Capabilities {
	return store.Capabilities{Secrets: s.seal != nil}
}

// Close waits for running transactions and releases the file.
func (s *Store) Close() error {
	if err := s.db.Close(); err != nil {
		return fmt.Errorf("closing the store %s: %w", s.path, err)
	}
	return nil
}

// List implements store.Writer. It reads marks only, no values.
func (s *Store) List(ctx context.Context, ns lcm.Namespace) (store.Listing, error) {
	var listing store.Listing
	if err := store.CheckNamespace(ns); err != nil {
		return listing, err
	}
	err := s.view(ctx, func(root *bbolt.Bucket) (err error) {
		listing, err = open(root, ns).list()
		return err
	})
	if err != nil {
		return store.Listing{}, fmt.Errorf("listing %s in %s: %w", ns, s.path, err)
	}
	return listing, nil
}

// Get implements store.Reader.
func (s *Store) Get(ctx context.Context, addr lcm.Address) ([]byte, store.Meta, error) {
	if err := store.CheckAddress(addr); err != nil {
		return nil, store.Meta{}, err
	}
	var value []byte
	var rec record
	err := s.view(ctx, func(root *bbolt.Bucket) (err error) {
		value, rec, err = open(root, addr.Namespace).get(s.seal, addr.Key)
		return err
	})
	if err != nil {
		return nil, store.Meta{}, fmt.Errorf("reading %s in %s: %w", addr, s.path, err)
	}
	return value, rec.Meta, nil
}

// Holds implements store.Writer.
func (s *Store) Holds(ctx context.Context, ns lcm.Namespace, key string, value []byte) (bool, error) {
	if err := store.CheckAddress(ns.Key(key)); err != nil {
		return false, err
	}
	var holds bool
	err := s.view(ctx, func(root *bbolt.Bucket) error {
		space := open(root, ns)
		if !space.has(key) {
			return nil
		}
		held, _, err := space.get(s.seal, key)
		holds = err == nil && subtle.ConstantTimeCompare(held, value) == 1
		return err
	})
	if err != nil {
		return false, fmt.Errorf("comparing %s in %s: %w", ns.Key(key), s.path, err)
	}
	return holds, nil
}

// Marker implements store.Reader.
func (s *Store) Marker(ctx context.Context, ns lcm.Namespace) (store.Marker, error) {
	var m store.Marker
	if err := store.CheckNamespace(ns); err != nil {
		return m, err
	}
	err := s.view(ctx, func(root *bbolt.Bucket) (err error) {
		m, err = open(root, ns).marker()
		return err
	})
	if err != nil {
		return store.Marker{}, fmt.Errorf("reading the marker of %s in %s: %w", ns, s.path, err)
	}
	return m, nil
}
