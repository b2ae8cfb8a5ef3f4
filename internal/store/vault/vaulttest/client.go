package vaulttest

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Do sends a request with the root token, as an operator would, and returns the status and the
// answer. A nil body sends none.
func (s *Server) Do(t testing.TB, method, path string, body any) (status int, answer map[string]any) {
	t.Helper()
	var sent bytes.Buffer
	if body != nil {
		if err := json.NewEncoder(&sent).Encode(body); err != nil {
			t.Fatal(err)
		}
	}
	req, err := http.NewRequestWithContext(t.Context(), method, s.Address+"/v1/"+path, &sent)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Vault-Token", s.RootToken)
	if method == http.MethodPatch {
		req.Header.Set("Content-Type", "application/merge-patch+json")
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if len(text) > 0 && json.Unmarshal(text, &answer) != nil {
		t.Fatalf("%s %s: the answer is not JSON: %s", method, path, text)
	}
	return resp.StatusCode, answer
}

// Must is Do for what has to succeed; it returns the data of the answer.
func (s *Server) Must(t testing.TB, method, path string, body any) map[string]any {
	t.Helper()
	status, answer := s.Do(t, method, path, body)
	if status >= 300 {
		t.Fatalf("%s %s: %d %v", method, path, status, answer["errors"])
	}
	data, _ := answer["data"].(map[string]any)
	return data
}

// Mount makes another KV engine of version 2, empty, and returns its path.
func (s *Server) Mount(t testing.TB) string {
	t.Helper()
	mount := "kv-" + strings.ToLower(rand.Text())
	s.Must(t, http.MethodPost, "sys/mounts/"+mount, map[string]any{"type": "kv", "options": map[string]any{"version": "2"}})
	for range 1000 { // the engine sets itself up in the background
		if status, _ := s.Do(t, http.MethodGet, mount+"/config", nil); status == http.StatusOK {
			return mount
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("the engine at %s does not get ready", mount)
	return ""
}

// SecretIDFile writes the AppRole's secret id to a file and returns its path.
func (s *Server) SecretIDFile(t testing.TB) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "secret-id")
	if err := os.WriteFile(file, []byte(s.SecretID+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}
