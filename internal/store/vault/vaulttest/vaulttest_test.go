package vaulttest

import (
	"net/http"
	"testing"
)

// TestStart also serves to build vaultd ahead of all other tests, with a time limit of its own.
func TestStart(t *testing.T) {
	s := Start(t)
	if status, answer := s.Do(t, http.MethodGet, "sys/health", nil); status != http.StatusOK || answer["sealed"] != false {
		t.Errorf("sys/health: %d %v", status, answer)
	}
	s.Must(t, http.MethodPost, "secret/data/a", map[string]any{"data": map[string]any{"b": "c"}})
	mount := s.Mount(t)
	if status, _ := s.Do(t, http.MethodGet, mount+"/data/a", nil); status != http.StatusNotFound {
		t.Errorf("a new mount is not empty: %d", status)
	}
	if s.RoleID == "" || s.SecretID == "" {
		t.Error("no AppRole")
	}
}
