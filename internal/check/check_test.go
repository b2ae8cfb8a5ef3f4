package check

import (
	"context"
	"io/fs"
	"maps"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/llm-config-manager/lcm/internal/diag"
	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/tree"
)

const (
	recipient = "age1haez9u5x0s86765907nwmn3xza2w08krwq4p77m7a3uuwm4myf0qa2kfax"
	another   = "age1rtvkqcm6e45takpxcdtu6yyguyxzv3psyfnmenp8lhuy4rmhw5sqdctxev"
	enc       = "ENC[AES256_GCM,data:aGk=,iv:aGk=,tag:aGk=,type:str]"
	chat      = "namespaces/acme/shop/chat/"
	search    = "namespaces/acme/shop/search/"
)

// valid is a repository without fault: each test lays its own files over it.
func valid() map[string]string {
	return map[string]string{
		"lcm.yaml": `apiVersion: lcm/v1
kind: Repository
name: acme-config
rules: "1"
environments:
  base: {abstract: true}
  development: {inherits: base}
  staging: {inherits: base}
targets:
  vault: {secrets: true, maxClassification: restricted}
  runtime: {}
routes:
  - {match: {namespaces: ["**"], kinds: [Secret]}, target: vault}
  - {match: {namespaces: ["**"], kinds: ["*"]}, target: runtime}
`,
		".sops.yaml": "creation_rules:\n  - {path_regex: '^.*$', age: " + recipient + ", encrypted_regex: ^(data|previous)$}\n",
		".lcm/trust.yaml": `apiVersion: lcm/v1
kind: TrustPolicy
repository: acme-config
branch: main
version: 1
principals:
  alice: {roles: [global-admin], keys: [{ssh: "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBBJujOg4S2B74Urb7BF2+MbzQFdaTJ+kVUZsk8/y7Lh"}]}
rules:
  - {paths: ["**"], roles: [global-admin], approvals: 1}
`,
		chat + "base/greeting.yaml": config("value: Hello"),
	}
}

func config(spec string) string {
	return "apiVersion: lcm/v1\nkind: Config\nspec:\n  " + spec + "\n"
}

// secret is a sealed Secret of a service in development, as far as can be seen without a key.
func secret(service, key string) string {
	return "apiVersion: lcm/v1\nkind: Secret\nmetadata:\n  address: acme/shop/" + service + "/development/" + key +
		"\nspec:\n  type: api-key\n  data:\n    key: " + enc +
		"\nsops:\n  age:\n    - recipient: " + recipient + "\n  mac: " + enc + "\n  encrypted_regex: ^(data|previous)$\n"
}

func model(ref string) string {
	return "apiVersion: lcm/v1\nkind: ModelEndpoint\nspec:\n  model_name: chat\n  strategy: {mode: single}\n  targets:\n    - provider: openai\n      model: openai/gpt-4o\n      api_key: {ref: " + ref + "}\n"
}

func repository(own map[string]string) fstest.MapFS {
	all := valid()
	maps.Copy(all, own)
	fsys := fstest.MapFS{}
	for name, text := range all {
		if text != "" {
			fsys[name] = &fstest.MapFile{Data: []byte(text), Mode: 0o644}
		}
	}
	return fsys
}

// short is a finding without its message.
func short(findings []diag.Finding) (out []string) {
	for _, f := range findings {
		out = append(out, f.Position.String()+" "+f.Rule)
	}
	return out
}

func TestRepository(t *testing.T) {
	for _, test := range []struct {
		name string
		own  map[string]string
		want []string
	}{
		{"valid", nil, nil},
		{"one mistake, inherited twice", map[string]string{chat + "base/limits.yaml": config("vlaue: 1")},
			[]string{chat + "base/limits.yaml:4:3 schema/unknown-field"}},
		{"a Secret of the same service", map[string]string{chat + "development/model-key.sops.yaml": secret("chat", "model-key"), chat + "development/model.yaml": model("model-key")},
			nil},
		{"a reference to a broken Secret is not one more mistake", map[string]string{
			chat + "development/model-key.sops.yaml": strings.Replace(secret("chat", "model-key"), "key: "+enc, "key: canary", 1),
			chat + "development/model.yaml":          model("model-key")},
			[]string{chat + "development/model-key.sops.yaml:8:10 secret/plaintext"}},
		{"nor is one from another service", map[string]string{
			chat + "development/model-key.sops.yaml": strings.Replace(secret("chat", "model-key"), "key: "+enc, "key: canary", 1),
			search + "development/model.yaml":        model("/acme/shop/chat/model-key")},
			[]string{chat + "development/model-key.sops.yaml:8:10 secret/plaintext"}},
		{"a reference to what is no Secret", map[string]string{chat + "base/model.yaml": model("greeting")},
			[]string{chat + "base/model.yaml:9:22 policy/credentials/reference-kind"}},
		{"no .sops.yaml, two Secrets", map[string]string{".sops.yaml": "",
			chat + "development/a.sops.yaml": secret("chat", "a"), chat + "development/b.sops.yaml": secret("chat", "b")},
			[]string{".sops.yaml:1:1 layout/missing"}},
		{"no .sops.yaml, no Secret", map[string]string{".sops.yaml": ""}, nil},
		{"a wrong .sops.yaml", map[string]string{".sops.yaml": "creation_rules: {}\n", chat + "development/a.sops.yaml": secret("chat", "a")},
			[]string{".sops.yaml:1:17 sops/rule"}},
		{"sealed twice to one", map[string]string{chat + "development/a.sops.yaml": strings.Replace(secret("chat", "a"), "    - recipient: "+recipient, "    - recipient: "+recipient+"\n    - recipient: "+recipient, 1)},
			[]string{chat + "development/a.sops.yaml:12:18 sops/recipients"}},
		{"sealed to another, too", map[string]string{chat + "development/a.sops.yaml": strings.Replace(secret("chat", "a"), "    - recipient: "+recipient, "    - recipient: "+another+"\n    - recipient: "+recipient, 1)},
			[]string{chat + "development/a.sops.yaml:11:18 sops/recipients"}},
		{"sealed to nobody", map[string]string{chat + "development/a.sops.yaml": strings.Replace(secret("chat", "a"), "  age:\n    - recipient: "+recipient, "  age: []", 1)},
			[]string{chat + "development/a.sops.yaml:10:3 sops/recipients"}},
		{"mistakes in settings and documents are told together", map[string]string{
			".lcm/trust.yaml":                strings.Replace(valid()[".lcm/trust.yaml"], "approvals: 1", "approvals: 0", 1),
			"policies/rego/own.rego":         "package lcm.own\n\nwarn contains {\"rule\": \"hi\", \"path\": [], \"message\": \"hi\"} if input.document.key == \"greeting\"\n",
			chat + "development/limits.yaml": config("value: ~")},
			[]string{".lcm/trust.yaml:9:55 trust/approvals", chat + "base/greeting.yaml:1:1 policy/own/hi", chat + "development/limits.yaml:4:10 schema/type"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			findings, err := Repository(t.Context(), repository(test.own))
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(test.want, short(findings)); d != "" {
				t.Errorf("findings (-want +got):\n%s", d)
			}
			for _, f := range findings {
				if strings.Contains(f.Message, "canary") {
					t.Errorf("a value is repeated: %s", f)
				}
			}
		})
	}
}

// A document that resolves to itself is looked at once, unless constraints of the repository's own could
// find something in it that depends on the environment.
func TestOwnConstraintsSeeWhereReferencesLead(t *testing.T) {
	fsys := repository(map[string]string{
		"schemas/cue/own.cue":                    "package lcm\n\n#ModelTarget: api_key?: ref!: !~\"/staging/\"\n",
		chat + "development/model-key.sops.yaml": secret("chat", "model-key"),
		chat + "staging/model-key.sops.yaml":     strings.Replace(secret("chat", "model-key"), "/development/", "/staging/", 1),
		chat + "base/model.yaml":                 model("model-key"),
	})
	loaded, rules := load(t, fsys)
	for environment, want := range map[string][]string{"development": nil, "staging": {chat + "base/model.yaml:9:22 schema/pattern"}} {
		for range 2 {
			got := rules.Namespace(t.Context(), loaded.Resolve(namespace(environment)), nil, nil)
			if d := cmp.Diff(want, short(got)); d != "" {
				t.Errorf("%s (-want +got):\n%s", environment, d)
			}
		}
	}
}

func load(t *testing.T, fsys fstest.MapFS) (*tree.Tree, *Rules) {
	t.Helper()
	loaded, findings := tree.Load(fsys)
	var packs Packs
	rules, more, err := packs.Rules(t.Context(), fsys, loaded)
	if err != nil || len(findings)+len(more) > 0 {
		t.Fatal(err, findings, more)
	}
	return loaded, rules
}

func namespace(environment string) lcm.Namespace {
	return lcm.Namespace{Service: lcm.Service{Org: "acme", Project: "shop", Name: "chat"}, Environment: environment}
}

func TestCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if findings, err := Repository(ctx, repository(nil)); err == nil {
		t.Errorf("a cancelled check passes with %v", findings)
	}
}

// What was wrong with the repository's own modules stays wrong while they stay the same, and is forgotten
// when they change.
func TestPacksRemember(t *testing.T) {
	var packs Packs
	broken := map[string]string{"policies/rego/own.rego": "package lcm.own\n\ndeny contains x if\n"}
	silent := map[string]string{"policies/rego/own.rego": "package lcm.own\n\nhelper := 1\n"}
	for i, step := range []struct {
		own   map[string]string
		rules bool
		want  string
	}{
		{nil, true, ""}, {broken, false, "policy/compile"}, {broken, false, "policy/compile"},
		{silent, true, "policy/output"}, {silent, true, "policy/output"}, {nil, true, ""},
	} {
		fsys := repository(step.own)
		loaded, findings := tree.Load(fsys)
		if len(findings) > 0 {
			t.Fatal(findings)
		}
		rules, findings, err := packs.Rules(t.Context(), fsys, loaded)
		if err != nil {
			t.Fatal(err)
		}
		var got string
		if len(findings) > 0 {
			got = findings[0].Rule
		}
		if (rules != nil) != step.rules || got != step.want || len(findings) > 1 {
			t.Errorf("step %d: rules %v, findings %v", i, rules != nil, findings)
		}
	}
}

// The daemon hands in what it opened: the findings stand at the sealed fields and repeat no value.
func TestOpened(t *testing.T) {
	loaded, rules := load(t, repository(map[string]string{chat + "development/a.sops.yaml": secret("chat", "a")}))
	for _, test := range []struct {
		data map[string]any
		want []string
	}{
		{map[string]any{"key": "canary-0123456789"}, nil},
		{map[string]any{"key": "canary with blanks"}, []string{chat + "development/a.sops.yaml:8:10 schema/pattern"}},
		{map[string]any{"key": map[string]any{"canary": "x"}}, []string{chat + "development/a.sops.yaml:8:10 schema/type"}},
		{map[string]any{}, []string{chat + "development/a.sops.yaml:8:5 schema/required"}},
	} {
		got := rules.Namespace(t.Context(), loaded.Resolve(namespace("development")), nil, &Known{Opened: map[string]lcm.Secret{"a": lcm.NewSecret(test.data)}})
		if d := cmp.Diff(test.want, short(got)); d != "" {
			t.Errorf("findings (-want +got):\n%s", d)
		}
		for _, f := range got {
			if strings.Contains(f.String(), "canary") {
				t.Errorf("a value is repeated: %s", f)
			}
		}
	}
}

func TestWithheld(t *testing.T) {
	key := "sk" + "-proj-a1B2c3D4e5F6g7H8i9J0a1B2c3D4e5F6g7H8"
	at := diag.Position{File: "f.yaml", Line: 1, Column: 1}
	got := Withheld([]diag.Finding{diag.Errorf(at, "a/b", "the field %q is unknown", key), diag.Errorf(at, "a/c", "the field %q is unknown", "key")})
	if strings.Contains(got[0].Message, key) || got[0].Rule != "a/b" || got[1].Message != `the field "key" is unknown` {
		t.Error(got)
	}
}

// unreadableFS is a repository of which one file cannot be read.
type unreadableFS struct {
	fstest.MapFS
	file string
}

func (u unreadableFS) Open(name string) (fs.File, error) {
	if name == u.file {
		return nil, fs.ErrPermission
	}
	return u.MapFS.Open(name)
}

func (u unreadableFS) ReadFile(name string) ([]byte, error) {
	if name == u.file {
		return nil, fs.ErrPermission
	}
	return u.MapFS.ReadFile(name)
}

func TestUnreadable(t *testing.T) {
	for _, file := range []string{".lcm/trust.yaml", chat + "base/greeting.yaml"} {
		findings, err := Repository(t.Context(), unreadableFS{repository(nil), file})
		if d := cmp.Diff([]string{file + ":1:1 layout/unreadable"}, short(findings)); d != "" || err != nil {
			t.Errorf("%v, findings (-want +got):\n%s", err, d)
		}
	}
}

// A rule that does not come to an end denies: it is not known what it would have said.
func TestPolicyFailed(t *testing.T) {
	const list = `list := split("0123456789012345678901234567890123456789", "")`
	findings, err := Repository(t.Context(), repository(map[string]string{
		"policies/rego/own.rego": "package lcm.own\n\n" + list + "\n\ndeny contains {\"rule\": \"x\", \"path\": [], \"message\": \"x\"} if count([1 | some a in list; some b in list; some c in list; some d in list; some e in list; some f in list]) > 1\n",
	}))
	if len(findings) == 0 || err != nil {
		t.Fatal(findings, err)
	}
	for _, f := range findings {
		if f.Rule != "policy/failed" || f.Severity != diag.Error {
			t.Error(f)
		}
	}
}
