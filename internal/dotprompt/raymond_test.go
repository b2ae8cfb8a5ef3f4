package dotprompt

import (
	"strings"
	"testing"
	"unicode/utf8"

	raymond "github.com/mbleigh/raymond/parser"
)

var templates = []string{
	"", "plain", "{{a}}", "{{a.b.c}}", "{{@state.count}}", "{{{a}}}", "{{&a}}", "{{~a~}}", "{{a b=1 c=\"x\"}}", "{{role \"system\"}}", "{{media url=a contentType=\"x\"}}",
	"{{#if a}}x{{else}}y{{/if}}", "{{#if a}}x{{else if b}}y{{else if c}}z{{else}}w{{/if}}", "{{^a}}x{{/a}}", "{{^a}}x{{else}}y{{/a}}",
	"{{#each a as |x i|}}{{x}}{{/each}}", "{{#each a}}{{this}}{{../b}}{{../../c}}{{/each}}", "{{> p}}", "{{> p a b=c}}", "{{a (b c d=(e f))}}",
	"{{! comment }}", "{{!-- a }} b --}}", "{{!--}}", "{{! a ~}} b", "\\{{a}}", "\\\\{{a}}", "\\{{a}} \\\\{{b}} \\{{", "{{[a b]}}", "{{json [a b]}}", "{{#[a b]}}{{/[a b]}}", "{{true}}", "{{-1.5}}", "{{\"x\"}}", "{{json -1.5}}", "{{>p 0=d}}", "{{>p true=d}}", "{{a.true}}", "{{a.0}}", "{{json 'a\nb'}}", "{{json\u00a0a}}", "{{\u00a0a}}", "{{a\u00a0}}", "{{json 'it\\'s'}}",
	"{{", "{{a", "}}", "{{/if}}", "{{#if a}}", "{{#if a}}{{/each}}", "{{else}}", "{{a/../b}}", "{{a.this}}", "{{> }}", "{{>}}", "{{(a)}}", "{{a b=}}",
	"{{#each a as ||}}{{/each}}", "{{1a}}", "{{+}}", "{{'a}}", "{{a\r}}", "{{elsewhere}}", "{{#a}}{{^}}{{/a}}", "{{#if a}}{{^}}{{/if}}", "{{{{a}}}}x{{{{/a}}}}", "{{a}}}", "{{{a}}",
	"{{.}}", "{{./a}}", "{{this/a}}", "{{@../index}}", "{{#if (a)}}{{/if}}", "{{#(a)}}{{/(a)}}", "{{a..b}}", "{{[a}}", "{{=}}", "{{!--", "{{a |b}}", "{{#*a}}{{/a}}", "{{#> a}}{{/a}}",
	"a\n  {{#if a}}\n b\n  {{else}}\n c\n  {{/if}}\nd", "  {{> p}}\n", "{{#if a}}{{else}}{{else}}{{/if}}", "{\"a\": {{a}} }", "{{ifEquals a b}}", "{{#json a}}{{/json}}",
}

// Whatever Parse accepts, the parser that other implementations in Go use must accept as well.
func TestGrammarAgreesWithRaymond(t *testing.T) {
	stricter := map[string]bool{"{{a..b}}": true}
	for _, text := range templates {
		got, problems := parse(text)
		if (got == nil) != (len(problems) > 0) {
			t.Fatalf("%q: either a template or a problem", text)
		}
		if _, err := raymond.Parse(text); got != nil && err != nil {
			t.Errorf("%q passes, but raymond says %v", text, err)
		} else if err != nil && len(problems) > 0 && problems[0].Rule != RuleTemplate && problems[0].Rule != RulePortable {
			t.Errorf("%q: %v, but raymond can't parse it", text, problems)
		} else if err == nil && !stricter[text] && len(problems) > 0 && problems[0].Rule == RuleTemplate {
			t.Errorf("%q: %v, but raymond parses it", text, problems)
		}
	}
}

func TestTemplateBounds(t *testing.T) {
	for _, text := range []string{
		strings.Repeat("x", MaxTemplate+1), strings.Repeat("{{#if a}}", 100_000)[:MaxTemplate], "{{a " + strings.Repeat("(a ", 80_000),
		strings.Repeat("{{#if a}}{{else", 10_000), "{{#if a}}" + strings.Repeat("{{else if a}}", 10_000), "{{a" + strings.Repeat("/a", maxNames) + "}}", strings.Repeat("{{a b}}", 30_000),
	} {
		if _, problems := Parse(text); len(problems) == 0 || len(problems) > maxProblems {
			t.Errorf("%.20q has %d problems", text, len(problems))
		}
	}
	if _, problems := Parse("{{!" + strings.Repeat(" ", 200_000) + "}}"); problems != nil {
		t.Error(problems)
	}
}

func FuzzTemplate(f *testing.F) {
	for _, text := range templates {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, problems := Parse(text)
		if (got == nil) != (len(problems) > 0) {
			t.Fatal("either a template or a problem")
		}
		for _, p := range problems {
			if p.At < 0 || p.At > len(text) || p.Rule == "" || p.Message == "" || strings.Contains(p.Message, "\n") {
				t.Fatalf("%+v of %d bytes", p, len(text))
			}
		}
		if got == nil {
			return
		}
		for _, u := range got.Uses {
			if u.At < 0 || u.At > len(text) {
				t.Fatalf("offset %d of %d", u.At, len(text))
			}
		}
		if strings.Contains(strings.ReplaceAll(text, "\r\n", ""), "\r") || !utf8.ValidString(text) {
			return // no file of a prompt holds this
		}
		if len(text) > 4096 || strings.Count(text, " ") > 64 {
			return // raymond takes its time
		}
		if _, err := raymond.Parse(text); err != nil {
			t.Fatalf("raymond refuses it: %v", err)
		}
	})
}
