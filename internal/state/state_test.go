package state

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	bolt "go.etcd.io/bbolt"

	"github.com/llm-config-manager/lcm/internal/diag"
	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/store"
)

var (
	key = bytes.Repeat([]byte{7}, 32)
	ns  = lcm.Service{Org: "acme", Project: "p", Name: "s"}.In("production")
	at  = time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)
)

func open(t *testing.T, cfg Config) *DB {
	t.Helper()
	db, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

func config(t *testing.T) Config {
	return Config{Path: filepath.Join(t.TempDir(), "state", "lcm.db"), Repository: "repo", Key: key}
}

func inventory(digest string, version uint64) Inventory {
	return Inventory{"vault": {"k": {Meta: store.Meta{Version: version, Digest: digest}}}}
}

func TestSurvivesReopening(t *testing.T) {
	cfg := config(t)
	db := open(t, cfg)
	r := Ratchet{Branch: "main", Introduction: "a", Accepted: "b", Processed: "a", Rules: "1"}
	want := Namespace{Revision: "b", At: at, Held: []diag.Finding{diag.Errorf(diag.Position{File: "f"}, "r", "m")}, Since: "b", Services: []string{"acme/p/other"}}
	for _, err := range []error{
		db.Saw(map[lcm.Revision]time.Time{"b": at}),
		db.Accept(r, map[lcm.Revision]*Answer{"b": nil}, at.Add(time.Hour)),
		db.Begin(map[lcm.Namespace]Intent{ns: {Revision: "b", At: at, Inventory: inventory("d", 1)}}),
		db.End(map[lcm.Namespace]Outcome{ns: {State: want, Inventory: inventory("d", 1)}}, at),
		db.Close(),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	db = open(t, cfg)
	if got, ok, err := db.Ratchet(); got != r || !ok || err != nil {
		t.Errorf("%+v %v %v", got, ok, err)
	}
	if seen, _, _ := db.FirstSeen("b"); !seen.Equal(at) {
		t.Errorf("first seen %v: a commit keeps the time at which it was first seen", seen)
	}
	if accepted, ok, _ := db.AcceptedAt("b"); !ok || !accepted.Equal(at.Add(time.Hour)) {
		t.Errorf("accepted %v", accepted)
	}
	got, err := db.Namespace(ns)
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Error(diff, err)
	}
	pending, _ := db.Pending()
	dependents, _ := db.Dependents(lcm.Service{Org: "acme", Project: "p", Name: "other"})
	inv, intent, err := db.Inventory(ns)
	if len(pending) != 1 || len(dependents) != 1 || dependents[0] != ns || inv["vault"]["k"].Meta.Digest != "d" || intent == nil || err != nil {
		t.Errorf("%v %v %v %v %v", pending, dependents, inv, intent, err)
	}
	if v, _ := db.Version(ns.Key("k")); v != 1 {
		t.Errorf("version %d", v)
	}
}

func TestEndClearsWhatIsOver(t *testing.T) {
	db := open(t, config(t))
	failed := Namespace{Failed: []string{"vault"}, Services: []string{"acme/p/other"}}
	_ = db.Begin(map[lcm.Namespace]Intent{ns: {}})
	_ = db.End(map[lcm.Namespace]Outcome{ns: {State: failed, Inventory: inventory("d", 3)}}, at)
	_ = db.End(map[lcm.Namespace]Outcome{ns: {State: Namespace{Revision: "b"}, Inventory: Inventory{}, Ended: true}}, at)
	pending, _ := db.Pending()
	dependents, _ := db.Dependents(lcm.Service{Org: "acme", Project: "p", Name: "other"})
	inhabited, _ := db.Inhabited("acme/p/s")
	_, intent, _ := db.Inventory(ns)
	if len(pending)+len(dependents)+len(inhabited) != 0 || intent != nil {
		t.Errorf("%v %v %v %v", pending, dependents, inhabited, intent)
	}
	if v, _ := db.Version(ns.Key("k")); v != 3 {
		t.Errorf("version %d: it outlives the entry", v)
	}
}

func TestCountsForgetAfterADay(t *testing.T) {
	db := open(t, config(t))
	o := Outcome{Inventory: inventory("d", 1), Deleted: map[string]int{"vault": 4}}
	_ = db.End(map[lcm.Namespace]Outcome{ns: o}, at)
	o.Deleted = map[string]int{"vault": 2}
	_ = db.End(map[lcm.Namespace]Outcome{ns: o}, at.Add(25*time.Hour))
	have, deleted, err := db.Counts("acme", at.Add(2*time.Hour))
	if have["vault"] != 1 || deleted["vault"] != 2 || err != nil {
		t.Errorf("%v %v %v", have, deleted, err)
	}
	if have, deleted, _ := db.Counts("acm", time.Time{}); len(have)+len(deleted) != 0 {
		t.Error("another tenant's entries are counted")
	}
}

func TestTamperedRecordsAreRefused(t *testing.T) {
	cfg := config(t)
	db := open(t, cfg)
	_ = db.Accept(Ratchet{Accepted: "b"}, nil, at)
	_ = db.Close()
	raw, err := bolt.Open(cfg.Path, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	_ = raw.Update(func(tx *bolt.Tx) error {
		b := tx.Bucket([]byte("repo")).Bucket([]byte(bucketRepository))
		v := bytes.Clone(b.Get([]byte("ratchet")))
		return b.Put([]byte("ratchet"), bytes.Replace(v, []byte(`"b"`), []byte(`"c"`), 1))
	})
	_ = raw.Close()
	if _, _, err := open(t, cfg).Ratchet(); !errors.Is(err, ErrTampered) {
		t.Errorf("a changed record was read: %v", err)
	}
}

func TestAnotherKeyIsRefused(t *testing.T) {
	cfg := config(t)
	db := open(t, cfg)
	_ = db.Accept(Ratchet{Accepted: "b"}, nil, at)
	_ = db.Close()
	cfg.Key = bytes.Repeat([]byte{8}, 32)
	if _, err := Open(cfg); !errors.Is(err, ErrTampered) {
		t.Errorf("%v", err)
	}
}

func TestReadOnlyMakesNothing(t *testing.T) {
	cfg := config(t)
	cfg.ReadOnly = true
	db := open(t, cfg)
	if _, ok, err := db.Ratchet(); ok || err != nil {
		t.Error(ok, err)
	}
	if err := db.Accept(Ratchet{}, nil, at); err == nil {
		t.Error("wrote to a read-only state")
	}
	if _, err := os.Stat(filepath.Dir(cfg.Path)); !errors.Is(err, os.ErrNotExist) {
		t.Error("reading made a folder")
	}
}
