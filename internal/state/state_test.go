package state

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"

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
