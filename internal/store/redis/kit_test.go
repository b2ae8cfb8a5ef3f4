package redis_test

import (
	"strings"
	"testing"

	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/store"
	"github.com/llm-config-manager/lcm/internal/store/redis"
)

const revision = lcm.Revision("1111111111111111111111111111111111111111")

var production = lcm.Service{Org: "acme-corp", Project: "platform", Name: "chat"}.In("production")

func meta(key string) store.Meta {
	return store.Meta{
		ID:             "6ba7b812-9dad-51d1-80b4-00c04fd430c8",
		Version:        3,
		Revision:       revision,
		Kind:           lcm.KindConfig,
		Origin:         "namespaces/acme-corp/platform/chat/base/" + key + ".yaml",
		Classification: lcm.Internal,
		Repository:     "acme-config",
		Digest:         "sha256:" + strings.Repeat("0", 64),
	}
}

func create(key, value string) store.Change {
	return store.Change{Action: store.Create, Key: key, Value: []byte(value), Meta: meta(key)}
}

func batch(changes ...store.Change) store.Batch {
	return store.Batch{Namespace: production, Changes: changes,
		Marker: store.Marker{Repository: "acme-config", Revision: revision, Phase: store.Whole}}
}

func apply(t testing.TB, target *redis.Target, changes ...store.Change) {
	t.Helper()
	if err := target.Apply(t.Context(), batch(changes...)); err != nil {
		t.Fatalf("Apply: %v", err)
	}
}

func list(t testing.TB, target *redis.Target) store.Listing {
	t.Helper()
	l, err := target.List(t.Context(), production)
	if err != nil {
		t.Fatalf("List: %v", err)
	}
	return l
}

func item(t testing.TB, target *redis.Target, key string) store.Item {
	t.Helper()
	for _, i := range list(t, target).Items {
		if i.Key == key {
			return i
		}
	}
	return store.Item{}
}
