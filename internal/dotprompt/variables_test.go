package dotprompt

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// declare reads a schema written as JSON.
func declare(t *testing.T, text string) Variables {
	t.Helper()
	if text == "" {
		return Variables{}
	}
	schema, problems := Schema(values(t, text), nil)
	if schema == nil {
		t.Fatalf("%s: %v", text, problems)
	}
	return Variables{Schema: schema}
}

const shop = `{"q": "string", "n?": "integer", "user": {"name": "string", "address?": {"city": "string"}}, "items(array)": {"title": "string", "tags(array)": "string"},
	"tone(enum)": ["brief", "kind"], "prices(object)": {"(*)": "number"}, "any": "any"}`

func TestVariables(t *testing.T) {
	for _, c := range []struct {
		template, schema string
		partials         []string
		want             []string // what stands there: rule
	}{
		{"{{q}}{{user.name}}{{user.address.city}}{{any.x.y}}{{#each items}}{{title}}{{#each tags}}{{this}}{{../title}}{{../../q}}{{/each}}{{/each}}", shop, nil, nil},
		{"{{#each prices}}{{@key}}: {{this}}{{/each}}{{prices.apple}}{{#with user}}{{name}}{{../q}}{{@root.n}}{{/with}}", shop, nil, nil},
		{"{{#if n}}{{n}}{{else}}{{q}}{{/if}}{{#ifEquals tone \"brief\"}}{{/ifEquals}}{{#ifEquals n 5}}{{/ifEquals}}{{#ifEquals q null}}{{/ifEquals}}{{@auth.email}}", shop, nil, []string{"q null: prompt/never-equal"}},
		{"{{Q}} {{user.nam}} {{q.x}} {{items.x}} {{any}}", shop, nil, []string{"Q}}: prompt/undeclared", "user.nam: prompt/undeclared", "q.x: prompt/type", "items.x: prompt/type"}},
		{"{{#each items}}{{q}}{{/each}}", shop, nil, []string{"q}}: prompt/undeclared"}},
		{"{{#each items}}{{title}}{{else}}{{q}}{{title}}{{/each}}", shop, nil, []string{"title}}{{/each: prompt/undeclared"}},
		{"{{../q}}{{#if q}}{{../q}}{{/if}}{{@index}}{{#each items}}{{@../index}}{{/each}}", shop, nil,
			[]string{"../q}}{{#if: prompt/scope", "../q}}{{/if: prompt/scope", "@index: prompt/scope", "@../index: prompt/scope"}},
		{"{{#each q}}{{/each}}{{#each n}}{{/each}}{{#each tone}}{{/each}}{{#each user}}{{x}}{{/each}}", shop, nil, []string{"q}}: prompt/type", "n}}: prompt/type", "tone}}: prompt/type"}},
		{"{{user}} {{items}} {{prices}} {{#each items}}{{this}}{{/each}} {{json user}}", shop, nil, []string{"{{user}}: prompt/unprintable", "{{prices}}: prompt/unprintable", "{{this}}: prompt/unprintable"}},
		{"{{#ifEquals q 5}}{{/ifEquals}}{{#unlessEquals tone \"x\"}}{{/unlessEquals}}{{#ifEquals user q}}{{/ifEquals}}", shop, nil,
			[]string{"q 5: prompt/never-equal", "\"x\": prompt/never-equal", "user q: prompt/never-equal"}},
		// Without a schema nothing is declared; a default declares its name.
		{"{{a}}{{d.x}}", "", nil, []string{"a}}: prompt/undeclared"}},
		// JSON Schema.
		{"{{a}}{{b}}{{c}}", `{"type": "object", "properties": {"a": {"type": "string"}}}`, nil, []string{"b}}: prompt/undeclared", "c}}: prompt/undeclared"}},
		{"{{a}}{{b}}", `{"type": "object", "properties": {"a": {"type": "string"}}, "additionalProperties": true}`, nil, nil},
		{"{{a.b}}", `{"type": "object", "properties": {"a": {"anyOf": [{"type": "string"}, {"type": "object"}]}}}`, nil, nil},
		{"{{x}}{{y.z}}", `{"(*)": "any"}`, nil, nil},
		// Partials see their context, and what they are given by name.
		{"{{> p}}", shop, []string{"p", "{{q}}{{x}}"}, []string{"p}}: prompt/undeclared"}},
		{"{{> p user}}{{> p x=q}}", shop, []string{"p", "{{name}}"}, []string{"p x=q: prompt/undeclared"}},
		{"{{> p x=user}}{{> p user x=user}}", shop, []string{"p", "{{x.name}}{{x.none}}"}, []string{"p x=user: prompt/undeclared", "p user x: prompt/undeclared"}},
		{"{{#each items}}{{> p}}{{/each}}{{> p}}", shop, []string{"p", "{{title}}{{@index}}{{../q}}"},
			[]string{"p}}{{/each: prompt/scope", "p}}: prompt/undeclared", "p}}: prompt/scope", "p}}: prompt/scope"}},
		{"{{> a}}", shop, []string{"a", "{{> b x=q}}", "b", "{{x}}{{nope}}"}, []string{"a}}: prompt/undeclared"}},
	} {
		v := declare(t, c.schema)
		v.Default = map[string]any{"d": map[string]any{}}
		u := set(t, c.template, c.partials...).Check(v)
		var got []string
		for _, p := range u.Problems {
			got = append(got, c.template[p.At:]+": "+p.Rule)
			if p.Warning != slices.Contains([]string{RuleUnprintable, RuleNeverEqual}, p.Rule) {
				t.Errorf("severity of %v", p)
			}
		}
		ok := len(got) == len(c.want)
		for i := range min(len(got), len(c.want)) {
			at, rule, _ := strings.Cut(c.want[i], ": ")
			ok = ok && strings.HasPrefix(got[i], at) && strings.HasSuffix(got[i], ": "+rule)
		}
		if !ok {
			t.Errorf("%q:\n got %q\nwant %q\n%v", c.template, got, c.want, u.Problems)
		}
	}
}

func TestUsed(t *testing.T) {
	for _, c := range []struct {
		template string
		partials []string
		want     string
	}{
		{"{{q}}{{user.name}}", nil, "q user"},
		{"{{#each items}}{{title}}{{@root.n}}{{/each}}", nil, "n items"},
		{"{{#each items}}{{#each tags}}{{../../q}}{{/each}}{{/each}}{{#if tone}}{{/if}}", nil, "q items tone"},
		{"{{json this}}", nil, "*"}, {"{{json @root}}", nil, "*"}, {"{{#each this}}{{/each}}", nil, "*"},
		{"{{> p}}", []string{"p", "{{q}}"}, "q"},
		{"{{> p user}}", []string{"p", "{{json this}}"}, "user"},
		{"{{> p q=n}}", []string{"p", "{{q}}"}, "n"},
		{"{{> p q=n}}", []string{"p", "{{json this}}"}, "*"},
		{"{{media url=q}}{{role tone}}{{section n}}", nil, "q n tone"},
	} {
		v := declare(t, shop)
		u := set(t, c.template, c.partials...).Check(v)
		var got []string
		for _, name := range []string{"q", "n", "user", "items", "tone", "prices", "any"} {
			if u.Uses(name) {
				got = append(got, name)
			}
		}
		if want := c.want; fmt.Sprint(got) != "["+want+"]" && !(want == "*" && len(got) == 7) {
			t.Errorf("%q uses %v, want %s", c.template, got, want)
		}
	}
}

// Partials that use each other twice, and those twice, are looked at for a bounded time.
func TestVariablesBounded(t *testing.T) {
	var partials []string
	for i := range 30 {
		partials = append(partials, fmt.Sprintf("p%d", i), fmt.Sprintf("{{> p%d}}{{> p%d}}", i+1, i+1))
	}
	u := set(t, "{{> p0}}", append(partials, "p30", "x")...).Check(declare(t, shop))
	if len(u.Problems) != 1 || u.Problems[0].Rule != RuleTemplate || !u.Uses("q") {
		t.Error(u.Problems)
	}
}

// Nothing that a repository can hold takes long: large templates, schemas and enums.
func TestHostile(t *testing.T) {
	many := map[string]any{}
	for i := range 100_000 {
		many[fmt.Sprintf("v%d", i)] = "string"
	}
	var list []any
	for i := range 100_000 {
		list = append(list, int64(i))
	}
	for _, v := range []any{many, map[string]any{"a(enum)": list}, map[string]any{"properties": many}, map[string]any{"type": "string", "enum": list}, map[string]any{"type": "object", "required": list}} {
		if schema, problems := Schema(v, nil); schema != nil || len(problems) == 0 || len(problems) > maxProblems {
			t.Errorf("%d problems", len(problems))
		}
	}
	v := declare(t, `{"a": "string"}`)
	for _, text := range []string{strings.Repeat("{{! x }}", 30_000), strings.Repeat("{{!----}}", 25_000), strings.Repeat("{{b}}", 50_000), strings.Repeat("{{~a~}} ", 30_000), strings.Repeat("\n {{#if a}} \n {{/if}} \n", 9_000), strings.Repeat("\\{{", 80_000)} {
		template, problems := Parse(text)
		if template == nil {
			t.Fatalf("%.20q: %v", text, problems)
		}
		if u := (Set{Template: template}).Check(v); len(u.Problems) > maxProblems {
			t.Errorf("%.20q: %d problems", text, len(u.Problems))
		}
	}
}
