package tree

import (
	"slices"
	"strings"
	"testing"

	"github.com/llm-config-manager/lcm/internal/lcm"
)

func prompt(template string) string { return "---\nlcm.version: 1.0.0\n---\n" + template + "\n" }

func TestPromptEntry(t *testing.T) {
	tr := load(t, files{
		"/base/ask.prompt": "# license\n\n---\nmodel: openai/gpt-4o\nconfig: {temperature: 0.2}\ninput: {schema: {name: string}}\noutput: {format: text}\n" +
			"lcm.version: 1.2.0\nlcm.classification: public\nlcm.owner: team\nlcm.labels: {a: b}\nlcm.metrics: [clicks]\nlcm.sticky_key: user\n" +
			"lcm.variants: {warm: 20}\nother.tool: x\n---\n\nHello {{name}} {{> sign}}\n",
		"/base/ask.warm.prompt":  "---\nconfig: {temperature: 0.9}\nlcm.classification: confidential\n---\nDear {{name}}",
		"/base/ask.cold.prompt":  "Name: {{name}}\n",
		"/base/_sign.prompt":     "base {{>inner}}\n",
		"/base/_inner.prompt":    "---\nnot front matter\n",
		"/base/_unused.prompt":   "x",
		"/staging/_inner.prompt": "staging",
	}.fs())
	e := entry(t, tr, "production", "ask")
	diff(t, "spec", e.Spec, map[string]any{
		"version": "1.2.0", "model": "openai/gpt-4o", "config": map[string]any{"temperature": 0.2},
		"input": map[string]any{"schema": map[string]any{"name": "string"}}, "output": map[string]any{"format": "text"},
		"template": "Hello {{name}} {{> sign}}", "metrics": []any{"clicks"}, "sticky_key": "user",
		"variants": map[string]any{
			"warm": map[string]any{"config": map[string]any{"temperature": 0.9}, "template": "Dear {{name}}", "weight": int64(20)},
			"cold": map[string]any{"template": "Name: {{name}}\n"},
		},
		"partials": map[string]any{"sign": "base {{>inner}}\n", "inner": "staging"},
	})
	diff(t, "metadata", e.Metadata, Metadata{Classification: lcm.Confidential, Owner: "team", Labels: map[string]string{"a": "b"}, Merge: "replace", Inheritable: true})
	var docs []string
	for _, d := range e.Documents {
		docs = append(docs, d.File)
	}
	diff(t, "documents", short(docs), []string{"/base/ask.prompt", "/base/ask.cold.prompt", "/base/ask.warm.prompt", "/staging/_inner.prompt", "/base/_sign.prompt"})
	diff(t, "value", e.Value()["metadata"], any(map[string]any{"classification": "public", "owner": "team", "labels": map[string]any{"a": "b"}}))
	for path, want := range map[string]string{
		"spec config temperature": "/base/ask.prompt:5:23", "spec version": "/base/ask.prompt:8:14", "metadata owner": "/base/ask.prompt:10:12",
		"spec variants warm config temperature": "/base/ask.warm.prompt:2:23", "spec variants warm weight": "/base/ask.prompt:14:22",
		"spec variants cold template": "/base/ask.cold.prompt:1:1", "spec template": "/base/ask.prompt:18:1", "spec variants warm template": "/base/ask.warm.prompt:5:1",
		"spec partials inner": "/staging/_inner.prompt:1:1",
		"spec metrics 0":      "/base/ask.prompt:12:15", "kind": "/base/ask.prompt:4:1",
	} {
		if got := short([]string{e.Position(strings.Fields(path)...).String()})[0]; got != want {
			t.Errorf("%s stands at %s, want %s", path, got, want)
		}
	}
	if got := short([]string{e.KeyPosition("spec", "config", "temperature").String()})[0]; got != "/base/ask.prompt:5:10" {
		t.Error(got)
	}
	if got := entry(t, tr, "development", "ask").Spec["partials"].(map[string]any)["inner"]; got != "---\nnot front matter\n" {
		t.Errorf("%q", got)
	}
}

// Main file and variants inherit as one set: a nearer main file brings its own variants, or none.
func TestPromptSetsInheritWhole(t *testing.T) {
	tr := load(t, files{
		"/base/a.prompt": prompt("base"), "/base/a.x.prompt": "variant",
		"/staging/a.prompt":  prompt("staging"),
		"/production/a.yaml": document("Tombstone", "", ""),
	}.fs())
	if v := entry(t, tr, "development", "a").Spec["variants"]; len(v.(map[string]any)) != 1 {
		t.Error(v)
	}
	if v := entry(t, tr, "staging", "a").Spec["variants"]; len(v.(map[string]any)) != 0 {
		t.Error(v)
	}
	if got := keys(tr.Resolve(chat.In("production"))); len(got) > 0 {
		t.Error(got)
	}
}

func TestReferenceInPrompt(t *testing.T) {
	m := files{"/base/a.prompt": "---\nlcm.version: 1.0.0\nconfig: {x: {ref: k}}\n---\ntext", "/base/a.v.prompt": "---\nconfig: {y: {ref: no}}\n---\ntext", "/base/k.yaml": config("1")}
	diff(t, "findings", short(brief(all(m.fs()))), []string{"/base/a.v.prompt:2:19 ref/dangling"})
	delete(m, "/base/a.v.prompt")
	e := entry(t, load(t, m.fs()), "staging", "a")
	diff(t, "config", e.Spec["config"], any(map[string]any{"x": map[string]any{"ref": "acme/ml/chat/staging/k"}}))
}

func TestFindingsOfPrompts(t *testing.T) {
	const front = "---\nlcm.version: 1.0.0\n"
	for _, c := range []struct {
		file, content string
		want          []string
	}{
		{"k.prompt", "text\n", []string{"1:1 prompt/version"}},
		{"k.prompt", "---\nmodel: x\n---\ntext\n", []string{"2:1 prompt/version"}},
		{"k.prompt", "---\n---\ntext\n", []string{"2:1 prompt/version"}},
		{"k.prompt", "---\nlcm.version: 1.0\n---\ntext\n", []string{"2:14 prompt/version"}},
		{"k.prompt", "---\nlcm.version: v1.0.0\n---\ntext\n", []string{"2:14 prompt/version"}},
		{"k.prompt", "---\nlcm.version: 1.0.01\n---\ntext\n", []string{"2:14 prompt/version"}},
		{"k.prompt", "# x\n\n---\nlcm.version: 1.0.0\ntext\n", []string{"3:1 prompt/front-matter"}},
		{"k.prompt", "---\n- a\n---\ntext\n", []string{"2:1 prompt/front-matter"}},
		{"k.prompt", "\n" + front + "a: 1\na: 2\n---\ntext\n", []string{"5:1 yaml/duplicate-key"}},
		{"k.prompt", front + "a: &x 1\n---\ntext\n", []string{"3:4 yaml/anchor"}},
		{"k.prompt", front + "tools: []\n---\ntext\n", []string{"3:1 prompt/unknown-field"}},
		{"k.prompt", front + "lcm.notes: x\n---\ntext\n", []string{"3:1 prompt/unknown-field"}},
		{"k.prompt", front + "lcm.classification: secret\n---\ntext\n", []string{"3:21 document/metadata"}},
		{"k.prompt", front + "lcm.owner: 1\n---\ntext\n", []string{"3:12 document/metadata"}},
		{"k.prompt", front + "lcm.labels: {a: 1}\n---\ntext\n", []string{"3:17 document/metadata"}},
		{"k.prompt", front + "lcm.variants: {x: 1}\n---\ntext\n", []string{"3:16 prompt/variant"}},
		{"k.prompt", front + "lcm.variants: x\n---\ntext\n", []string{"3:15 prompt/variant"}},
		{"k.prompt", front + "---\n \n", []string{"4:1 prompt/template"}},
		{"k.prompt", front + "---\nä {{#if x}}\n", []string{"4:3 prompt/template"}},
		{"k.prompt", front + "---\n\n  ä {{#if x}} {{/unless}}\n", []string{"5:18 prompt/template"}},
		{"k.prompt", front + "---\n{{name\n", []string{"4:1 prompt/template"}},
		{"k.prompt", front + "---\n{{{{raw}}}} {{{{/raw}}}}\n", []string{"4:1 prompt/portable"}},
		{"k.prompt", front + "---\n{{> (lookup . 'a')}}\n", []string{"4:5 prompt/portable"}},
		{"k.prompt", front + "---\n" + strings.Repeat("{{#if a}}", 70) + "\n", []string{"4:586 prompt/template"}},
		{"k.prompt", front + "---\nä {{> no}} {{> No}}\n", []string{"4:7 prompt/partial", "4:16 prompt/partial"}},
		{"k.prompt", front + "---\n{{> loop}}\n", []string{"_loop.prompt:1:5 prompt/partial"}},
		{"k.prompt", front + "---\na\x00\n", []string{"4:2 prompt/encoding"}},
		{"k.prompt", front + "---\nä\xff\n", []string{"4:2 prompt/encoding"}},
		{"k.prompt", "\ufeff" + front + "---\nx\n", []string{"1:1 prompt/encoding"}},
		{"_k.prompt", "{{#if}}", []string{"1:1 prompt/template"}},
		{"_k.prompt", "a\x01", []string{"1:2 prompt/encoding"}},
		{"k.x.prompt", "text\n", []string{"1:1 prompt/no-main"}},
		{"m.v2.prompt", "text\n", []string{"1:1 prompt/variant-name"}},
		{"m.x.prompt", "---\nlcm.owner: x\n---\ntext\n", []string{"2:1 prompt/unknown-field"}},
		{"m.x.prompt", "---\nlcm.version: x\n---\ntext\n", []string{"2:14 prompt/version"}},
		{"m.x.prompt", "---\n", []string{"1:1 prompt/front-matter"}},
	} {
		m := files{"/base/m.prompt": prompt("main"), "/base/_loop.prompt": "{{> loop}}", "/base/" + c.file: c.content}.fs()
		for i, w := range c.want {
			if !strings.HasPrefix(w, "_") {
				w = c.file + ":" + w
			}
			c.want[i] = "/base/" + w
		}
		findings := all(m)
		if got := short(brief(findings)); !slices.Equal(got, c.want) {
			t.Errorf("%q: got %v, want %v", c.content, findings, c.want)
		}
	}
}

// A prompt that uses a broken partial is left out without a finding of its own.
func TestBrokenPartial(t *testing.T) {
	m := files{"/base/k.prompt": prompt("{{> a}}"), "/base/o.prompt": prompt("text"), "/base/_a.prompt": "{{/if}}", "/staging/_a.prompt": "fine"}.fs()
	diff(t, "findings", short(brief(all(m))), []string{"/base/_a.prompt:1:1 prompt/template"})
	tr, _ := Load(m)
	diff(t, "development", keys(tr.Resolve(chat.In("development"))), []string{"o"})
	diff(t, "production", keys(tr.Resolve(chat.In("production"))), []string{"k", "o"})
}
