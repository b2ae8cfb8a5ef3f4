// Package hostile is a collection of repositories that somebody made to hang, exhaust or mislead whoever checks
// them. Tests put them before the linter and the daemon's check; programs do not carry it.
package hostile

import (
	"fmt"
	"strings"

	"github.com/llm-config-manager/lcm/internal/rule"
)

// Case is the base repository with something hostile in it. Rule is what must be said of it, File where; both are
// empty if it is harmless, and only must not cost much.
type Case struct {
	Name, Rule, File string
	Change           func(rule.Repository)
}

const (
	folder     = "namespaces/acme/shop/chat/base/"
	document   = folder + "x.yaml"
	prompt     = folder + "x.prompt"
	ownCUE     = "schemas/cue/own.cue"
	ownRego    = "policies/rego/own.rego"
	mebibyte   = 1 << 20
	head       = "apiVersion: lcm/v1\nkind: Config\nmetadata: {owner: team-chat}\nspec:\n  value: "
	promptHead = "---\nmodel: openai/gpt-4o\nlcm.version: 1.0.0\nlcm.owner: team-chat\ninput: {schema: {q: string}}\n---\n"
)

// Cases lists all of them.
func Cases() []Case {
	var all []Case
	for _, more := range [][]Case{yaml(), prompts(), cue(), rego(), settings(), folders()} {
		all = append(all, more...)
	}
	return all
}

// put is a case of one file.
func put(name, id, file, text string) Case {
	return Case{name, id, file, func(r rule.Repository) { r[file] = rule.File{Data: []byte(text), Mode: 0o644} }}
}

// value is a Config with that value.
func value(name, id, text string) Case { return put(name, id, document, head+text+"\n") }

// full repeats a text as often as fits into a file.
func full(text string) string { return strings.Repeat(text, (mebibyte-200)/len(text)) }

// counted writes a format with each number below n.
func counted(n int, format string) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, format, i)
	}
	return b.String()
}

func yaml() []Case {
	lists := strings.Repeat("["+strings.Repeat("1,", 1900)+"1],", 15)
	return []Case{
		value("alias bomb", "yaml/anchor", "&a [x,x]\n  b: &b [*a,*a]\n  c: &c [*b,*b]\n  d: &d [*c,*c]\n  e: &e [*d,*d]\n  f: &f [*e,*e]"),
		value("flow lists", "yaml/syntax", full("[")),
		value("flow mappings", "yaml/syntax", full("{")),
		value("flow mappings with keys", "yaml/syntax", full("{a: ")),
		put("1 MiB of brackets", "yaml/syntax", document, strings.Repeat("[", mebibyte)),
		value("depth 10,000", "yaml/depth", strings.Repeat("[", 10_000)+strings.Repeat("]", 10_000)),
		value("depth 10,000 in lists", "yaml/syntax", "\n    "+strings.Repeat("- ", 10_000)+"a"),
		value("question marks", "yaml/syntax", "\n    "+full("? ")+"a"),
		value("100,000 keys", "yaml/too-large", "{"+counted(100_000, "k%d,")+"}"),
		value("100,000 elements", "yaml/too-large", "["+strings.Repeat("1,", 100_000)+"]"),
		value("100,000 times one key", "yaml/too-large", "{"+strings.Repeat("a,", 100_000)+"}"),
		value("as many values as there may be", "", "["+lists+"]"),
		value("as many keys as there may be", "", "{"+counted(2000, "k%d: {a: 1, b: [2, 3]},")+"}"),
		value("a long line", "", full("x")),
		value("a long key", "yaml/syntax", "{"+full("x")+": 1}"),
		value("escapes", "", `"`+full(`\n`)+`"`),
		value("an open quote", "yaml/syntax", `"`+full("x")),
		value("comments", "", "1\n"+full("#\n")),
		value("anchors", "yaml/anchor", "["+counted(1900, "&a%d 1,")+"]"),
		value("empty lines", "", "|\n"+full("\n")),
		put("documents", "yaml/multiple-documents", document, full("---\n")),
		put("directives", "yaml/syntax", document, full("%TAG ! a\n")),
		put("dashes", "yaml/too-large", document, full("-\n")),
		value("a long number", "yaml/number-range", full("9")),
		value("a large exponent", "yaml/number-range", "1e"+strings.Repeat("9", 10_000)),
		value("NUL", "yaml/control-character", "a\x00b"),
		put("1 MiB of NUL", "yaml/control-character", document, strings.Repeat("\x00", mebibyte)),
		value("invalid UTF-8", "yaml/encoding", "\xff\xfe"),
		value("invalid UTF-8 at the end", "yaml/encoding", full("x")+"\xc3\x28"),
		put("UTF-16", "yaml/encoding", document, "\xff\xfea\x00:\x00 \x001\x00"),
		put("more than 1 MiB", "yaml/too-large", document, strings.Repeat("a", 40*mebibyte)),
		value("beginnings of keys", "secret/too-much", full("sk-")),
		value("beginnings of all sorts of keys", "secret/too-much", full("sk-ghp_hvs.AKIA glpat-xoxb-npm_airtable=twitter:eyJ")),
		value("URLs", "", "["+strings.Repeat("https://example.com/a-path-to-something,", 2000)+"]"),
		value("a long reference", "ref/syntax", "{ref: "+strings.Repeat("a/", 400_000)+"}"),
		put("targets", "schema/enum", document, "apiVersion: lcm/v1\nkind: ModelEndpoint\nmetadata: {owner: team-chat}\nspec:\n  model_name: a\n  targets:\n"+strings.Repeat("  - {provider: x, model: openai/y}\n", 1900)),
		put("unknown fields", "schema/unknown-field", document, "apiVersion: lcm/v1\nkind: Preset\nmetadata: {owner: team-chat}\nspec:\n  slug: a\n"+counted(1900, "  k%d: 1\n")),
	}
}

func prompts() []Case {
	const large = 250 << 10 // just below what a template may have
	fill := func(text string) string { return promptHead + strings.Repeat(text, large/len(text)) }
	return []Case{
		put("10,000 nested blocks", "prompt/template", prompt, promptHead+strings.Repeat("{{#if q}}", 10_000)+"x"+strings.Repeat("{{/if}}", 10_000)),
		put("10,000 blocks", "", prompt, promptHead+strings.Repeat("{{#if q}}x{{/if}}", 10_000)),
		put("10,000 partials", "", prompt, promptHead+"{{q}}"+strings.Repeat("{{> tone}}", 10_000)),
		put("10,000 unknown partials", "prompt/partial", prompt, promptHead+"{{q}}"+counted(10_000, "{{> p%d}}")),
		put("open blocks", "prompt/template", prompt, fill("{{#if q}}")),
		put("open braces", "", prompt, fill("{")+"{{q}}"),
		put("an open comment", "prompt/template", prompt, fill(" ")+"{{!-- "+strings.Repeat(" ", 1000)),
		put("parentheses", "prompt/portable", prompt, promptHead+"{{q "+strings.Repeat("(", large)),
		put("a long path", "prompt/template", prompt, promptHead+"{{"+strings.Repeat("a.", large/2)),
		put("a template of 1 MiB", "prompt/template", prompt, promptHead+strings.Repeat("x", mebibyte-200)),
		put("lines ---", "prompt/version", prompt, strings.Repeat("---\n", 60_000)),
		put("open front matter", "prompt/front-matter", prompt, "---\n"+strings.Repeat("a: 1\n", 50_000)),
		put("a deep schema", "yaml/depth", prompt, "---\nmodel: openai/gpt-4o\nlcm.version: 1.0.0\ninput: {schema: "+strings.Repeat("{a: ", 9000)+"string"+strings.Repeat("}", 9000)+"}\n---\n{{a}}"),
		{"partials of partials", "", "", func(r rule.Repository) {
			for i := range 300 {
				r[fmt.Sprintf("%s_p%d.prompt", folder, i)] = rule.File{Data: fmt.Appendf(nil, "{{> p%d}}{{> p%d}}", i+1, i+1), Mode: 0o644}
			}
			r[folder+"_p300.prompt"] = rule.File{Data: []byte("x"), Mode: 0o644}
			r[prompt] = rule.File{Data: []byte(promptHead + "{{q}}{{> p0}}"), Mode: 0o644}
		}},
	}
}
