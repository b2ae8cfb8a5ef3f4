package vault_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/llm-config-manager/lcm/internal/store"
	"github.com/llm-config-manager/lcm/internal/store/vault"
	"github.com/llm-config-manager/lcm/internal/store/vault/vaulttest"
)

// issuer signs tokens, as an OpenID provider or a cluster does.
type issuer struct{ key *ecdsa.PrivateKey }

func newIssuer(t *testing.T) issuer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return issuer{key}
}

func (i issuer) publicKey(t *testing.T) string {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(&i.key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

// token is a JWT by RFC 7519, signed with ES256 by RFC 7518.
func (i issuer) token(t *testing.T, claims map[string]any) string {
	t.Helper()
	now := time.Now()
	claims["iat"], claims["nbf"], claims["exp"] = now.Unix(), now.Add(-time.Minute).Unix(), now.Add(time.Hour).Unix()
	var parts []string
	for _, part := range []any{map[string]any{"alg": "ES256", "typ": "JWT"}, claims} {
		text, err := json.Marshal(part)
		if err != nil {
			t.Fatal(err)
		}
		parts = append(parts, base64.RawURLEncoding.EncodeToString(text))
	}
	digest := sha256.Sum256([]byte(strings.Join(parts, ".")))
	r, s, err := ecdsa.Sign(rand.Reader, i.key, digest[:])
	if err != nil {
		t.Fatal(err)
	}
	signature := make([]byte, 64)
	r.FillBytes(signature[:32])
	s.FillBytes(signature[32:])
	return strings.Join(append(parts, base64.RawURLEncoding.EncodeToString(signature)), ".")
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
}

// A login by JWT at a real Vault, renewed and repeated; the file is read anew each time.
func TestJWT(t *testing.T) {
	s, i := vaulttest.Start(t), newIssuer(t)
	s.Must(t, http.MethodPost, "sys/auth/ci", map[string]any{"type": "jwt"})
	s.Must(t, http.MethodPost, "auth/ci/config", map[string]any{"jwt_validation_pubkeys": []string{i.publicKey(t)}})
	s.Must(t, http.MethodPost, "auth/ci/role/lcm", map[string]any{"role_type": "jwt", "user_claim": "sub",
		"bound_audiences": []string{"vault"}, "bound_subject": "reconciler", "token_policies": "reconciler", "token_ttl": "20s"})
	file := filepath.Join(t.TempDir(), "jwt")
	claims := func(subject string) map[string]any { return map[string]any{"sub": subject, "aud": "vault"} }
	write(t, file, i.token(t, claims("reconciler")))
	testJWT(t, s, vault.Config{JWT: vault.JWT{Mount: "ci", Role: "lcm", File: file}}, "JWT", "ci", func() {
		write(t, file, i.token(t, claims("somebody else")))
	})
}

// testJWT logs in, does all that a target does, logs in again once the token is revoked, and is refused after spoil.
func testJWT(t *testing.T, s *vaulttest.Server, c vault.Config, name, mount string, spoil func()) {
	p := newProxy(t, s.Address)
	c.Address = p.URL
	f := &fixture{t, s, "secret", open(t, c)}
	login := "/v1/auth/" + mount + "/login"
	f.apply(secret("a", `{"key":"`+canary+`"}`))
	if f.item("a").Token == "" || p.count(login) != 1 {
		t.Errorf("%+v after %d logins; want one", f.item("a"), p.count(login))
	}
	revoke := func() {
		s.Must(t, http.MethodPost, "sys/leases/revoke-prefix/auth/"+mount+"/login", map[string]any{"sync": true})
	}
	revoke()
	f.apply(store.Change{Action: store.Delete, Key: "a", If: f.item("a").Token})
	if p.count(login) != 2 {
		t.Errorf("%d logins; want a second one after the token was revoked", p.count(login))
	}
	revoke()
	spoil()
	_, err := f.target.List(t.Context(), production)
	f.expectClean(err)
	if !strings.Contains(err.Error(), name+" login refused") {
		t.Errorf("%v: does not say what is wrong", err)
	}
}

// TestRenewsJWT has a token live for as long as a renewal is worth having.
func TestRenewsJWT(t *testing.T) {
	s, i := vaulttest.Start(t), newIssuer(t)
	s.Must(t, http.MethodPost, "sys/auth/jwt", map[string]any{"type": "jwt"})
	s.Must(t, http.MethodPost, "auth/jwt/config", map[string]any{"jwt_validation_pubkeys": []string{i.publicKey(t)}})
	s.Must(t, http.MethodPost, "auth/jwt/role/lcm", map[string]any{"role_type": "jwt", "user_claim": "sub",
		"bound_audiences": []string{"vault"}, "token_policies": "reconciler", "token_ttl": "12s", "token_max_ttl": "1h"})
	file := filepath.Join(t.TempDir(), "jwt")
	write(t, file, i.token(t, map[string]any{"sub": "reconciler", "aud": "vault"}))
	p := newProxy(t, s.Address)
	f := &fixture{t, s, "secret", open(t, vault.Config{Address: p.URL, JWT: vault.JWT{Role: "lcm", File: file}})}
	f.list()
	write(t, file, canary) // a login would fail now
	for end := time.Now().Add(14 * time.Second); time.Now().Before(end); time.Sleep(500 * time.Millisecond) {
		f.list()
	}
	if p.count("/renew-self") == 0 || p.count("/v1/auth/jwt/login") != 1 {
		t.Errorf("%d renewals, %d logins; want renewals alone", p.count("/renew-self"), p.count("/v1/auth/jwt/login"))
	}
}

// A login as a pod at a real Vault, which asks a cluster whose the token is. The cluster is a server that speaks the
// TokenReview API as documented: https://kubernetes.io/docs/reference/kubernetes-api/authentication-resources/token-review-v1/
func TestKubernetes(t *testing.T) {
	s, i := vaulttest.Start(t), newIssuer(t)
	var known atomic.Bool
	known.Store(true)
	pod := i.token(t, map[string]any{
		"iss": "https://kubernetes.default.svc.cluster.local", "sub": "system:serviceaccount:lcm:reconciler", "aud": []string{"vault"},
		"kubernetes.io": map[string]any{"namespace": "lcm", "serviceaccount": map[string]any{"name": "reconciler", "uid": "d77f89bc-9055-11e7-a068-0800276d99bf"}},
	})
	cluster := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var review struct{ Spec struct{ Token string } }
		if r.Method != http.MethodPost || r.URL.Path != "/apis/authentication.k8s.io/v1/tokenreviews" || r.Header.Get("Authorization") == "" ||
			json.NewDecoder(r.Body).Decode(&review) != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		status := map[string]any{"authenticated": false, "error": "the token is not known"}
		if known.Load() && review.Spec.Token == pod {
			status = map[string]any{"authenticated": true, "audiences": []string{"vault"}, "user": map[string]any{
				"username": "system:serviceaccount:lcm:reconciler", "uid": "d77f89bc-9055-11e7-a068-0800276d99bf",
				"groups": []string{"system:serviceaccounts", "system:serviceaccounts:lcm", "system:authenticated"},
			}}
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusCreated)
		_ = json.NewEncoder(w).Encode(map[string]any{"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "status": status})
	}))
	t.Cleanup(cluster.Close)
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cluster.Certificate().Raw})
	s.Must(t, http.MethodPost, "sys/auth/kubernetes", map[string]any{"type": "kubernetes"})
	s.Must(t, http.MethodPost, "auth/kubernetes/config", map[string]any{"kubernetes_host": cluster.URL, "kubernetes_ca_cert": string(ca),
		"token_reviewer_jwt": i.token(t, map[string]any{"sub": "system:serviceaccount:vault:vault"}), "disable_local_ca_jwt": true})
	s.Must(t, http.MethodPost, "auth/kubernetes/role/lcm", map[string]any{"bound_service_account_names": "reconciler",
		"bound_service_account_namespaces": "lcm", "audience": "vault", "token_policies": "reconciler"})
	file := filepath.Join(t.TempDir(), "token")
	write(t, file, pod)
	testJWT(t, s, vault.Config{Kubernetes: vault.JWT{Role: "lcm", File: file}}, "Kubernetes", "kubernetes", func() { known.Store(false) })
}
