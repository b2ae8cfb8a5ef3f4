package vault_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
)

// proxy stands between a Target and Vault. It notes the requests, and fails those that it is told to.
type proxy struct {
	*httptest.Server
	next *httputil.ReverseProxy

	mu    sync.Mutex
	seen  []string
	fault func(*http.Request) fault
	kept  []*http.Request
}

// fault is what happens to a request.
type fault int

const (
	none    fault = iota
	notDone       // the connection breaks before Vault sees the request
	done          // Vault carries it out; the connection breaks before the answer
	hung          // Vault carries it out; no answer ever comes
	sealed        // an answer 503
	twice         // Vault carries it out twice; the second answer is passed on
	late          // it is kept until deliver; no answer ever comes
)

func newProxy(t *testing.T, address string) *proxy {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{next: httputil.NewSingleHostReverseProxy(u)}
	p.next.ErrorLog = log.New(io.Discard, "", 0) // a Vault that is down is what some tests want
	p.Server = httptest.NewServer(http.HandlerFunc(p.serve))
	t.Cleanup(p.Close)
	return p
}

func (p *proxy) serve(w http.ResponseWriter, r *http.Request) {
	switch p.note(r) {
	case notDone:
		panic(http.ErrAbortHandler)
	case done:
		p.next.ServeHTTP(httptest.NewRecorder(), r)
		panic(http.ErrAbortHandler)
	case hung:
		p.next.ServeHTTP(httptest.NewRecorder(), r)
		<-r.Context().Done()
		panic(http.ErrAbortHandler)
	case late:
		body, _ := io.ReadAll(r.Body)
		kept := r.Clone(context.Background())
		kept.Body = io.NopCloser(bytes.NewReader(body))
		p.mu.Lock()
		p.kept = append(p.kept, kept)
		p.mu.Unlock()
		<-r.Context().Done()
		panic(http.ErrAbortHandler)
	case sealed:
		w.WriteHeader(http.StatusServiceUnavailable)
		fmt.Fprint(w, `{"errors":["Vault is sealed"]}`)
	case twice:
		body, _ := io.ReadAll(r.Body)
		first := r.Clone(r.Context())
		first.Body, r.Body = io.NopCloser(bytes.NewReader(body)), io.NopCloser(bytes.NewReader(body))
		p.next.ServeHTTP(httptest.NewRecorder(), first)
		p.next.ServeHTTP(w, r)
	default:
		p.next.ServeHTTP(w, r)
	}
}

// deliver sends Vault what was late.
func (p *proxy) deliver(t *testing.T) {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.kept) == 0 {
		t.Error("nothing was late")
	}
	for _, r := range p.kept {
		p.next.ServeHTTP(httptest.NewRecorder(), r)
	}
	p.kept = nil
}

func (p *proxy) note(r *http.Request) fault {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.seen = append(p.seen, r.Method+" "+r.URL.Path)
	if p.fault == nil {
		return none
	}
	return p.fault(r)
}

// do tells what happens to the requests from now on.
func (p *proxy) do(f func(*http.Request) fault) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fault, p.seen = f, nil
}

// count tells how many requests ended in suffix since do.
func (p *proxy) count(suffix string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := 0
	for _, s := range p.seen {
		if strings.HasSuffix(s, suffix) {
			n++
		}
	}
	return n
}

// writes tells which requests since do changed something.
func (p *proxy) writes() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(p.seen), func(s string) bool { return strings.HasPrefix(s, "GET ") })
}

// nth gives the fault to the n-th write, counting from 0.
func nth(n int, f fault) func(*http.Request) fault {
	return func(r *http.Request) fault {
		if r.Method == http.MethodGet {
			return none
		}
		n--
		if n == -1 {
			return f
		}
		return none
	}
}
