package vault

import (
	"testing"
	"time"

	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/store/vault/vaulttest"
)

// A token with enough life before it is renewed, not replaced.
func TestRenews(t *testing.T) {
	s := vaulttest.Start(t)
	target, err := New(t.Context(), Config{Address: s.Address, AppRole: AppRole{RoleID: s.RoleID, SecretIDFile: s.SecretIDFile(t)}})
	if err != nil {
		t.Fatal(err)
	}
	defer target.Close()
	ns := lcm.Service{Org: "acme-corp", Project: "ml-platform", Name: "inference"}.In("production")
	if _, err := target.List(t.Context(), ns); err != nil {
		t.Fatal(err)
	}
	l := &target.vault.login
	token := l.token
	l.renewAt = time.Now().Add(-time.Second)
	if _, err := target.List(t.Context(), ns); err != nil {
		t.Fatal(err)
	}
	if l.token != token || time.Until(l.renewAt) < 30*time.Minute {
		t.Errorf("after a renewal: the same token: %v; due in %v", l.token == token, time.Until(l.renewAt))
	}
}
