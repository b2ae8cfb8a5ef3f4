package vault

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/llm-config-manager/lcm/internal/lcm"
)

// TestObserve: each request is told of by what it is, also one that fails.
func TestObserve(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		time.Sleep(time.Millisecond)
		http.Error(w, `{"errors":["no"]}`, http.StatusForbidden)
	}))
	defer server.Close()
	file := filepath.Join(t.TempDir(), "id")
	if err := os.WriteFile(file, []byte("canary"), 0o600); err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	seen := map[string]bool{}
	target, err := New(t.Context(), Config{Address: server.URL, AppRole: AppRole{RoleID: "lcm", SecretIDFile: file}, Observe: func(operation string, took time.Duration) {
		mu.Lock()
		defer mu.Unlock()
		if took < time.Millisecond || took > time.Minute {
			t.Errorf("%s took %v", operation, took)
		}
		seen[operation] = true
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer target.Close()
	if _, err := target.List(t.Context(), lcm.Service{Org: "a", Project: "b", Name: "c"}.In("d")); err == nil {
		t.Error("no error")
	}
	if !seen["login"] {
		t.Errorf("told of %v", seen)
	}
	for want, r := range map[string]request{
		"read":   {method: http.MethodGet, path: "secret/data/a"},
		"list":   {method: http.MethodGet, path: "secret/metadata/a", query: map[string][]string{"list": {"true"}}},
		"write":  {method: http.MethodPost, path: "secret/data/a"},
		"delete": {method: http.MethodDelete, path: "secret/metadata/a"},
		"login":  {method: http.MethodPost, path: "auth/approle/login"},
	} {
		if got := r.operation(); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	if !slices.Contains([]string{"read", "list", "write", "delete", "login"}, request{method: http.MethodPatch, path: "x"}.operation()) {
		t.Error("an operation that the metric does not have")
	}
}
