package tree

import (
	"slices"
	"testing"

	"github.com/llm-config-manager/lcm/internal/diag"
	"github.com/llm-config-manager/lcm/internal/lcm"
)

func TestIdle(t *testing.T) {
	for _, c := range []struct {
		name  string
		files files
		want  []string
	}{
		{"a copy", files{"/base/k.yaml": config("x"), "/staging/k.yaml": config("x")}, []string{"/staging/k.yaml:1:1 inherit/redundant"}},
		{"a copy over another layer", files{"/base/k.yaml": config("x"), "/development/k.yaml": config("y"), "/staging/k.yaml": config("x")}, nil},
		{"a copy of what is merged", files{"/base/k.yaml": document("Config", "", "value: {a: 1, b: 2}"), "/development/k.yaml": document("Config", "merge: deep", "value: {b: 3}"),
			"/staging/k.yaml": document("Config", "merge: deep", "value: {b: 3, c: ~}")}, []string{"/staging/k.yaml:3:19 merge/no-effect"}},
		{"another owner", files{"/base/k.yaml": document("Config", "owner: a", "value: 1"), "/staging/k.yaml": document("Config", "owner: b", "value: 1")}, nil},
		{"said why", files{"/base/k.yaml": document("Config", "", "value: 1"), "/staging/k.yaml": document("Config", "description: stays, whatever base says", "value: 1")}, nil},
		{"merged and said why", files{"/base/k.yaml": document("Config", "", "value: 1"), "/staging/k.yaml": document("Config", "merge: deep, description: stays", "value: 1")}, nil},
		{"merged without a description", files{"/base/k.yaml": document("Config", "description: d", "value: 1"), "/staging/k.yaml": document("Config", "merge: deep", "value: 1")},
			[]string{"/staging/k.yaml:3:19 merge/no-effect"}},
		{"a stricter class", files{"/base/k.yaml": document("Config", "", "value: 1"), "/staging/k.yaml": document("Config", "merge: deep, classification: restricted", "value: 1")}, nil},
		{"ends inheritance", files{"/base/k.yaml": config("x"), "/staging/k.yaml": document("Config", "inheritable: false", "value: x")}, nil},
		{"nothing to hide", files{"/staging/k.yaml": document("Tombstone", "", "")}, []string{"/staging/k.yaml:2:7 inherit/tombstone"}},
		{"hidden already", files{"/base/k.yaml": config("x"), "/development/k.yaml": document("Tombstone", "", ""), "/staging/k.yaml": document("Tombstone", "", "")},
			[]string{"/staging/k.yaml:2:7 inherit/tombstone"}},
		{"at the bottom", files{"/base/k.yaml": document("Tombstone", "", "")}, []string{"/base/k.yaml:2:7 inherit/tombstone"}},
		{"hides what is broken", files{"/base/k.yaml": "kind: [\n", "/staging/k.yaml": document("Tombstone", "", "")}, nil},
		{"a prompt", files{"/base/p.prompt": prompt("Hello"), "/production/p.prompt": prompt("Hello")}, []string{"/production/p.prompt:1:1 inherit/redundant"}},
		{"a prompt with another variant", files{"/base/p.prompt": prompt("Hello"), "/production/p.prompt": prompt("Hello"), "/production/p.short.prompt": "Hi"}, nil},
		{"sealed twice", files{"/base/k.sops.yaml": secret("acme/ml/chat/base/k", ", inheritable: true"), "/staging/k.sops.yaml": secret("acme/ml/chat/staging/k", ", inheritable: true")}, nil},
		{"look-alikes", files{"/base/open-ai.yaml": config("x"), "/base/openai.yaml": config("y"), "/staging/0pen-ai.yaml": config("z")},
			[]string{"/base/openai.yaml:1:1 layout/look-alike", "/staging/0pen-ai.yaml:1:1 layout/look-alike"}},
	} {
		if got := layers(c.files, (*Tree).Idle); !slices.Equal(got, c.want) {
			t.Errorf("%s: got %v, want %v", c.name, got, c.want)
		}
	}
}

func TestHidden(t *testing.T) {
	over := func(environments ...string) files {
		f := files{"/base/k.yaml": config("base")}
		for _, e := range environments {
			f["/"+e+"/k.yaml"] = document("Config", "inheritable: false", "value: x")
		}
		return f
	}
	for _, c := range []struct {
		name  string
		files files
		want  []string
	}{
		{"nowhere but there", over(), nil},
		{"in some", over("development", "production"), nil},
		{"in all", over("development", "staging", "production"), []string{"/base/k.yaml:1:1 inherit/hidden"}},
		{"for all that inherit", files{"/base/k.yaml": config("x"), "/development/k.yaml": document("Tombstone", "", "")}, []string{"/base/k.yaml:1:1 inherit/hidden"}},
		{"merged onto", files{"/base/k.yaml": config("x"), "/development/k.yaml": document("Config", "merge: deep", "value: y")}, nil},
		{"by what can't be read", files{"/base/k.yaml": config("x"), "/development/k.yaml": "kind: [\n"}, nil},
		{"not inheritable", files{"/base/k.sops.yaml": secret("acme/ml/chat/base/k", "")}, []string{"/base/k.sops.yaml:3:11 inherit/hidden"}},
		{"not inheritable, and published", files{"/staging/k.sops.yaml": secret("acme/ml/chat/staging/k", "")}, nil},
		{"a prompt by a document", files{"/base/k.prompt": prompt("Hello"), "/development/k.yaml": config("x")}, []string{"/base/k.prompt:1:1 inherit/hidden"}},
		{"a partial", files{"/base/p.prompt": prompt("{{>a}}"), "/base/_a.prompt": "A", "/development/_a.prompt": "B"}, []string{"/base/_a.prompt:1:1 inherit/hidden"}},
		{"a partial in some", files{"/base/p.prompt": prompt("{{>a}}"), "/base/_a.prompt": "A", "/staging/_a.prompt": "B"}, nil},
		{"a partial that nobody uses", files{"/base/p.prompt": prompt("{{>a}}"), "/base/_a.prompt": "A", "/staging/_b.prompt": "B"}, []string{"/staging/_b.prompt:1:1 prompt/unused-partial"}},
		{"a partial of a partial", files{"/base/p.prompt": prompt("x"), "/base/p.v.prompt": "{{>a}}", "/base/_a.prompt": "{{>b}}", "/base/_b.prompt": "B"}, nil},
		{"nobody knows", files{"/base/p.prompt": prompt("{{"), "/base/_a.prompt": "A"}, nil},
	} {
		if got := layers(c.files, (*Tree).Hidden); !slices.Equal(got, c.want) {
			t.Errorf("%s: got %v, want %v", c.name, got, c.want)
		}
	}
}

// layers looks at every layer of the service.
func layers(f files, look func(*Tree, lcm.Namespace) []diag.Finding) []string {
	tr, _ := Load(f.fs())
	var findings []diag.Finding
	for _, env := range []string{"base", "development", "staging", "production"} {
		findings = append(findings, look(tr, chat.In(env))...)
	}
	return short(brief(diag.Sort(findings)))
}
