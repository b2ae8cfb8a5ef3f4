package redis

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/redis/rueidis"

	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/store"
)

// chunk is how many entries are asked for at a time.
const chunk = 256

// List implements store.Writer. It asks for what stands under all names that there are; a replica, which
// may lag behind, is not believed. The values come along and are summed up here, since Redis, which answers
// one at a time, would take longer for that.
func (t *Target) List(ctx context.Context, ns lcm.Namespace) (store.Listing, error) {
	if err := store.CheckNamespace(ns); err != nil {
		return store.Listing{}, err
	}
	listing, err := t.list(ctx, ns)
	if err != nil {
		return store.Listing{}, fmt.Errorf("listing %s: %w", ns, err)
	}
	return listing, nil
}

func (t *Target) list(ctx context.Context, ns lcm.Namespace) (store.Listing, error) {
	all, err := t.sweeper.all(ctx)
	if err != nil {
		return store.Listing{}, err
	}
	keys := slices.Clone(all[ns])
	slices.Sort(keys)
	keys = slices.Compact(keys) // SCAN may tell of a name twice
	marker, known, err := t.head(ctx, ns)
	if err != nil {
		return store.Listing{}, err
	}
	listing := store.Listing{Marker: marker}
	for some := range slices.Chunk(keys, chunk) {
		items, err := t.items(ctx, ns, some, known)
		if err != nil {
			return store.Listing{}, err
		}
		listing.Items = append(listing.Items, items...)
	}
	if t.isUnsettled(ns) {
		listing.Marker.Phase = store.Writing
	}
	return listing, nil
}

// head reads the marker and the index.
func (t *Target) head(ctx context.Context, ns lcm.Namespace) (store.Marker, map[string]bool, error) {
	var answer []rueidis.RedisMessage
	err := t.use(ctx, func(ctx context.Context, c rueidis.Client) (err error) {
		answer, err = headScript().run(ctx, c, headOf(ns), nil)[0].ToArray()
		return err
	})
	if err != nil {
		return store.Marker{}, nil, err
	}
	if len(answer) != 2 {
		return store.Marker{}, nil, errAnswer
	}
	marker, errMarker := answer[0].ToString()
	names, errNames := answer[1].AsStrSlice()
	if errMarker != nil || errNames != nil {
		return store.Marker{}, nil, errAnswer
	}
	known := make(map[string]bool, len(names))
	for _, name := range names {
		known[name] = true
	}
	return parseMarker(marker), known, nil
}

// items reads some entries. What has gone since its name was read is left out.
func (t *Target) items(ctx context.Context, ns lcm.Namespace, keys []string, known map[string]bool) ([]store.Item, error) {
	var items []store.Item
	err := t.use(ctx, func(ctx context.Context, c rueidis.Client) error {
		commands := make([]rueidis.Completed, len(keys))
		for i, key := range keys {
			commands[i] = c.B().Hmget().Key(entryName(ns.Key(key))).Field(fields[:]...).Build()
		}
		for i, r := range c.DoMulti(ctx, commands...) {
			item, err := parseItem(keys[i], r)
			if err == nil && item.Token == "" {
				item.Token, err = strange(ctx, c, entryName(ns.Key(keys[i])))
			}
			if err != nil {
				return err
			}
			if item.Token != "" {
				item.Stale = item.Stale || item.Meta != (store.Meta{}) && !known[item.Key]
				items = append(items, item)
			}
		}
		return nil
	})
	return items, err
}

// parseItem makes an item of an entry's fields. Its token is that of common.lua; it is empty if there is no
// field of ours.
func parseItem(key string, r rueidis.RedisResult) (store.Item, error) {
	item := store.Item{Key: key}
	held, err := r.ToArray()
	switch {
	case err != nil && errors.Is(translateAnswer(err), errType):
		item.Token = foreign
		return item, nil
	case err != nil:
		return item, err
	case len(held) != len(fields):
		return item, errAnswer
	}
	if !slices.ContainsFunc(held, func(m rueidis.RedisMessage) bool { return !m.IsNil() }) {
		return item, nil
	}
	value, errValue := held[0].ToString()
	token, _ := held[1].ToString()
	content, _ := held[2].ToString()
	digest := sum(value)
	item.Token = store.Token(token + ":" + digest)
	if item.Meta = heldMark(held); item.Meta != (store.Meta{}) {
		item.Stale = errValue != nil || content != "sha1:"+digest
	}
	return item, nil
}

// strange tells a hash that has no field of ours from nothing.
func strange(ctx context.Context, c rueidis.Client, name string) (store.Token, error) {
	kind, err := c.Do(ctx, c.B().Type().Key(name).Build()).ToString()
	switch {
	case err != nil || kind == "none":
		return "", err
	case kind == "hash":
		return store.Token(":" + sum("")), nil
	}
	return foreign, nil
}
