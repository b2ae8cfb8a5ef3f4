package sopsfile

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"filippo.io/age"
	"filippo.io/age/armor"
	"github.com/getsops/sops/v3"
)

// armored wraps a data key for any recipients, in one age file.
func armored(t testing.TB, dataKey []byte, to ...age.Recipient) []byte {
	t.Helper()
	var b bytes.Buffer
	a := armor.NewWriter(&b)
	w, err := age.Encrypt(a, to...)
	if err != nil {
		t.Fatal(err)
	}
	w.Write(dataKey)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func unwrapLoosely(enc []byte, id age.Identity) ([]byte, error) {
	r, err := age.Decrypt(armor.NewReader(bytes.NewReader(enc)), id)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(r)
}

// counting notes how often a data key is unwrapped.
func (k *testKey) counting() *int {
	n := 0
	inner := k.keys.unwrap
	k.keys.unwrap = func(enc string, ids []age.Identity) ([]byte, error) {
		n++
		return inner(enc, ids)
	}
	return &n
}

// A thousand files sealed with one data key cost one age decryption.
func TestThousandFilesOneUnwrap(t *testing.T) {
	k := newTestKey(t)
	n := k.counting()
	dataKey := []byte("0123456789abcdef0123456789abcdef")
	group, err := wrap(testFile, dataKey, []string{k.recipient})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 1000 {
		file := fmt.Sprintf("namespaces/acme-corp/ml-platform/inference/production/key-%d.sops.yaml", i)
		text, err := seal(file, map[string]any{"kind": "Secret", "spec": map[string]any{"data": map[string]any{"n": i}}}, group, dataKey, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		if s, err := k.open(file, text); err != nil || s.Reveal()["n"] != int64(i) {
			t.Fatal(err)
		}
	}
	if *n != 1 {
		t.Errorf("unwrapped %d times", *n)
	}
}

// Of several recipients only those are tried that belong to an identity.
func TestOnlyOwnRecipientsAreTried(t *testing.T) {
	k := newTestKey(t)
	n := k.counting()
	all := []string{k.recipient}
	for range 20 {
		all = append(all, newTestKey(t).recipient)
	}
	text, err := Seal(testFile, map[string]any{"kind": "Secret", "spec": map[string]any{"data": map[string]any{"a": "b"}}}, all)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := k.open(testFile, text); err != nil || *n != 1 {
		t.Errorf("%v, unwrapped %d times", err, *n)
	}
}

func TestCacheIsBounded(t *testing.T) {
	k := newKeyring("x")
	id := func(i int) [sha256.Size]byte { return sha256.Sum256(fmt.Append(nil, i)) }
	k.put(id(0), []byte("first"))
	for i := 1; i < maxCached+10; i++ {
		k.put(id(i), []byte("k"))
		k.get(id(0)) // kept in use
	}
	if k.recent.Len() != maxCached || len(k.cached) != maxCached {
		t.Errorf("%d, %d entries", k.recent.Len(), len(k.cached))
	}
	if string(k.get(id(0))) != "first" || k.get(id(1)) != nil {
		t.Error("what was used last must stay, what was not must go")
	}
}

// A failure is not remembered, nor a key that no identity unwrapped.
func TestFailureIsNotCached(t *testing.T) {
	k, other := newTestKey(t), newTestKey(t)
	text := sealer{recipient: other.recipient, tree: func(tr *sops.Tree) {}}.seal(t, plain)
	text = strings.Replace(text, other.recipient, k.recipient, 1)
	for range 2 {
		refused(t, k.Opener, testFile, text, "sops/no-key")
	}
	if k.keys.recent.Len() != 0 {
		t.Error("cached")
	}
}
