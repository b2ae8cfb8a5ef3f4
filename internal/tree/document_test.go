package tree

import (
	"slices"
	"strings"
	"testing"

	"github.com/llm-config-manager/lcm/internal/lcm"
)

func TestFindingsOfDocuments(t *testing.T) {
	const head = "apiVersion: lcm/v1\nkind: Config\n"
	for _, c := range []struct {
		content string
		want    []string
	}{
		{"- a\n", []string{"1:1 document/shape"}},
		{"kind: Config\nspec: {}\n", []string{"1:1 document/api-version"}},
		{"# c\napiVersion: v1\nkind: Config\nspec: {}\n", []string{"2:13 document/api-version"}},
		{"apiVersion: lcm/v1\nspec: {}\n", []string{"1:1 document/kind"}},
		{"apiVersion: lcm/v1\nkind: 7\nspec: {}\n", []string{"2:7 document/kind"}},
		{"apiVersion: lcm/v1\nkind: config\nspec: {}\n", []string{"2:7 document/kind"}},
		{"apiVersion: lcm/v1\nkind: PromptTemplate\nspec: {}\n", []string{"2:7 document/kind"}},
		{"apiVersion: lcm/v1\nkind: Secret\nmetadata: {address: x}\nspec: {}\n", []string{"2:7 document/secret-unsealed"}},
		{head + "status: {}\nspec: {}\n", []string{"3:1 document/unknown-field"}},
		{head + "sops: {}\nspec: {}\n", []string{"3:1 document/unknown-field"}},
		{head + "spec: []\n", []string{"3:7 document/spec"}},
		{head + "spec:\n", []string{"3:6 document/spec"}},
		{head + "metadata: x\n", []string{"3:11 document/metadata"}},
		{head + "metadata: {name: x}\n", []string{"3:12 document/unknown-field"}},
		{head + "metadata: {classification: secret}\n", []string{"3:28 document/metadata"}},
		{head + "metadata: {owner: 1}\n", []string{"3:19 document/metadata"}},
		{head + "metadata: {description: [x]}\n", []string{"3:25 document/metadata"}},
		{head + "metadata: {labels: x}\n", []string{"3:20 document/metadata"}},
		{head + "metadata: {labels: {a: x, b: 1}}\n", []string{"3:30 document/metadata"}},
		{head + "metadata: {merge: shallow}\n", []string{"3:19 document/metadata"}},
		{head + "metadata: {inheritable: no}\n", []string{"3:25 document/metadata"}},
		{head + "metadata: {address: acme/ml/chat/base/k}\n", []string{"3:12 document/metadata"}},
		{head + "metadata: {owner: 1, labels: x}\n", []string{"3:19 document/metadata", "3:30 document/metadata"}},
		{"apiVersion: lcm/v1\nkind: Tombstone\nmetadata: {merge: deep}\n", []string{"3:19 merge/forbidden"}},
		{"a: 1\na: 2\n", []string{"2:1 yaml/duplicate-key"}},
	} {
		m := files{"/base/k.yaml": c.content}.fs()
		got := short(brief(all(m)))
		for i, w := range c.want {
			c.want[i] = "/base/k.yaml:" + w
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%q: got %v, want %v", c.content, got, c.want)
		}
		tr, _ := Load(m)
		if r := tr.Resolve(chat.In("production")); len(r.Entries) > 0 {
			t.Errorf("%q is among the entries", c.content)
		}
	}
}

func TestFindingsOfSecrets(t *testing.T) {
	const address = "acme/ml/chat/production/k"
	good := secret(address, "")
	for _, c := range []struct{ old, new, want string }{
		{"{address: " + address, "{address: acme/ml/chat/staging/k", "3:21 document/address"},
		{"{address: " + address + "}", "{}", "3:1 document/address"},
		{"metadata: {address: " + address + "}\n", "", "1:1 document/address"},
		{"{address: " + address, "{address: 7", "3:21 document/metadata"},
		{"kind: Secret", "kind: Config", "2:7 document/not-a-secret"},
		{sopsEnd, "", "1:1 document/secret-unsealed"},
		{`"` + enc + `"`, "hunter2-canary", "4:34 secret/plaintext"},
		{`"` + enc + `"`, `""`, "4:34 secret/plaintext"},
		{`"` + enc + `"`, `{a: ["` + enc + `", 12345]}`, "4:106 secret/plaintext"},
		{"}\nspec", ", merge: deep}\nspec", "3:55 merge/forbidden"},
		{"}\nspec", ", sharedWith: [acme/ml]}\nspec", "3:61 document/metadata"},
		{"}\nspec", ", sharedWith: acme/ml/x}\nspec", "3:60 document/metadata"},
		{"}\nspec", ", audience: [1]}\nspec", "3:59 document/metadata"},
		{"}\nspec", ", audience: ['']}\nspec", "3:59 document/metadata"},
	} {
		content := strings.Replace(good, c.old, c.new, 1)
		if content == good {
			t.Fatalf("%q is not there to be replaced", c.old)
		}
		findings := all(files{"/production/k.sops.yaml": content}.fs())
		if got := short(brief(findings)); !slices.Equal(got, []string{"/production/k.sops.yaml:" + c.want}) {
			t.Errorf("%q: got %v, want %s", c.new, got, c.want)
		}
		for _, f := range findings {
			if strings.Contains(f.String(), "canary") || strings.Contains(f.String(), "12345") {
				t.Errorf("a finding shows the value: %v", f)
			}
		}
	}
	tr := load(t, files{"/production/k.sops.yaml": good}.fs())
	e := entry(t, tr, "production", "k")
	if e.Metadata.Classification != lcm.Restricted || e.Metadata.Inheritable || e.Target != "vault" {
		t.Errorf("%+v", e)
	}
	if _, ok := e.Value()["sops"]; ok {
		t.Error("Value shows what SOPS added")
	}
}

func TestMetadata(t *testing.T) {
	tr := load(t, files{"/base/k.yaml": document("Config", "description: d, classification: public, owner: o, labels: {a: b}, inheritable: true, merge: replace", "value: 1")}.fs())
	e := entry(t, tr, "staging", "k")
	diff(t, "metadata", e.Metadata, Metadata{Description: "d", Classification: lcm.Public, Owner: "o",
		Labels: map[string]string{"a": "b"}, Merge: "replace", Inheritable: true})
	diff(t, "origin", e.Origin, Origin{"namespaces/acme/ml/chat/base/k.yaml", "base"})
	diff(t, "address", e.Address.String(), "acme/ml/chat/staging/k")
}
