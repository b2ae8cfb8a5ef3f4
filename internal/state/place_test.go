package state_test

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	bolt "go.etcd.io/bbolt"

	"github.com/llm-config-manager/lcm/internal/state"
	"github.com/llm-config-manager/lcm/internal/state/statetest"
)

// file is a state's own.
type file string

func (f file) Open(_ *testing.T, repository string, key []byte) (*state.DB, error) {
	return state.Open(state.Config{Path: string(f), Repository: repository, Key: key})
}

func (f file) edit(t *testing.T, repository string, do func(root *bolt.Bucket) error) {
	t.Helper()
	db, err := bolt.Open(string(f), 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(db.Update(func(tx *bolt.Tx) error { return do(tx.Bucket([]byte(repository))) }), db.Close()); err != nil {
		t.Fatal(err)
	}
}

func (f file) Records(t *testing.T, repository string) map[string]string {
	all := map[string]string{}
	f.edit(t, repository, func(root *bolt.Bucket) error {
		all["/seal"] = string(root.Get([]byte("seal")))
		return root.ForEachBucket(func(name []byte) error {
			return root.Bucket(name).ForEach(func(k, v []byte) error {
				all[string(name)+"/"+string(k)] = string(v)
				return nil
			})
		})
	})
	return all
}

func (f file) Write(t *testing.T, repository, record, raw string) {
	f.edit(t, repository, func(root *bolt.Bucket) error {
		bucket, key, _ := strings.Cut(record, "/")
		b := root
		if bucket != "" {
			b = root.Bucket([]byte(bucket))
		}
		if raw == "" {
			return b.Delete([]byte(key))
		}
		return b.Put([]byte(key), []byte(raw))
	})
}

func TestFile(t *testing.T) {
	statetest.Run(t, func(t *testing.T) statetest.Place { return file(filepath.Join(t.TempDir(), "state", "lcm.db")) })
}
