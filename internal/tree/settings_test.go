package tree

import (
	"slices"
	"strings"
	"testing"

	"github.com/llm-config-manager/lcm/internal/lcm"
)

func TestFindingsOfSettings(t *testing.T) {
	for _, c := range []struct{ old, new, want string }{
		{settingsYAML, "", "lcm.yaml:1:1 settings/missing"},
		{settingsYAML, "[]\n", "lcm.yaml:1:1 settings/missing"},
		{settingsYAML, "a: [\n", "lcm.yaml:1:1 yaml/syntax"},
		{"apiVersion: lcm/v1", "apiVersion: lcm/v2", "lcm.yaml:1:13 document/api-version"},
		{"kind: Repository", "kind: Repo", "lcm.yaml:2:7 document/kind"},
		{"name: acme-config", "name: Acme", "lcm.yaml:3:7 settings/name"},
		{"name: acme-config", "title: acme-config\nname: acme", "lcm.yaml:3:1 settings/unknown-field"},
		{"name: acme-config\n", "", "lcm.yaml:1:1 settings/missing"},
		{`rules: "1"`, "rules: 1", "lcm.yaml:4:8 settings/edition"},
		{`rules: "1"`, `rules: "2"`, "lcm.yaml:4:8 settings/edition"},
		{"staging: {inherits: development}", "staging: {inherits: dev}", "lcm.yaml:8:23 settings/environment"},
		{"staging: {inherits: development}", "staging: {inherits: ''}", "lcm.yaml:8:23 settings/environment"},
		{"staging: {inherits: development}", "staging: {inherits: staging}", "lcm.yaml:8:23 settings/environment"},
		{"development: {inherits: base}", "development: {inherits: production}", "lcm.yaml:7:27 settings/environment"},
		{"base: {abstract: true}", "base: {abstract: maybe}", "lcm.yaml:6:20 settings/environment"},
		{"base: {abstract: true}", "base: {abstract: true, x: 1}", "lcm.yaml:6:26 settings/unknown-field"},
		{"base: {abstract: true}", "base: ~", "lcm.yaml:6:9 settings/environment"},
		{"base: {abstract: true}", "base: {abstract: true}\n  Old: {}", "lcm.yaml:7:3 settings/environment"},
		{"runtime: {}", "runtime: {secrets: 1}", "lcm.yaml:12:22 settings/target"},
		{"runtime: {}", "runtime: {maxClassification: secret}", "lcm.yaml:12:32 settings/target"},
		{"runtime: {}", "runtime: {address: x}", "lcm.yaml:12:13 settings/unknown-field"},
		{"runtime: {}", "runtime: []", "lcm.yaml:12:12 settings/target"},
		{"runtime: {}", "runtime: {}\n  Run: {}", "lcm.yaml:13:3 settings/target"},
		{"target: vault", "target: vaults", "lcm.yaml:14:65 settings/route"},
		{"target: vault", "to: vault, target: vault", "lcm.yaml:14:57 settings/unknown-field"},
		{", target: vault", "", "lcm.yaml:14:5 settings/missing"},
		{`"acme/**"`, `"acme*"`, "lcm.yaml:14:27 settings/route"},
		{`"acme/**"`, ``, "lcm.yaml:14:26 settings/route"},
		{`kinds: [Secret]`, `kinds: [secret]`, "lcm.yaml:14:47 settings/route"},
		{`kinds: [Secret]`, `kinds: [1]`, "lcm.yaml:14:47 settings/route"},
		{`, kinds: [Secret]`, ``, "lcm.yaml:14:13 settings/missing"},
		{"maxDeletes: 10%", "maxDeletes: 110%", "lcm.yaml:16:22 settings/limits"},
		{"maxDeletes: 10%", "maxDeletes: -1", "lcm.yaml:16:22 settings/limits"},
		{"maxDeletes: 10%", "maxDelete: 1", "lcm.yaml:16:10 settings/unknown-field"},
		{"limits: {maxDeletes: 10%}", "limits: 10%", "lcm.yaml:16:9 settings/limits"},
		{"limits: {maxDeletes: 10%}", "notSecrets: x", "lcm.yaml:16:13 settings/not-secret"},
		{"limits: {maxDeletes: 10%}", "notSecrets: [x]", "lcm.yaml:16:14 settings/not-secret"},
		{"limits: {maxDeletes: 10%}", "notSecrets: [{sha256: x, why: y}]", "lcm.yaml:16:23 settings/not-secret"},
		{"limits: {maxDeletes: 10%}", "notSecrets: [{sha256: " + strings.Repeat("0a", 32) + ", why: ' '}]", "lcm.yaml:16:94 settings/not-secret"},
		{"limits: {maxDeletes: 10%}", "notSecrets: [{sha256: " + strings.Repeat("0a", 32) + ", why: y, file: z}]", "lcm.yaml:16:97 settings/unknown-field"},
	} {
		content := strings.Replace(settingsYAML, c.old, c.new, 1)
		if content == settingsYAML {
			t.Fatalf("%q is not there to be replaced", c.old)
		}
		tr, findings := Load(files{SettingsFile: content}.fs())
		if got := brief(findings); tr != nil || !slices.Equal(got, []string{c.want}) {
			t.Errorf("%q: got %v %v, want %s", c.new, got, findings, c.want)
		}
	}
	tr := load(t, files{SettingsFile: strings.Replace(settingsYAML, "10%", "50", 1)}.fs())
	if s := tr.Settings(); s.Limits.MaxDeletes != "50" || s.Name != "acme-config" || s.Rules != "1" || !s.Targets["vault"].Secrets ||
		s.Targets["runtime"].MaxClassification != lcm.Internal || s.Routes[1].Position.Line != 15 {
		t.Errorf("%+v", s)
	}
}

const (
	alice = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"
	rule  = "creation_rules:\n  - path_regex: '^namespaces/acme/.*$'\n    age: " + alice + "\n    encrypted_regex: '^(data|previous)$'\n"
)

func TestFindingsOfSealRules(t *testing.T) {
	for _, c := range []struct{ old, new, want string }{
		{rule, "x: 1\n", ".sops.yaml:1:1"},
		{"creation_rules", "stores: {}\ncreation_rules", ".sops.yaml:1:1"},
		{"'^namespaces/acme/.*$'", "'namespaces/acme/.*$'", ".sops.yaml:2:17"},
		{"'^namespaces/acme/.*$'", "'^a|b$'", ".sops.yaml:2:17"},
		{"'^namespaces/acme/.*$'", "'(?m)^a$'", ".sops.yaml:2:17"},
		{"'^namespaces/acme/.*$'", "'^a($'", ".sops.yaml:2:17"},
		{"'^namespaces/acme/.*$'", "7", ".sops.yaml:2:17"},
		{"'^(data|previous)$'", "'^(data)$'", ".sops.yaml:4:22"},
		{"    encrypted_regex: '^(data|previous)$'\n", "", ".sops.yaml:2:5"},
		{"    age:", "    kms: x\n    age:", ".sops.yaml:3:5"},
		{alice, alice[:61] + "q", ".sops.yaml:3:10"},
		{alice, "[" + alice + ", x]", ".sops.yaml:3:75"},
		{alice, "[]", ".sops.yaml:3:10"},
		{alice, `"` + alice + "," + alice + `"`, ".sops.yaml:3:10"},
		{alice, "age1yubikey1qwt50d05nh5vutpdzmlg5wn80xq5negm4uj9ghv0snvdd3yysf5yw3rhl3t", ".sops.yaml:3:10"},
	} {
		content := strings.Replace(rule, c.old, c.new, 1)
		tr, findings := Load(files{SealRulesFile: content}.fs())
		if got := brief(findings); !slices.Equal(got, []string{c.want + " sops/rule"}) {
			t.Errorf("%q: got %v, want %s", c.new, findings, c.want)
		}
		if _, err := tr.SealRules().Recipients("namespaces/acme/x"); err == nil {
			t.Errorf("%q: wrong rules name recipients", c.new)
		}
	}
}

func TestRecipients(t *testing.T) {
	const bob = "age1lggyhqrw2nlhcxprm67z43rta597azn8gknawjehu9d9dl0jq3yqqvfafg"
	two := "  - path_regex: '^namespaces/(bolt|both)/.*$'\n    age: [" + bob + ", " + alice + "]\n    encrypted_regex: '^(data|previous)$'\n" +
		"  - path_regex: '^namespaces/both/.*$'\n    age: " + bob + "\n    encrypted_regex: '^(data|previous)$'\n"
	tr := load(t, files{SealRulesFile: rule + two}.fs())
	got, err := tr.SealRules().Recipients("namespaces/acme/k.sops.yaml")
	if err != nil || !slices.Equal(got, []string{alice}) {
		t.Error(got, err)
	}
	got, err = tr.SealRules().Recipients("namespaces/bolt/k.sops.yaml")
	if err != nil || !slices.Equal(got, []string{bob, alice}) {
		t.Error(got, err)
	}
	for _, p := range []string{"namespaces/both/k", "other", "x/namespaces/acme/k"} {
		if got, err := tr.SealRules().Recipients(p); err == nil {
			t.Errorf("%s: %v", p, got)
		}
	}
	if _, err := load(t, files{}.fs()).SealRules().Recipients("x"); err == nil {
		t.Error("no rules at all name recipients")
	}
}
