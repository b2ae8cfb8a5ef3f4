package bolt

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	bbolt "go.etcd.io/bbolt"

	"github.com/llm-config-manager/lcm/internal/store"
)

func TestFileMode(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state", "runtime.db")
	defer mustOpen(t, Config{Path: path}).Close()
	for name, want := range map[string]os.FileMode{path: 0o600, filepath.Dir(path): 0o700} {
		info, err := os.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != want {
			t.Errorf("%s has mode %v; want %v", filepath.Base(name), info.Mode().Perm(), want)
		}
	}
}

func TestLocked(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	s := mustOpen(t, Config{Path: path})
	_, err := New(Config{Path: path, LockTimeout: 20 * time.Millisecond})
	if err == nil || !strings.Contains(err.Error(), "another process") {
		t.Errorf("opening it twice: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := mustOpen(t, Config{Path: path}).Close(); err != nil {
		t.Error(err)
	}
}

func TestBadConfig(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	for _, cfg := range []Config{{}, {Path: path, SealKey: []byte{}}, {Path: path, SealKey: testKey[1:]}} {
		if _, err := New(cfg); err == nil {
			t.Errorf("New accepts a key of %d bytes at %q", len(cfg.SealKey), cfg.Path)
		}
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("a refused configuration made a file")
	}
}

func TestDamaged(t *testing.T) {
	good := filled(t, t.TempDir())
	for name, damage := range map[string]func([]byte) []byte{
		"text":           func([]byte) []byte { return []byte(strings.Repeat("not a database\n", 5000)) },
		"short text":     func([]byte) []byte { return []byte("x") },
		"zeros":          func(b []byte) []byte { return make([]byte, len(b)) },
		"cut in half":    func(b []byte) []byte { return b[:len(b)/2] },
		"cut to headers": func(b []byte) []byte { return b[:2*os.Getpagesize()] },
		"headers gone":   func(b []byte) []byte { clear(b[:2*os.Getpagesize()]); return b },
		"noise after the headers": func(b []byte) []byte {
			for i := 2 * os.Getpagesize(); i < len(b); i++ {
				b[i] = byte(i * 31)
			}
			return b
		},
		"zeros after the headers": func(b []byte) []byte { clear(b[2*os.Getpagesize():]); return b },
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "store.db")
			if err := os.WriteFile(path, damage(bytes.Clone(good)), 0o600); err != nil {
				t.Fatal(err)
			}
			s, err := New(Config{Path: path, SealKey: testKey, LockTimeout: time.Second})
			if err == nil {
				t.Error("New opens it")
				_ = s.Close()
			}
		})
	}
}

// TestDamagedPages spoils every page in turn: whatever is done to the store then, it answers.
func TestDamagedPages(t *testing.T) {
	good := filled(t, t.TempDir())
	size := os.Getpagesize()
	for page := 2; page < len(good)/size; page++ {
		bad := bytes.Clone(good)
		for i := range size {
			bad[page*size+i] ^= byte(0xa5 + i)
		}
		path := filepath.Join(t.TempDir(), "store.db")
		if err := os.WriteFile(path, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := New(Config{Path: path, SealKey: testKey})
		if err != nil {
			continue
		}
		_, _ = s.List(t.Context(), testSpace)
		_, _, _ = s.Get(t.Context(), testSpace.Key("large"))
		_ = s.Apply(t.Context(), store.Batch{Namespace: testSpace, Changes: []store.Change{creation("more", `{}`)}})
		_ = s.Close()
	}
}

// TestCutWhileOpen cuts the file short under an open store: reading then faults, and that is an error too.
func TestCutWhileOpen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	if err := os.WriteFile(path, filled(t, t.TempDir()), 0o600); err != nil {
		t.Fatal(err)
	}
	s := mustOpen(t, Config{Path: path, SealKey: testKey})
	defer s.Close()
	if err := os.Truncate(path, int64(2*os.Getpagesize())); err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.Get(t.Context(), testSpace.Key("large")); !errors.Is(err, errDamaged) {
		t.Errorf("Get = %v", err)
	}
}

// filled returns the bytes of a store with a few entries.
func filled(t *testing.T, dir string) []byte {
	path := filepath.Join(dir, "store.db")
	s := mustOpen(t, Config{Path: path, SealKey: testKey})
	large := creation("large", `{"text":"`+strings.Repeat("text ", 10_000)+`"}`)
	mustApply(t, s, large)
	for i := range 200 {
		mustApply(t, s, creation(fmt.Sprintf("key-%d", i), `{"some":"value"}`))
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestOfSomethingElse(t *testing.T) {
	path := filepath.Join(t.TempDir(), "other.db")
	write := func(bucket, key, value string) {
		db, err := bbolt.Open(path, 0o600, nil)
		if err != nil {
			t.Fatal(err)
		}
		err = db.Update(func(tx *bbolt.Tx) error {
			b, err := tx.CreateBucketIfNotExists([]byte(bucket))
			if err != nil {
				return err
			}
			return b.Put([]byte(key), []byte(value))
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}
	write("theirs", "a", "b")
	before, _ := os.ReadFile(path)
	if _, err := New(Config{Path: path}); err == nil || !strings.Contains(err.Error(), "something else") {
		t.Errorf("New = %v", err)
	}
	if after, _ := os.ReadFile(path); !bytes.Equal(before, after) {
		t.Error("a refused file was written to")
	}
	path = filepath.Join(t.TempDir(), "newer.db")
	write("lcm", "format", "lcm store 9")
	if _, err := New(Config{Path: path}); err == nil || !strings.Contains(err.Error(), "format") {
		t.Errorf("New = %v", err)
	}
}
