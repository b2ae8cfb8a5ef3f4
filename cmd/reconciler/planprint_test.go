package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/llm-config-manager/lcm/internal/diag"
	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/plan"
	"github.com/llm-config-manager/lcm/internal/store"
)

func TestPlanForPeople(t *testing.T) {
	ns := lcm.Service{Org: "acme", Project: "app", Name: "api"}.In("production")
	change := func(key string, kind lcm.Kind, target string, a store.Action, fields ...string) plan.Change {
		return plan.Change{Address: ns.Key(key), Kind: kind, Target: target, Action: a, Fields: fields}
	}
	p := plan.Plan{Namespaces: []plan.Namespace{
		{Namespace: ns, Changes: []plan.Change{
			change("a", lcm.KindSecret, "vault", store.Update),
			change("chat", lcm.KindModelEndpoint, "runtime", store.Create),
			change("limits", lcm.KindConfig, "runtime", store.Update, "/a", "/b", "/c", "/d", "/e", "/f"),
			change("old", lcm.KindConfig, "runtime", store.Delete),
			change("odd", lcm.KindConfig, "runtime", store.Update, "/\x1b[2J"),
			change("tone", lcm.KindConfig, "runtime", store.Update, ""),
			change("was", lcm.KindConfig, "runtime", store.Remark),
		}},
		{Namespace: lcm.Service{Org: "acme", Project: "app", Name: "web"}.In("production"), Held: []diag.Finding{{Rule: "r"}}},
	}}
	want := `acme/app/api/production → runtime
  + chat    ModelEndpoint
  ~ limits  Config          /a /b /c /d and 2 more
  - old     Config
  ~ odd     Config          /` + "\uFFFD" + `[2J
  ~ tone    Config          (the value)
  = was     Config          (the value stands)
acme/app/api/production → vault
  ~ a       Secret          (somebody else changed it)
`
	var b strings.Builder
	writeChanges(&b, p, diag.Paint(false))
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Error(diff)
	}
	b.Reset()
	writeChanges(&b, p, diag.Paint(true))
	if !strings.Contains(b.String(), "  \x1b[32m+ chat    ModelEndpoint\x1b[0m\n") || strings.Contains(b.String(), "\x1b[2J") {
		t.Errorf("%q", b.String())
	}
	if got := actions(p); got != "1 to add, 4 to change, 1 to delete, 1 to mark anew" {
		t.Error(got)
	}
}
