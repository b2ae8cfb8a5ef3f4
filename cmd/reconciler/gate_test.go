package main

import (
	"encoding/json"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"
)

// gate stands between the reconciler and Vault. It counts what passes and can stop it.
type gate struct {
	*httptest.Server
	next *httputil.ReverseProxy

	passing sync.RWMutex // held for reading by each request
	mu      sync.Mutex
	guard   guard // nil: forward
	writes  int
}

// guard decides what becomes of a request; forward passes it on to Vault, and the answer back.
type guard func(w http.ResponseWriter, r *http.Request, forward func())

// newGate opens a gate before a Vault. It is closed by whoever made it.
func newGate(address string) (*gate, error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, err
	}
	g := &gate{next: httputil.NewSingleHostReverseProxy(u)}
	g.next.ErrorLog = log.New(io.Discard, "", 0) // a client that is killed is no news here
	g.Server = httptest.NewServer(g)
	return g, nil
}

func startGate(t *testing.T, address string) *gate {
	t.Helper()
	g, err := newGate(address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(g.Close)
	return g
}

func (g *gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	g.passing.RLock()
	defer g.passing.RUnlock()
	g.mu.Lock()
	stop := g.guard
	if isWrite(r) {
		g.writes++
	}
	g.mu.Unlock()
	forward := func() { g.next.ServeHTTP(w, r) }
	if stop == nil {
		forward()
		return
	}
	stop(w, r, forward)
}

// isWrite reports whether a request may change what a KV engine holds. A login changes nothing there.
func isWrite(r *http.Request) bool {
	return r.Method != http.MethodGet && r.Method != http.MethodHead && r.Method != "LIST" && !strings.HasPrefix(r.URL.Path, "/v1/auth/")
}

// set says what happens to requests from now on.
func (g *gate) set(to guard) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.guard = to
}

// settle waits for the requests that are under way, which the death of their sender does not end.
func (g *gate) settle() {
	g.passing.Lock()
	defer g.passing.Unlock()
}

// count returns how many requests since the last count were to change something.
func (g *gate) count() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	n := g.writes
	g.writes = 0
	return n
}

// The ways in which a Vault does not do what it is asked.

func unreachable(http.ResponseWriter, *http.Request, func()) { panic(http.ErrAbortHandler) }

func sealedVault(w http.ResponseWriter, _ *http.Request, _ func()) {
	http.Error(w, `{"errors":["Vault is sealed"]}`, http.StatusServiceUnavailable)
}

// echoing answers whatever carries a value with a status and with what was sent, as careless middle boxes do.
func echoing(status int) guard {
	return func(w http.ResponseWriter, r *http.Request, forward func()) {
		if !isWrite(r) || !strings.Contains(r.URL.Path, "/data/") || strings.HasSuffix(r.URL.Path, "/.lcm/revision") {
			forward()
			return
		}
		body, _ := io.ReadAll(r.Body)
		answer, _ := json.Marshal(map[string]any{"errors": []string{"refused: " + string(body)}, "data": json.RawMessage(body)})
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = w.Write(answer)
	}
}
