package dotprompt

import (
	"regexp"
	"strings"
)

// Parse reads a template. With any problem there is none.
func Parse(text string) (*Template, []Problem) {
	switch {
	case len(text) > MaxTemplate:
		return nil, []Problem{{Rule: RuleTemplate, Message: "the template is larger than 256 KiB: split it into partials"}}
	case strings.TrimSpace(text) == "":
		return nil, []Problem{{Rule: RuleTemplate, Message: "the template is empty"}}
	}
	return parse(text)
}

// parse is Parse for a template that may also be empty.
func parse(text string) (*Template, []Problem) {
	p := &parser{scanner: scanner{text: text}}
	nodes := p.program(0)
	if p.at < len(text) {
		p.fail(p.at, RuleTemplate, "this closes a block, or continues one, that is not open here")
	}
	if len(p.problems) > 0 {
		return nil, p.problems
	}
	stripRoot(nodes)
	return &Template{Text: text, Uses: p.uses, nodes: nodes}, nil
}

type parser struct {
	scanner
	uses []Use
}

// program reads statements up to what closes or continues a block.
func (p *parser) program(depth int) (nodes []*node) {
	if depth > maxNesting {
		p.fail(p.at, RuleTemplate, "blocks are nested deeper than 64 levels")
	}
	for p.at < len(p.text) {
		at := p.at
		if text := p.content(); text != "" {
			p.checkText(at)
			nodes = append(nodes, &node{kind: textNode, at: at, text: text, original: text})
			continue
		}
		t := p.peekTag()
		switch {
		case t.kind == "/" || t.kind == "else":
			return nodes
		case t.kind == "#":
			nodes = append(nodes, p.block(t, depth))
		default:
			nodes = append(nodes, p.statement(t))
		}
	}
	return nodes
}

// tag is how a tag begins.
type tag struct {
	at, end int    // end: where what it holds begins
	kind    string // "" (a path or helper), "{", "#", "/", "else", ">", "!", or another sign
	left    bool   // it has a ~
}

var elseTag = regexp.MustCompile(`^[ \t\r\n]*else(?:[ \t\r\n~}]|$)`)

// peekTag looks at the tag that stands here.
func (p *parser) peekTag() tag {
	t := tag{at: p.at, end: p.at + 2}
	if strings.HasPrefix(p.text[t.end:], "{{") {
		t.kind = "{{"
		return t
	}
	if strings.HasPrefix(p.text[t.end:], "~") {
		t.left, t.end = true, t.end+1
	}
	for _, sign := range [...]string{"!", "#>", "#*", "#", "/", ">", "{", "&", "*", "^"} {
		if strings.HasPrefix(p.text[t.end:], sign) {
			t.kind, t.end = sign, t.end+len(sign)
			break
		}
	}
	if m := elseTag.FindString(p.text[t.end:]); t.kind == "" && m != "" {
		t.kind, t.end = "else", t.end+strings.Index(m, "else")+len("else")
	}
	if t.kind == "^" && strings.HasPrefix(strings.TrimLeft(p.text[t.end:], tagBlank+"~"), "}}") {
		t.kind = "else"
	}
	return t
}

// unportable says what to write in place of a tag that is Handlebars, but not portable.
var unportable = map[string]string{
	"{{": "raw blocks are not portable: write \\{{ for braces that are text",
	"#>": "partial blocks are not portable: use {{>name}} with parameters",
	"#*": "decorators are not portable: put the text into a partial of its own",
	"*":  "decorators are not portable: put the text into a partial of its own",
	"^":  "inverse sections are not portable: write {{#unless …}}",
}

// statement reads a tag that is no part of a block.
func (p *parser) statement(t tag) *node {
	if why, ok := unportable[t.kind]; ok {
		p.fail(t.at, RulePortable, why)
		return nil
	}
	p.at = t.end
	n := &node{kind: printNode, at: t.at}
	n.open.left = t.left
	switch t.kind {
	case "!":
		n.kind = commentNode
		n.open.right = p.comment(t)
		return n
	case ">":
		n.kind = partialNode
		p.partial(n)
		n.open.right = p.end(t, "}}")
		return n
	case "{":
		n.call = p.call()
		n.open.right = p.end(t, "}}}")
	default:
		n.call = p.call()
		n.open.right = p.end(t, "}}")
	}
	if strings.HasPrefix(n.call.name.source, "else") {
		p.fail(n.call.name.at, RulePortable, "some implementations take a name that begins with else for the word else: write {{this."+brief(n.call.name.source)+"}}")
	}
	p.checkPrint(n.call)
	return n
}

var commentEnd = regexp.MustCompile(`--~?}}`)

// comment skips a comment, and reports whether it ends with ~.
func (p *parser) comment(t tag) bool {
	from, end := p.at, []int(nil)
	if p.has("--") {
		end = commentEnd.FindStringIndex(p.rest())
	} else if i := strings.Index(p.rest(), "}}"); i >= 0 {
		end = []int{i, i + 2}
	}
	if end == nil {
		p.fail(t.at, RuleTemplate, "this comment is never closed")
		return false
	}
	p.at += end[1]
	return strings.HasSuffix(p.text[from:p.at], "~}}")
}

// end reads the end of a tag, and reports whether it has a ~.
func (p *parser) end(t tag, closing string) bool {
	p.space()
	inner := closing[:len(closing)-2]
	if inner != "" && p.has("}}}}") {
		p.fail(p.at, RuleTemplate, "four braces close what three have opened: if one is text, put a blank before it")
		return false
	}
	if inner != "" && !p.skip(inner) {
		p.unended(t, closing)
		return false
	}
	right := p.skip("~")
	switch {
	case inner == "" && p.has("}}}"):
		p.fail(p.at, RuleTemplate, "three braces close what two have opened: if one is text, put a blank before it")
	case !p.skip("}}"):
		p.unended(t, closing)
	}
	return right
}

func (p *parser) unended(t tag, closing string) {
	switch {
	case p.at == len(p.text):
		p.fail(t.at, RuleTemplate, "this expression is never closed")
	case p.has("as |") || p.has("|"):
		p.fail(p.at, RulePortable, "block parameters are not portable: inside of the block use this, and ../ for what is outside")
	default:
		p.fail(p.at, RuleTemplate, "this does not belong into an expression, which should be closed by "+closing)
	}
}

// call reads a path or a helper with what it is given.
func (p *parser) call() (c call) {
	p.space()
	c.name = p.expression()
	p.arguments(&c)
	return c
}

var blockParams = regexp.MustCompile(`^as[ \t\r\n]+\|`)

func (p *parser) arguments(c *call) {
	for p.space() && p.at < len(p.text) && !p.has("}") && !p.has("~") {
		if blockParams.MatchString(p.rest()) {
			p.fail(p.at, RulePortable, "block parameters are not portable: inside of the block use this, and ../ for what is outside")
			return
		}
		at := p.at
		if name := p.id(); name != "" {
			p.space()
			if p.has("=") && literalLike(name) {
				p.fail(at, RulePortable, "some implementations take this for a number, true, false or null and not for a name: choose another name")
				return
			}
			if p.skip("=") {
				p.space()
				c.hash = append(c.hash, pair{name, at, p.expression()})
				continue
			}
		}
		if p.at = at; len(c.hash) > 0 {
			p.fail(at, RuleTemplate, "a parameter without a name stands before those with name=")
			return
		}
		c.params = append(c.params, p.expression())
	}
}

// partial reads what follows {{>. The name is written out: one that is computed can't be looked up here.
func (p *parser) partial(n *node) {
	p.space()
	if p.has("(") {
		p.fail(p.at, RulePortable, "the name of a partial must be written out")
		return
	}
	n.call.name = p.expression()
	n.text = n.call.name.source
	if s, ok := n.call.name.value.(string); ok {
		n.text = s
	}
	p.arguments(&n.call)
	if !p.failed {
		p.uses = append(p.uses, Use{n.text, n.call.name.at})
		p.checkPartial(n)
	}
}

// block: open program (else if … program)* (else program)? close
func (p *parser) block(t tag, depth int) *node {
	n := &node{kind: blockNode, at: t.at}
	p.at = t.end
	p.opening(n, t)
	p.branches(n, depth)
	if p.at == len(p.text) {
		p.fail(t.at, RuleTemplate, "this block is never closed")
		return n
	}
	end := p.peekTag()
	p.at = end.end
	p.space()
	name := p.expression()
	if !p.failed && name.source != n.call.name.source {
		p.fail(name.at, RuleTemplate, "this closes another block than the one that is open")
	}
	n.close = strip{end.left, p.end(end, "}}")}
	for chain := n; chain.chained; {
		chain = chain.inverse[0]
		chain.close = n.close
	}
	return n
}

// opening reads the inside of {{#…}} or {{else …}}.
func (p *parser) opening(n *node, t tag) {
	n.call = p.call()
	p.checkBlock(n.call)
	n.open = strip{t.left, p.end(t, "}}")}
}

// branches reads the programs of a block, up to its closing tag.
func (p *parser) branches(n *node, depth int) {
	n.body = p.program(depth + 1)
	if p.at == len(p.text) {
		return
	}
	t := p.peekTag()
	if t.kind != "else" {
		return
	}
	p.at = t.end
	p.space()
	if p.has("}}") || p.has("~}}") {
		n.otherwise, n.inverted = true, strip{t.left, p.end(t, "}}")}
		n.inverse = p.program(depth + 1)
		if p.at < len(p.text) && p.peekTag().kind == "else" {
			p.fail(p.at, RuleTemplate, "a block is not closed before this")
		}
		return
	}
	chain := &node{kind: blockNode, at: t.at}
	n.otherwise, n.chained, n.inverse = true, true, []*node{chain}
	p.opening(chain, t)
	n.inverted = chain.open
	p.branches(chain, depth+1)
}
