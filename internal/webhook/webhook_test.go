package webhook

import (
	"bufio"
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is a server that hears for two repositories.
type world struct {
	*testing.T
	url          string
	server       *Server
	gitHub       string // the file of its secrets
	generic      string
	first, other atomic.Int32 // how often they were poked
}

const (
	secret = "a secret of the hook"
	token  = "0123456789abcdef-token"
)

func newWorld(t *testing.T, change func(*Config)) *world {
	t.Helper()
	dir := t.TempDir()
	w := &world{T: t, gitHub: filepath.Join(dir, "github"), generic: filepath.Join(dir, "generic")}
	w.write(w.gitHub, strings.ReplaceAll(secret, " ", "-")+"\n")
	w.write(w.generic, token+"\n")
	cfg := Config{GitHub: w.gitHub, Generic: w.generic, MaxBody: 4096, RatePerMinute: 100, Repositories: []Repository{
		{Name: "acme-config", Forge: []string{"Acme/config"}, Branch: "main", Poke: func() { w.first.Add(1) }},
		{Name: "other", Forge: []string{"git/other", "acme/other"}, Branch: "release/1", Poke: func() { w.other.Add(1) }},
	}}
	if change != nil {
		change(&cfg)
	}
	var err error
	w.server, err = New(cfg)
	w.check(err)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	w.check(err)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- w.server.Serve(ctx, l) }()
	t.Cleanup(func() {
		http.DefaultClient.CloseIdleConnections()
		cancel()
		w.check(<-done)
	})
	w.url = "http://" + l.Addr().String()
	return w
}

func (w *world) check(err error) {
	if err != nil {
		w.Helper()
		w.Fatal(err)
	}
}

func (w *world) write(file, text string) { w.check(os.WriteFile(file, []byte(text), 0o600)) }

func sign(secret, body string) string {
	mac := hmac.New(sha256.New, []byte(strings.ReplaceAll(secret, " ", "-")))
	mac.Write([]byte(body))
	return "sha256=" + hex.EncodeToString(mac.Sum(nil))
}

// delivery is a push as GitHub sends it, cut to a few fields.
func delivery(repository, ref string) string {
	return fmt.Sprintf(`{"ref":%q,"before":"6113728f27ae82c7b1a177c8d03f9e96e0adf246","after":"59b20b8d5c6ff8d09518454d4dd8b7b30f095ab5","created":false,"deleted":false,`+
		`"commits":[],"repository":{"id":186853002,"full_name":%q,"clone_url":"https://github.com/%s.git"}}`, ref, repository, repository)
}

// send sends a request with headers as "Name: value", and returns the answer's status.
func (w *world) send(method, path, body string, headers ...string) *http.Response {
	w.Helper()
	req, err := http.NewRequestWithContext(w.Context(), method, w.url+path, strings.NewReader(body))
	w.check(err)
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		req.Header.Add(name, value)
	}
	resp, err := http.DefaultClient.Do(req)
	w.check(err)
	text, err := io.ReadAll(resp.Body)
	w.check(err)
	w.check(resp.Body.Close())
	if strings.Contains(string(text), "secret-of") || strings.Contains(string(text), token) {
		w.Errorf("the answer tells a secret: %s", text)
	}
	return resp
}

func TestDeliveries(t *testing.T) {
	push := delivery("acme/CONFIG", "refs/heads/main")
	form := "payload=" + url.QueryEscape(push)
	big := `{"ref":"` + strings.Repeat("x", 4096) + `"}`
	const event, json = "X-GitHub-Event: push", "Content-Type: application/json"
	signature := func(body string) string { return "X-Hub-Signature-256: " + sign(secret, body) }
	bearer := "Authorization: Bearer " + token
	for name, c := range map[string]struct {
		method, path, body string
		headers            []string
		status             int
		result             Result
		first, other       int32
	}{
		"a push":                       {"POST", "/webhook/github", push, []string{event, json, signature(push)}, 202, Accepted, 1, 0},
		"a push as a form":             {"POST", "/webhook/github", form, []string{event, "Content-Type: application/x-www-form-urlencoded", signature(form)}, 202, Accepted, 1, 0},
		"a ping":                       {"POST", "/webhook/github", "{}", []string{"X-GitHub-Event: ping", json, signature("{}")}, 200, Ping, 0, 0},
		"another event":                {"POST", "/webhook/github", "{}", []string{"X-GitHub-Event: star", json, signature("{}")}, 204, Ignored, 0, 0},
		"another branch":               signedPush("acme/config", "refs/heads/feature/main", 204, Ignored, 0, 0),
		"a branch with a slash":        signedPush("acme/other", "refs/heads/release/1", 202, Accepted, 0, 1),
		"a second name":                signedPush("git/other", "refs/heads/release/1", 202, Accepted, 0, 1),
		"a tag":                        signedPush("acme/config", "refs/tags/main", 204, Ignored, 0, 0),
		"another repository":           signedPush("evil/config", "refs/heads/main", 204, Ignored, 0, 0),
		"no repository":                signedPush("", "refs/heads/main", 400, Malformed, 0, 0),
		"no ref":                       signedPush("acme/config", "main", 400, Malformed, 0, 0),
		"no signature":                 {"POST", "/webhook/github", push, []string{event, json}, 401, Denied, 0, 0},
		"a wrong secret":               {"POST", "/webhook/github", push, []string{event, json, "X-Hub-Signature-256: " + sign("another secret", push)}, 401, Denied, 0, 0},
		"of another body":              {"POST", "/webhook/github", push + " ", []string{event, json, signature(push)}, 401, Denied, 0, 0},
		"an empty signature":           {"POST", "/webhook/github", push, []string{event, json, "X-Hub-Signature-256: sha256="}, 401, Denied, 0, 0},
		"a signature without a scheme": {"POST", "/webhook/github", push, []string{event, json, "X-Hub-Signature-256: " + sign(secret, push)[7:]}, 401, Denied, 0, 0},
		"a signature cut short":        {"POST", "/webhook/github", push, []string{event, json, signature(push)[:60]}, 401, Denied, 0, 0},
		"two signatures":               {"POST", "/webhook/github", push, []string{event, json, signature(push), signature(push + "x")}, 401, Denied, 0, 0},
		"SHA-1 alone":                  {"POST", "/webhook/github", push, []string{event, json, "X-Hub-Signature: sha1=7d38cdd689735b008b3c702edd92eea23791c5f6"}, 401, Denied, 0, 0},
		"the other door's token":       {"POST", "/webhook/github", push, []string{event, json, bearer}, 401, Denied, 0, 0},
		"signed junk":                  {"POST", "/webhook/github", "{]", []string{event, json, signature("{]")}, 400, Malformed, 0, 0},
		"signed nothing":               {"POST", "/webhook/github", "", []string{event, json, signature("")}, 400, Malformed, 0, 0},
		"a signed form of junk":        {"POST", "/webhook/github", "payload=%zz", []string{event, "Content-Type: application/x-www-form-urlencoded", signature("payload=%zz")}, 400, Malformed, 0, 0},
		"no event":                     {"POST", "/webhook/github", push, []string{json, signature(push)}, 400, Malformed, 0, 0},
		"oversized":                    {"POST", "/webhook/github", big, []string{event, json, signature(big)}, 413, Oversized, 0, 0},
		"GET":                          {"GET", "/webhook/github", "", nil, 405, Method, 0, 0},
		"PUT":                          {"PUT", "/webhook/generic", "", []string{bearer}, 405, Method, 0, 0},
		"another path":                 {"POST", "/webhook/gitlab", push, []string{event, json, signature(push)}, 404, "", 0, 0},
		"the root":                     {"POST", "/", push, []string{event, json, signature(push)}, 404, "", 0, 0},

		"for all":                     {"POST", "/webhook/generic", " ", []string{bearer}, 202, Accepted, 1, 1},
		"for one":                     {"POST", "/webhook/generic", `{"repository": "other"}`, []string{bearer}, 202, Accepted, 0, 1},
		"for a branch":                {"POST", "/webhook/generic", `{"branch": "main"}`, []string{bearer}, 202, Accepted, 1, 0},
		"for another branch":          {"POST", "/webhook/generic", `{"repository": "other", "branch": "main"}`, []string{bearer}, 204, Ignored, 0, 0},
		"for nobody":                  {"POST", "/webhook/generic", `{"repository": "acme"}`, []string{bearer}, 204, Ignored, 0, 0},
		"bearer in small letters":     {"POST", "/webhook/generic", "", []string{"Authorization: bearer " + token}, 202, Accepted, 1, 1},
		"no token":                    {"POST", "/webhook/generic", "", nil, 401, Denied, 0, 0},
		"a wrong token":               {"POST", "/webhook/generic", "", []string{bearer + "x"}, 401, Denied, 0, 0},
		"part of a token":             {"POST", "/webhook/generic", "", []string{"Authorization: Bearer " + token[:16]}, 401, Denied, 0, 0},
		"no bearer":                   {"POST", "/webhook/generic", "", []string{"Authorization: Basic " + token}, 401, Denied, 0, 0},
		"two tokens":                  {"POST", "/webhook/generic", "", []string{bearer, bearer}, 401, Denied, 0, 0},
		"the other door's signature":  {"POST", "/webhook/generic", push, []string{event, json, signature(push)}, 401, Denied, 0, 0},
		"an unknown field":            {"POST", "/webhook/generic", `{"repo": "other"}`, []string{bearer}, 400, Malformed, 0, 0},
		"more than one":               {"POST", "/webhook/generic", `{} {}`, []string{bearer}, 400, Malformed, 0, 0},
		"no JSON":                     {"POST", "/webhook/generic", "other", []string{bearer}, 400, Malformed, 0, 0},
		"oversized with a good token": {"POST", "/webhook/generic", big, []string{bearer}, 413, Oversized, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, nil)
			resp := w.send(c.method, c.path, c.body, c.headers...)
			if resp.StatusCode != c.status || c.status == 405 && resp.Header.Get("Allow") != "POST" {
				t.Errorf("%s %v, want %d", resp.Status, resp.Header, c.status)
			}
			if w.first.Load() != c.first || w.other.Load() != c.other {
				t.Errorf("poked %d and %d times, want %d and %d", w.first.Load(), w.other.Load(), c.first, c.other)
			}
			for r, n := range w.server.Counts() {
				if want := r == string(c.result); want != (n == 1) || n > 1 {
					t.Errorf("counted %d %s", n, r)
				}
			}
		})
	}
}

func signedPush(repository, ref string, status int, result Result, first, other int32) struct {
	method, path, body string
	headers            []string
	status             int
	result             Result
	first, other       int32
} {
	body := delivery(repository, ref)
	return struct {
		method, path, body string
		headers            []string
		status             int
		result             Result
		first, other       int32
	}{"POST", "/webhook/github", body, []string{"X-GitHub-Event: push", "Content-Type: application/json", "X-Hub-Signature-256: " + sign(secret, body)}, status, result, first, other}
}

// TestSecretsAreChanged: while a secret is changed, the old and the new count, and then the new alone; nobody restarts anything.
func TestSecretsAreChanged(t *testing.T) {
	w := newWorld(t, nil)
	status := func(secret string) int {
		body := delivery("acme/config", "refs/heads/main")
		return w.send("POST", "/webhook/github", body, "X-GitHub-Event: push", "X-Hub-Signature-256: "+sign(secret, body)).StatusCode
	}
	const fresh = "quite another secret"
	lines := strings.ReplaceAll(secret+"\n"+fresh+"\n", " ", "-")
	for _, step := range []struct {
		file     string
		old, new int
	}{
		{"", 503, 503},
		{"short", 503, 503},
		{lines, 202, 202},
		{strings.ReplaceAll(fresh, " ", "-"), 401, 202},
	} {
		w.write(w.gitHub, step.file)
		if old, fresh := status(secret), status(fresh); old != step.old || fresh != step.new {
			t.Errorf("with %q: %d and %d", step.file, old, fresh)
		}
	}
	w.check(os.Remove(w.gitHub))
	if got := status(secret); got != 503 {
		t.Error("without a file:", got)
	}
}

// TestReplayed: the same delivery again does no more than the first.
func TestReplayed(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.RatePerMinute = 5 })
	body := delivery("acme/config", "refs/heads/main")
	for i := range 8 {
		resp := w.send("POST", "/webhook/github", body, "X-GitHub-Event: push", "X-GitHub-Delivery: 72d3162e-cc78-11e3-81ab-4c9367dc0958", "X-Hub-Signature-256: "+sign(secret, body))
		want := 202
		if i >= 5 {
			want = 429
		}
		if resp.StatusCode != want || want == 429 && resp.Header.Get("Retry-After") != "12" {
			t.Errorf("delivery %d: %s %v", i, resp.Status, resp.Header)
		}
	}
	if n := w.first.Load(); n != 5 {
		t.Errorf("poked %d times", n)
	}
}

// TestWrongOnesAreTurnedAway: who sends wrong ones is not listened to for a while, and takes nobody else's place.
func TestWrongOnesAreTurnedAway(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.RatePerMinute = 5 })
	for i := range 8 {
		want := 401
		if i >= 5 {
			want = 429
		}
		if resp := w.send("POST", "/webhook/generic", "", "Authorization: Bearer wrong"); resp.StatusCode != want {
			t.Errorf("delivery %d: %s", i, resp.Status)
		}
	}
	if w.server.wrong.exhausted(source("192.0.2.1:80")) || !w.server.taken.take() {
		t.Error("others are turned away as well")
	}
}

func TestSource(t *testing.T) {
	for a, same := range map[string]string{"192.0.2.1:1": "192.0.2.1:2", "[2001:db8::1]:1": "[2001:db8::ffff:1]:2", "[::ffff:192.0.2.1]:1": "192.0.2.1:1", "[fe80::1%eth0]:1": "[fe80::2%eth1]:1", "junk": "more junk"} {
		if source(a) != source(same) {
			t.Errorf("%s and %s: %v, %v", a, same, source(a), source(same))
		}
	}
	if source("192.0.2.1:1") == source("192.0.2.2:1") || source("[2001:db8::1]:1") == source("[2001:db8:1::1]:1") {
		t.Error("two are one")
	}
	l := newLimits(1)
	for i := range 3 * maxSources {
		l.take(source(fmt.Sprintf("10.%d.%d.%d:1", i>>16, i>>8&255, i&255)))
	}
	if len(l.of) > maxSources {
		t.Errorf("%d sources are remembered", len(l.of))
	}
}

// TestSlow: who sends a header or a body slower than in time is cut off, and keeps nobody else out.
func TestSlow(t *testing.T) {
	if testing.Short() {
		t.Skip("takes as long as the limits")
	}
	w := newWorld(t, nil)
	at := strings.TrimPrefix(w.url, "http://")
	slow := map[string]string{"a header": "POST /webhook/github HTTP/1.1\r\nHost: x\r\nX-A", "a body": "POST /webhook/github HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{"}
	for name, text := range slow {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			conn, err := net.Dial("tcp", at)
			w.check(err)
			defer conn.Close()
			_, err = io.WriteString(conn, text)
			w.check(err)
			w.check(conn.SetReadDeadline(time.Now().Add(time.Minute)))
			if _, err := io.Copy(io.Discard, conn); err != nil {
				t.Error("it was never cut off:", err)
			}
		})
	}
}

func TestLongHeader(t *testing.T) {
	w := newWorld(t, nil)
	conn, err := net.Dial("tcp", strings.TrimPrefix(w.url, "http://"))
	w.check(err)
	defer conn.Close()
	_, err = io.WriteString(conn, "POST /webhook/github HTTP/1.1\r\nHost: x\r\nX-Long: "+strings.Repeat("x", maxHeader+5<<10))
	w.check(err)
	if line, err := bufio.NewReader(conn).ReadString('\n'); err != nil || !strings.Contains(line, "431") {
		t.Error(line, err)
	}
}

// TestManyConnections: those over the limit wait, and are answered once others are gone.
func TestManyConnections(t *testing.T) {
	w := newWorld(t, nil)
	at := strings.TrimPrefix(w.url, "http://")
	var open []net.Conn
	for range maxConnections {
		conn, err := net.Dial("tcp", at)
		w.check(err)
		defer conn.Close()
		open = append(open, conn)
		_, err = io.WriteString(conn, "GET /webhook/github HTTP/1.1\r\nHost: x\r\n\r\n")
		w.check(err)
		line, err := bufio.NewReader(conn).ReadString('\n')
		if err != nil || !strings.Contains(line, "405") {
			t.Fatal(line, err)
		}
	}
	late, err := net.Dial("tcp", at)
	w.check(err)
	defer late.Close()
	_, err = io.WriteString(late, "GET /webhook/github HTTP/1.1\r\nHost: x\r\n\r\n")
	w.check(err)
	w.check(late.SetReadDeadline(time.Now().Add(300 * time.Millisecond)))
	if n, err := late.Read(make([]byte, 1)); n != 0 || err == nil {
		t.Error("one more than the limit was answered")
	}
	w.check(open[0].Close())
	w.check(late.SetReadDeadline(time.Now().Add(10 * time.Second)))
	if _, err := late.Read(make([]byte, 1)); err != nil {
		t.Error("it was never answered:", err)
	}
}

func TestWrongFiles(t *testing.T) {
	dir := t.TempDir()
	short, long := filepath.Join(dir, "short"), filepath.Join(dir, "long")
	for file, text := range map[string]string{short: "0123456789abcde", long: strings.Repeat("0123456789abcdef\n", 1000)} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, file := range []string{short, long, filepath.Join(dir, "none")} {
		for _, cfg := range []Config{{GitHub: file}, {Generic: file}, {TLS: &TLS{CertFile: file, KeyFile: file}}} {
			if _, err := New(cfg); err == nil || bytes.Contains([]byte(err.Error()), []byte("0123")) {
				t.Errorf("%+v: %v", cfg, err)
			}
		}
	}
}
