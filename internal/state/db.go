package state

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	bolt "go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
)

// ErrTampered is returned when the state does not bear this daemon's authentication.
var ErrTampered = errors.New("the state does not authenticate: it was changed or damaged, or the key is another one; " +
	"put back what belongs together from a backup, or move the state away and go on as after a loss, with `reconciler accept --head <id>`")

// Config says where the state lies.
type Config struct {
	Path       string // the database file; its folder is made. With a Keeper: the folder for a copy
	Repository string // the records of one repository are kept apart from those of others
	Key        []byte // authenticates the records; never stored
	// ReadOnly opens the file for reading only, as it is. A file that does not exist, or is empty, is an empty state.
	ReadOnly bool
	// Keeper keeps the records; nil: they are in the file. Then nothing can be read or written before Load.
	Keeper Keeper
}

// File is the state's file, in which several repositories have their records. It is safe for concurrent use.
type File struct {
	path     string
	readOnly bool
	bolt     *bolt.DB // nil: empty and read-only
}

// DB is the state of one repository. It is safe for concurrent use.
type DB struct {
	repo []byte
	key  []byte
	mark []byte // the key that sums are made with
	file *File  // to be closed with it; nil: it is shared, or there is none

	keeper   Keeper // nil: the records are in the file
	folder   string // for the copy of what the Keeper has
	readOnly bool

	life    sync.RWMutex // held while the copy is replaced; guards what follows
	bolt    *bolt.DB     // nil: empty and read-only, or not loaded
	filling *bolt.Tx     // of Load

	mu    sync.Mutex // one writer at a time; guards what follows
	sum   sum        // of all records
	known bool       // sum is what is in the file; else it is summed up anew
}

// Open opens the state of one repository, making it if it is absent. Nobody else can open the file meanwhile.
func Open(cfg Config) (*DB, error) {
	if cfg.Keeper != nil {
		db, err := newDB(cfg.Repository, cfg.Key)
		if err != nil {
			return nil, err
		}
		db.keeper, db.folder, db.readOnly = cfg.Keeper, cfg.Path, cfg.ReadOnly
		return db, nil
	}
	f, err := OpenFile(cfg.Path, cfg.ReadOnly)
	if err != nil {
		return nil, err
	}
	db, err := f.Repository(cfg.Repository, cfg.Key)
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	db.file = f
	return db, nil
}

func newDB(repository string, key []byte) (*DB, error) {
	if len(key) == 0 || repository == "" {
		return nil, errors.New("the state needs a key and the name of its repository")
	}
	db := &DB{repo: []byte(repository), key: key}
	db.mark = (&tx{db: db}).mac("", "sum", nil)
	return db, nil
}

// OpenFile opens the file, making it if it is absent; with readOnly as Config says.
func OpenFile(path string, readOnly bool) (*File, error) {
	f := &File{path: path, readOnly: readOnly}
	switch info, err := os.Stat(path); {
	case err == nil && !info.Mode().IsRegular():
		return nil, fmt.Errorf("opening the state %s: it is not a file", path)
	case readOnly && (errors.Is(err, os.ErrNotExist) || err == nil && info.Size() == 0):
		return f, nil
	}
	if !readOnly {
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return nil, fmt.Errorf("making the folder of the state: %w", err)
		}
	}
	err := intact(func() (err error) {
		f.bolt, err = bolt.Open(path, 0o600, &bolt.Options{Timeout: 2 * time.Second, ReadOnly: readOnly, FreelistType: bolt.FreelistMapType})
		return err
	})
	switch {
	case errors.Is(err, bolterrors.ErrTimeout):
		return nil, fmt.Errorf("opening the state %s: another process holds it: only one daemon at a time", path)
	case errors.As(err, new(*fs.PathError)), errors.As(err, new(syscall.Errno)), errors.Is(err, ErrTampered):
		return nil, fmt.Errorf("opening the state %s: %w", path, err)
	case err != nil: // what bbolt itself has to say is of the file's content
		return nil, fmt.Errorf("opening the state %s: %w: %w", path, err, ErrTampered)
	}
	return f, nil
}

// Repository opens the records of one repository, which are checked. The key authenticates them. A repository is opened once
// at a time.
func (f *File) Repository(name string, key []byte) (*DB, error) {
	db, err := newDB(name, key)
	if err != nil {
		return nil, err
	}
	if db.bolt, db.readOnly = f.bolt, f.readOnly; db.bolt == nil {
		return db, nil
	}
	if err := intact(db.check); err != nil {
		return nil, fmt.Errorf("opening the state %s: %w", f.path, err)
	}
	return db, nil
}

// Close releases the file.
func (f *File) Close() error {
	if f.bolt == nil {
		return nil
	}
	return f.bolt.Close()
}

// Close releases the file, unless it is shared, or the copy.
func (db *DB) Close() error {
	switch {
	case db.keeper != nil:
		return db.Drop()
	case db.file != nil:
		return db.file.Close()
	}
	return nil
}

// tx is one transaction on the records of one repository.
type tx struct {
	db   *DB
	root *bolt.Bucket // nil while nothing was ever written
	sum  sum

	changes map[string]*Change // for the Keeper
	order   []*Change
}

func (db *DB) view(f func(*tx) error) error {
	db.life.RLock()
	defer db.life.RUnlock()
	switch {
	case db.bolt == nil && db.keeper != nil:
		return ErrNotLoaded
	case db.bolt == nil:
		return f(&tx{db: db})
	}
	return db.bolt.View(func(b *bolt.Tx) error { return f(&tx{db: db, root: b.Bucket(db.repo)}) })
}

func (db *DB) update(f func(*tx) error) error {
	db.life.RLock()
	defer db.life.RUnlock()
	switch {
	case db.readOnly:
		return errors.New("the state was opened for reading only")
	case db.bolt == nil:
		return ErrNotLoaded
	}
	db.mu.Lock()
	defer db.mu.Unlock()
	var after sum
	saved := false
	err := db.bolt.Update(func(b *bolt.Tx) error {
		root, err := b.CreateBucketIfNotExists(db.repo)
		if err != nil {
			return err
		}
		if err := db.sumUp(root); err != nil {
			return err
		}
		t := &tx{db: db, root: root, sum: db.sum}
		if err := f(t); err != nil {
			return err
		}
		after = t.sum
		if err := t.seal(); err != nil {
			return err
		}
		err = t.save()
		saved = err == nil
		return err
	})
	if saved && err != nil && db.keeper != nil {
		db.keeper.Abandon(err)
	}
	// A commit that failed may have been written all the same.
	if db.known = err == nil; db.known {
		db.sum = after
	}
	return err
}

func (t *tx) mac(bucket, key string, value []byte) []byte {
	m := hmac.New(sha256.New, t.db.key)
	for _, part := range []string{string(t.db.repo), bucket, key} {
		fmt.Fprintf(m, "%d:%s,", len(part), part)
	}
	m.Write(value)
	return m.Sum(nil)
}

// get reads one record into v; it reports whether there is one.
func (t *tx) get(bucket, key string, v any) (bool, error) {
	b := t.bucket(bucket)
	if b == nil {
		return false, nil
	}
	raw := b.Get([]byte(key))
	if raw == nil {
		return false, nil
	}
	return true, t.open(bucket, key, raw, v)
}

func (t *tx) open(bucket, key string, raw []byte, v any) error {
	if len(raw) < sha256.Size || !hmac.Equal(raw[:sha256.Size], t.mac(bucket, key, raw[sha256.Size:])) {
		return fmt.Errorf("state record %s/%s: %w", bucket, key, ErrTampered)
	}
	if err := json.Unmarshal(raw[sha256.Size:], v); err != nil {
		return fmt.Errorf("state record %s/%s: %w", bucket, key, err)
	}
	return nil
}

func (t *tx) put(bucket, key string, v any) error {
	b, err := t.root.CreateBucketIfNotExists([]byte(bucket))
	if err != nil {
		return err
	}
	j, err := json.Marshal(v)
	if err != nil {
		return err
	}
	raw := append(t.mac(bucket, key, j), j...)
	t.replace(b, bucket, key, raw)
	return b.Put([]byte(key), raw)
}

func (t *tx) delete(bucket, key string) error {
	b := t.bucket(bucket)
	if b == nil {
		return nil
	}
	t.replace(b, bucket, key, nil)
	return b.Delete([]byte(key))
}

// replace moves the sum on from the record as it stands to another one, or none.
func (t *tx) replace(b *bolt.Bucket, bucket, key string, raw []byte) {
	old := b.Get([]byte(key))
	if old != nil {
		t.sum.toggle(t.db.mark, bucket, key, old)
	}
	t.changed(bucket, key, len(old), raw)
	if raw != nil {
		t.sum.toggle(t.db.mark, bucket, key, raw)
	}
}

func (t *tx) bucket(name string) *bolt.Bucket {
	if t.root == nil {
		return nil
	}
	return t.root.Bucket([]byte(name))
}
