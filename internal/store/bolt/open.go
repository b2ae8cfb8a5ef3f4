package bolt

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"time"

	bbolt "go.etcd.io/bbolt"
	bbolterrors "go.etcd.io/bbolt/errors"
)

const format = "lcm store 1"

// The buckets and keys of the file.
var (
	aboutBucket  = []byte("lcm")
	formatKey    = []byte("format")
	saltKey      = []byte("salt")
	checkKey     = []byte("key check")
	spacesBucket = []byte("namespaces") // one bucket within for each namespace
)

// New opens the database file, or makes it. Nobody else can open it until Close.
func New(cfg Config) (*Store, error) {
	if cfg.Path == "" {
		return nil, errors.New("opening a bolt store: it needs a path")
	}
	if cfg.SealKey != nil && len(cfg.SealKey) != sealKeySize {
		return nil, fmt.Errorf("opening the store %s: the sealing key has %d bytes; it must have %d", cfg.Path, len(cfg.SealKey), sealKeySize)
	}
	db, err := openFile(cfg)
	if err != nil {
		return nil, fmt.Errorf("opening the store %s: %w", cfg.Path, err)
	}
	s := &Store{path: cfg.Path, db: db, commit: func(run func() error) error { return run() }}
	if err := s.prepare(cfg.SealKey); err != nil {
		return nil, errors.Join(fmt.Errorf("opening the store %s: %w", cfg.Path, err), db.Close())
	}
	return s, nil
}

// openFile opens the file under its lock. A damaged file must not bring the program down: what
// the library panics about becomes an error. It leaves the file mapped then, and so locked until the
// program ends; that cannot be undone from outside.
func openFile(cfg Config) (db *bbolt.DB, err error) {
	dir := filepath.Dir(cfg.Path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	timeout := cfg.LockTimeout
	if timeout == 0 {
		timeout = 5 * time.Second
	}
	err = guard(func() (err error) {
		db, err = bbolt.Open(cfg.Path, 0o600, &bbolt.Options{
			Timeout:      timeout,
			FreelistType: bbolt.FreelistMapType,
		})
		return err
	})
	switch {
	case errors.Is(err, bbolterrors.ErrTimeout):
		return nil, fmt.Errorf("another process has had it open for %v: stop that one, or wait until it ends", timeout)
	case errors.Is(err, bbolterrors.ErrInvalid), errors.Is(err, bbolterrors.ErrChecksum), errors.Is(err, bbolterrors.ErrVersionMismatch):
		return nil, fmt.Errorf("%w: %w", errDamaged, err)
	case err != nil:
		return nil, err
	}
	if err := syncDir(dir); err != nil { // the name of a new file must last as what is in it does
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// prepare writes the file's format and salt if it is new, and checks them and the key otherwise.
func (s *Store) prepare(key []byte) error {
	ready := false
	err := s.transaction(s.db.View, func(tx *bbolt.Tx) (err error) {
		ready, err = s.recognize(tx, key)
		return err
	})
	if err != nil || ready {
		return err
	}
	return s.transaction(s.db.Update, func(tx *bbolt.Tx) error { return s.furnish(tx, key) })
}

// recognize reports whether the file is complete, and refuses one that is not ours, is cut short, or
// was sealed under another key.
func (s *Store) recognize(tx *bbolt.Tx, key []byte) (ready bool, err error) {
	if info, err := os.Stat(s.path); err != nil {
		return false, err
	} else if info.Size() < tx.Size() {
		return false, fmt.Errorf("%w: it is cut short", errDamaged)
	}
	about := tx.Bucket(aboutBucket)
	if about == nil {
		if k, _ := tx.Cursor().First(); k != nil {
			return false, errors.New("it is a database of something else: give the store a file of its own")
		}
		return false, nil
	}
	if f := about.Get(formatKey); string(f) != format {
		return false, errors.New("its format is not known to this version of the program: use the version that wrote it, or another file")
	}
	if tx.Bucket(spacesBucket) == nil || len(about.Get(saltKey)) == 0 {
		return false, fmt.Errorf("%w: a part is missing", errDamaged)
	}
	if key == nil {
		return true, nil
	}
	if s.seal, err = newSealer(key, about.Get(saltKey)); err != nil {
		return false, err
	}
	check := about.Get(checkKey)
	if check != nil && !bytes.Equal(check, s.seal.check) {
		return false, errors.New("its secrets are sealed under another key: configure that one, or give the store a new file")
	}
	return check != nil, nil
}

// furnish completes a new file, or one that has had no sealing key before.
func (s *Store) furnish(tx *bbolt.Tx, key []byte) (err error) {
	about, err := tx.CreateBucketIfNotExists(aboutBucket)
	if err != nil {
		return err
	}
	if _, err := tx.CreateBucketIfNotExists(spacesBucket); err != nil {
		return err
	}
	salt := bytes.Clone(about.Get(saltKey))
	if salt == nil {
		salt = make([]byte, 32)
		_, _ = rand.Read(salt) // never fails: crypto/rand ends the program instead
		if err := errors.Join(about.Put(formatKey, []byte(format)), about.Put(saltKey, salt)); err != nil {
			return err
		}
	}
	if key == nil {
		return nil
	}
	if s.seal, err = newSealer(key, salt); err != nil {
		return err
	}
	return about.Put(checkKey, s.seal.check)
}

// view runs fn on the bucket of all namespaces in a reading transaction.
func (s *Store) view(ctx context.Context, fn func(*bbolt.Bucket) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return s.transaction(s.db.View, func(tx *bbolt.Tx) error { return fn(tx.Bucket(spacesBucket)) })
}

// update does the same in a writing one, which is durable once this returns nil.
func (s *Store) update(fn func(*bbolt.Bucket) error) error {
	return s.commit(func() error {
		return s.transaction(s.db.Update, func(tx *bbolt.Tx) error { return fn(tx.Bucket(spacesBucket)) })
	})
}

func (s *Store) transaction(run func(func(*bbolt.Tx) error) error, fn func(*bbolt.Tx) error) error {
	return guard(func() error { return run(fn) })
}

var errDamaged = errors.New("the file is damaged or no database; restore it from a backup, or remove it and let the next pass fill a new one")

// guard turns a panic into an error, a fault on the mapped file included: that is how the library
// meets a damaged page or a file that was cut short.
func guard(fn func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: %v", errDamaged, p)
		}
	}()
	return fn()
}
