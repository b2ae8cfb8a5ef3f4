package dotprompt

import (
	"fmt"
	"slices"
	"strings"
)

// helper is what a helper takes.
type helper struct {
	block    bool
	params   int
	required string   // the name that must be given
	allowed  []string // names that may be given besides
	usage    string
}

// helpers are those of the portable subset.
func helpers(name string) (helper, bool) {
	switch name {
	case "if", "unless", "each", "with":
		return helper{block: true, params: 1, usage: "{{#" + name + " value}}"}, true
	case "ifEquals", "unlessEquals":
		return helper{block: true, params: 2, usage: "{{#" + name + " one another}}"}, true
	case "role":
		return helper{params: 1, usage: `{{role "system"}}`}, true
	case "section":
		return helper{params: 1, usage: `{{section "name"}}`}, true
	case "history":
		return helper{usage: "{{history}}"}, true
	case "json":
		return helper{params: 1, allowed: []string{"indent"}, usage: "{{json value}} or {{json value indent=2}}"}, true
	case "media":
		return helper{required: "url", allowed: []string{"contentType"}, usage: "{{media url=value}} or {{media url=value contentType=value}}"}, true
	}
	return helper{}, false
}

const helperNames = "role, history, section, json and media; as blocks if, unless, each, with, ifEquals and unlessEquals"

// roles are those that a message can have.
var roles = []string{"system", "user", "model", "tool"}

// checkText looks for what other implementations put between their messages.
func (p *parser) checkText(from int) {
	if i := strings.Index(p.text[from:p.at], "<<<dotprompt:"); i >= 0 {
		p.note(from+i, RulePortable, `some implementations take this text for a marker of theirs: write {{role "…"}}, {{history}}, {{media url=…}} or {{section "…"}}`)
	}
}

// checkPrint looks at {{…}}.
func (p *parser) checkPrint(c call) {
	if p.failed {
		return
	}
	name := c.name.simple()
	h, known := helpers(name)
	switch {
	case c.name.literal:
		p.note(c.name.at, RulePortable, "a literal in braces is the name of a variable in some implementations and text in others: write it without braces, or [in brackets]")
	case known && h.block:
		p.note(c.name.at, RuleArguments, fmt.Sprintf("%s is a block: write %s … {{/%s}}", name, h.usage, name))
	case known:
		p.checkArguments(name, h, c)
	case len(c.params) > 0 || len(c.hash) > 0:
		p.note(c.name.at, RuleHelper, fmt.Sprintf("there is no helper %.80q: the portable ones are "+helperNames, c.name.source))
	default:
		p.checkPath(c.name)
	}
}

// checkBlock looks at {{#…}}.
func (p *parser) checkBlock(c call) {
	if p.failed {
		return
	}
	name := c.name.simple()
	h, known := helpers(name)
	switch {
	case known && h.block:
		p.checkArguments(name, h, c)
	case known:
		p.note(c.name.at, RuleArguments, fmt.Sprintf("%s is no block: write %s", name, h.usage))
	case len(c.params) > 0 || len(c.hash) > 0:
		p.note(c.name.at, RuleHelper, fmt.Sprintf("there is no block helper %.80q: the portable ones are if, unless, each, with, ifEquals and unlessEquals", c.name.source))
	default:
		p.note(c.name.at, RulePortable, fmt.Sprintf("a block without a helper means several things: write {{#if %[1]s}}, {{#each %[1]s}} or {{#with %[1]s}}", brief(c.name.source)))
	}
}

func (p *parser) checkArguments(name string, h helper, c call) {
	wrong := func(at int, why string) { p.note(at, RuleArguments, fmt.Sprintf("%s: write %s", why, h.usage)) }
	given := map[string]bool{}
	for _, a := range c.hash {
		switch {
		case a.name != h.required && !slices.Contains(h.allowed, a.name):
			wrong(a.at, fmt.Sprintf("%s takes no %.80q", name, a.name))
		case given[a.name]:
			wrong(a.at, fmt.Sprintf("%s is given %s twice", name, a.name))
		}
		given[a.name] = true
		p.checkPath(a.value)
	}
	switch {
	case len(c.params) == 0 && h.params > 0 && !h.block && len(c.hash) == 0:
		wrong(c.name.at, fmt.Sprintf("%[1]s is a helper and takes a value ({{this.%[1]s}} is the variable of this name)", name))
	case len(c.params) != h.params:
		wrong(c.name.at, fmt.Sprintf("%s takes %s, not %d", name, count(h.params), len(c.params)))
	case h.required != "" && !given[h.required]:
		wrong(c.name.at, fmt.Sprintf("%s needs %s", name, h.required))
	}
	for _, e := range c.params {
		p.checkPath(e)
	}
	if name == "role" && len(c.params) == 1 && c.params[0].literal {
		p.checkRole(c.params[0])
	}
}

func (p *parser) checkRole(e expr) {
	if s, _ := e.value.(string); !slices.Contains(roles, s) {
		hint := ""
		if s == "assistant" {
			hint = " (an assistant's is model)"
		}
		p.note(e.at, RuleRole, "a role is "+strings.Join(roles[:3], ", ")+" or tool"+hint)
	}
}

// checkPartial looks at {{> name …}}: at most one value to be its context, and names that it sees besides.
func (p *parser) checkPartial(n *node) {
	if len(n.call.params) > 1 {
		p.note(n.call.params[1].at, RuleArguments, "a partial takes one value at most, which it sees as this, and others by name: {{>name value other=value}}")
	}
	for _, e := range n.call.params {
		p.checkPath(e)
	}
	for _, a := range n.call.hash {
		p.checkPath(a.value)
	}
}

// checkPath looks at what can be seen of a path without knowing the input.
func (p *parser) checkPath(e expr) {
	if !e.data || p.failed {
		return
	}
	switch {
	case len(e.names) == 0:
		p.note(e.at, RuleTemplate, "a name should stand after @")
	case loopVariable(e.names[0]) && len(e.names) > 1:
		p.note(e.at, RuleScope, fmt.Sprintf("@%s has no fields", e.names[0]))
	case e.up > 0 && !loopVariable(e.names[0]):
		p.note(e.at, RuleScope, "only @index, @key, @first and @last are different further up")
	}
}

func loopVariable(name string) bool {
	return name == "index" || name == "key" || name == "first" || name == "last"
}

func count(n int) string {
	if n == 0 {
		return "no value"
	}
	if n == 1 {
		return "one value"
	}
	return fmt.Sprintf("%d values", n)
}

// brief shortens what is quoted from a template.
func brief(s string) string {
	if len(s) > 80 {
		return s[:77] + "…"
	}
	return s
}
