package fix

import (
	"testing"

	"github.com/llm-config-manager/lcm/internal/jsonschema"
	lcmcue "github.com/llm-config-manager/lcm/schemas/cue"
)

func TestMend(t *testing.T) {
	d, err := jsonschema.Read(lcmcue.Files())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, file, before, after string }{
		{"quotes where a text is asked for", "namespaces/a/b/c/base/k.yaml",
			"apiVersion: lcm/v1\nkind: Budget\nspec:\n  scope: org\n  max_budget: 12.50 # USD\n  budget_duration: 30d\n  alert_thresholds: [0.8, 1.0]\n  on_exceed: warn\n",
			"apiVersion: lcm/v1\nkind: Budget\nspec:\n  scope: org\n  max_budget: \"12.50\" # USD\n  budget_duration: 30d\n  alert_thresholds: [\"0.8\", \"1.0\"]\n  on_exceed: warn\n"},
		{"and below names that a pattern tells", "namespaces/a/b/c/base/k.yaml",
			"apiVersion: lcm/v1\nkind: PriceMap\nspec: {models: {openai/gpt-4o: {input_cost_per_token: 0.0000025, max_tokens: 3}}}\n",
			"apiVersion: lcm/v1\nkind: PriceMap\nspec: {models: {openai/gpt-4o: {input_cost_per_token: \"0.0000025\", max_tokens: 3}}}\n"},
		{"no quotes where any value may stand", "namespaces/a/b/c/base/k.yaml", "apiVersion: lcm/v1\nkind: Config\nspec: {value: 3}\n", "apiVersion: lcm/v1\nkind: Config\nspec: {value: 3}\n"},
		{"the edition, and the version of the format", "lcm.yaml", "\ufeff# Ours.\r\nkind: Repository\r\nname: a\r\nrules: 1\r\n", "# Ours.\napiVersion: lcm/v1\nkind: Repository\nname: a\nrules: \"1\"\n"},
		{"a missing edition", "lcm.yaml", "apiVersion: lcm/v1\nkind: Repository\nname: a\n", "apiVersion: lcm/v1\nkind: Repository\nname: a\nrules: \"1\"\n"},
		{"no field that its kind does not have", ".sops.yaml", "creation_rules: []\n", "creation_rules: []\n"},
		{"what cannot be read", "lcm.yaml", "a: 1\r\na: 2\r\n", "a: 1\na: 2\n"},
	} {
		if got := string(Mend(d, c.file, []byte(c.before))); got != c.after {
			t.Errorf("%s:\n%s", c.name, got)
		}
		if got := string(Mend(d, c.file, []byte(c.after))); got != c.after {
			t.Errorf("%s, again:\n%s", c.name, got)
		}
	}
}

func TestWhatIsLeftAlone(t *testing.T) {
	for name, want := range map[string]bool{"lcm.yaml": true, ".sops.yaml": true, "namespaces/a/b/c/base/k.yaml": true,
		"namespaces/a/b/c/base/k.sops.yaml": false, ".lcm/trust.yaml": false, "README.md": false, "namespaces/a/b/c/base/k.prompt": false, ".github/x.yaml": false} {
		if Fixable(name) != want {
			t.Errorf("%s: %t", name, !want)
		}
	}
}
