package vault_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/store"
)

// What an operator, an application or another tool finds in Vault.
func TestWhatVaultHolds(t *testing.T) {
	f := newFixture(t)
	f.apply(change(store.Create, "model", `{"name":"large"}`, ""), secret("openai-key", `{"key":"k","value":"v"}`))

	data := f.data("openai-key")
	if diff := cmp.Diff(map[string]any{"key": "k", "value": "v"}, data["data"]); diff != "" {
		t.Error(diff)
	}
	m := meta("model")
	want := map[string]any{
		"id": m.ID, "version": "3", "revision": string(m.Revision), "kind": "Config", "origin": m.Origin,
		"classification": "internal", "repository": "acme-config", "digest": m.Digest, "lcm_kv_version": "1",
	}
	if diff := cmp.Diff(want, f.metadata("model")["custom_metadata"]); diff != "" {
		t.Errorf("custom_metadata (-want +got):\n%s", diff)
	}
	wantMarker := map[string]any{"repository": "acme-config", "revision": string(revision), "phase": "whole"}
	if diff := cmp.Diff(wantMarker, f.data(".lcm/revision")["data"]); diff != "" {
		t.Errorf("marker (-want +got):\n%s", diff)
	}
}

func TestHowValuesAreWrapped(t *testing.T) {
	f := newFixture(t)
	for i, c := range []struct {
		kind          lcm.Kind
		value, stored string
	}{
		{lcm.KindConfig, `{"a":1}`, `{"a":1}`},
		{lcm.KindConfig, `5`, `{"value":5}`},
		{lcm.KindConfig, `["a"]`, `{"value":["a"]}`},
		{lcm.KindConfig, `null`, `{"value":null}`},
		{lcm.KindConfig, `{"value":5}`, `{"value":{"value":5}}`},
		{lcm.KindConfig, `{"value":5,"unit":"s"}`, `{"unit":"s","value":5}`},
		{lcm.KindSecret, `{"value":"s"}`, `{"value":"s"}`},
	} {
		key := fmt.Sprintf("k%d", i)
		ch := change(store.Create, key, c.value, "")
		ch.Meta.Kind, ch.Secret = c.kind, c.kind == lcm.KindSecret
		f.apply(ch)
		stored, err := json.Marshal(f.data(key)["data"])
		if err != nil || string(stored) != c.stored {
			t.Errorf("%s: stored as %s, %v; want %s", c.value, stored, err, c.stored)
		}
		got, _, err := f.target.Get(t.Context(), production.Key(key))
		if err != nil {
			t.Error(err)
		}
		var a, b any
		_, _ = json.Unmarshal(got, &a), json.Unmarshal([]byte(c.value), &b)
		if diff := cmp.Diff(b, a); diff != "" {
			t.Errorf("%s: read as %s", c.value, got)
		}
	}
}

func TestSecretMustBeAnObject(t *testing.T) {
	f := newFixture(t)
	f.expectClean(f.target.Apply(t.Context(), batch(secret("s", `"`+canary+`"`))))
	f.expectClean(f.target.Apply(t.Context(), batch(secret("s", `{"key":`+canary+`}`))))
	if l := f.list(); len(l.Items) > 0 || l.Marker != (store.Marker{}) {
		t.Errorf("a refused batch left %+v", l)
	}
}

func TestNothingIsWrittenTwice(t *testing.T) {
	f := newFixture(t)
	f.apply(change(store.Create, "a", `{"n":1}`, ""))
	marker := f.version(".lcm/revision")
	f.apply()
	f.apply()
	if got := f.version(".lcm/revision"); got != marker {
		t.Errorf("a marker that said so already was written: version %v, then %v", marker, got)
	}
	f.apply(change(store.Remark, "a", "", f.item("a").Token))
	if got := f.version("a"); got != 1 {
		t.Errorf("a remark made version %v of the value", got)
	}
}

func TestSoftDelete(t *testing.T) {
	f := newFixture(t)
	f.apply(change(store.Create, "a", `{"n":1}`, ""))
	f.apply(store.Change{Action: store.Delete, Key: "a", If: f.item("a").Token})
	if item := f.item("a"); item != (store.Item{}) {
		t.Errorf("a deleted entry is listed: %+v", item)
	}
	m := f.metadata("a")
	if m["current_version"] != 1.0 || m["custom_metadata"] != nil {
		t.Errorf("metadata after a soft delete: %v", m)
	}

	// The history stays, and creating it anew goes on from there.
	f.apply(change(store.Create, "a", `{"n":2}`, ""))
	item := f.item("a")
	if f.version("a") != 2 || item.Stale || item.Meta != meta("a") {
		t.Errorf("created anew: version %v, %+v", f.version("a"), item)
	}
	f.server.Must(t, http.MethodPost, f.mount+"/undelete/"+production.String()+"/a", map[string]any{"versions": []int{1}})
	if data := f.server.Must(t, http.MethodGet, f.mount+"/data/"+production.String()+"/a?version=1", nil); data["data"] == nil {
		t.Error("the deleted version is lost")
	}
}

// Entries that exist in metadata only, or whose value was destroyed, do not exist for us.
func TestAbsentInEveryWay(t *testing.T) {
	f := newFixture(t)
	path := "/" + production.String() + "/a"
	for name, arrange := range map[string]func(){
		"metadata only": func() {
			f.server.Must(t, http.MethodPost, f.mount+"/metadata"+path, map[string]any{"custom_metadata": map[string]any{"team": "x"}})
		},
		"soft-deleted by somebody": func() {
			f.server.Must(t, http.MethodPost, f.mount+"/data"+path, map[string]any{"data": map[string]any{"b": 1}})
			f.server.Must(t, http.MethodDelete, f.mount+"/data"+path, nil)
		},
		"destroyed by somebody": func() {
			f.server.Must(t, http.MethodPost, f.mount+"/data"+path, map[string]any{"data": map[string]any{"b": 1}})
			f.server.Must(t, http.MethodPost, f.mount+"/destroy"+path, map[string]any{"versions": []int{1}})
		},
	} {
		t.Run(name, func(t *testing.T) {
			f.server.Must(t, http.MethodDelete, f.mount+"/metadata"+path, nil)
			arrange()
			if item := f.item("a"); item != (store.Item{}) {
				t.Errorf("listed as %+v", item)
			}
			f.apply(change(store.Create, "a", `{"n":1}`, ""))
			if item := f.item("a"); item.Stale || item.Meta != meta("a") {
				t.Errorf("after Create: %+v", item)
			}
		})
	}
}

func TestTokensTellStatesApart(t *testing.T) {
	path := "/" + production.String() + "/a"
	for name, interfere := range map[string]func(f *fixture){
		"written": func(f *fixture) {
			f.server.Must(f, http.MethodPost, f.mount+"/data"+path, map[string]any{"data": map[string]any{"theirs": 1}})
		},
		"soft-deleted": func(f *fixture) { f.server.Must(f, http.MethodDelete, f.mount+"/data"+path, nil) },
		"made anew with the same version number": func(f *fixture) {
			f.server.Must(f, http.MethodDelete, f.mount+"/metadata"+path, nil)
			f.server.Must(f, http.MethodPost, f.mount+"/data"+path, map[string]any{"data": map[string]any{"theirs": 1}})
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			f.apply(change(store.Create, "a", `{"n":1}`, ""))
			token := f.item("a").Token
			interfere(f)
			before := f.metadata("a")
			f.expectConflict(f.target.Apply(t.Context(), batch(change(store.Update, "a", `{"n":2}`, token))))
			f.expectConflict(f.target.Apply(t.Context(), batch(change(store.Remark, "a", "", token))))
			f.expectConflict(f.target.Apply(t.Context(), batch(store.Change{Action: store.Delete, Key: "a", If: token})))
			if diff := cmp.Diff(before, f.metadata("a")); diff != "" {
				t.Errorf("a refused change changed (-before +after):\n%s", diff)
			}
		})
	}
}

func TestWrittenBySomebodyElseIsStale(t *testing.T) {
	f := newFixture(t)
	f.apply(change(store.Create, "a", `{"n":1}`, ""))
	f.server.Must(t, http.MethodPost, f.mount+"/data/"+production.String()+"/a", map[string]any{"data": map[string]any{"n": 2}})
	item := f.item("a")
	if !item.Stale || item.Meta != meta("a") {
		t.Errorf("%+v; want it stale, with the mark it bears", item)
	}
}

// Other people's custom metadata and entries are left as they are.
func TestOthersAreLeftAlone(t *testing.T) {
	f := newFixture(t)
	path := "/" + production.String()
	f.apply(change(store.Create, "a", `{"n":1}`, ""))
	theirs := map[string]any{"custom_metadata": map[string]any{"team": "inference"}}
	f.server.Must(t, http.MethodPatch, f.mount+"/metadata"+path+"/a", theirs)
	for _, p := range []string{"/a/below", "/Not_A_Key", "/.lcm/other"} {
		f.server.Must(t, http.MethodPost, f.mount+"/data"+path+p, map[string]any{"data": map[string]any{"b": 1}})
	}
	f.apply(change(store.Update, "a", `{"n":2}`, f.item("a").Token))
	if got := f.metadata("a")["custom_metadata"].(map[string]any)["team"]; got != "inference" {
		t.Errorf("their custom metadata after an update: %v", got)
	}
	var keys []string
	for _, item := range f.list().Items {
		keys = append(keys, item.Key)
	}
	if !slices.Equal(keys, []string{"a"}) {
		t.Errorf("listed %v", keys)
	}
	f.apply(store.Change{Action: store.Delete, Key: "a", If: f.item("a").Token})
	if diff := cmp.Diff(any(map[string]any{"team": "inference"}), f.metadata("a")["custom_metadata"]); diff != "" {
		t.Errorf("their custom metadata after a delete: %s", diff)
	}
}

// Something that looks like a mark but is not whole makes nothing ours.
func TestHalfAMarkIsNone(t *testing.T) {
	f := newFixture(t)
	for name, fields := range map[string]map[string]any{
		"no KV version":  {"version": "1", "repository": "acme-config"},
		"no version":     {"lcm_kv_version": "1", "repository": "acme-config"},
		"words":          {"lcm_kv_version": "one", "version": "1", "repository": "acme-config"},
		"another form":   {"lcm_kv_version": "01", "version": "1", "repository": "acme-config"},
		"nothing beside": {"lcm_kv_version": "1", "version": "0"},
	} {
		f.server.Must(t, http.MethodPost, f.mount+"/metadata/"+production.String()+"/a", map[string]any{"custom_metadata": fields})
		f.server.Must(t, http.MethodPost, f.mount+"/data/"+production.String()+"/a", map[string]any{"data": map[string]any{"b": 1}})
		if item := f.item("a"); item.Token == "" || item.Meta != (store.Meta{}) || item.Stale {
			t.Errorf("%s: %+v; want an entry that is not ours", name, item)
		}
	}
}

func TestJunkInTheMarkerIsNoMarker(t *testing.T) {
	f := newFixture(t)
	f.apply(change(store.Create, "a", `{"n":1}`, ""))
	f.server.Must(t, http.MethodPost, f.mount+"/data/"+production.String()+"/.lcm/revision",
		map[string]any{"data": map[string]any{"phase": "done", "revision": 7}})
	if l := f.list(); l.Marker != (store.Marker{}) || len(l.Items) != 1 {
		t.Errorf("%+v", l)
	}
	f.apply()
	if l := f.list(); l.Marker != marker() {
		t.Errorf("the next batch left the marker %+v", l.Marker)
	}
}
