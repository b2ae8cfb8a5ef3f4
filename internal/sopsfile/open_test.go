package sopsfile

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"filippo.io/age"
	"github.com/google/go-cmp/cmp"
)

var wantData = map[string]any{
	"key": canary + "-key", "provider": canary + "-openai",
	"scopes": []any{canary + "-chat", canary + "-embed"},
	"limit":  int64(1200), "share": 0.25, "shared": true,
}

// What the sops program makes, comments in sealed places included, opens with every type.
func TestOpensWhatSOPSSeals(t *testing.T) {
	k := newTestKey(t)
	text := sealer{recipient: k.recipient}.seal(t, plain)
	for _, want := range []string{"type:comment]", "description: Key of", "address: acme-corp/", "mac: ENC["} {
		if !strings.Contains(text, want) {
			t.Errorf("the sealed file holds no %q:\n%s", want, text)
		}
	}
	if strings.Contains(text, canary) {
		t.Fatal("the sealed file holds a value in the clear")
	}
	s, err := k.open(testFile, []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(wantData, s.Reveal()); d != "" {
		t.Error(d)
	}
}

// A comment in the clear inside spec.data is outside the MAC: neither an error nor a value.
func TestCommentInTheClear(t *testing.T) {
	k := newTestKey(t)
	text := sealer{recipient: k.recipient}.seal(t, plain)
	text = replace(t, text, "  data:\n", "  data:\n    # rotate in May\n")
	if s, err := k.open(testFile, []byte(text)); err != nil || !cmp.Equal(wantData, s.Reveal()) {
		t.Errorf("%v, %d fields", err, len(s.Reveal()))
	}
}

// A Secret under rotation: previous is sealed and under the MAC, but not what is read.
func TestPrevious(t *testing.T) {
	k := newTestKey(t)
	text := sealer{recipient: k.recipient}.seal(t, plain+"  previous:\n    key: canary-7d1f03-old\n")
	s, err := k.open(testFile, []byte(text))
	if err != nil || !cmp.Equal(wantData, s.Reveal()) {
		t.Fatalf("%v, %d fields", err, len(s.Reveal()))
	}
	refused(t, k.Opener, testFile, replace(t, text, "  previous:\n    key: ", "  previous:\n    token: "), "sops/value")
}

func TestOpenerRefusesToStartWithoutKeys(t *testing.T) {
	dir := t.TempDir()
	id, _ := age.GenerateX25519Identity()
	pq, _ := age.GenerateHybridIdentity()
	for name, content := range map[string]string{
		"empty": "", "comments": "# nothing\n\n", "public": id.Recipient().String(), "typing error": id.String()[:60] + "ZZZZ",
		"plugin": "AGE-PLUGIN-YUBIKEY-1QQQQ", "post-quantum": pq.String(), "ssh": "-----BEGIN OPENSSH PRIVATE KEY-----\nx\n",
		"encrypted": "age-encryption.org/v1\n", "too large": strings.Repeat("#\n", maxIdentityFile), "too many": strings.Repeat(id.String()+"\n", maxIdentities+1),
	} {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := NewOpener(Config{IdentityFile: file})
		if err == nil || !strings.Contains(err.Error(), file) || strings.Contains(err.Error(), "SECRET-KEY-1") && strings.Contains(err.Error(), id.String()[17:40]) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := NewOpener(Config{IdentityFile: filepath.Join(dir, "absent")}); err == nil || !strings.Contains(err.Error(), "age-keygen") {
		t.Error(err)
	}
	if _, err := NewOpener(Config{}); err == nil || !strings.Contains(err.Error(), "identityFile") {
		t.Error(err)
	}
}

func TestAnotherKeyDoesNotOpen(t *testing.T) {
	k, other := newTestKey(t), newTestKey(t)
	text := sealer{recipient: k.recipient}.seal(t, plain)
	refused(t, other.Opener, testFile, text, "sops/no-key")
	_, err := other.open(testFile, []byte(text))
	if !strings.Contains(err.Error(), k.recipient) || !strings.Contains(err.Error(), other.file) {
		t.Errorf("the error should name recipient and identity file: %v", err)
	}
	// A label that says it is for us does not make it so.
	refused(t, other.Opener, testFile, replace(t, text, k.recipient, other.recipient), "sops/no-key")
}

// SOPS would look for identities in the environment and in the home folder.
func TestEnvironmentIsIgnored(t *testing.T) {
	k, other := newTestKey(t), newTestKey(t)
	t.Setenv("SOPS_AGE_KEY", k.identity.String())
	t.Setenv("SOPS_AGE_KEY_FILE", k.file)
	refused(t, other.Opener, testFile, sealer{recipient: k.recipient}.seal(t, plain), "sops/no-key")
}

func TestRefusesStructure(t *testing.T) {
	k := newTestKey(t)
	for name, c := range map[string]struct{ old, new, rule string }{
		"colon in a key":          {"    limit: 1200\n", "    \"a:b\": 1200\n", "sops/key"},
		"colon in a plain key":    {"  classification: restricted\n", "  labels: {\"a:b\": x}\n", "sops/key"},
		"empty key":               {"    limit: 1200\n", "    \"\": 1200\n", "sops/key"},
		"null value":              {"    limit: 1200\n", "    limit: null\n", "sops/unsealed"},
		"empty value":             {"    limit: 1200\n", "    limit: \"\"\n", "sops/unsealed"},
		"empty list":              {"    limit: 1200\n", "    limit: []\n", "sops/unsealed"},
		"empty mapping":           {"    limit: 1200\n", "    limit: {}\n", "sops/unsealed"},
		"list of lists":           {"    limit: 1200\n", "    limit: [[1]]\n", "sops/structure"},
		"timestamp":               {"    limit: 1200\n", "    limit: 2026-01-02T03:04:05Z\n", "sops/type"},
		"integer beyond JSON":     {"    limit: 1200\n", fmt.Sprintf("    limit: %d\n", math.MaxInt64), "sops/value"},
		"infinite":                {"    share: 0.25\n", "    share: .inf\n", "sops/value"},
		"sealed outside of spec":  {"  classification: restricted\n", "  labels: {data: x}\n", "sops/structure"},
		"data elsewhere":          {"  type: api-key\n", "  type: api-key\n  rotation: {previous: {a: x}}\n", "sops/structure"},
		"another address":         {"Key of the shared OpenAI account", "as acme-corp/ml-platform/inference/development/openai-key", "sops/structure"},
		"no address":              {"  address: acme-corp/ml-platform/inference/production/openai-key\n", "", "sops/address"},
		"another kind":            {"kind: Secret", "kind: Config", "sops/not-a-secret"},
		"another version":         {"apiVersion: lcm/v1", "apiVersion: lcm/v2", "sops/not-a-secret"},
		"too deep":                {"    limit: 1200\n", "    limit: " + strings.Repeat("{a: ", 20) + "1" + strings.Repeat("}", 20) + "\n", "sops/too-large"},
		"too many values":         {"    limit: 1200\n", "    limit: [" + strings.Repeat("1, ", maxLeaves+1) + "1]\n", "sops/too-large"},
		"sealed text in metadata": {"Key of the shared OpenAI account", "ENC[AES256_GCM,data:AA==,iv:AA==,tag:AA==,type:str]", "sops/structure"},
	} {
		t.Run(name, func(t *testing.T) {
			refused(t, k.Opener, testFile, sealer{recipient: k.recipient}.seal(t, replace(t, plain, c.old, c.new)), c.rule)
		})
	}
}

func TestRefusesWrongFiles(t *testing.T) {
	k := newTestKey(t)
	good := sealer{recipient: k.recipient}.seal(t, plain)
	_, sops, _ := strings.Cut(good, "\nsops:\n")
	for name, c := range map[string]struct{ text, rule string }{
		"not sealed":     {plain, "sops/missing"},
		"not YAML":       {"a: [", "yaml/syntax"},
		"a tab":          {good + "\tx: " + canary, "yaml/syntax"},
		"octal plain":    {replace(t, plain, canary+"-key", "0"+"7777"), "yaml/ambiguous-number"},
		"an alias":       {"a: &x 1\nb: *x\n", "yaml/anchor"},
		"two documents":  {good + "---\n" + good, "yaml/multiple-documents"},
		"a sequence":     {"- a\n", "sops/missing"},
		"a duplicate":    {good + "sops:\n" + sops, "yaml/duplicate-key"},
		"sops is a text": {plain + "sops: x\n", "sops/missing"},
		"huge":           {good + "# " + strings.Repeat("x", 1<<20), "yaml/too-large"},
	} {
		t.Run(name, func(t *testing.T) { refused(t, k.Opener, testFile, c.text, c.rule) })
	}
	for _, file := range []string{"openai-key.sops.yaml", "namespaces/a/b/c/d/e.yaml", "namespaces/a/b/c/e.sops.yaml", "namespaces/a/b/c/../d/e.sops.yaml", "/" + testFile} {
		refused(t, k.Opener, file, good, "sops/path")
	}
}

func TestConcurrentUse(t *testing.T) {
	k := newTestKey(t)
	text := []byte(sealer{recipient: k.recipient}.seal(t, plain))
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 20 {
				if s, err := k.open(testFile, text); err != nil || !cmp.Equal(wantData, s.Reveal()) {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
}

func BenchmarkOpenCached(b *testing.B) {
	k := newTestKey(b)
	text := []byte(sealer{recipient: k.recipient}.seal(b, plain))
	for b.Loop() {
		if _, err := k.open(testFile, text); err != nil {
			b.Fatal(err)
		}
	}
}
