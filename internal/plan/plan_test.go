package plan

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/state"
	"github.com/llm-config-manager/lcm/internal/store"
)

var ns = lcm.Service{Org: "acme", Project: "p", Name: "s"}.In("production")

// wanted is an entry whose digest stands for its value.
func wanted(key, digest string) Entry {
	return Entry{Address: ns.Key(key), Target: "t", Value: []byte(`"` + digest + `"`), Fields: map[string]string{"f": digest}, Commit: "c2",
		Meta: store.Meta{ID: "id-" + key, Kind: lcm.KindConfig, Origin: "f.yaml", Repository: "repo", Digest: digest}}
}

func mark(key, digest string, version uint64) store.Meta {
	m := wanted(key, digest).Meta
	m.Version, m.Revision = version, "c1"
	return m
}

func item(key, digest string, version uint64) store.Item {
	return store.Item{Key: key, Meta: mark(key, digest, version), Token: "tok"}
}

func owned(key, digest string, version uint64) state.Owned {
	return state.Owned{Meta: mark(key, digest, version), Fields: map[string]string{"f": digest}}
}

func compute(t *testing.T, want []Entry, h Holding, versions map[string]uint64) Namespace {
	t.Helper()
	h.Target = "t"
	p, err := Compute(Owner{Repository: "repo", Revision: "c2", Version: func(a lcm.Address) (uint64, error) { return versions[a.Key], nil }}, ns, want, []Holding{h})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// lines writes a plan as "action key version revision".
func lines(p Namespace) string {
	var out []string
	for _, b := range p.Batches {
		if len(b.Changes) == 0 {
			out = append(out, "marker")
		}
		for _, c := range b.Changes {
			out = append(out, fmt.Sprintf("%s %s %d %s", c.Action, c.Key, c.Meta.Version, c.Meta.Revision))
		}
	}
	for _, f := range p.Held {
		out = append(out, f.Rule)
	}
	slices.Sort(out)
	return strings.Join(out, "; ")
}

func TestCompute(t *testing.T) {
	whole := store.Marker{Repository: "repo", Revision: "c1", Phase: store.Whole}
	foreign := store.Item{Key: "k", Token: "tok"}
	other := item("k", "d1", 1)
	other.Meta.Repository = "another"
	stale := item("k", "d1", 1)
	stale.Stale = true
	remeta := item("k", "d1", 3)
	remeta.Meta.Origin = "elsewhere.yaml"
	for _, c := range []struct {
		name     string
		want     []Entry
		holding  Holding
		versions map[string]uint64
		plan     string
	}{
		{"new", []Entry{wanted("k", "d1")}, Holding{}, nil, "create k 1 c2"},
		{"new again after a deletion: the version goes on", []Entry{wanted("k", "d1")}, Holding{}, map[string]uint64{"k": 4}, "create k 5 c2"},
		{"unchanged", []Entry{wanted("k", "d1")}, Holding{Listing: store.Listing{Items: []store.Item{item("k", "d1", 3)}, Marker: whole}, Owned: map[string]state.Owned{"k": owned("k", "d1", 3)}}, map[string]uint64{"k": 3}, ""},
		{"unchanged, but the marker says half", []Entry{wanted("k", "d1")}, Holding{Listing: store.Listing{Items: []store.Item{item("k", "d1", 3)}, Marker: store.Marker{Repository: "repo", Phase: store.Writing}}, Owned: map[string]state.Owned{"k": owned("k", "d1", 3)}}, nil, "marker"},
		{"changed", []Entry{wanted("k", "d2")}, Holding{Listing: store.Listing{Items: []store.Item{item("k", "d1", 3)}, Marker: whole}, Owned: map[string]state.Owned{"k": owned("k", "d1", 3)}}, map[string]uint64{"k": 3}, "update k 4 c2"},
		{"only the mark differs", []Entry{wanted("k", "d1")}, Holding{Listing: store.Listing{Items: []store.Item{remeta}, Marker: whole}}, nil, "remark k 3 c1"},
		{"lost by the target: no new version", []Entry{wanted("k", "d1")}, Holding{Listing: store.Listing{Marker: whole}, Owned: map[string]state.Owned{"k": owned("k", "d1", 3)}}, map[string]uint64{"k": 3}, "create k 3 c1"},
		{"overwritten by somebody: put back, no new version", []Entry{wanted("k", "d1")}, Holding{Listing: store.Listing{Items: []store.Item{stale}, Marker: whole}, Owned: map[string]state.Owned{"k": owned("k", "d1", 1)}}, map[string]uint64{"k": 1}, "update k 1 c1"},
		{"cut off between value and mark", []Entry{wanted("k", "d2")}, Holding{Listing: store.Listing{Items: []store.Item{stale}}, Owned: map[string]state.Owned{"k": owned("k", "d1", 1)}, Holds: map[string]bool{"k": true}}, map[string]uint64{"k": 1}, "remark k 2 c2"},
		{"cut off before the first mark", []Entry{wanted("k", "d1")}, Holding{Listing: store.Listing{Items: []store.Item{foreign}}, Intended: map[string]store.Meta{"k": {}}, Holds: map[string]bool{"k": true}}, nil, "remark k 1 c2"},
		{"not ours", []Entry{wanted("k", "d1")}, Holding{Listing: store.Listing{Items: []store.Item{foreign}}}, nil, "store/foreign"},
		{"not ours although intended: the value is another", []Entry{wanted("k", "d1")}, Holding{Listing: store.Listing{Items: []store.Item{foreign}}, Intended: map[string]store.Meta{"k": {}}}, nil, "store/foreign"},
		{"lost its mark, and is what was put there", []Entry{wanted("k", "d1")}, Holding{Listing: store.Listing{Items: []store.Item{foreign}}, Owned: map[string]state.Owned{"k": owned("k", "d1", 3)}, Holds: map[string]bool{"k": true}}, map[string]uint64{"k": 3}, "remark k 3 c1"},
		{"lost its mark, and is another value", []Entry{wanted("k", "d1")}, Holding{Listing: store.Listing{Items: []store.Item{foreign}, Marker: whole}, Owned: map[string]state.Owned{"k": owned("k", "d1", 3)}}, map[string]uint64{"k": 3}, "store/foreign"},
		{"another repository's in place of what was put there", []Entry{wanted("k", "d1")}, Holding{Listing: store.Listing{Items: []store.Item{other}, Marker: whole}, Owned: map[string]state.Owned{"k": owned("k", "d1", 3)}, Holds: map[string]bool{"k": true}}, map[string]uint64{"k": 3}, "store/foreign"},
		{"another repository's", []Entry{wanted("k", "d1")}, Holding{Listing: store.Listing{Items: []store.Item{other}}}, nil, "store/foreign"},
		{"no longer wanted", nil, Holding{Listing: store.Listing{Items: []store.Item{item("k", "d1", 1)}, Marker: whole}, Owned: map[string]state.Owned{"k": owned("k", "d1", 1)}}, nil, "delete k 1 c1"},
		{"no longer wanted, but not in the inventory", nil, Holding{Listing: store.Listing{Items: []store.Item{item("k", "d1", 1)}, Marker: whole}}, nil, ""},
		{"no longer wanted, but the mark is another's", nil, Holding{Listing: store.Listing{Items: []store.Item{other}, Marker: whole}, Owned: map[string]state.Owned{"k": owned("k", "d1", 1)}}, nil, ""},
		{"an error is no empty listing", nil, Holding{Err: errors.New("down"), Owned: map[string]state.Owned{"k": owned("k", "d1", 1)}}, nil, ""},
		{"state lost: our mark is believed, the version goes on", []Entry{wanted("k", "d2")}, Holding{Listing: store.Listing{Items: []store.Item{item("k", "d1", 7)}, Marker: whole}}, nil, "update k 8 c2"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := lines(compute(t, c.want, c.holding, c.versions)); got != c.plan {
				t.Errorf("got %q, want %q", got, c.plan)
			}
		})
	}
}

func TestComputeKeepsInventoryOfWhatFailed(t *testing.T) {
	h := Holding{Err: errors.New("down"), Owned: map[string]state.Owned{"k": owned("k", "d1", 1)}}
	p := compute(t, []Entry{wanted("k", "d2")}, h, nil)
	if len(p.Inventory["t"]) != 1 || p.Inventory["t"]["k"].Meta.Digest != "d1" || p.Unlisted["t"] == nil || len(p.Batches) != 0 {
		t.Errorf("%+v", p)
	}
}

func TestComputeDemandsAListing(t *testing.T) {
	if _, err := Compute(Owner{Repository: "repo", Revision: "c2", Version: func(lcm.Address) (uint64, error) { return 0, nil }}, ns, []Entry{wanted("k", "d")}, nil); err == nil {
		t.Error("planned for a target that was never listed")
	}
}

func TestEmptied(t *testing.T) {
	h := Holding{Listing: store.Listing{Items: []store.Item{item("k", "d1", 1)}}, Owned: map[string]state.Owned{"k": owned("k", "d1", 1)}}
	if p := compute(t, nil, h, nil); !p.Emptied || len(p.Deletes["t"]) != 1 {
		t.Errorf("%+v", p)
	}
	if p := compute(t, []Entry{wanted("other", "d")}, h, nil); p.Emptied {
		t.Error("a namespace that keeps an entry is not emptied")
	}
}

func TestChangesTellFieldsAndNoValues(t *testing.T) {
	e := wanted("k", "d2")
	e.Secret, e.Value, e.Meta.Kind = true, []byte(`{"key":"canary"}`), lcm.KindSecret
	e.Fields = map[string]string{"key": "f2", "added": "x"}
	h := Holding{Listing: store.Listing{Items: []store.Item{item("k", "d1", 1)}}, Owned: map[string]state.Owned{"k": {Meta: mark("k", "d1", 1), Fields: map[string]string{"key": "f1", "gone": "y"}}}}
	p := compute(t, []Entry{e}, h, nil)
	if len(p.Changes) != 1 || p.Changes[0].Fingerprint != "changed" || !slices.Equal(p.Changes[0].Fields, []string{"/added", "/gone", "/key"}) {
		t.Errorf("%+v", p.Changes)
	}
	if strings.Contains(fmt.Sprintf("%+v", p.Changes), "canary") {
		t.Error("a change tells a value")
	}
}

func TestSecretsGoFirst(t *testing.T) {
	a, b := wanted("a", "d"), wanted("b", "d")
	a.Target, b.Target, b.Secret = "runtime", "vault", true
	p, err := Compute(Owner{Repository: "repo", Revision: "c2", Version: func(lcm.Address) (uint64, error) { return 0, nil }}, ns, []Entry{a, b}, []Holding{{Target: "runtime"}, {Target: "vault"}})
	if err != nil || len(p.Batches) != 2 || p.Batches[0].Target != "vault" {
		t.Errorf("%+v, %v", p.Batches, err)
	}
}
