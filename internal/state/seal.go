package state

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"runtime/debug"

	bolt "go.etcd.io/bbolt"
)

// Each record is authenticated by itself. So that none can be taken away, or put back as it was once, all of
// them together are sealed: the seal authenticates the sum of the records, which every transaction moves on.
// The sum is the exclusive or of a keyed hash of each record, a multiset hash (Clarke et al., Incremental
// Multiset Hash Functions, 2003). It stands nowhere in the file: who saw two sums could work out others.

// sealKey is beside the buckets of a repository.
var sealKey = []byte("seal")

type sum [sha256.Size]byte

// toggle puts a record into the sum, or takes it out again. raw begins with the record's MAC.
func (s *sum) toggle(mark []byte, bucket, key string, raw []byte) {
	text := make([]byte, 0, 256)
	text = append(text, mark...)
	text = append(text, raw[:min(len(raw), sha256.Size)]...)
	text = append(append(append(text, bucket...), 0), key...)
	h := sha256.Sum256(text)
	subtle.XORBytes(s[:], s[:], h[:])
}

// intact runs f on the file. What a damaged one does to the database, faults of its mapped memory included, is
// an error.
func intact(f func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the file is damaged (%v): %w", p, ErrTampered)
		}
	}()
	return f()
}

// check makes sure that the records are those that were last written, all of them.
func (db *DB) check() error {
	return db.bolt.View(func(b *bolt.Tx) error {
		root := b.Bucket(db.repo)
		if root == nil {
			return nil
		}
		return db.sumUp(root)
	})
}

// sumUp finds the sum of the records, unless it is known, and compares it with the seal.
func (db *DB) sumUp(root *bolt.Bucket) error {
	if db.known {
		return nil
	}
	db.sum = sum{}
	err := root.ForEachBucket(func(name []byte) error {
		bucket := string(name)
		return root.Bucket(name).ForEach(func(key, raw []byte) error {
			db.sum.toggle(db.mark, bucket, string(key), raw)
			return nil
		})
	})
	seal, fresh := root.Get(sealKey), db.sum == sum{}
	if err == nil && !(fresh && seal == nil) && !hmac.Equal(seal, (&tx{db: db}).mac("", string(sealKey), db.sum[:])) {
		err = fmt.Errorf("records were taken away or put back: %w", ErrTampered)
	}
	db.known = err == nil
	return err
}

// seal writes the seal of what the transaction leaves.
func (t *tx) seal() error {
	raw := t.mac("", string(sealKey), t.sum[:])
	t.changed("", string(sealKey), len(t.root.Get(sealKey)), raw)
	return t.root.Put(sealKey, raw)
}
