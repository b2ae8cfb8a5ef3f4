package bolt

import (
	"bytes"
	"path/filepath"
	"testing"

	bbolt "go.etcd.io/bbolt"

	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/store"
	"github.com/llm-config-manager/lcm/internal/store/storetest"
)

var testKey = bytes.Repeat([]byte{7}, sealKeySize)

func TestConformance(t *testing.T) {
	for name, key := range map[string][]byte{"sealing": testKey, "without a key": nil} {
		t.Run(name, func(t *testing.T) {
			storetest.Run(t, func(t *testing.T) store.Target {
				return mustOpen(t, Config{Path: filepath.Join(storetest.NewDisk(t, 64<<20).Dir, "deep", "store.db"), SealKey: key})
			}, storetest.Options{
				Reopen: func(t *testing.T, target store.Target) store.Target {
					if err := target.Close(); err != nil {
						t.Fatal(err)
					}
					return mustOpen(t, Config{Path: target.(*Store).path, SealKey: key})
				},
				Plant: func(t *testing.T, target store.Target, addr lcm.Address, value []byte) {
					err := target.(*Store).update(func(root *bbolt.Bucket) error {
						return open(root, addr.Namespace).bucket.Put([]byte(addr.Key), value)
					})
					if err != nil {
						t.Fatal(err)
					}
				},
				Atomic: true,
				Rig:    rig(key),
			})
		})
	}
}

func mustOpen(t *testing.T, cfg Config) *Store {
	t.Helper()
	s, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s
}
