package policy

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/llm-config-manager/lcm/internal/lcm"
)

// TestInputIsItsJSON compares what Rego sees with the JSON form, in which every field is set.
func TestInputIsItsJSON(t *testing.T) {
	in := endpoint()
	in.Document.Metadata = Metadata{
		Description: "d", Classification: lcm.Internal, Owner: "o", Labels: map[string]string{"a": "b"}, Merge: "deep",
		Inheritable: true, SharedWith: []string{"a/b/c"}, Audience: []string{"h"},
	}
	in.References["x"] = Reference{Kind: "Secret", Type: "t", Classification: "public", Labels: map[string]string{"c": "d"}, Audience: []string{"h"}}
	in.Service = &Service{Keys: []Key{{Key: "k", Kind: "Config", Classification: "public", Target: "t"}}}
	change := &Change{Revision: "r", Vouched: true, Signer: "alice", Forge: "github", Approvers: []string{"alice", "bob"}, Roles: map[string][]string{"alice": {"global-admin"}},
		FirstSeen: "2027-01-01T00:00:00Z", Paths: []string{"p"}}
	data, err := json.Marshal(struct {
		Input
		Change *Change `json:"change"`
	}{in, change})
	if err != nil {
		t.Fatal(err)
	}
	want, err := ast.ValueFromReader(strings.NewReader(string(data)))
	if err != nil {
		t.Fatal(err)
	}
	o, err := in.object()
	if err != nil {
		t.Fatal(err)
	}
	got := without(t, o.with("change", change.value()).term().Value, "credentials")
	if got.Compare(want) != 0 {
		t.Errorf("Rego sees %v\nJSON is   %v", got, want)
	}
}

func without(t *testing.T, v ast.Value, key string) ast.Value {
	t.Helper()
	o, err := v.(ast.Object).Filter(mask(v, key))
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func mask(v ast.Value, key string) ast.Object {
	all := ast.NewObject()
	v.(ast.Object).Foreach(func(k, _ *ast.Term) {
		if !k.Equal(ast.StringTerm(key)) {
			all.Insert(k, ast.NullTerm())
		}
	})
	return all
}

func TestCredentials(t *testing.T) {
	ref := map[string]any{"ref": "a/b/c/d/e"}
	for name, c := range map[string]struct {
		document Document
		want     []string
	}{
		"below": {
			Document{Kind: lcm.KindConfig, Key: "db", Spec: map[string]any{"value": map[string]any{"pool": []any{map[string]any{"password": "x"}}}}},
			[]string{`{"path": ["spec", "value", "pool", 0, "password"]}`},
		},
		"numbers and lists": {
			Document{Kind: lcm.KindConfig, Key: "db", Spec: map[string]any{"value": map[string]any{"tokens": []any{"a", "", int64(7), ref}}}},
			[]string{
				`{"path": ["spec", "value", "tokens", 0]}`, `{"path": ["spec", "value", "tokens", 2]}`,
				`{"path": ["spec", "value", "tokens", 3], "ref": "a/b/c/d/e"}`,
			},
		},
		"the key itself": {
			Document{Kind: lcm.KindConfig, Key: "openai-api-key", Spec: map[string]any{"value": "x"}},
			[]string{`{"path": ["spec", "value"]}`},
		},
		"a switch, an empty text, a mapping": {
			Document{Kind: lcm.KindConfig, Key: "db", Spec: map[string]any{"value": map[string]any{
				"password": true, "token": "", "secret": map[string]any{"length": int64(12)},
			}}}, nil,
		},
		"what a Config says of its fields": {
			Document{Kind: lcm.KindConfig, Key: "db", Spec: map[string]any{"value": "x", "description": map[string]any{"password": "how to log in"}}}, nil,
		},
		"reference": {
			Document{Kind: lcm.KindModelEndpoint, Spec: map[string]any{"targets": []any{map[string]any{"api_key": ref}}}},
			[]string{`{"path": ["spec", "targets", 0, "api_key"], "ref": "a/b/c/d/e"}`},
		},
		"prompt": {
			Document{Kind: lcm.KindPromptTemplate, Spec: map[string]any{
				"input": map[string]any{"schema": map[string]any{"password": "string"}}, "config": map[string]any{"api_key": "x"},
				"variants": map[string]any{"b": map[string]any{"config": map[string]any{"apiKey": "x"}}},
			}},
			[]string{`{"path": ["spec", "config", "api_key"]}`, `{"path": ["spec", "variants", "b", "config", "apiKey"]}`},
		},
		"label":  {Document{Metadata: Metadata{Labels: map[string]string{"token": "x"}}}, []string{`{"path": ["metadata", "labels", "token"]}`}},
		"secret": {Document{Kind: lcm.KindSecret, Spec: map[string]any{"data": map[string]any{"password": "x"}}}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, e := range c.document.credentials().Value.(ast.Set).Slice() {
				got = append(got, e.String())
			}
			slices.Sort(got)
			if d := cmp.Diff(c.want, got); d != "" {
				t.Error(d)
			}
		})
	}
}

// TestOddShapes puts every kind of value in every place: the base pack must judge, not fail.
func TestOddShapes(t *testing.T) {
	p := must(t, nil)
	odd := []any{nil, true, int64(-1), 0.5, "", "http://x", "7d", []any{}, []any{nil}, map[string]any{}, map[string]any{"ref": "x"}, map[string]any{"ref": int64(1)}}
	fields := []string{
		"value", "targets", "strategy", "retry", "fallbacks", "model", "slug", "config", "template", "variants", "input", "models", "rotation",
		"type", "fields", "max_budget", "soft_budget", "alert_thresholds", "on_exceed", "shadow", "alarms", "growth_factor", "target",
	}
	inner := []string{"api_base", "api_key", "weight", "timeout", "model", "provider", "attempts", "mode", "temperature", "max_tokens", "config", "schema",
		"interval", "grace", "input_cost_per_token", "cache_read_input_token_cost"}
	deep := map[lcm.Kind]string{"ModelEndpoint": "targets", "PriceMap": "models", "PromptTemplate": "variants", "Secret": "rotation"}
	for _, kind := range []lcm.Kind{"Config", "Secret", "ModelEndpoint", "PromptTemplate", "Preset", "PriceMap", "Budget", "Rollout", "Other"} {
		for _, field := range fields {
			for _, v := range odd {
				shapes := []any{v, []any{v, v}, map[string]any{"x": v}}
				for _, name := range inner {
					shapes = append(shapes, map[string]any{name: v}, []any{map[string]any{name: v}}, map[string]any{"x": map[string]any{name: v}})
				}
				spec := map[string]any{}
				for i, shape := range shapes {
					if i > 2 && deep[kind] != field {
						continue
					}
					maps.Copy(spec, map[string]any{field: shape})
					in := endpoint()
					in.Document.Kind, in.Document.Spec = kind, spec
					if _, err := p.Evaluate(t.Context(), in); err != nil {
						t.Fatalf("%s.%s = %v: %v", kind, field, shape, err)
					}
				}
			}
		}
	}
}

func TestRules(t *testing.T) {
	rules, err := Rules()
	if err != nil || len(rules) < 20 {
		t.Fatal(rules, err)
	}
	for i, r := range rules {
		if r.Title == "" || strings.HasSuffix(r.ID, "/") {
			t.Errorf("%+v: needs a title and a literal name", r)
		}
		if i > 0 && r.ID == rules[i-1].ID {
			t.Errorf("%s: two rules of one name", r.ID)
		}
	}
}
