package bolt

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	bbolt "go.etcd.io/bbolt"

	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/store"
)

const canary = "canary-51c0ffee"

var testSpace = lcm.Service{Org: "acme-corp", Project: "ml-platform", Name: "inference"}.In("production")

func creation(key, value string) store.Change {
	return store.Change{Action: store.Create, Key: key, Value: []byte(value), Meta: store.Meta{Repository: "acme-config", Digest: "hmac-sha256:" + key}}
}

func secret(key string) store.Change {
	c := creation(key, `{"key":"`+canary+`"}`)
	c.Secret = true
	return c
}

func mustApply(t *testing.T, s *Store, changes ...store.Change) {
	t.Helper()
	if err := s.Apply(t.Context(), store.Batch{Namespace: testSpace, Changes: changes}); err != nil {
		t.Fatal(err)
	}
}

func tokenOf(t *testing.T, s *Store, key string) store.Token {
	t.Helper()
	l, err := s.List(t.Context(), testSpace)
	if err != nil {
		t.Fatal(err)
	}
	for _, item := range l.Items {
		if item.Key == key {
			return item.Token
		}
	}
	t.Fatalf("%s is not listed", key)
	return ""
}

// TestNothingInTheClear looks for a secret's value in the file after everything that can be done with one.
func TestNothingInTheClear(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	s := mustOpen(t, Config{Path: path, SealKey: testKey})
	mustApply(t, s, secret("a"), secret("b"), creation("plain", `"in the clear"`))
	// A mark that does not call it a secret must not unseal it.
	mustApply(t, s, store.Change{Action: store.Remark, Key: "a", If: tokenOf(t, s, "a"), Meta: store.Meta{Digest: "other"}})
	again := secret("b")
	again.Action, again.If = store.Update, tokenOf(t, s, "b")
	mustApply(t, s, again)
	// Nor may what was plain stay so, once it is called one.
	mustApply(t, s, creation("later", `{"key":"`+strings.ToUpper(canary)+`"}`))
	for _, key := range []string{"a", "b"} {
		if value, _, err := s.Get(t.Context(), testSpace.Key(key)); err != nil || !bytes.Contains(value, []byte(canary)) {
			t.Errorf("Get %s = %d bytes, %v", key, len(value), err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(data, []byte(canary)) || bytes.Contains(data, testKey) {
		t.Error("a secret is in the file in the clear")
	}
	if !bytes.Contains(data, []byte("in the clear")) {
		t.Error("this test cannot see what is in the clear")
	}
}

func TestRemarkSeals(t *testing.T) {
	s := mustOpen(t, Config{Path: filepath.Join(t.TempDir(), "store.db"), SealKey: testKey})
	defer s.Close()
	mustApply(t, s, creation("a", `"plain"`))
	mustApply(t, s, store.Change{Action: store.Remark, Key: "a", Secret: true, If: tokenOf(t, s, "a")})
	_ = s.view(t.Context(), func(root *bbolt.Bucket) error {
		if raw := open(root, testSpace).bucket.Get([]byte("a")); bytes.Contains(raw, []byte("plain")) {
			t.Error("an entry remarked as a secret is still in the clear")
		}
		return nil
	})
	if value, _, err := s.Get(t.Context(), testSpace.Key("a")); err != nil || string(value) != `"plain"` {
		t.Errorf("Get = %q, %v", value, err)
	}
}

func TestAnotherKey(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	// The first key may come later than the file.
	if err := mustOpen(t, Config{Path: path}).Close(); err != nil {
		t.Fatal(err)
	}
	s := mustOpen(t, Config{Path: path, SealKey: testKey})
	mustApply(t, s, secret("a"))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := New(Config{Path: path, SealKey: bytes.Repeat([]byte{8}, sealKeySize)}); err == nil || !strings.Contains(err.Error(), "another key") {
		t.Errorf("New with another key: %v", err)
	}

	s = mustOpen(t, Config{Path: path})
	defer s.Close()
	if s.Capabilities().Secrets {
		t.Error("a store without a key offers to keep secrets")
	}
	if value, _, err := s.Get(t.Context(), testSpace.Key("a")); err == nil || value != nil {
		t.Errorf("Get without the key = %q, %v", value, err)
	}
	if holds, err := s.Holds(t.Context(), testSpace, "a", secret("a").Value); err == nil || holds {
		t.Errorf("Holds without the key = %v, %v", holds, err)
	}
	err := s.Apply(t.Context(), store.Batch{Namespace: testSpace, Changes: []store.Change{
		{Action: store.Remark, Key: "a", If: tokenOf(t, s, "a")}}})
	if err == nil {
		t.Error("a sealed entry was remarked without the key")
	}
	mustApply(t, s, store.Change{Action: store.Delete, Secret: true, Key: "a", If: tokenOf(t, s, "a")})
}

// TestTampered changes the file as somebody could who has it, but not the key.
func TestTampered(t *testing.T) {
	for name, tamper := range map[string]func(b *bbolt.Bucket) error{
		"one bit": func(b *bbolt.Bucket) error {
			v := bytes.Clone(b.Get([]byte("a")))
			v[len(v)-1] ^= 1
			return b.Put([]byte("a"), v)
		},
		"cut short":        func(b *bbolt.Bucket) error { return b.Put([]byte("a"), b.Get([]byte("a"))[:10]) },
		"another's value":  func(b *bbolt.Bucket) error { return b.Put([]byte("a"), bytes.Clone(b.Get([]byte("b")))) },
		"another's digest": func(b *bbolt.Bucket) error { return b.Put(markKey("a"), bytes.Clone(b.Get(markKey("b")))) },
		"damaged mark":     func(b *bbolt.Bucket) error { return b.Put(markKey("a"), []byte(`{"token":`)) },
	} {
		t.Run(name, func(t *testing.T) {
			s := mustOpen(t, Config{Path: filepath.Join(t.TempDir(), "store.db"), SealKey: testKey})
			defer s.Close()
			mustApply(t, s, secret("a"), secret("b"))
			if err := s.update(func(root *bbolt.Bucket) error { return tamper(open(root, testSpace).bucket) }); err != nil {
				t.Fatal(err)
			}
			value, _, err := s.Get(t.Context(), testSpace.Key("a"))
			if err == nil || value != nil {
				t.Errorf("Get = %d bytes, %v; want an error", len(value), err)
			}
		})
	}
}

// TestSharedTransaction has batches wait for one commit: each gets its own answer, and the fault of
// one is not the others'.
func TestSharedTransaction(t *testing.T) {
	s := mustOpen(t, Config{Path: filepath.Join(t.TempDir(), "store.db"), SealKey: testKey})
	defer s.Close()
	mustApply(t, s, secret("broken"))
	if err := s.update(func(root *bbolt.Bucket) error {
		return open(root, testSpace).bucket.Put([]byte("broken"), []byte("cannot be opened"))
	}); err != nil {
		t.Fatal(err)
	}
	batches := map[string]store.Batch{
		"good":     {Namespace: testSpace.Service.In("e1"), Changes: []store.Change{creation("a", `1`)}},
		"conflict": {Namespace: testSpace, Changes: []store.Change{creation("new", `1`), creation("broken", `1`)}},
		"broken":   {Namespace: testSpace, Changes: []store.Change{creation("new", `1`), {Action: store.Remark, Key: "broken", If: tokenOf(t, s, "broken")}}},
		"also":     {Namespace: testSpace.Service.In("e2"), Changes: []store.Change{creation("a", `1`)}},
	}
	answers := applyTogether(t, s, batches)
	for name, err := range answers {
		if good := name == "good" || name == "also"; (err == nil) != good {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, _, err := s.Get(t.Context(), testSpace.Key("new")); err == nil {
		t.Error("a refused batch left something")
	}
}

// applyTogether applies the batches so that all of them wait for the same commit.
func applyTogether(t *testing.T, s *Store, batches map[string]store.Batch) map[string]error {
	answers := map[string]error{}
	var mu sync.Mutex
	var wg sync.WaitGroup
	s.writing.Lock()
	for name, b := range batches {
		wg.Go(func() {
			err := s.Apply(t.Context(), b)
			mu.Lock()
			defer mu.Unlock()
			answers[name] = err
		})
	}
	for queued := 0; queued < len(batches); runtime.Gosched() {
		s.queueMu.Lock()
		queued = len(s.queue)
		s.queueMu.Unlock()
	}
	s.writing.Unlock()
	wg.Wait()
	return answers
}

func TestCommits(t *testing.T) {
	s := mustOpen(t, Config{Path: filepath.Join(t.TempDir(), "store.db"), SealKey: testKey})
	defer s.Close()
	before := commits(t, s)
	batches := map[string]store.Batch{}
	for _, e := range []string{"e1", "e2", "e3", "e4"} {
		batches[e] = store.Batch{Namespace: testSpace.Service.In(e), Changes: []store.Change{creation("a", `1`)}}
	}
	for name, err := range applyTogether(t, s, batches) {
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if n := commits(t, s) - before; n != 1 {
		t.Errorf("%d commits for batches that waited together; want 1", n)
	}
	before = commits(t, s)
	for name, err := range applyTogether(t, s, batches) {
		if !errors.Is(err, store.ErrConflict) {
			t.Errorf("%s: %v; want ErrConflict", name, err)
		}
	}
	if n := commits(t, s) - before; n != 0 {
		t.Errorf("%d commits of nothing", n)
	}
}

func commits(t *testing.T, s *Store) (n int) {
	t.Helper()
	if err := s.db.View(func(tx *bbolt.Tx) error { n = tx.ID(); return nil }); err != nil {
		t.Fatal(err)
	}
	return n
}
