package storetest

import (
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/store"
)

const (
	repository = "acme-config"
	revision1  = lcm.Revision("1111111111111111111111111111111111111111")
	revision2  = lcm.Revision("2222222222222222222222222222222222222222")
	revision3  = lcm.Revision("3333333333333333333333333333333333333333")
)

// kit is what one test works with: a target of its own and a namespace that nobody else uses.
type kit struct {
	*testing.T
	suite
	target store.Target
	ns     lcm.Namespace

	further bool // a pass is to come to revision3, and no longer to revision2
}

func (s suite) kit(t *testing.T) *kit {
	k := &kit{T: t, suite: s, target: s.open(t)}
	t.Cleanup(func() {
		if err := k.target.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	k.ns = lcm.Service{Org: "t-" + strings.ToLower(rand.Text()), Project: "ml-platform", Name: "inference"}.In("production")
	return k
}

func marker(rev lcm.Revision) store.Marker {
	return store.Marker{Repository: repository, Revision: rev, Phase: store.Whole}
}

func (k *kit) meta(key string, rev lcm.Revision) store.Meta {
	return store.Meta{
		ID:             "6ba7b812-9dad-51d1-80b4-00c04fd430c8",
		Version:        3,
		Revision:       rev,
		Kind:           lcm.KindConfig,
		Origin:         "namespaces/" + k.ns.Service.String() + "/base/" + key + ".yaml",
		Classification: lcm.Internal,
		Repository:     repository,
		Digest:         "sha256:" + strings.Repeat("0", 24) + string(rev), // the store does not look into it
	}
}

func (k *kit) create(key, value string) store.Change {
	return store.Change{Action: store.Create, Key: key, Value: []byte(value), Meta: k.meta(key, revision1)}
}

// replace is an Update of the entry as it stands.
func (k *kit) replace(key, value string) store.Change {
	return store.Change{Action: store.Update, Key: key, Value: []byte(value), Meta: k.meta(key, revision2), If: k.token(key)}
}

func (k *kit) batch(rev lcm.Revision, changes ...store.Change) store.Batch {
	return store.Batch{Namespace: k.ns, Marker: marker(rev), Changes: changes}
}

func (k *kit) apply(rev lcm.Revision, changes ...store.Change) {
	k.Helper()
	if err := k.target.Apply(k.Context(), k.batch(rev, changes...)); err != nil {
		k.Fatalf("Apply: %v", err)
	}
}

func (k *kit) list() store.Listing {
	k.Helper()
	l, err := k.target.List(k.Context(), k.ns)
	if err != nil {
		k.Fatalf("List: %v", err)
	}
	return l
}

func (k *kit) item(key string) store.Item {
	k.Helper()
	for _, item := range k.list().Items {
		if item.Key == key {
			return item
		}
	}
	return store.Item{}
}

func (k *kit) token(key string) store.Token {
	k.Helper()
	token := k.item(key).Token
	if token == "" {
		k.Fatalf("%s is not listed", key)
	}
	return token
}

// state is what a namespace holds, without tokens.
type state struct {
	Marker  store.Marker
	Entries map[string]held
}

type held struct {
	Value string
	Meta  store.Meta
	Stale bool
}

// state reads everything in two ways, by List and by Get, and demands that they agree.
func (k *kit) state() state {
	k.Helper()
	l := k.list()
	s := state{l.Marker, map[string]held{}}
	m, err := k.target.Marker(k.Context(), k.ns)
	if err != nil || m != l.Marker {
		k.Errorf("Marker = %+v, %v; List says %+v", m, err, l.Marker)
	}
	for _, item := range l.Items {
		value, meta, err := k.target.Get(k.Context(), k.ns.Key(item.Key))
		if err != nil {
			k.Fatalf("Get %s: %v", item.Key, err)
		}
		if meta != item.Meta {
			k.Errorf("Get %s has %+v; List says %+v", item.Key, meta, item.Meta)
		}
		s.Entries[item.Key] = held{string(value), item.Meta, item.Stale}
	}
	return s
}

func (k *kit) expect(want state) {
	k.Helper()
	if diff := cmp.Diff(want, k.state()); diff != "" {
		k.Errorf("the namespace is not as it should be (-want +got):\n%s", diff)
	}
}

// expectUnbroken checks what a failed batch may leave: a marker that says writing, or else everything
// as it was. A target whose batches are one step has only the second.
func (k *kit) expectUnbroken(before state) {
	k.Helper()
	now := k.state()
	if now.Marker.Phase == store.Writing && !k.opts.Atomic {
		return
	}
	if diff := cmp.Diff(before, now); diff != "" {
		k.Errorf("after a failed batch the marker is %+v, but the namespace changed (-before +now):\n%s", now.Marker, diff)
	}
}

func (k *kit) expectMissing(key string) {
	k.Helper()
	value, meta, err := k.target.Get(k.Context(), k.ns.Key(key))
	if !errors.Is(err, store.ErrNotFound) || value != nil || meta != (store.Meta{}) {
		k.Errorf("Get %s = %d bytes, %+v, %v; want ErrNotFound", key, len(value), meta, err)
	}
	if item := k.item(key); item != (store.Item{}) {
		k.Errorf("%s is listed: %+v", key, item)
	}
	k.expectHolds(key, `{}`, false)
}

func (k *kit) expectHolds(key, value string, want bool) {
	k.Helper()
	got, err := k.target.Holds(k.Context(), k.ns, key, []byte(value))
	if err != nil || got != want {
		k.Errorf("Holds %s = %v, %v; want %v", key, got, err, want)
	}
}

func number(i int) string { return fmt.Sprintf(`{"n":%d}`, i) }
