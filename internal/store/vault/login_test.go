package vault_test

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/llm-config-manager/lcm/internal/store"
	"github.com/llm-config-manager/lcm/internal/store/vault"
	"github.com/llm-config-manager/lcm/internal/store/vault/vaulttest"
)

const (
	loginPath  = "/v1/auth/approle/login"
	revokeRole = "sys/leases/revoke-prefix/auth/approle/login"
)

// appRole is a fixture that logs in by AppRole, through a proxy that counts.
func appRole(t *testing.T, o vaulttest.Options) (*fixture, *proxy) {
	s := vaulttest.StartWith(t, o)
	p := newProxy(t, s.Address)
	target := open(t, vault.Config{Address: p.URL, AppRole: vault.AppRole{RoleID: s.RoleID, SecretIDFile: s.SecretIDFile(t)}})
	return &fixture{t, s, "secret", target}, p
}

func TestAppRole(t *testing.T) {
	f, p := appRole(t, vaulttest.Options{})
	f.apply(change(store.Create, "a", `{"n":1}`, ""))
	if f.item("a").Meta != meta("a") || p.count(loginPath) != 1 {
		t.Errorf("%+v after %d logins; want one", f.item("a"), p.count(loginPath))
	}
}

func TestLogsInAgain(t *testing.T) {
	f, p := appRole(t, vaulttest.Options{})
	f.apply(change(store.Create, "a", `{"n":1}`, ""))
	f.server.Must(t, http.MethodPost, revokeRole, map[string]any{"sync": true})
	p.do(nil)
	var wg sync.WaitGroup
	for range 8 { // all of them find the token refused; one logs in for all
		wg.Go(func() {
			if _, err := f.target.List(t.Context(), production); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if got := p.count(loginPath); got != 1 {
		t.Errorf("%d logins; want one", got)
	}
	f.server.Must(t, http.MethodPost, revokeRole, map[string]any{"sync": true})
	f.apply(change(store.Update, "a", `{"n":2}`, f.item("a").Token))
}

func TestLogsInBeforeTheTokenRunsOut(t *testing.T) {
	f, p := appRole(t, vaulttest.Options{TokenTTL: 2 * time.Second})
	f.list()
	time.Sleep(1500 * time.Millisecond)
	p.do(nil)
	f.list()
	if renewed, logins := p.count("/renew-self"), p.count(loginPath); renewed != 1 || logins != 1 {
		t.Errorf("%d renewals, %d logins; want a renewal, which gives too little, and a login", renewed, logins)
	}
	time.Sleep(2500 * time.Millisecond)
	f.list()
}

func TestCloseRevokesTheToken(t *testing.T) {
	f, p := appRole(t, vaulttest.Options{})
	f.list()
	if err := f.target.Close(); err != nil {
		t.Error(err)
	}
	if p.count("/revoke-self") != 1 {
		t.Error("the token of the AppRole was not revoked")
	}
	keys, _ := f.server.Must(t, http.MethodGet, "auth/token/accessors?list=true", nil)["keys"].([]any)
	if len(keys) != 1 {
		t.Errorf("%d tokens left; want only the root token", len(keys))
	}
}

func TestWrongSecretID(t *testing.T) {
	s := vaulttest.Start(t)
	s.SecretID = canary
	f := &fixture{T: t}
	target := open(t, vault.Config{Address: s.Address, AppRole: vault.AppRole{RoleID: s.RoleID, SecretIDFile: s.SecretIDFile(t)}})
	_, err := target.List(t.Context(), production)
	f.expectClean(err)
	if !strings.Contains(err.Error(), "AppRole") {
		t.Errorf("%v: does not say what is wrong", err)
	}
}

func TestTokenFileIsReadAgain(t *testing.T) {
	s := vaulttest.Start(t)
	file := filepath.Join(t.TempDir(), "token")
	write := func(token string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(token+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("hvs." + canary)
	f := &fixture{t, s, "secret", open(t, vault.Config{Address: s.Address, TokenFile: file})}
	_, err := f.target.List(t.Context(), production)
	f.expectClean(err)
	write(s.RootToken)
	f.list()
	write("two words")
	f.list() // the token that is in use is good: the file is not looked at
	if err := f.target.Close(); err != nil {
		t.Error(err)
	}
	if status, _ := s.Do(t, http.MethodGet, "auth/token/lookup-self", nil); status != http.StatusOK {
		t.Error("Close revoked a token that was only lent")
	}
}

// What the policy forbids is an error, never an empty answer, and costs no further login.
func TestForbidden(t *testing.T) {
	for name, policy := range map[string]string{
		"nothing":     `path "secret/other" { capabilities = ["read"] }`,
		"no list":     `path "secret/data/*" { capabilities = ["read"] }  path "secret/metadata/*" { capabilities = ["read"] }`,
		"no metadata": `path "secret/data/*" { capabilities = ["read"] }  path "secret/metadata/*" { capabilities = ["list"] }`,
		"no marker":   `path "secret/metadata/*" { capabilities = ["read", "list"] }`,
	} {
		t.Run(name, func(t *testing.T) {
			f, p := appRole(t, vaulttest.Options{Policy: policy})
			f.server.Must(t, http.MethodPost, "secret/data/"+production.String()+"/a", map[string]any{"data": map[string]any{"b": 1}})
			for range 2 {
				l, err := f.target.List(t.Context(), production)
				if err == nil || len(l.Items) > 0 || !strings.Contains(err.Error(), "denied") && !strings.Contains(err.Error(), "policy") {
					t.Errorf("List = %+v, %v; want an error that speaks of permissions", l, err)
				}
			}
			if got := p.count(loginPath); got != 1 {
				t.Errorf("%d logins; want one", got)
			}
		})
	}
}

// The policy that is published allows all that is needed; TestConformance runs under it. Here: no more.
func TestPolicyDestroysNothing(t *testing.T) {
	f, p := appRole(t, vaulttest.Options{})
	f.apply(change(store.Create, "a", `{"n":1}`, ""))
	var token string
	p.do(func(r *http.Request) fault {
		token = r.Header.Get("X-Vault-Token")
		return none
	})
	f.list()
	f.server.RootToken = token
	for _, r := range []struct{ method, path string }{
		{http.MethodDelete, "secret/metadata/" + production.String() + "/a"},
		{http.MethodPost, "secret/destroy/" + production.String() + "/a"},
		{http.MethodPost, "secret/config"},
		{http.MethodGet, "sys/mounts"},
	} {
		if status, _ := f.server.Do(t, r.method, r.path, map[string]any{"versions": []int{1}}); status != http.StatusForbidden {
			t.Errorf("%s %s: %d; want it forbidden", r.method, r.path, status)
		}
	}
}
