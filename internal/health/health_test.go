package health

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/reconcile"
	"github.com/llm-config-manager/lcm/internal/state"
	"github.com/llm-config-manager/lcm/internal/store"
	"github.com/llm-config-manager/lcm/internal/trust"
)

func good() *reconcile.Status {
	at, age := time.Date(2026, 1, 2, 3, 4, 5, 500_000_000, time.UTC), 12.5
	return &reconcile.Status{Schema: reconcile.StatusSchema, Repository: "acme-config", Branch: "main", Accepted: &reconcile.Accepted{Revision: "abc", Since: at},
		Held: []reconcile.StatusHeld{{Namespace: lcm.Service{Org: "a", Project: "b", Name: "c"}.In("d")}}, Fetch: reconcile.StatusFetch{At: &at, Age: &age},
		Heartbeat: &reconcile.StatusBeat{At: &at, Age: &age}, Ready: true, NotReady: []string{},
		Waiting: []reconcile.Waiting{{Namespace: lcm.Service{Org: "a", Project: "b", Name: "c"}.In("d"), Pause: &reconcile.Pause{}}}, Suspensions: make([]state.Suspension, 2), Replica: &reconcile.StatusReplica{Role: reconcile.Leader, Term: 5},
		Failures: 7, Failed: []reconcile.StatusFailed{{Namespace: lcm.Service{Org: "a", Project: "b", Name: "c"}.In("d"), Targets: []string{"runtime"}}}, Targets: []reconcile.StatusTarget{{Target: "runtime", Down: true}, {Target: "secrets"}}}
}

func newServer(t *testing.T, status func() (*reconcile.Status, error)) *Server {
	t.Helper()
	active := func() (map[reconcile.Area]int, error) {
		return map[reconcile.Area]int{{Project: reconcile.Project{Org: "acme", Name: "other"}, Environment: "production"}: 7}, nil
	}
	return New(Config{Repositories: []Repository{{"acme-config", status, active, func() time.Duration { return 3 * time.Second }}}, Log: slog.New(slog.DiscardHandler), Measures: NewMeasures("acme-config"), Version: "1.2.3"})
}

// serve answers at an address until the test ends.
func serve(t *testing.T, s *Server) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx, l) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error("serving:", err)
		}
	})
	return l.Addr().String()
}

func get(t *testing.T, address, path string) (int, string) {
	t.Helper()
	resp, err := http.Get("http://" + address + path)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

func TestAnswers(t *testing.T) {
	stale := good()
	stale.Ready, stale.NotReady, stale.Heartbeat.Stale = false, []string{"it withholds commits"}, true
	for name, c := range map[string]struct {
		status *reconcile.Status
		err    error
		code   int
		ready  string
	}{
		"good":     {good(), nil, 200, `{"ready":true,"reasons":[]}`},
		"stale":    {stale, nil, 503, `{"ready":false,"reasons":["it withholds commits"]}`},
		"no state": {nil, errors.New("tampered"), 503, `{"ready":false,"reasons":["the state cannot be read: tampered"]}`},
	} {
		t.Run(name, func(t *testing.T) {
			at := serve(t, newServer(t, func() (*reconcile.Status, error) { return c.status, c.err }))
			if code, body := get(t, at, "/health/live"); code != 200 || strings.TrimSpace(body) != `{"live":true}` {
				t.Error(code, body)
			}
			if code, body := get(t, at, "/health/ready"); code != c.code || strings.TrimSpace(body) != c.ready {
				t.Error(code, body)
			}
			got, err := Ask(t.Context(), at, "acme-config")
			if c.err != nil {
				if err == nil || !strings.Contains(err.Error(), "it has no status: tampered") {
					t.Error(err)
				}
				return
			}
			if err != nil || !slices.Equal(got.NotReady, c.status.NotReady) || got.Held[0].Namespace != c.status.Held[0].Namespace {
				t.Errorf("%+v, %v", got, err)
			}
		})
	}
}

func TestMetrics(t *testing.T) {
	var status atomic.Pointer[reconcile.Status]
	status.Store(good())
	s := newServer(t, func() (*reconcile.Status, error) {
		if s := status.Load(); s != nil {
			return s, nil
		}
		return nil, errors.New("gone")
	})
	at := serve(t, s)
	acme := reconcile.Project{Org: "acme", Name: "shop"}
	s.measures.Passed("acme-config", &reconcile.Report{Took: 20 * time.Millisecond, Drifted: reconcile.DriftCount{"runtime": {state.DriftValue: 2}},
		Operations: map[reconcile.Operation]int{{Project: acme, Action: store.Update}: 3, {Project: acme, Action: store.Create, Failed: true}: 1}})
	s.measures.Passed("acme-config", nil)
	s.measures.Happened(reconcile.Event{Repository: "acme-config", Event: reconcile.EventHeld})
	s.measures.Evaluated("acme-config")(3*time.Millisecond, true)
	s.measures.Vault("secrets")("write", 40*time.Millisecond)
	get(t, at, "/metrics") // which tells the counters which projects there are
	_, body := get(t, at, "/metrics")
	for _, line := range []string{
		`reconcile_ready{repository="acme-config"} 1`,
		`reconcile_last_fetch_timestamp_seconds{repository="acme-config"} 1.7673230455e+09`,
		`reconcile_last_fetch_age_seconds{repository="acme-config"} 12.5`,
		`reconcile_heartbeat_age_seconds{repository="acme-config"} 12.5`,
		`reconcile_heartbeat_stale{repository="acme-config"} 0`,
		`reconcile_accepted_revision_info{branch="main",repository="acme-config",revision="abc"} 1`,
		`reconcile_refused{repository="acme-config"} 0`,
		`reconcile_held_namespaces{repository="acme-config"} 1`,
		`reconcile_fetch_failures{repository="acme-config"} 7`,
		`reconcile_target_down{repository="acme-config",target="runtime"} 1`,
		`reconcile_target_down{repository="acme-config",target="secrets"} 0`,
		`reconcile_passes_total{repository="acme-config",result="done"} 1`,
		`reconcile_passes_total{repository="acme-config",result="failed"} 1`,
		`reconcile_passes_total{repository="acme-config",result="refused"} 0`,
		`reconcile_pass_duration_seconds_count{repository="acme-config"} 1`,
		`reconcile_drift_total{kind="value",repository="acme-config",target="runtime"} 2`,
		`reconcile_failed_namespaces{repository="acme-config",target="runtime"} 1`,
		`reconcile_failed_namespaces{repository="acme-config",target="secrets"} 0`,
		`reconcile_accepted_by_hand{repository="acme-config"} 0`,
		`reconcile_accepted_timestamp_seconds{repository="acme-config"} 1.7673230455e+09`,
		`reconcile_events_total{event="held",repository="acme-config"} 1`,
		`reconcile_events_total{event="refused",repository="acme-config"} 0`,
		`config_operations_total{namespace="acme/shop",operation="update",repository="acme-config",status="applied"} 3`,
		`config_operations_total{namespace="acme/shop",operation="create",repository="acme-config",status="failed"} 1`,
		`config_operations_total{namespace="acme/other",operation="delete",repository="acme-config",status="applied"} 0`,
		`active_configurations{environment="production",namespace="acme/other",repository="acme-config"} 7`,
		`policy_evaluation_duration_seconds_count{repository="acme-config",result="denied"} 1`,
		`policy_evaluation_duration_seconds_count{repository="acme-config",result="allowed"} 0`,
		`vault_latency_seconds_count{operation="write",target="secrets"} 1`,
		`vault_latency_seconds_count{operation="login",target="secrets"} 0`,
		`lcm_build_info{version="1.2.3"} 1`,
		`reconcile_pass_running_seconds{repository="acme-config"} 3`,
		`reconcile_fetch_stale{repository="acme-config"} 0`,
		`reconcile_waiting_namespaces{reason="suspended",repository="acme-config"} 1`,
		`reconcile_waiting_namespaces{reason="window",repository="acme-config"} 0`,
		`reconcile_suspensions{repository="acme-config"} 2`,
		`reconcile_leader{repository="acme-config"} 1`,
		`reconcile_leader_term{repository="acme-config"} 5`,
	} {
		if !strings.Contains(body, line+"\n") {
			t.Errorf("no line %s in\n%s", line, body)
		}
	}
	status.Store(nil)
	s.watched[0].mu.Lock()
	s.watched[0].last = answer{} // as if a second had passed
	s.watched[0].mu.Unlock()
	code, body := get(t, at, "/metrics")
	if code != 200 || !strings.Contains(body, `reconcile_ready{repository="acme-config"} 0`) || strings.Contains(body, "reconcile_refused{") {
		t.Errorf("without a state: %d\n%s", code, body)
	}
}

// TestSeveral: one daemon tells of several repositories, and one of which nothing can be told takes no other away.
func TestSeveral(t *testing.T) {
	stale := good()
	stale.Repository, stale.Ready, stale.NotReady = "globex-config", false, []string{"the repository was never fetched"}
	s := New(Config{Log: slog.New(slog.DiscardHandler), Measures: NewMeasures("acme-config", "globex-config", "initech-config"), Repositories: []Repository{
		{"acme-config", func() (*reconcile.Status, error) { return good(), nil }, nil, nil},
		{"globex-config", func() (*reconcile.Status, error) { return stale, nil }, nil, nil},
		{"initech-config", func() (*reconcile.Status, error) { return nil, errors.New("tampered") }, nil, nil},
	}})
	at := serve(t, s)
	if code, body := get(t, at, "/health/ready"); code != 503 ||
		strings.TrimSpace(body) != `{"ready":false,"reasons":["globex-config: the repository was never fetched","initech-config: the state cannot be read: tampered"]}` {
		t.Error(code, body)
	}
	_, body := get(t, at, "/status")
	var all struct {
		Schema       string
		Repositories map[string]reconcile.Status
		Errors       map[string]string
	}
	if err := json.Unmarshal([]byte(body), &all); err != nil || all.Schema != "lcm.repositories/v1" || len(all.Repositories) != 2 ||
		all.Repositories["globex-config"].Repository != "globex-config" || all.Errors["initech-config"] != "tampered" {
		t.Error(err, body)
	}
	if got, err := Ask(t.Context(), at, "globex-config"); err != nil || got.Repository != "globex-config" {
		t.Error(got, err)
	}
	if _, err := Ask(t.Context(), at, "initech-config"); err == nil || !strings.Contains(err.Error(), "tampered") {
		t.Error(err)
	}
	if _, err := Ask(t.Context(), at, "hooli-config"); err == nil || !strings.Contains(err.Error(), "does not serve such a repository") {
		t.Error(err)
	}
	s.measures.Passed("globex-config", &reconcile.Report{Refusal: &trust.Refusal{}})
	_, body = get(t, at, "/metrics")
	for _, line := range []string{
		`reconcile_ready{repository="acme-config"} 1`,
		`reconcile_ready{repository="globex-config"} 0`,
		`reconcile_ready{repository="initech-config"} 0`,
		`reconcile_passes_total{repository="acme-config",result="refused"} 0`,
		`reconcile_passes_total{repository="globex-config",result="refused"} 1`,
	} {
		if !strings.Contains(body, line+"\n") {
			t.Errorf("no line %s in\n%s", line, body)
		}
	}
}

// TestAskingCostsLittle: the state is read at most once a second, however many ask.
func TestAskingCostsLittle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		read := 0
		s := newServer(t, func() (*reconcile.Status, error) { read++; return good(), nil })
		for range 100 {
			s.handler.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/status", nil))
		}
		if read != 1 {
			t.Errorf("read %d times", read)
		}
		time.Sleep(remembered)
		s.handler.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/health/ready", nil))
		if read != 2 {
			t.Errorf("read %d times after a second", read)
		}
	})
}

func TestOthersAreTurnedAway(t *testing.T) {
	s := newServer(t, func() (*reconcile.Status, error) { return good(), nil })
	for request, want := range map[string]int{"POST /status": 405, "DELETE /health/live": 405, "GET /": 404, "GET /debug/pprof/": 404, "GET /status/x": 404} {
		method, path, _ := strings.Cut(request, " ")
		w := httptest.NewRecorder()
		if s.handler.ServeHTTP(w, httptest.NewRequest(method, path, strings.NewReader("x"))); w.Code != want {
			t.Errorf("%s: %d, want %d", request, w.Code, want)
		}
	}
	at := serve(t, s)
	req, err := http.NewRequest("GET", "http://"+at+"/status", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Long", strings.Repeat("x", maxHeader+8<<10))
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	if resp.Body.Close(); resp.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("a long header: %s", resp.Status)
	}
}

func TestAskRefuses(t *testing.T) {
	answers := func(code int, v any) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(code)
			_ = json.NewEncoder(w).Encode(v)
		}
	}
	other := good()
	other.Schema = "lcm.status/v2"
	for name, c := range map[string]struct {
		handler http.HandlerFunc
		reason  string
	}{
		"another schema":     {answers(200, other), "no reconciler, or one of another version"},
		"no JSON":            {answers(200, "hello"), "no reconciler"},
		"another repository": {answers(200, good()), `it serves the repository "acme-config", not "mine"`},
		"another program":    {http.NotFound, "it answers 404"},
		"a redirect": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://127.0.0.1:1/", http.StatusFound)
		}, "it redirects"},
	} {
		t.Run(name, func(t *testing.T) {
			at := httptest.NewServer(c.handler)
			defer at.Close()
			if _, err := Ask(t.Context(), strings.TrimPrefix(at.URL, "http://"), "mine"); err == nil || !strings.Contains(err.Error(), c.reason) {
				t.Errorf("%v, want %q", err, c.reason)
			}
		})
	}
}

func TestAddress(t *testing.T) {
	for listen, want := range map[string]string{":9090": "127.0.0.1:9090", "0.0.0.0:1": "127.0.0.1:1", "[::]:1": "[::1]:1", "127.0.0.2:1": "127.0.0.2:1", "host:1": "host:1", "[::1]:2": "[::1]:2"} {
		if got, err := address(listen); got != want || err != nil {
			t.Errorf("%s: %s, %v", listen, got, err)
		}
	}
}
