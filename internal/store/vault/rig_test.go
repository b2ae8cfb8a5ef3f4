package vault_test

import (
	"context"
	"encoding/json"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/store"
	"github.com/llm-config-manager/lcm/internal/store/storetest"
	"github.com/llm-config-manager/lcm/internal/store/vault"
	"github.com/llm-config-manager/lcm/internal/store/vault/vaulttest"
)

// TestConformance logs in by AppRole, under the policy that is published and nothing more.
func TestConformance(t *testing.T) {
	s := vaulttest.StartWith(t, vaulttest.Options{Durable: true})
	role := vault.AppRole{RoleID: s.RoleID, SecretIDFile: s.SecretIDFile(t)}
	openTarget := func(t *testing.T) store.Target {
		target, err := vault.New(t.Context(), vault.Config{Address: s.Address, AppRole: role})
		if err != nil {
			t.Fatal(err)
		}
		return target
	}
	storetest.Run(t, openTarget, storetest.Options{
		Reopen: func(t *testing.T, target store.Target) store.Target {
			if err := target.Close(); err != nil {
				t.Error(err)
			}
			return openTarget(t)
		},
		Plant: func(t *testing.T, _ store.Target, addr lcm.Address, value []byte) {
			s.Must(t, http.MethodPost, "secret/data/"+addr.String(), map[string]any{"data": json.RawMessage(value)})
		},
		Rig:    func(t *testing.T) storetest.Rig { return rig(t, s, role) },
		Passes: 100, // each is some 20 requests, and so are those of its readers
	})
}

// rig is a target that reaches the server through a proxy.
func rig(t *testing.T, s *vaulttest.Server, role vault.AppRole) storetest.Rig {
	p := newProxy(t, s.Address)
	target, err := vault.New(t.Context(), vault.Config{Address: p.URL, AppRole: role})
	if err != nil {
		t.Fatal(err)
	}
	return storetest.Rig{
		Target:    target,
		Intercept: p.intercept,
		Faults: []storetest.Fault{
			{Name: "done late", Outcome: storetest.Late, Deliver: p.deliver},
			{Name: "connection lost", Outcome: storetest.NotDone, Strike: func(*testing.T) { p.CloseClientConnections() }},
			{Name: "sealed", Strike: func(t *testing.T) { s.Seal(t) }, Mend: func(t *testing.T) { s.Unseal(t) }},
			{Name: "killed", Strike: func(*testing.T) { s.Kill() }, Mend: func(t *testing.T) { s.Restart(t) }},
			{Name: "restarted", Outcome: storetest.Lost, Strike: func(t *testing.T) { s.Restart(t) }},
			{Name: "token revoked", Ridden: true, Strike: func(t *testing.T) { s.Must(t, http.MethodPost, revokeRole, map[string]any{"sync": true}) }},
			forbidden(s, "permission to write lost", `path "secret/data/*" { capabilities = ["read"] }  path "secret/metadata/*" { capabilities = ["list", "read"] }`),
			forbidden(s, "permission to read marks lost", `path "secret/data/*" { capabilities = ["create", "read", "update"] }  path "secret/metadata/*" { capabilities = ["list"] }`),
			forbidden(s, "permission to list lost", `path "secret/*" { capabilities = ["create", "patch", "read", "update"] }`),
			forbidden(s, "permission to everything lost", `path "none" { capabilities = ["read"] }`),
		},
		Writes: func(t *testing.T, addr lcm.Address) uint64 {
			_, answer := s.Do(t, http.MethodGet, "secret/metadata/"+addr.String(), nil)
			data, _ := answer["data"].(map[string]any)
			n, _ := data["current_version"].(float64)
			return uint64(n)
		},
	}
}

// intercept is that of a Rig. A step is a request that may change something in the engine; a login is none.
func (p *proxy) intercept(_ context.Context, before func() storetest.Outcome) {
	p.do(func(r *http.Request) fault {
		if before == nil || r.Method == http.MethodGet || !strings.HasPrefix(r.URL.Path, "/v1/secret/") {
			return none
		}
		return map[storetest.Outcome]fault{storetest.NotDone: notDone, storetest.Lost: done, storetest.Hung: hung, storetest.Twice: twice, storetest.Late: late}[before()]
	})
}

// forbidden has the operator change the policy half-way. What Vault still allows may be enough to come to the end.
func forbidden(s *vaulttest.Server, name, policy string) storetest.Fault {
	return storetest.Fault{
		Name:   name,
		Strike: func(t *testing.T) { setPolicy(t, s, policy) },
		Mend:   func(t *testing.T) { setPolicy(t, s, publishedPolicy(t)) },
		Ridden: name == "permission to list lost",
	}
}

func setPolicy(t *testing.T, s *vaulttest.Server, policy string) {
	t.Helper()
	s.Must(t, http.MethodPost, "sys/policies/acl/reconciler", map[string]any{"policy": policy})
}

func publishedPolicy(t *testing.T) string {
	t.Helper()
	policy, err := os.ReadFile("policy.hcl")
	if err != nil {
		t.Fatal(err)
	}
	return string(policy)
}
