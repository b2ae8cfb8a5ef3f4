package policy

import (
	"testing"

	"github.com/llm-config-manager/lcm/internal/lcm"
)

func must(t testing.TB, own map[string][]byte) *Policy {
	t.Helper()
	p, findings := New(t.Context(), own)
	if p == nil || len(findings) > 0 {
		t.Fatalf("New: %v", findings)
	}
	return p
}

func endpoint() Input {
	a, _ := lcm.ParseAddress("acme/ml/chat/production/model")
	return Input{
		Document: Document{
			Address: a.String(), Org: a.Org, Project: a.Project, Service: a.Service.Name, Environment: a.Environment, Key: a.Key,
			Kind:     lcm.KindModelEndpoint,
			Metadata: Metadata{Classification: lcm.Internal, Owner: "team-inference", Inheritable: true, Labels: map[string]string{"tier": "gold"}},
			Spec: map[string]any{
				"model_name": "chat",
				"strategy":   map[string]any{"mode": "fallback"},
				"targets": []any{
					map[string]any{"provider": "openai", "model": "openai/gpt-4o-2024-11-20", "timeout": "60s", "order": int64(1), "api_key": map[string]any{"ref": "acme/ml/chat/production/openai-key"}},
					map[string]any{"provider": "anthropic", "model": "anthropic/claude-3-5-sonnet-20241022", "timeout": "60s", "order": int64(2), "api_key": map[string]any{"ref": "acme/ml/chat/production/openai-key"}},
				},
				"retry": map[string]any{"attempts": int64(2)},
			},
		},
		Origin: Origin{File: "namespaces/acme/ml/chat/production/model.yaml", Environment: "production"},
		Target: &Target{Name: "runtime", MaxClassification: lcm.Internal},
		References: map[string]Reference{
			"acme/ml/chat/production/openai-key": {Kind: lcm.KindSecret, Type: "api-key", Classification: lcm.Restricted},
		},
	}
}

func TestGoodDocument(t *testing.T) {
	v, err := must(t, nil).Evaluate(t.Context(), endpoint())
	if err != nil || len(v) > 0 {
		t.Fatal(v, err)
	}
}

func BenchmarkNew(b *testing.B) {
	for b.Loop() {
		must(b, nil)
	}
}

func BenchmarkEvaluate(b *testing.B) {
	p, in := must(b, nil), endpoint()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := p.Evaluate(b.Context(), in); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkEvaluateConfig(b *testing.B) {
	p, in := must(b, nil), endpoint()
	in.Document.Kind, in.Document.Key, in.References = lcm.KindConfig, "page-size", nil
	in.Document.Spec = map[string]any{"value": int64(20)}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := p.Evaluate(b.Context(), in); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkInput(b *testing.B) {
	in := endpoint()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := in.object(); err != nil {
			b.Fatal(err)
		}
	}
}
