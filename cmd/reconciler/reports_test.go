package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/llm-config-manager/lcm/internal/tracing/otlptest"
)

// audience is whom a daemon tells of itself: a collector, GitHub, and systemd.
type audience struct {
	collector otlptest.Collector

	mu       sync.Mutex // guards what follows
	statuses []string
	systemd  []string
}

// ofScript stands for the test, where what listens is closed when a script ends.
type ofScript struct {
	testing.TB
	ts *testscript.TestScript
}

func (o ofScript) Cleanup(f func())  { o.ts.Defer(f) }
func (o ofScript) Fatal(args ...any) { o.ts.Fatalf("%s", fmt.Sprint(args...)) }
func (o ofScript) Helper()           {}

// audience FILE: opens a collector, a GitHub and a systemd, replaces COLLECTOR and GITHUB in a file by their URLs, and sets
// $NOTIFY_SOCKET.
func cmdAudience(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: audience FILE")
	}
	a := &audience{}
	github := httptest.NewServer(http.HandlerFunc(a.github))
	ts.Defer(github.Close)
	socket := filepath.Join(ts.MkAbs("."), "notify")
	l, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
	ts.Check(err)
	ts.Defer(func() { l.Close() })
	go a.listen(l)
	ts.Setenv("NOTIFY_SOCKET", socket)
	ts.Setenv("WATCHDOG_USEC", "300000")
	audiences.Store(ts.Name(), a)
	r := strings.NewReplacer("COLLECTOR", a.collector.HTTP(ofScript{ts: ts}), "GITHUB", github.URL)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(r.Replace(ts.ReadFile(args[0]))), 0o644))
}

// audiences are those of the scripts, by name.
var audiences sync.Map

func (a *audience) note(to *[]string, text string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	*to = append(*to, text)
}

// github takes commit statuses: docs.github.com/rest/commits/statuses.
func (a *audience) github(w http.ResponseWriter, r *http.Request) {
	var body struct{ State, Description, Context string }
	data, err := io.ReadAll(r.Body)
	rev, ok := strings.CutPrefix(r.URL.Path, "/repos/acme/config/statuses/")
	if err != nil || json.Unmarshal(data, &body) != nil || !ok || r.Method != http.MethodPost || r.Header.Get("Authorization") != "Bearer canary-of-github" {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	a.note(&a.statuses, fmt.Sprintf("%s %s %s %s", rev, body.Context, body.State, body.Description))
	w.WriteHeader(http.StatusCreated)
	fmt.Fprint(w, `{"id":1}`)
}

func (a *audience) listen(l *net.UnixConn) {
	buffer := make([]byte, 4096)
	for {
		n, err := l.Read(buffer)
		if err != nil {
			return
		}
		a.note(&a.systemd, string(buffer[:n]))
	}
}

// told writes what the audience was told.
func (a *audience) told(what string) string {
	if what == "spans" {
		var out []string
		for _, s := range a.collector.Spans() {
			out = append(out, fmt.Sprintf("%s %s failed=%t %s %s", s.Name, s.Attribute("lcm.result"), s.Failed(), s.Attribute("lcm.revision"), s.Authorization))
		}
		return strings.Join(out, "\n")
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return strings.Join(map[string][]string{"statuses": a.statuses, "systemd": a.systemd}[what], "\n")
}

// told spans|statuses|systemd TEXT…: waits until the audience was told all the texts, for half a minute at most. What it was told is
// in the file "told".
func cmdTold(ts *testscript.TestScript, neg bool, args []string) {
	a, ok := audiences.Load(ts.Name())
	if neg || len(args) < 2 || !ok {
		ts.Fatalf("usage: told spans|statuses|systemd TEXT..., after audience")
	}
	text := ""
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if text = a.(*audience).told(args[0]); containsAll(text, args[1:]) {
			ts.Check(os.WriteFile(ts.MkAbs("told"), []byte(text), 0o644))
			return
		}
	}
	ts.Fatalf("%q was not told of %s, but\n%s", args[1:], args[0], text)
}
