package vault_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/llm-config-manager/lcm/internal/store"
	"github.com/llm-config-manager/lcm/internal/store/vault/vaulttest"
)

func TestLastChange(t *testing.T) {
	f, _ := appRole(t, vaulttest.Options{})
	f.apply(change(store.Create, "a", `{"n":1}`, ""))
	addr := production.Key("a")
	who, ours, err := f.target.LastChange(t.Context(), addr)
	if err != nil || who[:len("approle (entity ")] != "approle (entity " || time.Since(ours) > time.Minute {
		t.Errorf("a value of ours was written by %q at %v, %v", who, ours, err)
	}
	f.server.Must(t, http.MethodPost, "secret/data/"+addr.String(), map[string]any{"data": map[string]any{"theirs": true}})
	who, at, err := f.target.LastChange(t.Context(), addr)
	if err != nil || who != "root" || !at.After(ours) {
		t.Errorf("a value that root wrote was written by %q at %v, %v", who, at, err)
	}
	if _, _, err := f.target.LastChange(t.Context(), production.Key("nowhere")); err == nil {
		t.Error("of what does not exist it tells something")
	}
}
