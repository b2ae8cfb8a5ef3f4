package tree

import (
	"bytes"
	"strings"
	"testing"

	"github.com/mbleigh/raymond/parser"
)

var templates = []string{
	"", "plain", "{{a}}", "{{a.b.c}}", "{{@state.count}}", "{{{a}}}", "{{&a}}", "{{~a~}}", "{{a b=1 c=\"x\"}}", "{{role \"system\"}}",
	"{{#if a}}x{{else}}y{{/if}}", "{{#if a}}x{{else if b}}y{{else if c}}z{{else}}w{{/if}}", "{{^a}}x{{/a}}", "{{^a}}x{{else}}y{{/a}}",
	"{{#each a as |x i|}}{{x}}{{/each}}", "{{#each a}}{{this}}{{../b}}{{../../c}}{{/each}}", "{{> p}}", "{{> p a b=c}}", "{{a (b c d=(e f))}}",
	"{{! comment }}", "{{!-- a }} b --}}", "\\{{a}}", "\\\\{{a}}", "{{[a b]}}", "{{#[a b]}}{{/[a b]}}", "{{true}}", "{{-1.5}}", "{{\"x\"}}",
	"{{", "{{a", "}}", "{{/if}}", "{{#if a}}", "{{#if a}}{{/each}}", "{{else}}", "{{a/../b}}", "{{a.this}}", "{{> }}", "{{>}}", "{{(a)}}", "{{a b=}}",
	"{{#each a as ||}}{{/each}}", "{{1a}}", "{{+}}", "{{'a}}", "{{a\r}}", "{{elsewhere}}", "{{#a}}{{^}}{{/a}}", "{{{{a}}}}x{{{{/a}}}}", "{{a}}}", "{{{a}}",
	"{{.}}", "{{./a}}", "{{this/a}}", "{{@../a}}", "{{#if (a)}}{{/if}}", "{{#(a)}}{{/(a)}}", "{{a..b}}", "{{[a}}", "{{=}}", "{{!--", "{{a |b}}",
}

// Whatever parseTemplate accepts, the parser that renders it must accept as well. Of the opposite
// there is a little: raw blocks, computed partials, numbers nobody writes.
func TestGrammarAgreesWithTheParser(t *testing.T) {
	stricter := map[string]bool{"{{{{a}}}}x{{{{/a}}}}": true}
	for _, text := range templates {
		_, err := parser.Parse(text)
		if got := parseTemplate(text); (got.problem == "") != (err == nil) && !stricter[text] {
			t.Errorf("%q: %q, but the parser says %v", text, got.problem, err)
		}
	}
}

func TestTemplateBounds(t *testing.T) {
	for _, text := range []string{
		strings.Repeat("x", maxTemplate+1), "{{!" + strings.Repeat(" ", maxBlanks+1) + "}}", strings.Repeat("{{#a}}", 100_000)[:maxTemplate],
		"{{a " + strings.Repeat("(a ", 80_000), strings.Repeat("{{#if a}}{{else", 10_000), "{{a" + strings.Repeat("/a", maxPath) + "}}",
	} {
		if parseTemplate(text).problem == "" {
			t.Errorf("%.20q passes", text)
		}
	}
	if p := parseTemplate("{{!" + strings.Repeat(" ", maxBlanks) + "}}").problem; p != "" {
		t.Error(p)
	}
}

func FuzzTemplate(f *testing.F) {
	for _, text := range templates {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got := parseTemplate(text)
		if got.offset < 0 || got.offset > len(text) {
			t.Fatalf("offset %d of %d", got.offset, len(text))
		}
		for _, u := range got.uses {
			if u.offset < 0 || u.offset > len(text) {
				t.Fatalf("offset %d of %d", u.offset, len(text))
			}
		}
		if got.problem == "" {
			if _, err := parser.Parse(text); err != nil {
				t.Fatalf("the parser refuses it: %v", err)
			}
		}
	})
}

func FuzzPrompt(f *testing.F) {
	for _, s := range []string{prompt("{{> a}}"), "---\n---\n", "# c\n---\nlcm.version: 1.0.0\n--- \r\nx", "text", "---", "---\na: &x\n---\n", "---\nlcm.variants: {a: 1}\n---\nx"} {
		f.Add([]byte(s), true)
	}
	f.Fuzz(func(t *testing.T, data []byte, main bool) {
		s := source{path: "f.prompt", data: data, address: chat.In("base").Key("f")}
		variant := "v"
		if main {
			variant = ""
		}
		d, findings := s.prompt(variant)
		if (d == nil) == (len(findings) == 0) {
			t.Fatal("either a document or a finding")
		}
		lines := 1 + bytes.Count(data, []byte("\n"))
		for _, f := range findings {
			if f.Line < 1 || f.Line > lines || f.Column < 1 {
				t.Fatalf("%v, in %d lines", f, lines)
			}
		}
		if d == nil {
			return
		}
		if text := d.Spec["template"].(string); !bytes.Contains(data, []byte(text)) {
			t.Fatal("the template is not in the file")
		}
	})
}
