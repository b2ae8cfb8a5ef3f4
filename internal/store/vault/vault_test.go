package vault_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/store"
	"github.com/llm-config-manager/lcm/internal/store/vault"
	"github.com/llm-config-manager/lcm/internal/store/vault/vaulttest"
)

const (
	revision = lcm.Revision("1111111111111111111111111111111111111111")
	canary   = "canary-c0ffee"
)

var production = lcm.Service{Org: "acme-corp", Project: "ml-platform", Name: "inference"}.In("production")

// fixture is a Target on a fresh engine of a real Vault.
type fixture struct {
	*testing.T
	server *vaulttest.Server
	mount  string
	target *vault.Target
}

func newFixture(t *testing.T) *fixture {
	s := vaulttest.Start(t)
	mount := s.Mount(t)
	return &fixture{t, s, mount, open(t, vault.Config{Address: s.Address, Mount: mount, Token: s.RootToken})}
}

func open(t *testing.T, c vault.Config) *vault.Target {
	t.Helper()
	target, err := vault.New(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = target.Close() })
	return target
}

func meta(key string) store.Meta {
	return store.Meta{
		ID:             "6ba7b812-9dad-51d1-80b4-00c04fd430c8",
		Version:        3,
		Revision:       revision,
		Kind:           lcm.KindConfig,
		Origin:         "namespaces/acme-corp/ml-platform/inference/base/" + key + ".yaml",
		Classification: lcm.Internal,
		Repository:     "acme-config",
		Digest:         "sha256:" + strings.Repeat("0", 64),
	}
}

func marker() store.Marker {
	return store.Marker{Repository: "acme-config", Revision: revision, Phase: store.Whole}
}

func change(action store.Action, key, value string, token store.Token) store.Change {
	c := store.Change{Action: action, Key: key, Meta: meta(key), If: token}
	if value != "" {
		c.Value = []byte(value)
	}
	return c
}

func secret(key, value string) store.Change {
	c := change(store.Create, key, value, "")
	c.Secret, c.Meta.Kind = true, lcm.KindSecret
	return c
}

func batch(changes ...store.Change) store.Batch {
	return store.Batch{Namespace: production, Marker: marker(), Changes: changes}
}

func (f *fixture) apply(changes ...store.Change) {
	f.Helper()
	if err := f.target.Apply(f.Context(), batch(changes...)); err != nil {
		f.Fatalf("Apply: %v", err)
	}
}

func (f *fixture) list() store.Listing {
	f.Helper()
	l, err := f.target.List(f.Context(), production)
	if err != nil {
		f.Fatalf("List: %v", err)
	}
	return l
}

func (f *fixture) item(key string) store.Item {
	f.Helper()
	for _, item := range f.list().Items {
		if item.Key == key {
			return item
		}
	}
	return store.Item{}
}

// metadata is what Vault itself says of an entry.
func (f *fixture) metadata(key string) map[string]any {
	f.Helper()
	return f.server.Must(f, http.MethodGet, f.mount+"/metadata/"+production.String()+"/"+key, nil)
}

func (f *fixture) version(key string) float64 {
	f.Helper()
	v, _ := f.metadata(key)["current_version"].(float64)
	return v
}

func (f *fixture) data(key string) map[string]any {
	f.Helper()
	return f.server.Must(f, http.MethodGet, f.mount+"/data/"+production.String()+"/"+key, nil)
}

func (f *fixture) expectClean(err error) {
	f.Helper()
	if err == nil || strings.Contains(err.Error(), canary) {
		f.Errorf("want an error that does not show the value; got %v", err)
	}
}

func (f *fixture) expectConflict(err error) {
	f.Helper()
	if !errors.Is(err, store.ErrConflict) {
		f.Errorf("got %v; want ErrConflict", err)
	}
}
