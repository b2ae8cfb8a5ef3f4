// Package file keeps the values of a target as plain files for applications that read files:
//
//	<path>/<org>/<project>/<service>/<environment> -> .lcm/<environment>/<generation>
//	<path>/<org>/<project>/<service>/<environment>/<key>.json       the value
//	<path>/<org>/<project>/<service>/<environment>/.lcm/<key>.json  its mark
//	<path>/<org>/<project>/<service>/<environment>/.lcm/revision    the marker
//
// A generation never changes once the link points at it: a batch builds the next one beside it and
// then turns the link. A reader that resolves the link once sees all of one revision; the
// generation before the present one is kept so that such a reader can finish.
package file

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/store"
)

// Config says where the files are.
type Config struct {
	// Path is the folder that the store fills. It is made if absent. Its file system must know symbolic links.
	Path string
	// FileMode is the mode of the files that the store makes. 0: 0644.
	FileMode fs.FileMode
	// DirMode is the mode of the folders that it makes below Path. 0: 0755.
	DirMode fs.FileMode
}

// Store is a store.Target on a folder. Several processes may read it; those that write wait for each
// other, namespace by namespace.
type Store struct {
	root     *os.Root // nothing outside of it is reached, through whatever links
	path     string
	fileMode fs.FileMode
	dirMode  fs.FileMode
	change   func(what string, make func() error) error // makes one change of the disk; tests have it fail
}

var _ store.Target = (*Store)(nil)

// New opens the folder, or makes it.
func New(cfg Config) (*Store, error) {
	if cfg.Path == "" {
		return nil, errors.New("opening a file store: it needs a path")
	}
	s := &Store{path: cfg.Path, fileMode: cfg.FileMode.Perm(), dirMode: cfg.DirMode.Perm(), change: func(_ string, make func() error) error { return make() }}
	if s.fileMode == 0 {
		s.fileMode = 0o644
	}
	if s.dirMode == 0 {
		s.dirMode = 0o755
	}
	if err := os.MkdirAll(cfg.Path, s.dirMode); err != nil {
		return nil, fmt.Errorf("opening a file store: %w", err)
	}
	root, err := os.OpenRoot(cfg.Path)
	if err != nil {
		return nil, fmt.Errorf("opening a file store: %w", err)
	}
	s.root = root
	return s, nil
}

// Capabilities says that the store keeps no secrets: its files are there for everybody to read.
func (s *Store) Capabilities() store.Capabilities { return store.Capabilities{} }

// Close releases the folder.
func (s *Store) Close() error { return s.root.Close() }

// List implements store.Writer. It reads all files of the namespace: that is how a value that
// somebody edited in place is noticed.
func (s *Store) List(ctx context.Context, ns lcm.Namespace) (store.Listing, error) {
	var listing store.Listing
	err := s.read(ctx, ns, func(g generation) error {
		held, err := g.scan(ctx)
		if err != nil {
			return err
		}
		listing.Items = held.items()
		listing.Marker, err = g.marker()
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
	var m mark
	found := false
	err := s.read(ctx, addr.Namespace, func(g generation) (err error) {
		value, m, found, err = g.get(addr.Key)
		return err
	})
	if err == nil && !found {
		err = store.ErrNotFound
	}
	if err != nil {
		return nil, store.Meta{}, fmt.Errorf("reading %s in %s: %w", addr, s.path, err)
	}
	return value, m.Meta, nil
}

// Holds implements store.Writer.
func (s *Store) Holds(ctx context.Context, ns lcm.Namespace, key string, value []byte) (bool, error) {
	held, _, err := s.Get(ctx, ns.Key(key))
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	return err == nil && bytes.Equal(held, value), err
}

// Marker implements store.Reader.
func (s *Store) Marker(ctx context.Context, ns lcm.Namespace) (store.Marker, error) {
	var m store.Marker
	err := s.read(ctx, ns, func(g generation) (err error) {
		m, err = g.marker()
		return err
	})
	if err != nil {
		return store.Marker{}, fmt.Errorf("reading the marker of %s in %s: %w", ns, s.path, err)
	}
	return m, nil
}
