package state

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/llm-config-manager/lcm/internal/lcm"
)

// record is one record as it lies in the file.
type record struct{ bucket, key, raw string }

// records reads what lies in the file, and the seal as the record of no bucket.
func records(t *testing.T, cfg Config) (all []record) {
	t.Helper()
	edit(t, cfg, func(root *bolt.Bucket) error {
		all = []record{{"", string(sealKey), string(root.Get(sealKey))}}
		return root.ForEachBucket(func(name []byte) error {
			return root.Bucket(name).ForEach(func(k, v []byte) error {
				all = append(all, record{string(name), string(k), string(v)})
				return nil
			})
		})
	})
	return all
}

// edit is what somebody does who may write to the file, and lacks the key.
func edit(t *testing.T, cfg Config, f func(root *bolt.Bucket) error) {
	t.Helper()
	raw, err := bolt.Open(cfg.Path, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(raw.Update(func(tx *bolt.Tx) error { return f(tx.Bucket([]byte(cfg.Repository))) }), raw.Close()); err != nil {
		t.Fatal(err)
	}
}

func (r record) write(root *bolt.Bucket) error {
	b := root
	if r.bucket != "" {
		b = root.Bucket([]byte(r.bucket))
	}
	if r.raw == "" {
		return b.Delete([]byte(r.key))
	}
	return b.Put([]byte(r.key), []byte(r.raw))
}

// lived fills a state with a record of every bucket, in two rounds.
func lived(t *testing.T, cfg Config, round int) {
	t.Helper()
	db := open(t, cfg)
	rev := lcm.Revision(fmt.Sprint("revision ", round))
	now := at.Add(time.Duration(round) * time.Hour)
	held := Namespace{Revision: rev, At: now, Failed: []string{"vault"}, Services: []string{"acme/p/other"}}
	for _, err := range []error{
		db.Saw(map[lcm.Revision]time.Time{rev: now}),
		db.Answers(map[lcm.Revision]*Answer{rev: {Signer: "alice"}}),
		db.Accept(Ratchet{Branch: "main", Accepted: rev}, map[lcm.Revision]*Answer{rev: nil}, now),
		db.AcceptByHand(Ratchet{Branch: "main", Accepted: rev}, Override{Head: rev, At: now, Reason: "r"}),
		db.Sight(Sighting{Fetched: now, Head: rev}),
		db.Index(Indexed{Revision: rev}, []Making{{Address: ns.Key("k"), Made: Made{Revision: rev}}}, false),
		db.Begin(map[lcm.Namespace]Intent{ns: {Revision: rev, At: now, Inventory: inventory("d", uint64(round))}}),
		db.End(map[lcm.Namespace]Outcome{ns: {State: held, Inventory: inventory("d", uint64(round)), Deleted: map[string]int{"vault": 4 + round}}}, now),
		db.Close(),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
}

// Attack 42: somebody who may write to the file has no key, but all that was ever in it. Whatever single
// record is taken away, put back, or given another name, the state does not open.
func TestEveryRecordIsSealed(t *testing.T) {
	cfg := config(t)
	lived(t, cfg, 1)
	before := map[string]record{}
	for _, r := range records(t, cfg) {
		before[r.bucket+"\x00"+r.key] = r
	}
	lived(t, cfg, 2)
	now := records(t, cfg)
	buckets := map[string]bool{}
	tamper := func(what string, do, undo func(*bolt.Bucket) error) {
		t.Helper()
		edit(t, cfg, do)
		for _, readOnly := range []bool{true, false} {
			cfg.ReadOnly = readOnly
			if db, err := Open(cfg); !errors.Is(err, ErrTampered) {
				t.Errorf("%s: %v", what, err)
				if err == nil {
					db.Close()
				}
			}
		}
		cfg.ReadOnly = false
		edit(t, cfg, undo)
	}
	for _, r := range now {
		name := fmt.Sprintf("%s/%q", r.bucket, r.key)
		buckets[r.bucket] = true
		gone := record{r.bucket, r.key, ""}
		tamper(name+" taken away", gone.write, r.write)
		if old := before[r.bucket+"\x00"+r.key]; old.raw != "" && old.raw != r.raw {
			tamper(name+" put back", old.write, r.write)
		}
		if r.bucket != "" {
			other := record{r.bucket, r.key + "x", r.raw}
			tamper(name+" copied", other.write, record{r.bucket, other.key, ""}.write)
		}
	}
	for bucket := range buckets {
		if bucket == "" {
			continue
		}
		tamper("bucket "+bucket+" taken away", func(root *bolt.Bucket) error { return root.DeleteBucket([]byte(bucket)) }, func(root *bolt.Bucket) error {
			if _, err := root.CreateBucket([]byte(bucket)); err != nil {
				return err
			}
			for _, r := range now {
				if r.bucket == bucket {
					if err := r.write(root); err != nil {
						return err
					}
				}
			}
			return nil
		})
	}
	for _, bucket := range []string{bucketRepository, bucketCommits, bucketOverrides, bucketNamespaces, bucketPending, bucketInventory, bucketVersions, bucketDependents, bucketIntents, bucketDeletes, bucketHistory} {
		if !buckets[bucket] {
			t.Errorf("nothing of %s was tried", bucket)
		}
	}
	if got, _, err := open(t, cfg).Ratchet(); err != nil || got.Accepted != "revision 2" {
		t.Errorf("as it was, it opens: %+v, %v", got, err)
	}
}

// The records of two repositories in one file have seals of their own.
func TestSealsAreApart(t *testing.T) {
	cfg := config(t)
	lived(t, cfg, 1)
	other := cfg
	other.Repository = "other"
	lived(t, other, 2)
	lived(t, cfg, 3)
	if err := errors.Join(open(t, cfg).Close(), open(t, other).Close()); err != nil {
		t.Fatal(err)
	}
	var stolen []byte
	edit(t, other, func(root *bolt.Bucket) error { stolen = bytes.Clone(root.Get(sealKey)); return nil })
	edit(t, cfg, func(root *bolt.Bucket) error { return root.Put(sealKey, stolen) })
	if _, err := Open(cfg); !errors.Is(err, ErrTampered) {
		t.Errorf("%v", err)
	}
}

// A transaction that fails leaves the seal right, and so do several writers.
func TestSealAfterFailures(t *testing.T) {
	cfg := config(t)
	db := open(t, cfg)
	fault := errors.New("fault")
	for range 2 {
		if err := db.update(func(t *tx) error { return errors.Join(t.put(bucketPending, "x", true), fault) }); !errors.Is(err, fault) {
			t.Fatal(err)
		}
		if err := db.Accept(Ratchet{Accepted: "b"}, map[lcm.Revision]*Answer{"a": nil}, at); err != nil {
			t.Fatal(err)
		}
	}
	var g sync.WaitGroup
	for i := range 20 {
		g.Go(func() {
			if err := db.Accept(Ratchet{Accepted: "b"}, map[lcm.Revision]*Answer{lcm.Revision(fmt.Sprint(i)): nil}, at); err != nil {
				t.Error(err)
			}
		})
	}
	g.Wait()
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	open(t, cfg)
}

// A file that was cut short, or holds garbage, is an error and never a crash, nor a fresh start.
func TestDamagedFile(t *testing.T) {
	cfg := config(t)
	db := open(t, cfg)
	seen := map[lcm.Revision]time.Time{}
	for i := range 3000 {
		seen[lcm.Revision(fmt.Sprintf("%040d", i))] = at
	}
	if err := errors.Join(db.Saw(seen), db.Close()); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(cfg.Path)
	if err != nil {
		t.Fatal(err)
	}
	page := os.Getpagesize()
	damage := map[string][]byte{"garbage": bytes.Repeat([]byte("garbage "), 1<<14), "a few bytes": []byte("x")}
	for _, share := range []int{1, 2, 3, 5, 8} {
		damage[fmt.Sprintf("%d tenths", share)] = whole[:len(whole)/10*share]
	}
	for n := 2; n < len(whole)/page && n < 40; n++ {
		broken := bytes.Clone(whole)
		copy(broken[n*page:], bytes.Repeat([]byte{0xff}, page))
		damage[fmt.Sprintf("page %d", n)] = broken
	}
	opened := 0
	for name, data := range damage {
		file := cfg
		file.Path = filepath.Join(t.TempDir(), "lcm.db")
		if err := os.WriteFile(file.Path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		db, err := Open(file)
		if err != nil && !errors.Is(err, ErrTampered) {
			t.Errorf("%s: %v", name, err)
		}
		if err == nil { // the page was a free one
			opened++
			if at, ok, err := db.FirstSeen(lcm.Revision(fmt.Sprintf("%040d", 7))); err != nil || !ok {
				t.Errorf("%s: %v %v %v", name, at, ok, err)
			}
			db.Close()
		}
	}
	if opened > len(damage)/2 {
		t.Errorf("%d of %d damaged files open", opened, len(damage))
	}
}

// BenchmarkOpen opens a state as large as one of a repository with 100,000 commits and as many entries.
func BenchmarkOpen(b *testing.B) {
	cfg := Config{Path: filepath.Join(b.TempDir(), "lcm.db"), Repository: "repo", Key: key}
	db, err := Open(cfg)
	if err != nil {
		b.Fatal(err)
	}
	seen := map[lcm.Revision]time.Time{}
	for i := range 200_000 {
		seen[lcm.Revision(fmt.Sprintf("%040d", i))] = at
	}
	if err := errors.Join(db.Saw(seen), db.Close()); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		db, err := Open(cfg)
		if err != nil {
			b.Fatal(err)
		}
		db.Close()
	}
}
