package tree

import (
	"slices"
	"strings"
	"testing"
)

func TestDormant(t *testing.T) {
	const routes = `  - {match: {namespaces: ["acme/**"], kinds: [Secret]}, target: vault}
  - {match: {namespaces: ["**"], kinds: ["*"]}, target: runtime}
`
	for _, c := range []struct {
		name, old, new string
		want           []string
	}{
		{"nothing", "", "", nil},
		{"another tenant", `"acme/**"`, `"acme/**", "globex/**"`, []string{"lcm.yaml:14:38 route/no-namespace"}},
		{"an environment without folders", `"acme/**"`, `"acme/*/*/base"`, []string{"lcm.yaml:14:27 route/no-namespace"}},
		{"the same again", routes, routes + `  - {match: {namespaces: ["**"], kinds: [Config, Budget]}, target: runtime}` + "\n", []string{"lcm.yaml:16:13 route/shadowed"}},
		{"its parts", routes, routes + `  - {match: {namespaces: ["acme/ml/**"], kinds: [Secret, Config]}, target: vault}` + "\n", []string{"lcm.yaml:16:13 route/shadowed"}},
		{"two together", routes, `  - {match: {namespaces: ["acme/ml/**", "acme/*"], kinds: [Secret]}, target: vault}
  - {match: {namespaces: ["acme/ml/chat/**"], kinds: [Config]}, target: vault}
  - {match: {namespaces: ["acme/ml/chat/*"], kinds: [Config, Secret]}, target: vault}
  - {match: {namespaces: ["**"], kinds: ["*"]}, target: runtime}
`, []string{"lcm.yaml:14:41 route/no-namespace", "lcm.yaml:16:13 route/shadowed"}},
		{"the rest", routes, routes[:strings.Index(routes, "\n")+1] + `  - {match: {namespaces: ["acme/**"], kinds: ["*"]}, target: runtime}` + "\n", nil},
		{"a target without a route", "runtime: {}", "runtime: {}\n  redis: {}", []string{"lcm.yaml:13:3 settings/unused-target"}},
		{"an abstract leaf", "base: {abstract: true}", "base: {abstract: true}\n  shared: {abstract: true, inherits: base}", []string{"lcm.yaml:7:3 settings/unused-environment"}},
		{"nothing anywhere", "base: {abstract: true}", "base: {abstract: true}\n  qa: {}", []string{"lcm.yaml:7:3 settings/unused-environment"}},
		{"only what it inherits", "base: {abstract: true}", "base: {abstract: true}\n  qa: {inherits: production}", nil},
		{"look-alikes", "base: {abstract: true}", "base: {abstract: true}\n  pr0duction: {inherits: base}", []string{"lcm.yaml:10:3 layout/look-alike"}},
	} {
		content := strings.Replace(settingsYAML, c.old, c.new, 1)
		tr := load(t, files{SettingsFile: content, "/base/a.yaml": config("x")}.fs())
		if got := brief(tr.Dormant()); !slices.Equal(got, c.want) {
			t.Errorf("%s: got %v, want %v", c.name, got, c.want)
		}
	}
	if got := load(t, files{}.fs()).Dormant(); len(got) > 0 {
		t.Errorf("a repository without documents: %v", got)
	}
}

// What is hostile is not looked at to the end.
func TestDormantIsBounded(t *testing.T) {
	var b strings.Builder
	for range 1000 {
		b.WriteString("  - {match: {namespaces: [\"**/a/**/b/**/c\", \"x/**\", \"y/**/z/**\"], kinds: [Config]}, target: runtime}\n")
	}
	content := strings.Replace(settingsYAML, "routes:\n", "routes:\n"+b.String(), 1)
	for range load(t, files{SettingsFile: content, "/base/a.yaml": config("x")}.fs()).Dormant() {
	}
}

func TestUnusedSealRules(t *testing.T) {
	rule := func(path string) string {
		return "  - {path_regex: '" + path + "', age: age1haez9u5x0s86765907nwmn3xza2w08krwq4p77m7a3uuwm4myf0qa2kfax, encrypted_regex: ^(data|previous)$}\n"
	}
	seals := "creation_rules:\n" + rule(`^namespaces/acme/.*/base/.*$`) + rule(`^namespaces/(acme|globex)/.*/production/.*$`) + rule(`^namespaces/[^a].*$`)
	one := files{SealRulesFile: seals, "/base/a.sops.yaml": secret("acme/ml/chat/base/a", ""), "/production/b.yaml": config("x")}
	tr := load(t, one.fs())
	if got, want := brief(tr.Dormant()), []string{".sops.yaml:3:18 sops/unused-rule", ".sops.yaml:4:18 sops/unused-rule"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	none := files{SealRulesFile: seals, "/base/a.yaml": config("x")}
	if got := load(t, none.fs()).Dormant(); len(got) > 0 {
		t.Errorf("without any Secret: %v", got)
	}
}

func TestAppearance(t *testing.T) {
	for _, c := range []struct {
		a, b string
		same bool
	}{
		{"openai-key", "openaikey", true}, {"model-1", "model-l", true}, {"prod0", "prodo", true}, {"v1-1", "v11", false}, {"gpt-4o", "gpt4o", true},
		{"service-1", "service-11", false}, {"key", "keys", false}, {"chat", "cat", false}, {"a-10", "a1-0", false},
	} {
		if got := appearance(c.a) == appearance(c.b); got != c.same {
			t.Errorf("%s and %s: %v", c.a, c.b, got)
		}
	}
}

func TestLookalikeFolders(t *testing.T) {
	tr := load(t, files{"/base/a.yaml": config("x"), "namespaces/acme/ml/ch-at/base/a.yaml": config("x"), "namespaces/acme/m-l/chat/base/a.yaml": config("x"),
		"namespaces/a-cme/ml/chat/base/a.yaml": config("x")}.fs())
	want := []string{"namespaces/acme:1:1 layout/look-alike", "namespaces/acme/ml:1:1 layout/look-alike", "namespaces/acme/ml/chat:1:1 layout/look-alike"}
	if got := brief(tr.lookalikeFolders()); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
