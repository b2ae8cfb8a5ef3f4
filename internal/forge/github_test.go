package forge

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/trust"
)

const (
	merge = lcm.Revision("6dcb09b5b57875f334f61aebed695e2e4193db5e")
	first = lcm.Revision("ecdd80bb57125d7ba9641ffaa4d7d2c19d3f3091")
	last  = lcm.Revision("0d1a26e67d8f5eaf1f6ba5c57fc3c7d91ac0fd1c")
	token = "ghp_canary0123456789"
)

// pull is a pull request, and review a review, as docs.github.com/rest shows them; left out are fields that say nothing
// here.
func pull(number int, mergedAs lcm.Revision, mergedAt string) string {
	return fmt.Sprintf(`{"url":"https://api.github.com/repos/acme/config/pulls/%d","id":1,"number":%[1]d,"state":"closed","locked":false,
		"title":"Amazing new feature","user":{"login":"octocat","id":1,"type":"User"},"merge_commit_sha":%q,"merged_at":%s,
		"head":{"ref":"topic","sha":%q},"base":{"ref":"main"}}`, number, mergedAs, mergedAt, last)
}

func review(id int, login, state string, commit lcm.Revision) string {
	return fmt.Sprintf(`{"id":%d,"node_id":"x","user":{"login":%q,"id":%[1]d,"type":"User"},"body":"…","state":%[3]q,
		"html_url":"https://github.com/acme/config/pull/12#pullrequestreview-%[1]d","submitted_at":"2026-05-0%[1]dT10:00:00Z",
		"commit_id":%[4]q,"author_association":"COLLABORATOR"}`, id, login, state, commit)
}

const merged = `"2026-05-09T10:00:00Z"`

// server answers as GitHub does, and fails a request that is not as GitHub asks for them.
func server(t *testing.T, answers map[string]string) *GitHub {
	t.Helper()
	var s *httptest.Server
	s = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet || r.Header.Get("Authorization") != "Bearer "+token || r.Header.Get("X-GitHub-Api-Version") != "2022-11-28" ||
			!strings.HasPrefix(r.Header.Get("Accept"), "application/vnd.github") || r.URL.Query().Get("per_page") != "100" {
			t.Errorf("%s %s %v", r.Method, r.URL, r.Header)
		}
		key := strings.TrimPrefix(r.URL.Path, "/api/v3")
		if page := r.URL.Query().Get("page"); page != "" && page != "1" {
			key += "#" + page
		}
		answer, ok := answers[key]
		if !ok {
			w.WriteHeader(http.StatusNotFound)
			answer = `{"message":"Not Found","documentation_url":"https://docs.github.com/rest"}`
		}
		if _, more := answers[key+"#2"]; more {
			w.Header().Set("Link", fmt.Sprintf(`<%s%s?per_page=100&page=2>; rel="next", <%[1]s%[2]s?per_page=100&page=2>; rel="last"`, s.URL, r.URL.Path))
		}
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		fmt.Fprint(w, answer)
	}))
	t.Cleanup(s.Close)
	return client(t, s.URL+"/api/v3")
}

func client(t *testing.T, url string) *GitHub {
	t.Helper()
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte(token+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	g, err := NewGitHub(Config{URL: url, Repository: "acme/config", TokenFile: file})
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func TestReviews(t *testing.T) {
	g := server(t, map[string]string{
		"/repos/acme/config/commits/" + string(merge) + "/pulls": "[" + strings.Join([]string{pull(7, last, merged), pull(8, merge, "null"), pull(12, merge, merged)}, ",") + "]",
		"/repos/acme/config/pulls/12/reviews": "[" + strings.Join([]string{
			review(1, "alice", "APPROVED", first), review(2, "bob", "APPROVED", first), review(3, "bob", "CHANGES_REQUESTED", last),
			review(4, "carol", "COMMENTED", last), review(5, "dave", "DISMISSED", last)}, ",") + "]",
		"/repos/acme/config/pulls/12/reviews#2": "[" + review(6, "alice", "APPROVED", last) + "," + review(7, "gus", "APPROVED", "") + "]",
	})
	got, err := g.Reviews(t.Context(), merge)
	if err != nil {
		t.Fatal(err)
	}
	day := func(n int) time.Time { return time.Date(2026, 5, n, 10, 0, 0, 0, time.UTC) }
	want := []trust.Review{{Login: "alice", Commit: first, At: day(1)}, {Login: "alice", Commit: last, At: day(6)}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestNoPullRequest(t *testing.T) {
	g := server(t, map[string]string{"/repos/acme/config/commits/" + string(merge) + "/pulls": "[]"})
	if got, err := g.Reviews(t.Context(), merge); err != nil || got != nil {
		t.Errorf("%v, %v", got, err)
	}
}

// What goes wrong is told in our own words: an answer may hold anything, and the token is nobody's business.
func TestErrors(t *testing.T) {
	for name, c := range map[string]struct {
		answer func(http.ResponseWriter)
		want   string
	}{
		"no such repository": {func(w http.ResponseWriter) {
			w.WriteHeader(http.StatusNotFound)
			fmt.Fprint(w, `{"message":"canary"}`)
		}, "404 Not Found: check the repository's name"},
		"a wrong token": {func(w http.ResponseWriter) { w.WriteHeader(http.StatusUnauthorized) }, "401 Unauthorized"},
		"too many requests": {func(w http.ResponseWriter) {
			w.Header().Set("X-RateLimit-Remaining", "0")
			w.Header().Set("X-RateLimit-Reset", "1893456000")
			w.WriteHeader(http.StatusForbidden)
		}, "no more requests until 2030-01-01T00:00:00Z"},
		"no JSON":       {func(w http.ResponseWriter) { fmt.Fprint(w, "<html>canary</html>") }, "invalid character"},
		"without end":   {func(w http.ResponseWriter) { fmt.Fprint(w, "["+strings.Repeat(" ", 5<<20)+"]") }, "unexpected"},
		"another place": {func(w http.ResponseWriter) { w.Header().Set("Location", "https://example.org/"); w.WriteHeader(301) }, "301"},
	} {
		t.Run(name, func(t *testing.T) {
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { c.answer(w) }))
			defer s.Close()
			_, err := client(t, s.URL).Reviews(t.Context(), merge)
			if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "canary") {
				t.Errorf("want %q, got %v", c.want, err)
			}
		})
	}
}

func TestConfig(t *testing.T) {
	for _, name := range []string{"", "acme", "acme/config/more", "acme/con fig", "../acme", "acme/.."} {
		if _, err := NewGitHub(Config{Repository: name}); err == nil {
			t.Errorf("%q passes", name)
		}
	}
	g, err := NewGitHub(Config{Repository: "acme/config", TokenFile: filepath.Join(t.TempDir(), "absent")})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := g.Reviews(t.Context(), merge); err == nil || !strings.Contains(err.Error(), "token") {
		t.Errorf("%v: a missing token is an error, not a request without one", err)
	}
}
