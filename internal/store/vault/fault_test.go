package vault_test

import (
	"net/http"
	"testing"

	"github.com/llm-config-manager/lcm/internal/store"
	"github.com/llm-config-manager/lcm/internal/store/vault"
	"github.com/llm-config-manager/lcm/internal/store/vault/vaulttest"
)

// arrange makes an engine with what stands before the batch.
func arrange(t *testing.T, s *vaulttest.Server) *fixture {
	mount := s.Mount(t)
	f := &fixture{t, s, mount, open(t, vault.Config{Address: s.Address, Mount: mount, Token: s.RootToken})}
	f.apply(change(store.Create, "updated", `{"n":1}`, ""), change(store.Create, "deleted", `{"n":1}`, ""), change(store.Create, "remarked", `{"n":1}`, ""))
	return f
}

// What storetest cannot see: the marker, too, has no needless version, and after a failure nothing else is begun.
func TestStopsAtAFailure(t *testing.T) {
	s := vaulttest.Start(t)
	p := newProxy(t, s.Address)
	for _, n := range []int{0, 1, 5, 9} {
		f := arrange(t, s)
		target := open(t, vault.Config{Address: p.URL, Mount: f.mount, Token: s.RootToken, Concurrency: 1})
		b := batch(change(store.Update, "updated", `{"n":2}`, f.item("updated").Token), change(store.Create, "created", `5`, ""),
			store.Change{Action: store.Delete, Key: "deleted", If: f.item("deleted").Token},
			change(store.Remark, "remarked", "", f.item("remarked").Token))
		b.Marker.Revision = "2222222222222222222222222222222222222222"
		p.do(nth(n, notDone))
		err := target.Apply(t.Context(), b)
		if got := len(p.writes()); err == nil || got != n+1 {
			t.Errorf("after the failed write %d, %v, it made others: %q", n, err, p.writes())
		}
		if got, want := f.version(".lcm/revision"), 2+min(float64(n), 1); got != want {
			t.Errorf("after the failed write %d the marker has %v versions; want %v", n, got, want)
		}
	}
}

// Cut off between value and mark: listed as stale, and healed without a new version.
func TestBetweenValueAndMark(t *testing.T) {
	s := vaulttest.Start(t)
	p := newProxy(t, s.Address)
	f := arrange(t, s)
	target := open(t, vault.Config{Address: p.URL, Mount: f.mount, Token: s.RootToken})
	before := f.item("updated")
	p.do(func(r *http.Request) fault {
		if r.Method == http.MethodPatch {
			return notDone
		}
		return none
	})
	if err := target.Apply(t.Context(), batch(change(store.Update, "updated", `{"n":2}`, before.Token))); err == nil {
		t.Fatal("Apply does not report the failure")
	}
	item := f.item("updated")
	if !item.Stale || item.Meta != before.Meta || f.version("updated") != 2 {
		t.Fatalf("%+v at version %v; want it stale with the old mark", item, f.version("updated"))
	}
	f.apply(change(store.Remark, "updated", "", item.Token))
	if item := f.item("updated"); item.Stale || f.version("updated") != 2 {
		t.Errorf("after Remark: %+v at version %v", item, f.version("updated"))
	}
}

// Somebody creates the entry after it was compared: check-and-set notices, and theirs stays theirs.
func TestCreatedMeanwhile(t *testing.T) {
	s := vaulttest.Start(t)
	p := newProxy(t, s.Address)
	f := arrange(t, s)
	target := open(t, vault.Config{Address: p.URL, Mount: f.mount, Token: s.RootToken})
	path := f.mount + "/data/" + production.String() + "/created"
	p.do(func(r *http.Request) fault {
		if r.Method != http.MethodGet && r.URL.Path == "/v1/"+path {
			s.Must(t, http.MethodPost, path, map[string]any{"data": map[string]any{"theirs": true}})
		}
		return none
	})
	f.expectConflict(target.Apply(t.Context(), batch(change(store.Create, "created", `5`, ""))))
	if item := f.item("created"); item.Meta != (store.Meta{}) || f.version("created") != 1 {
		t.Errorf("their entry: %+v at version %v", item, f.version("created"))
	}
	if m := f.list().Marker; m.Phase != store.Writing {
		t.Errorf("the marker says %q after a failure in the middle", m.Phase)
	}
}

// Somebody writes the entry after it was compared and before it is deleted: theirs stays.
func TestWrittenBeforeDelete(t *testing.T) {
	s := vaulttest.Start(t)
	p := newProxy(t, s.Address)
	f := arrange(t, s)
	target := open(t, vault.Config{Address: p.URL, Mount: f.mount, Token: s.RootToken})
	p.do(func(r *http.Request) fault {
		if r.Method != http.MethodGet && r.URL.Path == "/v1/"+f.mount+"/delete/"+production.String()+"/deleted" {
			s.Must(t, http.MethodPost, f.mount+"/data/"+production.String()+"/deleted", map[string]any{"data": map[string]any{"theirs": true}})
		}
		return none
	})
	f.expectConflict(target.Apply(t.Context(), batch(store.Change{Action: store.Delete, Key: "deleted", If: f.item("deleted").Token})))
	if item := f.item("deleted"); item.Token == "" || item.Meta != (store.Meta{}) {
		t.Errorf("their value: %+v; want it listed, and not as ours", item)
	}
}

// A delete is cut off before the mark is taken away, then somebody else writes there: not ours.
func TestMarkLeftByDelete(t *testing.T) {
	s := vaulttest.Start(t)
	p := newProxy(t, s.Address)
	f := arrange(t, s)
	target := open(t, vault.Config{Address: p.URL, Mount: f.mount, Token: s.RootToken})
	token := f.item("deleted").Token
	p.do(nth(2, notDone))
	if err := target.Apply(t.Context(), batch(store.Change{Action: store.Delete, Key: "deleted", If: token})); err == nil {
		t.Fatal("Apply does not report the failure")
	}
	s.Must(t, http.MethodPost, f.mount+"/data/"+production.String()+"/deleted", map[string]any{"data": map[string]any{"theirs": true}})
	if item := f.item("deleted"); item.Token == "" || item.Meta != (store.Meta{}) {
		t.Errorf("%+v; want an entry that is not ours", item)
	}
	// But ours, created there anew and cut off, is ours.
	s.Must(t, http.MethodDelete, f.mount+"/data/"+production.String()+"/deleted", nil)
	p.do(nth(2, notDone))
	if err := target.Apply(t.Context(), batch(change(store.Create, "deleted", `6`, ""))); err == nil {
		t.Fatal("Apply does not report the failure")
	}
	if item := f.item("deleted"); item.Meta != meta("deleted") || !item.Stale {
		t.Errorf("%+v; want it ours and stale", item)
	}
}

// Two daemons write one namespace: the marker notices.
func TestTwoWriters(t *testing.T) {
	s := vaulttest.Start(t)
	p := newProxy(t, s.Address)
	f := arrange(t, s)
	target := open(t, vault.Config{Address: p.URL, Mount: f.mount, Token: s.RootToken})
	path := f.mount + "/data/" + production.String() + "/.lcm/revision"
	p.do(func(r *http.Request) fault {
		if r.Method != http.MethodGet && r.URL.Path == "/v1/"+path {
			s.Must(t, http.MethodPost, path, map[string]any{"data": map[string]any{"repository": "acme-config", "revision": "3", "phase": "writing"}})
		}
		return none
	})
	f.expectConflict(target.Apply(t.Context(), batch(change(store.Create, "created", `5`, ""))))
	if item := f.item("created"); item != (store.Item{}) {
		t.Errorf("the second writer wrote %+v", item)
	}
}
