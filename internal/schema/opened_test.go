package schema

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io/fs"
	"maps"
	"math/big"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"cuelang.org/go/cue"
	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/format"
	"cuelang.org/go/cue/parser"
	"github.com/google/go-cmp/cmp"
	"golang.org/x/crypto/ssh"

	"github.com/llm-config-manager/lcm/internal/lcm"
	lcmcue "github.com/llm-config-manager/lcm/schemas/cue"
)

// canary is in every value of a secret here; no message may hold it.
const canary = "canary7f3a"

func opened(t *testing.T) map[string]map[string]any {
	certificate, certificateKey := newCertificate(t)
	public, private := newSSHKey(t)
	uuid := "12345678-1234-1234-1234-123456789abc"
	return map[string]map[string]any{
		"opaque":   {"anything": canary, "nested": map[string]any{"a": int64(1)}},
		"api-key":  {"key": "sk-" + canary, "provider": "openai", "key_id": "k1", "scopes": []any{"read", "write"}},
		"database": {"engine": "postgresql", "host": "db.internal", "port": int64(5432), "database": "app", "username": "app", "password": canary, "sslmode": "require"},
		"tls":      {"certificate": certificate, "private_key": certificateKey, "ca": certificate},
		"ssh":      {"private_key": private, "public_key": public},
		"oauth2": {"client_id": "c", "client_secret": canary, "token_url": "https://id.example.com/token", "access_token": "a", "refresh_token": "r",
			"expires_at": "2027-01-01T00:00:00Z", "scopes": []any{"openid"}},
		"jwt-signing-key": {"algorithm": "HS256", "secret": strings.Repeat(canary, 4), "kid": "1"},
		"aws":             {"access_key_id": "AKIAIOSFODNN7EXAMPLE", "secret_access_key": canary, "session_token": canary, "role_arn": "arn:aws:iam::123456789012:role/x", "region": "eu-central-1"},
		"azure":           {"tenant_id": uuid, "client_id": uuid, "client_secret": canary, "subscription_id": uuid},
		"gcp":             {"service_account_json": `{"type": "service_account", "x": "` + canary + `"}`},
	}
}

func newCertificate(t *testing.T) (certificate, key string) {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "x"}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &k.PublicKey, k)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})), string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}))
}

func newSSHKey(t *testing.T) (public, private string) {
	t.Helper()
	pub, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	block, err := ssh.MarshalPrivateKey(key, "")
	if err != nil {
		t.Fatal(err)
	}
	sshPub, err := ssh.NewPublicKey(pub)
	if err != nil {
		t.Fatal(err)
	}
	return string(ssh.MarshalAuthorizedKey(sshPub)), string(pem.EncodeToMemory(block))
}

func TestOpened(t *testing.T) {
	s := newSchema(t, nil)
	good := opened(t)
	for _, typ := range sortedKeys(good) {
		if v := s.CheckOpened(typ, good[typ]); len(v) > 0 {
			t.Errorf("%s: %+v", typ, v)
		}
	}
	_, otherKey := newCertificate(t)
	otherPublic, _ := newSSHKey(t)
	pkcs8 := good["tls"]["private_key"]
	for _, c := range []struct {
		typ, field string
		value      any // nil deletes
		path, rule string
	}{
		{"api-key", "key", nil, "key", "required"},
		{"api-key", "key", canary + " with blanks", "key", "pattern"},
		{"api-key", "key", int64(3), "key", "type"},
		{"api-key", "scopes", []any{"a", int64(3)}, "scopes.1", "type"},
		{"api-key", canary[:3], "x", "can", "unknown-field"},
		{"database", "engine", canary, "engine", "enum"},
		{"database", "port", int64(0), "port", "bounds"},
		{"database", "port", "5432", "port", "type"},
		{"database", "password", "", "password", "pattern"},
		{"tls", "certificate", canary, "certificate", "pattern"},
		{"tls", "private_key", otherKey, "private_key", "conflict"},
		{"ssh", "public_key", otherPublic, "public_key", "conflict"},
		{"ssh", "private_key", "-----BEGIN OPENSSH PRIVATE KEY-----\n" + canary + "\n-----END OPENSSH PRIVATE KEY-----\n", "private_key", "conflict"},
		{"oauth2", "token_url", canary, "token_url", "pattern"},
		{"oauth2", "expires_at", canary, "expires_at", "pattern"},
		{"jwt-signing-key", "secret", canary, "secret", "pattern"},
		{"jwt-signing-key", "secret", nil, "secret", "required"},
		{"jwt-signing-key", "private_key", pkcs8, "private_key", "conflict"},
		{"jwt-signing-key", "algorithm", canary, "algorithm", "enum"},
		{"aws", "access_key_id", canary, "access_key_id", "pattern"},
		{"aws", "role_arn", canary, "role_arn", "pattern"},
		{"azure", "tenant_id", canary, "tenant_id", "pattern"},
		{"gcp", "service_account_json", `{"type": "` + canary + `"` + "}}", "service_account_json", "conflict"},
		{"gcp", "service_account_json", `{"x": "` + canary + `"}`, "service_account_json", "conflict"},
		{"gcp", "service_account_json", canary, "service_account_json", "pattern"},
		{"gcp", "service_account_json", map[string]any{"x": canary}, "service_account_json", "type"},
	} {
		t.Run(c.typ+" "+c.field, func(t *testing.T) {
			data := maps.Clone(good[c.typ])
			if data[c.field] = c.value; c.value == nil {
				delete(data, c.field)
			}
			v := s.CheckOpened(c.typ, data)
			judge(t, mistake{path: c.path, rule: c.rule}, v)
			if strings.Contains(fmt.Sprint(v), canary) {
				t.Errorf("tells a value: %+v", v)
			}
		})
	}
	judge(t, mistake{rule: "enum"}, s.CheckOpened("api-ky", nil))
}

// The same field names must be required sealed and opened.
func TestSealedAndOpenedFieldsAgree(t *testing.T) {
	s := newSchema(t, nil)
	s.with(func(w *worker) []Violation {
		fields := func(path ...string) (out []string) {
			it, err := w.base.lookup(path...).Fields(cue.Optional(true))
			if err != nil {
				t.Fatal(err)
			}
			for it.Next() {
				out = append(out, it.Selector().String())
			}
			slices.Sort(out)
			return out
		}
		types := fields("#OpenedSecret")
		if diff := cmp.Diff(fields("#SealedFields"), types); diff != "" || len(types) != 10 {
			t.Errorf("types: %s", diff)
		}
		for typ := range opened(t) {
			sealed, plain := fields("#SealedFields", typ), fields("#OpenedSecret", typ)
			if typ == "jwt-signing-key" { // which of the two is required only the opened algorithm tells
				continue
			}
			if diff := cmp.Diff(sealed, plain); diff != "" {
				t.Errorf("%s: %s", typ, diff)
			}
		}
		return nil
	})
}

// CUE takes an invalid regular expression for one that nothing matches.
func TestPackIsTidy(t *testing.T) {
	files, err := fs.Glob(lcmcue.Files(), "*.cue")
	if err != nil || len(files) < 10 {
		t.Fatal(files, err)
	}
	for _, name := range files {
		data, err := fs.ReadFile(lcmcue.Files(), name)
		if err != nil {
			t.Fatal(err)
		}
		f, err := parser.ParseFile(name, data)
		if err != nil {
			t.Fatal(err)
		}
		if text, err := format.Source(data); err != nil || string(text) != string(data) {
			t.Errorf("%s is not formatted: cue fmt (%v)", name, err)
		}
		ast.Walk(f, func(n ast.Node) bool {
			if expr, ok := regex(n); ok {
				if _, err := regexp.Compile(expr); err != nil {
					t.Errorf("%s: %v", n.Pos(), err)
				}
			}
			return true
		}, nil)
	}
}

func TestMessagesQuoteNoValue(t *testing.T) {
	s := newSchema(t, nil)
	for kind, text := range full {
		doc := parse(t, text)
		for _, v := range s.Check(lcm.Kind(kind), spoil(doc)) {
			if strings.Contains(v.Message, canary) {
				t.Errorf("%s: %s", kind, v.Message)
			}
		}
	}
}

// spoil puts the canary in place of every scalar of a document.
func spoil(doc map[string]any) map[string]any {
	var walk func(v any) any
	walk = func(v any) any {
		switch v := v.(type) {
		case map[string]any:
			m := map[string]any{}
			for k, e := range v {
				m[k] = walk(e)
			}
			return m
		case []any:
			l := make([]any, len(v))
			for i, e := range v {
				l[i] = walk(e)
			}
			return l
		}
		return canary + "\n"
	}
	return walk(doc).(map[string]any)
}

// TestSigningKey: the key is one that the algorithm signs with.
func TestSigningKey(t *testing.T) {
	s := newSchema(t, nil)
	_, p256 := newCertificate(t)
	for algorithm, right := range map[string]bool{"ES256": true, "ES384": false, "RS256": false, "EdDSA": false} {
		v := s.CheckOpened("jwt-signing-key", map[string]any{"algorithm": algorithm, "private_key": p256})
		if right != (len(v) == 0) {
			t.Errorf("%s: %+v", algorithm, v)
		}
	}
	broken := "-----BEGIN PRIVATE KEY-----\n" + canary + "\n-----END PRIVATE KEY-----\n"
	if v := s.CheckOpened("jwt-signing-key", map[string]any{"algorithm": "ES256", "private_key": broken}); len(v) != 1 || strings.Contains(fmt.Sprint(v), canary) {
		t.Error(v)
	}
}
