package vault_test

import (
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
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

// On a mount that is not what it must be nothing reads as empty, and nothing is written.
func TestWrongMount(t *testing.T) {
	s := vaulttest.Start(t)
	s.Must(t, http.MethodPost, "sys/mounts/old", map[string]any{"type": "kv", "options": map[string]any{"version": "1"}})
	for _, mount := range []string{"none", "old", "secret/data", "cubbyhole", "sys"} {
		f := &fixture{t, s, mount, open(t, vault.Config{Address: s.Address, Mount: mount, Token: s.RootToken})}
		f.expectAllFail(mount, "mount")
	}
}

// The mount is replaced while the daemon runs.
func TestMountReplaced(t *testing.T) {
	f := newFixture(t)
	f.apply(change(store.Create, "a", `{"n":1}`, ""))
	f.server.Must(t, http.MethodDelete, "sys/mounts/"+f.mount, nil)
	f.expectAllFail("no mount", "")
	f.server.Must(t, http.MethodPost, "sys/mounts/"+f.mount, map[string]any{"type": "kv", "options": map[string]any{"version": "1"}})
	f.expectAllFail("version 1", "mount")
}

func (f *fixture) expectAllFail(name, says string) {
	f.Helper()
	calls := map[string]func() error{
		"List": func() error {
			l, err := f.target.List(f.Context(), production)
			if len(l.Items) > 0 {
				f.Errorf("%s: List = %+v beside an error", name, l)
			}
			return err
		},
		"Get":    func() error { _, _, err := f.target.Get(f.Context(), production.Key("a")); return err },
		"Marker": func() error { _, err := f.target.Marker(f.Context(), production); return err },
		"Holds": func() error {
			_, err := f.target.Holds(f.Context(), production, "a", []byte(`{"n":1}`))
			return err
		},
		"Apply": func() error { return f.target.Apply(f.Context(), batch(secret("s", `{"key":"`+canary+`"}`))) },
	}
	var wg sync.WaitGroup
	for call, do := range calls {
		wg.Go(func() {
			err := do()
			if err == nil || !strings.Contains(err.Error(), says) || errors.Is(err, store.ErrNotFound) {
				f.Errorf("%s: %s = %v; want an error about the %s", name, call, err, says)
			}
			f.expectClean(err)
		})
	}
	wg.Wait()
}

// Whatever answers in the place of Vault, nothing that was sent comes back in an error, nothing reads
// as empty and nothing hangs.
func TestSomethingElseAnswers(t *testing.T) {
	t.Parallel()
	elsewhere := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("a redirect was followed, with token %q", r.Header.Get("X-Vault-Token"))
	}))
	t.Cleanup(elsewhere.Close)
	echo := func(status int, format string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			w.WriteHeader(status)
			fmt.Fprintf(w, format, string(body)+r.Header.Get("X-Vault-Token"))
		}
	}
	for name, answer := range map[string]http.HandlerFunc{
		"404 empty":        func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotFound) },
		"404 page":         echo(404, "<html>%s</html>"),
		"404 other errors": echo(404, `{"errors":[%q]}`),
		"204":              func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) },
		"200 empty":        func(http.ResponseWriter, *http.Request) {},
		"200 page":         echo(200, "<html>%s</html>"),
		"200 other data":   echo(200, `{"data":{"echo":%q}}`),
		"200 wrong types":  echo(200, `{"data":{"path":7,"keys":%q,"current_version":"x"}}`),
		"200 null":         echo(200, `{"data":null,"echo":%q}`),
		"400":              echo(400, `{"errors":[%q]}`),
		"400 raw":          echo(400, `%s`),
		"403":              echo(403, `{"errors":[%q]}`),
		"500":              echo(500, `{"errors":[%q]}`),
		"503":              echo(503, `%s`),
		"redirect": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, elsewhere.URL, http.StatusTemporaryRedirect)
		},
		"permanent": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, elsewhere.URL, http.StatusMovedPermanently)
		},
		"malformed":         raw("HTTP/1.1 %s\r\n\r\n"),
		"malformed header":  raw("HTTP/1.1 200 OK\r\nContent-Length: %s\r\n\r\n"),
		"no HTTP":           raw("%s"),
		"shorter than told": raw("HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n%s"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			// The mount is answered for, so that the odd answers meet every other request.
			mux := http.NewServeMux()
			mux.HandleFunc("/", answer)
			mux.HandleFunc("/v1/sys/internal/ui/mounts/secret", func(w http.ResponseWriter, _ *http.Request) {
				fmt.Fprint(w, `{"data":{"path":"secret/","type":"kv","options":{"version":"2"}}}`)
			})
			for _, handler := range []http.Handler{answer, mux} {
				server := httptest.NewServer(handler)
				f := &fixture{t, nil, "secret", open(t, vault.Config{Address: server.URL, Token: "hvs." + canary})}
				f.expectAllFail(name, "")
				server.Close()
			}
		})
	}
}

// raw answers with bytes that are not HTTP, and quotes the request in them.
func raw(format string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		conn, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			return
		}
		defer conn.Close()
		fmt.Fprintf(conn, format, string(body)+r.Header.Get("X-Vault-Token"))
	}
}

func TestNobodyListens(t *testing.T) {
	server := httptest.NewServer(nil)
	server.Close()
	f := &fixture{t, nil, "secret", open(t, vault.Config{Address: server.URL, Token: "hvs." + canary})}
	f.expectAllFail("refused", "connection refused")
}

func TestTimeout(t *testing.T) {
	f := newFixture(t)
	p := newProxy(t, f.server.Address)
	f.target = open(t, vault.Config{Address: p.URL, Mount: f.mount, Token: f.server.RootToken, Timeout: 20 * time.Millisecond})
	p.do(func(*http.Request) fault { return hung })
	_, err := f.target.List(t.Context(), production)
	if err == nil || !strings.Contains(err.Error(), "deadline") {
		t.Errorf("List = %v; want it to end at the time limit", err)
	}
}

func TestReadsAreTriedAgainAndWritesAreNot(t *testing.T) {
	f := newFixture(t)
	p := newProxy(t, f.server.Address)
	f.target = open(t, vault.Config{Address: p.URL, Mount: f.mount, Token: f.server.RootToken, Concurrency: 1})
	f.list()
	for _, how := range []fault{notDone, sealed} {
		failures := 2
		p.do(func(*http.Request) fault {
			if failures--; failures >= 0 {
				return how
			}
			return none
		})
		f.list()
		p.do(nth(0, how))
		f.expectClean(f.target.Apply(t.Context(), batch(secret("s", `{"key":"`+canary+`"}`))))
		if got := p.writes(); len(got) != 1 {
			t.Errorf("after a failed write: %q", got)
		}
	}
	p.do(func(*http.Request) fault { return sealed })
	if _, err := f.target.List(t.Context(), production); err == nil || !strings.Contains(err.Error(), "sealed") {
		t.Errorf("List on a sealed Vault = %v", err)
	}
	if got := p.count(""); got != 3 {
		t.Errorf("%d requests; want three tries", got)
	}
}

func TestAnswersAreBounded(t *testing.T) {
	f := newFixture(t)
	f.apply(change(store.Create, "a", `{"text":"`+strings.Repeat("x", 100_000)+`"}`, ""))
	f.target = open(t, vault.Config{Address: f.server.Address, Mount: f.mount, Token: f.server.RootToken, MaxResponseBytes: 50_000})
	if _, _, err := f.target.Get(t.Context(), production.Key("a")); err == nil || !strings.Contains(err.Error(), "limit") {
		t.Errorf("Get = %v; want it to refuse the answer", err)
	}
	f.list()
}

func TestTLS(t *testing.T) {
	f := newFixture(t)
	u, err := url.Parse(f.server.Address)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(httputil.NewSingleHostReverseProxy(u))
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	defer server.Close()
	file := filepath.Join(t.TempDir(), "ca.pem")
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	if err := os.WriteFile(file, ca, 0o600); err != nil {
		t.Fatal(err)
	}
	c := vault.Config{Address: server.URL, Mount: f.mount, Token: f.server.RootToken}
	f.target = open(t, c)
	f.expectAllFail("unknown authority", "certificate")
	c.CACertFile = file
	f.target = open(t, c)
	f.list()
	c.ServerName = "vault.acme.example"
	f.target = open(t, c)
	f.expectAllFail("another name", "certificate")
}

// The daemon's configuration alone says where Vault is and who asks.
func TestEnvironmentCountsForNothing(t *testing.T) {
	s := vaulttest.Start(t)
	for name, value := range map[string]string{
		"VAULT_ADDR": "http://127.0.0.1:1", "VAULT_AGENT_ADDR": "http://127.0.0.1:1", "VAULT_TOKEN": "nobody",
		"VAULT_NAMESPACE": "elsewhere", "VAULT_WRAP_TTL": "60s", "VAULT_HEADERS": `{"X-Odd":"1"}`, "VAULT_MAX_RETRIES": "9",
	} {
		t.Setenv(name, value)
	}
	p := newProxy(t, s.Address)
	f := &fixture{t, s, "secret", open(t, vault.Config{Address: p.URL, AppRole: vault.AppRole{RoleID: s.RoleID, SecretIDFile: s.SecretIDFile(t)}})}
	p.do(func(r *http.Request) fault {
		for _, name := range []string{"X-Odd", "X-Vault-Namespace", "X-Vault-Wrap-Ttl"} {
			if r.Header.Get(name) != "" {
				t.Errorf("%s has the header %s", r.URL.Path, name)
			}
		}
		return none
	})
	f.apply(secret("s", `{"key":"k"}`))
	f.list()

	f.target = open(t, vault.Config{Address: p.URL, Namespace: "team", Token: s.RootToken})
	p.do(func(r *http.Request) fault {
		if r.Header.Get("X-Vault-Namespace") != "team" && !strings.HasSuffix(r.URL.Path, "/revoke-self") {
			t.Errorf("%s lacks the namespace", r.URL.Path)
		}
		return none
	})
	_, _ = f.target.List(t.Context(), production) // this Vault knows no namespaces
}

func TestBadConfig(t *testing.T) {
	empty := filepath.Join(t.TempDir(), "empty.pem")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	good := vault.Config{Address: "https://vault.acme.example:8200", Token: "t"}
	open(t, good)
	for name, change := range map[string]func(*vault.Config){
		"no address":        func(c *vault.Config) { c.Address = "" },
		"no scheme":         func(c *vault.Config) { c.Address = "vault.acme.example:8200" },
		"socket":            func(c *vault.Config) { c.Address = "unix:///run/vault" },
		"plain http":        func(c *vault.Config) { c.Address = "http://vault.acme.example:8200" },
		"user in address":   func(c *vault.Config) { c.Address = "https://u:" + canary + "@vault.acme.example" },
		"query":             func(c *vault.Config) { c.Address += "?a=b" },
		"mount climbs":      func(c *vault.Config) { c.Mount = "a/../sys" },
		"mount with blanks": func(c *vault.Config) { c.Mount = "a b" },
		"mount encoded":     func(c *vault.Config) { c.Mount = "a%2fb" },
		"namespace":         func(c *vault.Config) { c.Namespace = "a\r\nX-Odd: 1" },
		"no login":          func(c *vault.Config) { c.Token = "" },
		"two logins":        func(c *vault.Config) { c.TokenFile = "/token" },
		"no role id":        func(c *vault.Config) { c.Token, c.AppRole.SecretIDFile = "", "/secret-id" },
		"AppRole mount":     func(c *vault.Config) { c.Token, c.AppRole = "", vault.AppRole{RoleID: "r", Mount: "../x"} },
		"no role":           func(c *vault.Config) { c.Token, c.JWT = "", vault.JWT{File: "/jwt"} },
		"no JWT file":       func(c *vault.Config) { c.Token, c.JWT = "", vault.JWT{Role: "r"} },
		"JWT mount":         func(c *vault.Config) { c.Token, c.JWT = "", vault.JWT{Role: "r", File: "/jwt", Mount: "../x"} },
		"no pod's role":     func(c *vault.Config) { c.Token, c.Kubernetes = "", vault.JWT{Mount: "k"} },
		"JWT and token":     func(c *vault.Config) { c.JWT = vault.JWT{Role: "r", File: "/jwt"} },
		"no CA file":        func(c *vault.Config) { c.CACertFile = empty + ".none" },
		"empty CA file":     func(c *vault.Config) { c.CACertFile = empty },
		"half a key pair":   func(c *vault.Config) { c.ClientCertFile = empty },
		"timeout":           func(c *vault.Config) { c.Timeout = -1 },
		"limit":             func(c *vault.Config) { c.MaxResponseBytes = -1 },
		"concurrency":       func(c *vault.Config) { c.Concurrency = 1000 },
	} {
		c := good
		change(&c)
		target, err := vault.New(t.Context(), c)
		if err == nil || target != nil || strings.Contains(err.Error(), canary) {
			t.Errorf("%s: %v", name, err)
		}
	}
	good.Address, good.AllowHTTP = "http://vault.acme.example:8200", true
	open(t, good)
}
