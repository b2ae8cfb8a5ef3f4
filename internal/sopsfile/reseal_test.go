package sopsfile

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/tree"
	"github.com/llm-config-manager/lcm/internal/trust"
)

func TestReseal(t *testing.T) {
	old := newTestKey(t)
	text, err := Seal(testFile, secretDoc(), []string{old.recipient})
	if err != nil {
		t.Fatal(err)
	}
	identity, recipient, err := NewIdentity()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "age.txt")
	if err := os.WriteFile(file, identity, 0o600); err != nil {
		t.Fatal(err)
	}
	fresh, err := NewOpener(Config{IdentityFile: file})
	if err != nil {
		t.Fatal(err)
	}
	again, err := old.Reseal(testFile, text, []string{recipient})
	if err != nil {
		t.Fatal(err)
	}
	before, _, err := old.openAll(testFile, text)
	if err != nil {
		t.Fatal(err)
	}
	after, _, err := fresh.openAll(testFile, again)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(before, after); d != "" || after["previous"] == nil {
		t.Errorf("data and previous must stay: %s", d)
	}
	if d := cmp.Diff(volatile.ReplaceAllString(string(text), "…"), volatile.ReplaceAllString(string(again), "…")); d != "" {
		t.Error(d)
	}
	refused(t, old.Opener, testFile, string(again), "sops/no-key")
	if _, err := fresh.Reseal(testFile, text, []string{recipient}); err == nil {
		t.Error("resealed without the old key")
	}
}

// Attack 66: nothing is opened out of a revision that was not believed.
func TestOpenDemandsAVerifiedRevision(t *testing.T) {
	k := newTestKey(t)
	e := &tree.Entry{Kind: lcm.KindSecret, Origin: tree.Origin{File: testFile}}
	if s, err := k.Open(t.Context(), trust.Verified{}, e); err == nil || !s.IsZero() {
		t.Error("opened")
	}
}
