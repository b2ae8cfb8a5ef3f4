// Package dotprompt reads and renders prompts of the Dotprompt specification: front matter, Picoschema, and the
// portable subset of Handlebars, which every implementation renders alike. What lies outside of the subset is a
// problem with its place, never a guess. A render is bounded and deterministic, and no value can change the
// role of a message: roles, media and history are never part of the text.
package dotprompt

// Limits on one template.
const (
	MaxTemplate = 256 << 10 // bytes
	maxNesting  = 64        // blocks
	maxNames    = 32        // in one path
	maxProblems = 20
)

// Rules of the problems that a template can have.
const (
	RuleTemplate  = "prompt/template"  // it can't be parsed
	RulePortable  = "prompt/portable"  // Handlebars, but not of the portable subset
	RuleHelper    = "prompt/helper"    // no such helper
	RuleArguments = "prompt/arguments" // not what the helper takes
	RuleRole      = "prompt/role"      // no such role
	RuleScope     = "prompt/scope"     // a @variable or .. that is not there

	RuleUndeclared  = "prompt/undeclared"  // a variable that input.schema does not declare
	RuleUnused      = "prompt/unused"      // one that it declares, and nothing uses
	RuleType        = "prompt/type"        // what its type does not allow
	RuleUnprintable = "prompt/unprintable" // a mapping that would be printed as text
	RuleNeverEqual  = "prompt/never-equal" // a comparison whose outcome is known
)

// Problem is something wrong with a template, at a byte offset of its text.
type Problem struct {
	At      int
	Rule    string
	Message string
	Warning bool
}

// Template is a parsed text. It does not change and may be shared.
type Template struct {
	Text  string
	Uses  []Use // partials that it names, in their order
	nodes []*node
}

// Use is one {{> name}}.
type Use struct {
	Name string
	At   int
}

type nodeKind int

const (
	textNode    nodeKind = iota
	printNode            // {{path}} or {{helper …}}
	blockNode            // {{#helper …}} … {{/helper}}
	partialNode          // {{> name …}}
	commentNode
)

// node is one statement of a template.
type node struct {
	kind      nodeKind
	at        int    // of the text, or of the opening braces
	text      string // textNode: what is left of it after white space control; partialNode: the name
	original  string // textNode: as it was written
	call      call
	indent    string // partialNode alone on its line: what stands before it
	body      []*node
	inverse   []*node
	otherwise bool // there is an else, if an empty one
	chained   bool // inverse is {{else if …}}: its one node is the block of that

	open, close, inverted strip // of the opening, the closing and the else tag; of others open alone
	rightStripped         bool  // textNode: its beginning went
	leftStripped          bool  // textNode: its end went
}

// strip says on which sides a tag has a ~.
type strip struct{ left, right bool }

// call is what stands inside of braces: a path alone, or a helper and what it is given.
type call struct {
	name   expr
	params []expr
	hash   []pair
}

type pair struct {
	name  string
	at    int
	value expr
}

// expr is a path or a literal.
type expr struct {
	at      int
	source  string // as it was written
	literal bool
	value   any // of a literal: string, int64, float64, bool or nil

	data   bool     // @name: of the loop or the application, not of the input
	up     int      // how many ../ it begins with
	scoped bool     // it begins with this, . or ..
	names  []string // what follows
}

// simple returns the one name of a path like {{name}}; "" for any other.
func (e expr) simple() string {
	if e.literal || e.data || e.scoped || len(e.names) != 1 {
		return ""
	}
	return e.names[0]
}
