package redis

import (
	"context"
	"fmt"
	"slices"

	"github.com/redis/rueidis"

	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/store"
)

// chunk is how many entries are looked at in one step, which blocks the server so long.
const chunk = 256

// List implements store.Writer. It asks for what stands under all names that there are; a replica, which
// may lag behind, is not believed.
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
	var listing store.Listing
	for first := 0; first == 0 || first < len(keys); first += chunk {
		some := keys[first:min(first+chunk, len(keys))]
		marker, items, err := t.look(ctx, ns, some)
		if err != nil {
			return store.Listing{}, err
		}
		if first == 0 {
			listing.Marker = marker
		}
		listing.Items = append(listing.Items, items...)
	}
	if t.isUnsettled(ns) {
		listing.Marker.Phase = store.Writing
	}
	return listing, nil
}

// look reads the marker and some entries.
func (t *Target) look(ctx context.Context, ns lcm.Namespace, keys []string) (store.Marker, []store.Item, error) {
	redisKeys := entriesOf(ns)
	for _, key := range keys {
		redisKeys = append(redisKeys, entryName(ns.Key(key)))
	}
	var answer []rueidis.RedisMessage
	err := t.use(ctx, func(ctx context.Context, c rueidis.Client) (err error) {
		answer, err = listScript().run(ctx, c, redisKeys, keys)[0].ToArray()
		return err
	})
	if err != nil {
		return store.Marker{}, nil, err
	}
	if len(answer) != 1+len(keys) {
		return store.Marker{}, nil, errAnswer
	}
	marker, err := answer[0].ToString()
	if err != nil {
		return store.Marker{}, nil, errAnswer
	}
	var items []store.Item
	for i, key := range keys {
		item, err := parseItem(key, answer[1+i])
		if err != nil {
			return store.Marker{}, nil, err
		}
		if item.Token != "" { // gone since its name was read
			items = append(items, item)
		}
	}
	return parseMarker(marker), items, nil
}

func parseItem(key string, m rueidis.RedisMessage) (store.Item, error) {
	f, err := m.AsStrSlice()
	if err != nil || len(f) != 1 && len(f) != 2+len(fields)-firstOfMark {
		return store.Item{}, errAnswer
	}
	item := store.Item{Key: key, Token: store.Token(f[0])}
	if len(f) == 1 {
		return item, nil
	}
	meta, ok := parseMark(f[2:])
	if ok {
		item.Meta, item.Stale = meta, f[1] == "1"
	}
	return item, nil
}
