package schema

import (
	"fmt"
	"strings"
	"testing"

	"github.com/llm-config-manager/lcm/internal/lcm"
)

const ownPath = "schemas/cue/own.cue"

func own1(text string) map[string][]byte { return map[string][]byte{ownPath: []byte(text)} }

func TestOwnConstraints(t *testing.T) {
	s := newSchema(t, own1(`package lcm

import "strings"

#Preset: spec: config: temperature?: <=1
#ModelEndpoint: spec: targets: [...{api_base?: #Internal}]
#Internal: =~"^https://[a-z.]+[.]acme[.]example(/|$)" @expect("a URL within acme.example")
#Config: metadata: {owner!: strings.HasPrefix("team-"), extra?: string}
#Secret: spec: data: key?: =~"^sealed$"
#Budget: spec: {
	scope:      _
	on_exceed?: _
	if scope == "org" {on_exceed?: error("a budget of a whole org must block: write warn nowhere") | "block"}
}
#Feature: spec: {name!: string, share!: number & >=0 & <=1}
`))
	for kind, text := range full {
		if kind == "ModelEndpoint" {
			continue
		}
		if v := s.Check(lcm.Kind(kind), parse(t, text)); len(v) > 0 {
			t.Errorf("%s: %+v", kind, v)
		}
	}
	for _, m := range []mistake{
		{"Preset", "spec.config.temperature = 1.5", "spec.config.temperature", "bounds", "from 0 to 1"},
		{"Preset", "spec.config.temperature = 2.5", "spec.config.temperature", "bounds", "from 0 to 2"},
		{"ModelEndpoint", "-spec.targets.0.api_base ;; -spec.targets.1", "spec.targets.1.api_base", "pattern", "within acme.example"},
		{"Config", "-metadata.owner", "metadata.owner", "required", ""},
		{"Config", "metadata.owner = inference", "metadata.owner", "conflict", ""},
		{"Config", "metadata.extra = allowed", "metadata.extra", "unknown-field", ""}, // own constraints never loosen
	} {
		t.Run(m.of+" "+m.edit, func(t *testing.T) {
			doc := parse(t, full[m.of])
			if m.of == "ModelEndpoint" {
				doc["spec"].(map[string]any)["targets"] = parse(t, `t: [{provider: custom, model: custom/a, api_base: "https://llm.acme.example/v1"}, {provider: custom, model: custom/b, api_base: "https://evil.example/v1"}]`)["t"]
				judge(t, m, s.Check("ModelEndpoint", doc))
				return
			}
			judge(t, m, s.Check(lcm.Kind(m.of), change(t, doc, m.edit)))
		})
	}
	feature := parse(t, "apiVersion: lcm/v1\nkind: Feature\nspec: {name: x, share: 0.5}\n")
	if v := s.Check("Feature", feature); len(v) > 0 {
		t.Errorf("%+v", v)
	}
	judge(t, mistake{path: "spec.share", rule: "bounds"}, s.Check("Feature", change(t, feature, "spec.share = 2")))
	judge(t, mistake{path: "spec.more", rule: "unknown-field"}, s.Check("Feature", change(t, feature, "spec.more = 2")))
	judge(t, mistake{path: "more", rule: "unknown-field"}, s.Check("Feature", change(t, feature, "more = 2")))
	judge(t, mistake{path: "metadata.clasification", rule: "unknown-field"}, s.Check("Feature", change(t, feature, "metadata = {clasification: x}")))
	judge(t, mistake{path: "kind", rule: "unknown-kind", message: `"Feature"?`}, s.Check("Featur", feature))
}

func TestUnknownKind(t *testing.T) {
	s := newSchema(t, nil)
	judge(t, mistake{path: "kind", rule: "unknown-kind", message: `did you mean "Preset"?`}, s.Check("Presett", nil))
	judge(t, mistake{path: "kind", rule: "unknown-kind", message: "there are Budget, Config"}, s.Check("Metadata", nil))
	judge(t, mistake{path: "", rule: "conflict"}, s.CheckSettings("Config", nil))
}

func TestOwnRefused(t *testing.T) {
	doubling := "package lcm\n#Config: spec: value: x0\n"
	for i := range 40 {
		doubling += fmt.Sprintf("x%d: {a: x%d, b: x%d}\n", i, i+1, i+1)
	}
	doubling += "x40: 1\n"
	text := "package lcm\ny0: \"ab\"\n"
	for i := range 40 {
		text += fmt.Sprintf("y%d: \"\\(y%d)\\(y%d)\"\n", i+1, i, i)
	}
	alts := "package lcm\n#Config: spec: value: " + strings.Repeat("({a: 1} | {b: 2}) & ", 20) + "_\n"
	for name, c := range map[string]struct {
		text string
		at   string
		want string
	}{
		"syntax":         {"package lcm\n#Config: {\n", "2:12", ""},
		"package":        {"package other\n", "1:1", "package lcm"},
		"no package":     {"#Config: _\n", "1:1", "package lcm"},
		"import":         {"package lcm\n\nimport \"tool/exec\"\n", "3:8", "not allowed"},
		"import network": {"package lcm\nimport \"example.com/x\"\n", "2:8", "not allowed"},
		"function":       {"package lcm\nimport \"strings\"\n#Config: spec: value: strings.Repeat(\"a\", 1000000000)\n", "3:23", "strings is not allowed"},
		"renamed import": {"package lcm\nimport l \"list\"\n#Config: spec: value: l.Range(0, 1000000000, 1)\n", "3:23", "list is not allowed"},
		"multiplication": {"package lcm\n#Config: spec: value: {ä: \"a\"*1000000000}\n", "2:27", "multiplication"},
		"attribute":      {"@extern(embed)\npackage lcm\n", "1:1", "@extern"},
		"embed":          {"package lcm\n#Config: spec: value: _ @embed(file=x)\n", "2:25", "@embed"},
		"regex":          {"package lcm\n#Config: spec: value: =~\"(\"\n", "2:23", "regular expression"},
		"reference":      {"package lcm\n#Config: spec: value: #Nothing\n", "2:23", "does not hold"},
		"contradiction":  {"package lcm\n#Duration: 3\n", "2:12", "does not hold"},
		"settings":       {"package lcm\n#TrustPolicy: version: 1\n", "2:1", "cannot be constrained"},
		"opened":         {"package lcm\n#OpenedSecret: opaque: a: string\n", "2:1", "cannot be constrained"},
		"message":        {"package lcm\n#Config: spec: {value: _, if value == 1 {value: error(\"is \\(value)\")}}\n", "2:49", "one plain string"},
		"misspelt kind":  {"package lcm\n#ModelEndpiont: spec: model_name: \"x\"\n", "2:1", "#ModelEndpoint"},
		"top level":      {"package lcm\n{a: 1}\n", "2:1", "only be definitions"},
		"structs double": {doubling, "", "too long"},
		"strings double": {text, "", "too long"},
		"alternatives":   {alts, "2:1", "too long"},
		"loops":          {"package lcm\n#Config: spec: {value: _, #l: [for a in value for b in value for c in value {a}]}\n", "2:1", "too long"},
		"size":           {"package lcm\n//" + strings.Repeat("x", maxOwnBytes), "1:1", "KiB"},
	} {
		t.Run(name, func(t *testing.T) {
			s, findings := New(own1(c.text))
			if s != nil || len(findings) == 0 {
				t.Fatal("passed")
			}
			f := findings[0]
			if f.Rule != RuleOwnCUE || f.File != ownPath || !strings.Contains(f.Message, c.want) {
				t.Errorf("%v", f)
			}
			if at := fmt.Sprintf("%d:%d", f.Line, f.Column); c.at != "" && at != c.at {
				t.Errorf("at %s: %v", at, f)
			}
			if name != "structs double" && name != "strings double" && len(findings) != 1 {
				t.Errorf("%d findings: %v", len(findings), findings)
			}
		})
	}
}

// A repository's own CUE must not be able to tell anything about sealed values.
func TestOwnSeesNoSealedValue(t *testing.T) {
	s := newSchema(t, own1("package lcm\n#Secret: spec: data: key?: !~\"canary\"\n"))
	doc := change(t, parse(t, full["Secret"]), "spec.data.key = canary")
	if v := s.Check(lcm.KindSecret, doc); len(v) > 0 {
		t.Errorf("%+v", v)
	}
}

func TestNestedLoopsBoundTheDocument(t *testing.T) {
	s := newSchema(t, own1(`package lcm
#Config: spec: {
	value: _
	#pairs: [for a in value for b in value {a}]
}
`))
	doc := parse(t, "apiVersion: lcm/v1\nkind: Config\nspec: {value: []}\n")
	if v := s.Check(lcm.KindConfig, doc); len(v) > 0 {
		t.Fatalf("%+v", v)
	}
	long := make([]any, 3000)
	for i := range long {
		long[i] = int64(i)
	}
	doc["spec"].(map[string]any)["value"] = long
	judge(t, mistake{rule: "conflict", message: "too large"}, s.Check(lcm.KindConfig, doc))
}
