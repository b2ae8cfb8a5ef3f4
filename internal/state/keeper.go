package state

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	bolt "go.etcd.io/bbolt"
)

// Keeper keeps the records of a state outside of this process, for whichever replica is in office. What it is given
// bears its authentication already, and what it gives is authenticated here.
type Keeper interface {
	// Load calls each with all records of a repository, as they stood at one moment, after fresh, which it may
	// call again to begin anew. What each is given is not kept by it. Reading needs no office.
	Load(ctx context.Context, repository string, fresh func() error, each func(record string, raw []byte) error) error
	// Save makes all changes or none, for good, if this replica is in office and nobody saved since it loaded or saved
	// last. After an error it is not known whether they were made, and the time in office is over.
	Save(repository string, changes []Change) error
	// Abandon ends the time in office, since the copy of the records here is not what was saved.
	Abandon(why error)
}

// Change is what a transaction makes of one record.
type Change struct {
	Key string // names the record: no two alike in one transaction
	Was int    // how many bytes it had; 0: there was none
	Raw []byte // nil: there is none any more
}

// SealKey is the Key of the seal. Every transaction changes it.
const SealKey = "/seal"

// ErrNotLoaded is returned where the records are not here, as on a replica that is not in office.
var ErrNotLoaded = errors.New("the state is not loaded: this replica is not in office")

// Load makes a copy of the records that the Keeper has, and reads from that until Drop. The copy is a file without a name.
func (db *DB) Load(ctx context.Context) error {
	db.life.Lock()
	defer db.life.Unlock()
	if err := db.drop(); err != nil {
		return err
	}
	err := db.keeper.Load(ctx, string(db.repo), db.fresh, db.take)
	if err == nil {
		err = db.settle()
	}
	if err == nil {
		err = intact(db.check)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("loading the state: %w", err), db.drop())
	}
	return nil
}

// Drop forgets the copy. It waits for those who read.
func (db *DB) Drop() error {
	db.life.Lock()
	defer db.life.Unlock()
	return db.drop()
}

func (db *DB) drop() (err error) {
	if db.filling != nil {
		err = db.filling.Rollback()
	}
	if db.bolt != nil {
		err = errors.Join(err, db.bolt.Close())
	}
	db.bolt, db.filling, db.known = nil, nil, false
	return err
}

// mapped is how much address space a copy has at first, in bytes: to map it anew while it is filled takes long.
const mapped = 256 << 20

// fresh begins an empty copy.
func (db *DB) fresh() error {
	if err := db.drop(); err != nil {
		return err
	}
	if err := os.MkdirAll(db.folder, 0o700); err != nil {
		return err
	}
	dir, err := os.MkdirTemp(db.folder, ".state-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir) // what is open stays readable
	db.bolt, err = bolt.Open(filepath.Join(dir, "copy.db"), 0o600, &bolt.Options{NoSync: true, NoFreelistSync: true, NoGrowSync: true, InitialMmapSize: mapped, FreelistType: bolt.FreelistMapType})
	if err != nil {
		return err
	}
	db.filling, err = db.bolt.Begin(true)
	return err
}

// take puts one record into the copy.
func (db *DB) take(record string, raw []byte) error {
	root, err := db.filling.CreateBucketIfNotExists(db.repo)
	if err != nil {
		return err
	}
	bucket, key := cut(record)
	if bucket == "" {
		return root.Put([]byte(key), raw)
	}
	b, err := root.CreateBucketIfNotExists([]byte(bucket))
	if err != nil {
		return err
	}
	b.FillPercent = 0.9 // they come in order
	return b.Put([]byte(key), raw)
}

func (db *DB) settle() error {
	filling := db.filling
	db.filling = nil
	return filling.Commit()
}

// changed notes what a transaction makes of a record, for the Keeper.
func (t *tx) changed(bucket, key string, was int, raw []byte) {
	if t.db.keeper == nil {
		return
	}
	name := bucket + "/" + key
	if c, again := t.changes[name]; again {
		c.Raw = raw
		return
	}
	if t.changes == nil {
		t.changes = map[string]*Change{}
	}
	c := &Change{name, was, raw}
	t.changes[name] = c
	t.order = append(t.order, c)
}

// save hands over what a transaction made.
func (t *tx) save() error {
	if t.db.keeper == nil {
		return nil
	}
	all := make([]Change, 0, len(t.order))
	for _, c := range t.order {
		if c.Was != 0 || c.Raw != nil {
			all = append(all, *c)
		}
	}
	return t.db.keeper.Save(string(t.db.repo), all)
}

// cut takes the name of a record apart.
func cut(record string) (bucket, key string) {
	bucket, key, _ = strings.Cut(record, "/")
	return bucket, key
}
