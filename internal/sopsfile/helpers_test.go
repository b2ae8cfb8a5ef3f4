package sopsfile

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"filippo.io/age"
	"github.com/getsops/sops/v3"
	"github.com/getsops/sops/v3/aes"
)

const (
	testFile = "namespaces/acme-corp/ml-platform/inference/production/openai-key.sops.yaml"
	// canary stands in every sealed value: no error may hold it.
	canary = "canary-7d1f03"
	plain  = `apiVersion: lcm/v1
kind: Secret
metadata:
  address: acme-corp/ml-platform/inference/production/openai-key
  description: Key of the shared OpenAI account
  classification: restricted
  sharedWith: [acme-corp/ml-platform/batch]
spec:
  type: api-key
  data:
    # who it belongs to
    key: canary-7d1f03-key
    provider: canary-7d1f03-openai
    scopes:
      # the one we need
      - canary-7d1f03-chat
      - canary-7d1f03-embed
    limit: 1200
    share: 0.25
    shared: true
`
)

// testKey is an identity with an Opener that knows it.
type testKey struct {
	*Opener
	identity  *age.X25519Identity
	recipient string
	file      string
}

func newTestKey(t testing.TB) *testKey {
	t.Helper()
	id, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	k := &testKey{identity: id, recipient: id.Recipient().String(), file: filepath.Join(t.TempDir(), "age.txt")}
	if err := os.WriteFile(k.file, []byte("# created: now\n# public key: "+k.recipient+"\n"+id.String()+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if k.Opener, err = NewOpener(Config{IdentityFile: k.file}); err != nil {
		t.Fatal(err)
	}
	return k
}

// sealer seals as the sops program does, with settings that Seal would not choose.
type sealer struct {
	recipient string
	dataKey   []byte
	settings  func(*sops.Metadata)
	tree      func(*sops.Tree) // after sealing, before the MAC is written
}

func (s sealer) seal(t testing.TB, text string) string {
	t.Helper()
	if s.dataKey == nil {
		s.dataKey = []byte("0123456789abcdef0123456789abcdef")
	}
	group, err := wrap(testFile, s.dataKey, []string{s.recipient})
	if err != nil {
		t.Fatal(err)
	}
	branches, err := newStore().LoadPlainFile([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	tr := sops.Tree{Branches: branches, Metadata: sops.Metadata{KeyGroups: []sops.KeyGroup{group}, Version: formatVersion,
		EncryptedRegex: encryptedRegex, LastModified: time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)}}
	if s.settings != nil {
		s.settings(&tr.Metadata)
	}
	c := aes.NewCipher()
	mac, err := tr.Encrypt(s.dataKey, c)
	if err != nil {
		t.Fatal(err)
	}
	tr.Metadata.MessageAuthenticationCode, err = c.Encrypt(mac, s.dataKey, tr.Metadata.LastModified.Format(time.RFC3339))
	if err != nil {
		t.Fatal(err)
	}
	if s.tree != nil {
		s.tree(&tr)
	}
	out, err := newStore().EmitEncryptedFile(tr)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

// replace changes exactly one place of a text.
func replace(t testing.TB, text, old, new string) string {
	t.Helper()
	if strings.Count(text, old) != 1 {
		t.Fatalf("%q stands %d times in\n%s", old, strings.Count(text, old), text)
	}
	return strings.Replace(text, old, new, 1)
}

// line returns the line of a text that holds part, with its end.
func line(t testing.TB, text, part string) string {
	t.Helper()
	for l := range strings.Lines(text) {
		if strings.Contains(l, part) {
			return l
		}
	}
	t.Fatalf("no line holds %q in\n%s", part, text)
	return ""
}

// refused demands that a file does not open, by that rule, and that the error keeps quiet.
func refused(t testing.TB, o *Opener, file, text, rule string) {
	t.Helper()
	s, err := o.open(file, []byte(text))
	var e *Error
	switch {
	case err == nil:
		t.Errorf("opens: %d fields", len(s.Reveal()))
	case !errors.As(err, &e) || e.Rule != rule:
		t.Errorf("want %s, have %v", rule, err)
	case strings.Contains(err.Error(), canary) || strings.Contains(err.Error(), "ENC[") || strings.Contains(err.Error(), "AGE-SECRET"):
		t.Errorf("the error tells: %v", err)
	case e.File != file || !strings.HasPrefix(err.Error(), file+": "):
		t.Errorf("the error does not name the file: %v", err)
	case !s.IsZero():
		t.Error("a secret comes with the error")
	}
}

func treeChild(v any, name string) any {
	b, _ := v.(sops.TreeBranch)
	for _, item := range b {
		if item.Key == name {
			return item.Value
		}
	}
	return nil
}

// treeValue turns an opened tree of SOPS into plain values, comments left out.
func treeValue(v any) any {
	switch v := v.(type) {
	case sops.TreeBranch:
		m := map[string]any{}
		for _, item := range v {
			if name, ok := item.Key.(string); ok {
				m[name] = treeValue(item.Value)
			}
		}
		return m
	case []any:
		list := []any{}
		for _, e := range v {
			if _, comment := e.(sops.Comment); !comment {
				list = append(list, treeValue(e))
			}
		}
		return list
	case int:
		return int64(v)
	}
	return v
}
