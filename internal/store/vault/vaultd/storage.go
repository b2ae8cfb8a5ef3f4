package main

import (
	"bytes"
	"context"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/vault/sdk/physical"
	"github.com/hashicorp/vault/sdk/physical/inmem"
	bbolt "go.etcd.io/bbolt"
)

// storage is where Vault keeps its entries: a database in the folder, or memory. Vault's own storage in files
// is of no use here: a write that is cut off leaves a file that it lists ever after and cannot read.
func storage(folder string, log hclog.Logger) (physical.Backend, error) {
	if folder == "" {
		return inmem.NewInmem(nil, log)
	}
	// A killed process loses nothing that it has written, synced or not.
	db, err := bbolt.Open(filepath.Join(folder, "vault.db"), 0o600, &bbolt.Options{NoSync: true})
	if err != nil {
		return nil, err
	}
	return database{db}, db.Update(func(tx *bbolt.Tx) error {
		_, err := tx.CreateBucketIfNotExists(bucket)
		return err
	})
}

type database struct{ db *bbolt.DB }

var bucket = []byte("vault")

func (d database) Put(_ context.Context, e *physical.Entry) error {
	return d.db.Update(func(tx *bbolt.Tx) error { return tx.Bucket(bucket).Put([]byte(e.Key), e.Value) })
}

func (d database) Delete(_ context.Context, key string) error {
	return d.db.Update(func(tx *bbolt.Tx) error { return tx.Bucket(bucket).Delete([]byte(key)) })
}

func (d database) Get(_ context.Context, key string) (e *physical.Entry, err error) {
	err = d.db.View(func(tx *bbolt.Tx) error {
		if value := tx.Bucket(bucket).Get([]byte(key)); value != nil {
			e = &physical.Entry{Key: key, Value: bytes.Clone(value)}
		}
		return nil
	})
	return e, err
}

// List returns the names directly below a prefix; those of folders end in a slash.
func (d database) List(_ context.Context, prefix string) (names []string, err error) {
	err = d.db.View(func(tx *bbolt.Tx) error {
		c := tx.Bucket(bucket).Cursor()
		for k, _ := c.Seek([]byte(prefix)); bytes.HasPrefix(k, []byte(prefix)); k, _ = c.Next() {
			name, _, folder := strings.Cut(string(k[len(prefix):]), "/")
			if folder {
				name += "/"
			}
			names = append(names, name)
		}
		return nil
	})
	return slices.Compact(names), err // a folder's entries stand together
}
