package tree

import (
	"regexp"
	"strings"

	"github.com/mbleigh/raymond/lexer"
)

// Limits on one template. The library's lexer takes quadratic time over white space in comments.
const (
	maxTemplate = 256 << 10
	maxNesting  = 64
	maxBlanks   = 64
	maxPath     = 32 // names in one path: the parser's time over it is quadratic
)

// partialUse is one {{> name}} of a template, by its offset.
type partialUse struct {
	name   string
	offset int
}

// template is what a template's text shows without rendering it.
type template struct {
	uses    []partialUse
	problem string // the first thing wrong with it
	offset  int    // where
}

var blanks = regexp.MustCompile(`[ \t\r\n\f\v]{65}`)

// parseTemplate recognises Handlebars by the grammar of raymond's parser, over the tokens of its
// lexer. The parser itself would leave a goroutine behind at every error, recurse without bound, and
// know the line alone.
func parseTemplate(text string) template {
	if len(text) > maxTemplate {
		return template{problem: "the template is larger than 256 KiB: split it into partials"}
	}
	if at := blanks.FindStringIndex(text); at != nil && (strings.Contains(text, "{{!") || strings.Contains(text, "{{~!")) {
		return template{problem: "more than 64 blanks in a row in a template with comments: remove some", offset: at[0]}
	}
	g := grammar{tokens: lexer.Collect(text), end: len(text)}
	g.program(0)
	if !g.failed && g.peek().Kind != lexer.TokenEOF {
		g.fail("this closes a block, or continues one, that is not open here")
	}
	return g.template
}

type grammar struct {
	template
	tokens []lexer.Token
	failed bool
	opened int // where the last {{ stands
	end    int // of the text
}

// fail notes the first problem, at the next token. From then on only the end follows, so that every
// rule returns without a check of its own.
func (g *grammar) fail(problem string) {
	if g.failed {
		return
	}
	t := g.peek()
	switch {
	case t.Kind == lexer.TokenError && t.Pos >= g.end:
		problem, t.Pos = "this expression is never closed", g.opened
	case t.Kind == lexer.TokenError:
		problem = "this is not a Handlebars expression, or it is never closed"
	}
	g.failAt(t.Pos, problem)
}

func (g *grammar) failAt(offset int, problem string) {
	if g.failed {
		return
	}
	g.failed, g.problem, g.offset = true, problem, offset
	g.tokens = []lexer.Token{{Kind: lexer.TokenEOF, Pos: offset}}
}

func (g *grammar) peek() lexer.Token { return g.tokens[0] }

func (g *grammar) next() lexer.Token {
	t := g.tokens[0]
	if t.Kind != lexer.TokenEOF && t.Kind != lexer.TokenError {
		g.tokens = g.tokens[1:]
	}
	if strings.HasPrefix(t.Val, "{{") {
		g.opened = t.Pos
	}
	return t
}

func (g *grammar) expect(kind lexer.TokenKind, problem string) lexer.Token {
	if g.peek().Kind != kind {
		g.fail(problem)
	}
	return g.next()
}

func (g *grammar) skip(kind lexer.TokenKind) bool {
	if g.peek().Kind != kind {
		return false
	}
	g.next()
	return true
}

func (g *grammar) nested(depth int) bool {
	if depth > maxNesting {
		g.fail("blocks and expressions are nested deeper than 64 levels")
	}
	return !g.failed
}

// program: statement*
func (g *grammar) program(depth int) {
	for g.nested(depth) {
		switch g.peek().Kind {
		case lexer.TokenContent, lexer.TokenComment:
			g.next()
		case lexer.TokenOpen:
			g.next()
			g.expression(depth)
			g.expect(lexer.TokenClose, "this does not belong into an expression, which should be closed by }}")
		case lexer.TokenOpenUnescaped:
			g.next()
			g.expression(depth)
			g.expect(lexer.TokenCloseUnescaped, "this does not belong into an expression, which should be closed by }}}")
		case lexer.TokenOpenBlock:
			g.block(depth)
		case lexer.TokenOpenInverse:
			g.inverse(depth)
		case lexer.TokenOpenPartial:
			g.partial(depth)
		case lexer.TokenOpenRawBlock:
			g.fail("raw blocks are not part of Dotprompt")
		default:
			return
		}
	}
}

// block: open program (else if … program)* (else program)? close
func (g *grammar) block(depth int) {
	at := g.peek().Pos
	open := g.open(depth)
	g.program(depth + 1)
	for g.peek().Kind == lexer.TokenOpenInverseChain {
		depth++
		g.open(depth)
		g.program(depth + 1)
	}
	if g.skip(lexer.TokenInverse) {
		g.program(depth + 1)
	}
	g.close(open, at)
}

// inverse: {{^ open }} program (else program)? close
func (g *grammar) inverse(depth int) {
	at := g.peek().Pos
	open := g.open(depth)
	g.program(depth + 1)
	if g.skip(lexer.TokenInverse) {
		g.program(depth + 1)
	}
	g.close(open, at)
}

// open: helperName param* hash? blockParams? }}
func (g *grammar) open(depth int) (name string) {
	g.next()
	name = g.expression(depth)
	if g.skip(lexer.TokenOpenBlockParams) {
		g.expect(lexer.TokenID, "a block parameter needs a name")
		for g.skip(lexer.TokenID) {
		}
		g.expect(lexer.TokenCloseBlockParams, "the block parameters should be closed by |")
	}
	g.expect(lexer.TokenClose, "this does not belong into the beginning of a block, which should be closed by }}")
	return name
}

// close: {{/ helperName }}. The block began at the offset begin.
func (g *grammar) close(open string, begin int) {
	if g.peek().Kind == lexer.TokenEOF {
		g.failAt(begin, "this block is never closed")
	}
	g.expect(lexer.TokenOpenEndBlock, "a block is not closed before this")
	at := g.peek()
	if name := g.helperName(); name != open && !g.failed {
		g.tokens = []lexer.Token{at}
		g.fail("this closes another block than the one that is open")
	}
	g.expect(lexer.TokenClose, "this does not belong into the end of a block, which should be closed by }}")
}

// partial: {{> partialName param* hash? }}. The name is written out: one that is computed could
// not be resolved here.
func (g *grammar) partial(depth int) {
	g.next()
	at := g.peek()
	if at.Kind == lexer.TokenOpenSexpr {
		g.fail("the name of a partial must be written out")
	}
	g.uses = append(g.uses, partialUse{g.helperName(), at.Pos})
	g.params(depth)
	g.expect(lexer.TokenClose, "this does not belong into the use of a partial, which should be closed by }}")
}

// expression: helperName param* hash?
func (g *grammar) expression(depth int) (name string) {
	name = g.helperName()
	g.params(depth)
	return name
}

func (g *grammar) params(depth int) {
	for !g.hashSegment() && g.startsParam() {
		g.param(depth)
	}
	for g.hashSegment() {
		g.next()
		g.next()
		g.param(depth)
	}
}

func (g *grammar) hashSegment() bool {
	return len(g.tokens) > 1 && g.tokens[0].Kind == lexer.TokenID && g.tokens[1].Kind == lexer.TokenEquals
}

func (g *grammar) startsParam() bool {
	switch g.peek().Kind {
	case lexer.TokenOpenSexpr, lexer.TokenBoolean, lexer.TokenNumber, lexer.TokenString, lexer.TokenData, lexer.TokenID:
		return true
	}
	return false
}

func (g *grammar) param(depth int) {
	if !g.nested(depth) || !g.skip(lexer.TokenOpenSexpr) {
		g.helperName()
		return
	}
	g.expression(depth + 1)
	g.expect(lexer.TokenCloseSexpr, "this does not belong into a subexpression, which should be closed by )")
}

var number = regexp.MustCompile(`^[-+]?[0-9]{1,15}(\.[0-9]{1,15})?$`)

// helperName: path | dataName | STRING | NUMBER | BOOLEAN
func (g *grammar) helperName() string {
	switch t := g.peek(); t.Kind {
	case lexer.TokenNumber:
		if !number.MatchString(t.Val) {
			g.fail("this is not a decimal number")
		}
		fallthrough
	case lexer.TokenBoolean, lexer.TokenString:
		return g.next().Val
	case lexer.TokenData:
		g.next()
	}
	return g.path()
}

// path: ID (SEP ID)*
func (g *grammar) path() string {
	first := g.expect(lexer.TokenID, "a name should stand here").Val
	name, named := first, !isScope(first)
	for n := 2; g.peek().Kind == lexer.TokenSep; n++ {
		if n > maxPath {
			g.fail("a path has at most 32 names")
		}
		name += g.next().Val
		if id := g.peek(); id.Kind == lexer.TokenID && named && isScope(id.Val) {
			g.fail("this path climbs up after a name")
		} else if !isScope(id.Val) {
			named = true
		}
		name += g.expect(lexer.TokenID, "a name should stand here").Val
	}
	if len(name) >= 2 && name[0] == '[' && name[len(name)-1] == ']' {
		return name[1 : len(name)-1]
	}
	return name
}

func isScope(id string) bool { return id == ".." || id == "." || id == "this" }
