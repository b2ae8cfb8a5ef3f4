package vault

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/store"
)

// List returns the entries of a namespace. Entries whose name is no key of an address, and what lies
// in folders below, are nobody's that could ever be addressed, and are left out.
func (t *Target) List(ctx context.Context, ns lcm.Namespace) (store.Listing, error) {
	if err := store.CheckNamespace(ns); err != nil {
		return store.Listing{}, err
	}
	listing, err := t.listing(ctx, ns)
	if err != nil {
		return store.Listing{}, fmt.Errorf("listing %s: %w", ns, err)
	}
	return listing, nil
}

func (t *Target) listing(ctx context.Context, ns lcm.Namespace) (store.Listing, error) {
	keys, err := t.keys(ctx, ns)
	if err != nil {
		return store.Listing{}, err
	}
	items := make([]store.Item, len(keys))
	err = t.each(ctx, len(keys), func(i int) error {
		e, err := t.inspect(ctx, ns.Key(keys[i]).String())
		if err != nil {
			return fmt.Errorf("%s: %w", keys[i], err)
		}
		items[i] = store.Item{Key: keys[i], Meta: e.mark.meta, Token: e.token(), Stale: e.stale()}
		return nil
	})
	if err != nil {
		return store.Listing{}, err
	}
	items = slices.DeleteFunc(items, func(item store.Item) bool { return item.Token == "" })
	slices.SortFunc(items, func(a, b store.Item) int { return cmp.Compare(a.Key, b.Key) })
	marker, _, err := t.marker(ctx, ns)
	return store.Listing{Items: items, Marker: marker}, err
}

// keys returns the keys that Vault knows in a namespace, soft-deleted ones included.
func (t *Target) keys(ctx context.Context, ns lcm.Namespace) ([]string, error) {
	if err := t.ready(ctx); err != nil {
		return nil, err
	}
	names, err := t.vault.list(ctx, t.metadataPath(ns.String()))
	switch {
	case errors.Is(err, errAbsent):
		return nil, t.absent(ctx)
	case err != nil:
		return nil, err
	}
	slices.Sort(names)
	return slices.DeleteFunc(slices.Compact(names), func(name string) bool {
		return strings.HasSuffix(name, "/") || store.CheckAddress(ns.Key(name)) != nil
	}), nil
}

// Get returns the value as it stands now and the mark beside it.
func (t *Target) Get(ctx context.Context, addr lcm.Address) ([]byte, store.Meta, error) {
	if err := store.CheckAddress(addr); err != nil {
		return nil, store.Meta{}, err
	}
	value, meta, err := t.value(ctx, addr)
	if err != nil {
		return nil, store.Meta{}, fmt.Errorf("reading %s: %w", addr, err)
	}
	return value, meta, nil
}

func (t *Target) value(ctx context.Context, addr lcm.Address) ([]byte, store.Meta, error) {
	if err := t.ready(ctx); err != nil {
		return nil, store.Meta{}, err
	}
	c, err := t.content(ctx, addr.String())
	switch {
	case errors.Is(err, errAbsent):
		return nil, store.Meta{}, store.ErrNotFound
	case err != nil:
		return nil, store.Meta{}, err
	}
	m, _ := parseMark(c.Metadata.Custom)
	value, err := decode(c.Data, m.meta.Kind)
	return value, m.meta, err
}

// Holds reads the value and compares it.
func (t *Target) Holds(ctx context.Context, ns lcm.Namespace, key string, value []byte) (bool, error) {
	stands, _, err := t.Get(ctx, ns.Key(key))
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	return err == nil && bytes.Equal(value, stands), err
}
