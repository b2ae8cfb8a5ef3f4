package forge

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/llm-config-manager/lcm/internal/commitstatus"
)

// statusServer takes one commit status, as docs.github.com/rest/commits/statuses says, or answers otherwise.
func statusServer(t *testing.T, answer http.HandlerFunc) (url string, got *map[string]any) {
	t.Helper()
	got = new(map[string]any)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost || r.URL.Path != "/api/v3/repos/acme/config/statuses/"+string(merge) || r.Header.Get("Authorization") != "Bearer "+token ||
			r.Header.Get("X-GitHub-Api-Version") != "2022-11-28" || r.Header.Get("Content-Type") != "application/json" {
			t.Errorf("%s %s %v", r.Method, r.URL, r.Header)
		}
		body, err := io.ReadAll(r.Body)
		if err != nil || json.Unmarshal(body, got) != nil {
			t.Errorf("%v: %s", err, body)
		}
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		answer(w, r)
	}))
	t.Cleanup(s.Close)
	return s.URL + "/api/v3", got
}

func created(w http.ResponseWriter, _ *http.Request) {
	w.WriteHeader(http.StatusCreated)
	fmt.Fprintf(w, `{"url":"https://api.github.com/repos/acme/config/statuses/%s","id":1,"node_id":"MDY6U3RhdHVzMQ==","state":"success",
		"description":"in force","target_url":"https://lcm.example.com/","context":"lcm/reconciler","created_at":"2026-05-09T10:00:00Z",
		"updated_at":"2026-05-09T10:00:00Z","creator":{"login":"lcm-bot","id":1,"type":"Bot"}}`, merge)
}

func TestStatus(t *testing.T) {
	for name, c := range map[string]struct {
		context, url string
		status       commitstatus.Status
		want         map[string]any
	}{
		"plain": {"", "", commitstatus.Status{Revision: merge, State: commitstatus.Success, Description: "in force"},
			map[string]any{"state": "success", "context": "lcm/reconciler", "description": "in force"}},
		"with a link": {"lcm/eu", "https://lcm.example.com/", commitstatus.Status{Revision: merge, State: commitstatus.Failure, Description: strings.Repeat("ü", 141)},
			map[string]any{"state": "failure", "context": "lcm/eu", "target_url": "https://lcm.example.com/", "description": strings.Repeat("ü", 139) + "…"}},
	} {
		t.Run(name, func(t *testing.T) {
			url, got := statusServer(t, created)
			if err := client(t, url).Statuses(c.context, c.url).SetStatus(t.Context(), c.status); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, *got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestStatusErrors: what is worth another try is told from what is not, with the time that GitHub asks for, and without
// what the answer holds.
func TestStatusErrors(t *testing.T) {
	answers := func(code int, headers map[string]string, documentation string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			for k, v := range headers {
				w.Header().Set(k, v)
			}
			w.WriteHeader(code)
			fmt.Fprintf(w, `{"message":"canary","documentation_url":%q}`, documentation)
		}
	}
	inAnHour := strconv.FormatInt(time.Now().Add(time.Hour).Unix(), 10)
	const secondary = "https://docs.github.com/rest/overview/rate-limits-for-the-rest-api#about-secondary-rate-limits"
	for name, c := range map[string]struct {
		answer      http.HandlerFunc
		retry       bool
		least, most time.Duration
	}{
		"bad gateway":          {answers(502, nil, ""), true, 0, 0},
		"maintenance":          {answers(503, map[string]string{"Retry-After": "120"}, ""), true, 2 * time.Minute, 2 * time.Minute},
		"too many":             {answers(429, map[string]string{"Retry-After": "7"}, ""), true, 7 * time.Second, 7 * time.Second},
		"rate limit":           {answers(403, map[string]string{"X-RateLimit-Limit": "5000", "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": inAnHour}, ""), true, 59 * time.Minute, 61 * time.Minute},
		"secondary rate limit": {answers(403, map[string]string{"Retry-After": "90"}, secondary), true, 90 * time.Second, 90 * time.Second},
		"secondary, no time":   {answers(403, nil, secondary), true, time.Minute, time.Minute},
		"no permission":        {answers(403, nil, ""), false, 0, 0},
		"no such repository":   {answers(404, nil, ""), false, 0, 0},
		"no such commit":       {answers(422, nil, ""), false, 0, 0},
		"elsewhere":            {answers(301, map[string]string{"Location": "https://elsewhere.example.com/"}, ""), false, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			url, _ := statusServer(t, c.answer)
			err := client(t, url).Statuses("", "").SetStatus(t.Context(), commitstatus.Status{Revision: merge, State: commitstatus.Success})
			var retry *commitstatus.Retry
			if err == nil || errors.As(err, &retry) != c.retry || strings.Contains(err.Error(), "canary") {
				t.Fatalf("%v, of type %[1]T", err)
			}
			if c.retry && (retry.After < c.least || retry.After > c.most) {
				t.Errorf("after %v", retry.After)
			}
		})
	}
}

func TestStatusWithoutAnswer(t *testing.T) {
	s := httptest.NewServer(http.NotFoundHandler())
	s.Close()
	g := client(t, s.URL)
	var retry *commitstatus.Retry
	if err := g.Statuses("", "").SetStatus(t.Context(), commitstatus.Status{Revision: merge}); !errors.As(err, &retry) {
		t.Errorf("nobody listens: %v", err)
	}
	empty := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	g, err := NewGitHub(Config{URL: s.URL, Repository: "acme/config", TokenFile: empty})
	if err != nil {
		t.Fatal(err)
	}
	if err := g.Statuses("", "").SetStatus(t.Context(), commitstatus.Status{Revision: merge}); err == nil || errors.As(err, &retry) {
		t.Errorf("no token: %v", err)
	}
}
