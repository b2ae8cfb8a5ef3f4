package lcm

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

func TestValidName(t *testing.T) {
	for s, want := range map[string]bool{
		"a": true, "a-b": true, "0": true, strings.Repeat("a", 63): true,
		"": false, "-a": false, "a-": false, "A": false, "a_b": false, "ä": false, "a.b": false, "..": false,
		strings.Repeat("a", 64): false,
	} {
		if got := ValidName(s); got != want {
			t.Errorf("ValidName(%q) = %v", s, got)
		}
	}
}

func TestParseAddress(t *testing.T) {
	const good = "acme-corp/ml-platform/inference/production/model-endpoint"
	a, err := ParseAddress(good)
	if err != nil || a.String() != good || a.Org != "acme-corp" || a.Key != "model-endpoint" {
		t.Fatalf("%v, %v", a, err)
	}
	for _, bad := range []string{"", "a/b/c/d", "a/b/c/d/e/f", "a/b/c/d/", "a/../c/d/e", "bulk/b/c/d/e", "a/b/c/d/history", "a/b/c/d/%2f"} {
		if _, err := ParseAddress(bad); err == nil {
			t.Errorf("ParseAddress(%q) passed", bad)
		}
	}
}

func TestPattern(t *testing.T) {
	for _, c := range []struct {
		pattern, path string
		want          bool
	}{
		{"**", "a", true}, {"**", "a/b/c", true}, {"*", "a/b", false}, {"*", "a", true},
		{"a/**", "a", true}, {"a/**", "a/b/c", true}, {"a/**", "ab", false}, {"a/*", "a", false},
		{"namespaces/*/*/*/production/**", "namespaces/a/b/c/production/k.yaml", true},
		{"namespaces/*/*/*/production/**", "namespaces/a/b/c/d/production/k.yaml", false},
		{"**/x", "a/b/x", true}, {"**/x", "x", true}, {"**/x", "a/b/x/y", false},
		{"a/**/b/**/c", "a/b/c", true}, {"a/**/b/**/c", "a/x/b/b/y/c", true}, {"a/**/b/**/c", "a/x/c", false},
		{"a", "", false},
	} {
		if got := MustPattern(c.pattern).Match(c.path); got != c.want {
			t.Errorf("%s on %s = %v", c.pattern, c.path, got)
		}
	}
	for _, bad := range []string{"", "a*", "/a", "a//b", "a/../b", "[a]", "a?"} {
		if _, err := ParsePattern(bad); err == nil {
			t.Errorf("ParsePattern(%q) passed", bad)
		}
	}
}

func TestClassificationFailsClosed(t *testing.T) {
	if !Restricted.StricterThan(Public) || Public.StricterThan(Public) || Internal.StricterThan(Confidential) {
		t.Error("order")
	}
	if !Classification("topsecret").StricterThan(Restricted) {
		t.Error("an unknown classification must count as the strictest")
	}
	if got := Strictest(Public, Confidential); got != Confidential {
		t.Error(got)
	}
}

func TestSecretRedacts(t *testing.T) {
	const canary = "canary-5f1c"
	s := NewSecret(map[string]any{"key": canary})
	j, _ := json.Marshal(map[string]any{"s": s, "p": &s})
	var b strings.Builder
	slog.New(slog.NewTextHandler(&b, nil)).Info("x", "s", s, "p", &s)
	slog.New(slog.NewJSONHandler(&b, nil)).Info("x", "s", s)
	out := fmt.Sprintf("%v %+v %#v %s %q %x %d %v", s, s, s, s, s, s, s, []any{s, &s, struct{ S Secret }{s}}) + string(j) + b.String()
	if strings.Contains(out, canary) || strings.Contains(out, fmt.Sprintf("%x", canary)) {
		t.Errorf("leaks: %s", out)
	}
	if s.Reveal()["key"] != canary {
		t.Error("Reveal")
	}
}
