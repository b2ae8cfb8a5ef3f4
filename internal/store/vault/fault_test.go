package vault_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/store"
	"github.com/llm-config-manager/lcm/internal/store/vault"
	"github.com/llm-config-manager/lcm/internal/store/vault/vaulttest"
)

const next = lcm.Revision("2222222222222222222222222222222222222222")

// desired is what the namespace is to hold after the batch that is disturbed.
func desired() map[string]store.Change {
	all := map[string]store.Change{
		"updated":  change(store.Update, "updated", `{"n":2}`, ""),
		"created":  change(store.Create, "created", `5`, ""),
		"remarked": change(store.Remark, "remarked", `{"n":1}`, ""),
		"secret":   secret("secret", `{"key":"`+canary+`"}`),
	}
	for key, c := range all {
		c.Meta.Revision, c.Meta.Digest = next, "sha256:of "+key
		all[key] = c
	}
	return all
}

// pass does what the reconciler does: list, compare, apply.
func (f *fixture) pass(target *vault.Target) error {
	f.Helper()
	listing, err := f.target.List(f.Context(), production)
	if err != nil {
		f.Fatal(err)
	}
	b := store.Batch{Namespace: production, Marker: store.Marker{Repository: "acme-config", Revision: next, Phase: store.Whole}}
	want := desired()
	for _, item := range listing.Items {
		c, wanted := want[item.Key]
		delete(want, item.Key)
		c.Key, c.If = item.Key, item.Token
		switch {
		case !wanted:
			c.Action = store.Delete
		case item.Meta == c.Meta && !item.Stale:
			continue
		default:
			holds, err := f.target.Holds(f.Context(), production, c.Key, c.Value)
			if err != nil {
				f.Fatal(err)
			}
			if c.Action = store.Update; holds {
				c.Action, c.Value = store.Remark, nil
			}
		}
		b.Changes = append(b.Changes, c)
	}
	for _, key := range []string{"created", "secret"} {
		if c, ok := want[key]; ok {
			c.Action = store.Create
			b.Changes = append(b.Changes, c)
		}
	}
	if len(b.Changes) == 0 && listing.Marker == b.Marker {
		return nil
	}
	return target.Apply(f.Context(), b)
}

// outcome is everything that Vault holds of the namespace but times, and what stands beside a
// deleted value: a mark may be left there, which says nothing of any later value.
func (f *fixture) outcome() map[string]any {
	f.Helper()
	all := map[string]any{}
	for _, key := range []string{"updated", "created", "deleted", "remarked", "secret", ".lcm/revision"} {
		m := f.metadata(key)
		_, data := f.server.Do(f, http.MethodGet, f.mount+"/data/"+production.String()+"/"+key, nil)
		value, _ := data["data"].(map[string]any)
		if key == "deleted" {
			m["custom_metadata"] = nil
		}
		all[key] = []any{m["current_version"], m["custom_metadata"], value["data"]}
	}
	return all
}

// arrange makes an engine with what stands before the batch.
func arrange(t *testing.T, s *vaulttest.Server) *fixture {
	mount := s.Mount(t)
	f := &fixture{t, s, mount, open(t, vault.Config{Address: s.Address, Mount: mount, Token: s.RootToken})}
	f.apply(change(store.Create, "updated", `{"n":1}`, ""), change(store.Create, "deleted", `{"n":1}`, ""), change(store.Create, "remarked", `{"n":1}`, ""))
	return f
}

// A batch is disturbed at each of its writes, in each way; the next pass must come to what an
// undisturbed one comes to, without one version more.
func TestEveryWriteMayFail(t *testing.T) {
	s := vaulttest.Start(t)
	p := newProxy(t, s.Address)

	f := arrange(t, s)
	through := func(f *fixture, timeout time.Duration) *vault.Target {
		return open(f.T, vault.Config{Address: p.URL, Mount: f.mount, Token: s.RootToken, Concurrency: 1, Timeout: timeout})
	}
	p.do(nil)
	if err := f.pass(through(f, 0)); err != nil {
		t.Fatal(err)
	}
	want, writes := f.outcome(), len(p.writes())
	if writes != 13 {
		t.Errorf("an undisturbed batch makes %d writes: %q", writes, p.writes())
	}

	for name, how := range map[string]fault{"not done": notDone, "done but reported failed": done, "done but hung": hung, "sealed": sealed} {
		for n := range writes {
			t.Run(fmt.Sprintf("%s %d", name, n), func(t *testing.T) {
				f := arrange(t, s)
				p.do(nth(n, how))
				f.expectClean(f.pass(through(f, 500*time.Millisecond)))
				if got := len(p.writes()); got != n+1 {
					t.Errorf("after the failed write %d it made others: %q", n, p.writes())
				}
				if l := f.list(); l.Marker.Phase == store.Whole && l.Marker.Revision == next && n < writes-1 {
					t.Errorf("a half-written namespace is marked whole")
				}
				p.do(nil)
				if err := f.pass(f.target); err != nil {
					t.Fatalf("the next pass: %v", err)
				}
				if diff := cmp.Diff(want, f.outcome()); diff != "" {
					t.Errorf("not what an undisturbed pass leaves (-want +got):\n%s", diff)
				}
			})
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
