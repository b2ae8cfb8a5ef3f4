package vault

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/store"
)

// markerPath cannot be an address: no key begins with a dot or holds a slash.
func markerPath(ns lcm.Namespace) string { return ns.String() + "/.lcm/revision" }

// Marker returns the namespace's marker.
func (t *Target) Marker(ctx context.Context, ns lcm.Namespace) (store.Marker, error) {
	if err := store.CheckNamespace(ns); err != nil {
		return store.Marker{}, err
	}
	if err := t.ready(ctx); err != nil {
		return store.Marker{}, fmt.Errorf("reading the marker of %s: %w", ns, err)
	}
	m, _, err := t.marker(ctx, ns)
	return m, err
}

// marker returns the marker and its KV version. What stands there and is no marker counts as none:
// then no reader believes the namespace, and the next batch writes it anew.
func (t *Target) marker(ctx context.Context, ns lcm.Namespace) (store.Marker, uint64, error) {
	c, err := t.content(ctx, markerPath(ns))
	switch {
	case errors.Is(err, errAbsent):
		return store.Marker{}, c.Metadata.Version, nil
	case err != nil:
		return store.Marker{}, 0, fmt.Errorf("reading the marker of %s: %w", ns, err)
	}
	var m store.Marker
	if json.Unmarshal(c.Data, &m) != nil || !m.Sound() {
		return store.Marker{}, c.Metadata.Version, nil
	}
	return m, c.Metadata.Version, nil
}

// markers moves the marker of one namespace on. It holds what the marker says and its KV version.
type markers struct {
	target  *Target
	ns      lcm.Namespace
	term    uint64 // of the batch; 0: nobody else writes
	now     store.Marker
	version uint64
}

// set writes the marker, unless it says exactly that already. Whoever else wrote it since it was
// read is noticed.
func (m *markers) set(ctx context.Context, to store.Marker) error {
	if m.now == to && m.version > 0 {
		return nil
	}
	version, err := m.target.put(ctx, markerPath(m.ns), to, m.version)
	if errors.Is(err, store.ErrConflict) {
		err = errors.Join(m.ours(ctx), err)
	}
	if err != nil {
		return fmt.Errorf("writing the marker of %s: %w", m.ns, err)
	}
	m.now, m.version = to, version
	return nil
}

// ours reports an error if the marker is not any more the one that was read or written last, by a leader. Vault has
// no step that compares it and writes something else: a write that was sent before a later leader took the marker is
// done, and shows in the entry's version.
func (m *markers) ours(ctx context.Context) error {
	if m.term == 0 {
		return nil
	}
	now, version, err := m.target.marker(ctx, m.ns)
	switch {
	case err != nil:
		return err
	case version == m.version:
		return nil
	case now.Term > m.term:
		return &store.FencedError{Term: now.Term}
	}
	return store.ErrConflict
}
