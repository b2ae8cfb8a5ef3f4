package etcd_test

import (
	"crypto/rand"
	"fmt"
	"strings"
	"testing"

	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/store"
)

const revision = lcm.Revision("1111111111111111111111111111111111111111")

// space is a namespace that no other test uses.
func space(t testing.TB) lcm.Namespace {
	t.Helper()
	return lcm.Service{Org: "t-" + strings.ToLower(rand.Text()), Project: "ml-platform", Name: "inference"}.In("production")
}

func batch(t testing.TB, changes ...store.Change) store.Batch {
	t.Helper()
	return store.Batch{Namespace: space(t), Changes: changes,
		Marker: store.Marker{Repository: "acme-config", Revision: revision, Phase: store.Whole}}
}

func create(key, value string) store.Change {
	return store.Change{Action: store.Create, Key: key, Value: []byte(value), Meta: store.Meta{
		ID: "6ba7b812-9dad-51d1-80b4-00c04fd430c8", Version: 1, Revision: revision, Kind: lcm.KindConfig,
		Origin: "namespaces/acme-corp/ml-platform/inference/base/" + key + ".yaml", Classification: lcm.Internal,
		Repository: "acme-config", Digest: "sha256:" + strings.Repeat("0", 64)}}
}

func many(n int) []store.Change {
	var all []store.Change
	for i := range n {
		all = append(all, create(fmt.Sprintf("k%d", i), `{"n":1}`))
	}
	return all
}
