package sopsfile

import (
	"errors"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/getsops/sops/v3/aes"
	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"
)

func secretDoc() map[string]any {
	return map[string]any{
		"kind": "Secret", "apiVersion": "lcm/v1",
		"metadata": map[string]any{"description": "Key of the shared account", "classification": "restricted", "owner": "team-inference",
			"sharedWith": []any{"acme-corp/ml-platform/batch"}, "inheritable": false},
		"spec": map[string]any{
			"data": map[string]any{"key": canary + "\nsecond line: [}", "limit": int64(1200), "ratio": 0.5, "on": true, "off": false, "n": -3,
				"scopes": []any{canary + "a", canary + "b"}, "nested": map[string]any{"password": canary + "true", "number": "007"}},
			"previous": map[string]any{"key": canary}, "type": "opaque", "expires_at": "2027-01-31T00:00:00Z",
			"rotation": map[string]any{"interval": "90d", "grace": "7d", "strategy": "dual-phase"},
		},
	}
}

func TestSealThenOpen(t *testing.T) {
	k := newTestKey(t)
	doc := secretDoc()
	text, err := Seal(testFile, doc, []string{k.recipient})
	if err != nil {
		t.Fatal(err)
	}
	s, err := k.open(testFile, text)
	if err != nil {
		t.Fatal(err)
	}
	want := secretDoc()["spec"].(map[string]any)["data"].(map[string]any)
	want["n"] = int64(-3)
	if d := cmp.Diff(want, s.Reveal()); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff(secretDoc(), doc); d != "" {
		t.Errorf("Seal changed its argument: %s", d)
	}
	if strings.Contains(string(text), canary) {
		t.Error("a value is in the clear")
	}
}

var volatile = regexp.MustCompile(`(?s)ENC\[[^\]]*\]|-----BEGIN.*?-----END AGE ENCRYPTED FILE-----|lastmodified: \S+|age1[a-z0-9]+`)

// The layout depends on the document alone, and reads from the top: what it is, where, what for.
func TestSealLayout(t *testing.T) {
	k := newTestKey(t)
	text, err := Seal(testFile, secretDoc(), []string{k.recipient})
	if err != nil {
		t.Fatal(err)
	}
	want := `apiVersion: lcm/v1
kind: Secret
metadata:
  address: acme-corp/ml-platform/inference/production/openai-key
  description: Key of the shared account
  classification: restricted
  inheritable: false
  owner: team-inference
  sharedWith:
    - acme-corp/ml-platform/batch
spec:
  type: opaque
  rotation:
    grace: 7d
    interval: 90d
    strategy: dual-phase
  expires_at: "2027-01-31T00:00:00Z"
  data:
    key: …
    limit: …
    "n": …
    nested:
      number: …
      password: …
    "off": …
    "on": …
    ratio: …
    scopes:
      - …
      - …
  previous:
    key: …
sops:
  age:
    - enc: |
        …
      recipient: …
  encrypted_regex: ^(data|previous)$
  …
  mac: …
  version: 3.13.3
`
	if d := cmp.Diff(want, volatile.ReplaceAllString(string(text), "…")); d != "" {
		t.Error(d)
	}
}

// The packages of the sops program itself accept what Seal makes, and read the same.
func TestSOPSOpensWhatSealMakes(t *testing.T) {
	k := newTestKey(t)
	text, err := Seal(testFile, secretDoc(), []string{k.recipient, newTestKey(t).recipient})
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := yaml.Unmarshal([]byte(sopsDecrypt(t, k, text)), &got); err != nil {
		t.Fatal(err)
	}
	want := secretDoc()
	want["metadata"].(map[string]any)["address"] = "acme-corp/ml-platform/inference/production/openai-key"
	want["spec"].(map[string]any)["data"].(map[string]any)["limit"] = 1200
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestSealRefuses(t *testing.T) {
	k := newTestKey(t)
	at := func(path string, v any) func(map[string]any) {
		return func(doc map[string]any) {
			names := strings.Split(path, ".")
			for _, n := range names[:len(names)-1] {
				doc = doc[n].(map[string]any)
			}
			doc[names[len(names)-1]] = v
		}
	}
	for name, c := range map[string]struct {
		change func(map[string]any)
		rule   string
	}{
		"empty value":          {at("spec.data.key", ""), "sops/unsealed"},
		"not UTF-8":            {at("spec.data.key", canary+"\xff"), "sops/value"},
		"null":                 {at("spec.data.key", nil), "sops/value"},
		"not a number":         {at("spec.data.key", math.NaN()), "sops/value"},
		"infinite":             {at("spec.data.scopes", []any{math.Inf(1)}), "sops/value"},
		"beyond JSON":          {at("spec.data.key", int64(math.MaxInt64)), "sops/value"},
		"bytes":                {at("spec.data.key", []byte(canary)), "sops/value"},
		"empty list":           {at("spec.data.key", []any{}), "sops/unsealed"},
		"no data":              {at("spec.data", map[string]any{}), "sops/unsealed"},
		"data is a list":       {at("spec.data", []any{canary}), "sops/no-data"},
		"data elsewhere":       {at("metadata.labels", map[string]any{"data": canary}), "sops/structure"},
		"colon":                {at("spec.data.nested", map[string]any{"a:b": canary}), "sops/key"},
		"another address":      {at("metadata.address", "acme-corp/ml-platform/inference/staging/openai-key"), "sops/address"},
		"metadata is a text":   {at("metadata", canary), "sops/address"},
		"sealed already":       {at("sops", map[string]any{}), "sops/structure"},
		"not a Secret":         {at("kind", "Config"), "sops/not-a-secret"},
		"control characters":   {at("metadata.description", "a\x00b"), ""},
		"a ciphertext as text": {at("metadata.description", "ENC[AES256_GCM,data:AA==,iv:AA==,tag:AA==,type:str]"), "sops/structure"},
	} {
		t.Run(name, func(t *testing.T) {
			doc := secretDoc()
			c.change(doc)
			text, err := Seal(testFile, doc, []string{k.recipient})
			var e *Error
			if c.rule == "" && err == nil {
				return
			}
			if text != nil || !errors.As(err, &e) || e.Rule != c.rule || strings.Contains(err.Error(), canary) {
				t.Errorf("want %s, have %v", c.rule, err)
			}
		})
	}
	for _, r := range [][]string{nil, {k.recipient, k.recipient}, {"age1x"}, {"ssh-ed25519 AAAA"}, {k.identity.String()}} {
		var e *Error
		if _, err := Seal(testFile, secretDoc(), r); !errors.As(err, &e) || e.Rule != "sops/recipients" || strings.Contains(err.Error(), "SECRET-KEY") {
			t.Errorf("%d recipients: %v", len(r), err)
		}
	}
	if _, err := Seal("secrets/x.yaml", secretDoc(), []string{k.recipient}); err == nil {
		t.Error("sealed for a path outside of the layout")
	}
}

// A file that a person opened and saved with sops, with comments, still opens.
func TestSealedFileSurvivesSOPS(t *testing.T) {
	k := newTestKey(t)
	text, err := Seal(testFile, secretDoc(), []string{k.recipient})
	if err != nil {
		t.Fatal(err)
	}
	edited := strings.Replace(sopsDecrypt(t, k, text), "    key: ", "    # changed by hand\n    key: ", 1)
	if s, err := k.open(testFile, []byte(sealer{recipient: k.recipient}.seal(t, edited))); err != nil || s.Reveal()["limit"] != int64(1200) {
		t.Error(err)
	}
}

// sopsDecrypt does what sops -d does, with the key source and the cipher of SOPS, which find the
// identity by the environment; and has the program itself do it where it is installed.
func sopsDecrypt(t *testing.T, k *testKey, text []byte) string {
	t.Helper()
	t.Setenv("SOPS_AGE_KEY_FILE", k.file)
	tr, err := newStore().LoadEncryptedFile(text)
	if err != nil {
		t.Fatal(err)
	}
	key, err := tr.Metadata.GetDataKey()
	if err != nil {
		t.Fatal(err)
	}
	c := aes.NewCipher()
	sum, err := tr.Decrypt(key, c)
	if err != nil {
		t.Fatal(err)
	}
	mac, err := c.Decrypt(tr.Metadata.MessageAuthenticationCode, key, tr.Metadata.LastModified.Format(time.RFC3339))
	if err != nil || mac != sum {
		t.Fatalf("SOPS refuses the MAC: %v", err)
	}
	clear, err := newStore().EmitPlainFile(tr.Branches)
	if err != nil {
		t.Fatal(err)
	}
	sopsProgram(t, k, text, clear)
	return string(clear)
}

// sopsProgram has the sops program open a file, and seal it again for us to open.
func sopsProgram(t *testing.T, k *testKey, sealed, want []byte) {
	t.Helper()
	program, err := exec.LookPath("sops")
	if err != nil {
		t.Log("the sops program is not installed: only its packages were tried")
		return
	}
	file := filepath.Join(t.TempDir(), "x.sops.yaml")
	if err := os.WriteFile(file, sealed, 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(program, "-d", file).Output()
	if err != nil {
		t.Fatalf("sops -d: %v", err)
	}
	var have, expected any
	if err := errors.Join(yaml.Unmarshal(out, &have), yaml.Unmarshal(want, &expected)); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(expected, have); d != "" {
		t.Error(d)
	}
	if err := os.WriteFile(file, want, 0o600); err != nil {
		t.Fatal(err)
	}
	again, err := exec.Command(program, "-e", "--age", k.recipient, "--encrypted-regex", encryptedRegex, file).Output()
	if err != nil {
		t.Fatalf("sops -e: %v", err)
	}
	if s, err := k.open(testFile, again); err != nil || s.Reveal()["limit"] != int64(1200) {
		t.Errorf("what sops -e made does not open: %v", err)
	}
}
