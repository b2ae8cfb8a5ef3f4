package dotprompt

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Limits on one render.
const (
	MaxOutput   = 4 << 20   // bytes of text, all messages together
	maxSteps    = 1_000_000 // statements carried out
	maxPartials = 32        // partials inside of each other
)

// ErrLimit is wrapped by the error of a render that would have gone beyond its bounds.
var ErrLimit = errors.New("the prompt renders to too much")

// Set is a template with the partials that it may name.
type Set struct {
	Template *Template
	Partials map[string]*Template
}

// Input is what a prompt is rendered with. Values are those of JSON: map[string]any, []any, string, bool, nil, and
// int64 or float64.
type Input struct {
	Values  map[string]any // the variables; defaults are the caller's to fill in
	Context map[string]any // what templates see as @name
	History []Message      // the conversation so far
}

// RenderError is a template that can't be rendered with its input.
type RenderError struct {
	Partial string // the partial that it stands in; "" for the template itself
	At      int
	Message string
}

func (e *RenderError) Error() string { return e.Message }

// Render gives the messages that the prompt stands for. The same input gives the same messages: a mapping is
// walked in the order of its keys.
func (s Set) Render(ctx context.Context, in Input) ([]Message, error) {
	r := &renderer{ctx: ctx, set: s, in: in}
	root := &scope{value: in.Values}
	if in.Values == nil {
		root.value = map[string]any{}
	}
	r.root = root.value
	err := r.nodes(s.Template.nodes, root)
	if err != nil {
		return nil, err
	}
	return messages(r.pieces, in.History), nil
}

// piece is text, or something that text is put around: those are never mixed, so that a value which looks
// like a marker stays text.
type piece struct {
	marker      marker
	text        string // the role, the section, the URL
	contentType string
}

type marker int

const (
	noMarker marker = iota
	roleMarker
	historyMarker
	mediaMarker
	sectionMarker
)

// scope is the value that paths begin at, and those around it.
type scope struct {
	value any
	outer *scope
	loop  *loop
}

// loop is what @index and its like say inside of an #each.
type loop struct {
	index int
	key   string
	last  bool
	list  bool
	outer *loop
}

type renderer struct {
	ctx     context.Context
	set     Set
	in      Input
	root    any
	pieces  []piece
	size    int
	steps   int
	partial []string // that are being rendered
	indents []indent
}

// indent is put before each line of a partial that stands alone on an indented line.
type indent struct {
	text  string
	begun bool // this line has it
}

func (r *renderer) wrong(at int, format string, args ...any) error {
	e := &RenderError{At: at, Message: fmt.Sprintf(format, args...)}
	if n := len(r.partial); n > 0 {
		e.Partial = r.partial[n-1]
	}
	return e
}

func (r *renderer) step() error {
	if r.steps++; r.steps > maxSteps {
		return fmt.Errorf("%w: more than %d steps", ErrLimit, maxSteps)
	}
	if r.steps%1024 == 0 {
		return r.ctx.Err()
	}
	return nil
}

func (r *renderer) nodes(nodes []*node, s *scope) error {
	for _, n := range nodes {
		if err := r.step(); err != nil {
			return err
		}
		if err := r.node(n, s); err != nil {
			return err
		}
	}
	return nil
}

func (r *renderer) node(n *node, s *scope) error {
	switch n.kind {
	case textNode:
		return r.write(n.text)
	case printNode:
		return r.print(n, s)
	case blockNode:
		return r.block(n, s)
	case partialNode:
		return r.usePartial(n, s)
	}
	return nil
}

// write appends text, with what it is indented by.
func (r *renderer) write(text string) error {
	if len(r.indents) == 0 {
		return r.emit(text)
	}
	for text != "" {
		if err := r.indent(); err != nil {
			return err
		}
		line, rest, more := strings.Cut(text, "\n")
		if more {
			line += "\n"
			for i := range r.indents {
				r.indents[i].begun = false
			}
		}
		if err := r.emit(line); err != nil {
			return err
		}
		text = rest
	}
	return nil
}

// indent begins a line, if none has begun.
func (r *renderer) indent() error {
	for i := range r.indents {
		if !r.indents[i].begun {
			r.indents[i].begun = true
			if err := r.emit(r.indents[i].text); err != nil {
				return err
			}
		}
	}
	return nil
}

func (r *renderer) emit(text string) error {
	if r.size += len(text); r.size > MaxOutput {
		return fmt.Errorf("%w: more than %d MiB", ErrLimit, MaxOutput>>20)
	}
	if text != "" {
		r.pieces = append(r.pieces, piece{text: text})
	}
	return nil
}

func (r *renderer) mark(p piece) error {
	if err := r.indent(); err != nil {
		return err
	}
	if r.size += len(p.text) + len(p.contentType); r.size > MaxOutput {
		return fmt.Errorf("%w: more than %d MiB", ErrLimit, MaxOutput>>20)
	}
	r.pieces = append(r.pieces, p)
	return nil
}

func (r *renderer) print(n *node, s *scope) error {
	switch n.call.name.simple() {
	case "history":
		return r.mark(piece{marker: historyMarker})
	case "role", "section":
		return r.named(n, s)
	case "media":
		return r.media(n, s)
	case "json":
		text, err := r.json(n, s)
		if err != nil {
			return err
		}
		return r.write(text)
	}
	text, err := r.text(n.call.name, r.value(n.call.name, s))
	if err != nil {
		return err
	}
	return r.write(text)
}

// named is {{role name}} or {{section name}}.
func (r *renderer) named(n *node, s *scope) error {
	helper, arg := n.call.name.simple(), n.call.params[0]
	name, ok := r.value(arg, s).(string)
	switch {
	case !ok || name == "":
		return r.wrong(arg.at, "%s takes a name, and %s is none", helper, brief(arg.source))
	case helper == "section":
		return r.mark(piece{marker: sectionMarker, text: name})
	case !slices.Contains(roles, name):
		return r.wrong(arg.at, "the value of %s is no role: system, user, model or tool", brief(arg.source))
	}
	return r.mark(piece{marker: roleMarker, text: name})
}

func (r *renderer) media(n *node, s *scope) error {
	p := piece{marker: mediaMarker}
	for _, a := range n.call.hash {
		text, ok := r.value(a.value, s).(string)
		switch {
		case a.name == "contentType":
			p.contentType = text
		case !ok || text == "":
			return r.wrong(a.value.at, "the url of a media part must be text that is not empty")
		default:
			p.text = text
		}
	}
	return r.mark(p)
}

func (r *renderer) block(n *node, s *scope) error {
	name, params := n.call.name.simple(), n.call.params
	v := r.value(params[0], s)
	var hold bool
	switch name {
	case "each":
		return r.each(n, v, s)
	case "with":
		if hold = !empty(v); hold {
			return r.nodes(n.body, s.into(v))
		}
	case "if":
		hold = truthy(v)
	case "unless":
		hold = !truthy(v)
	case "ifEquals":
		hold = same(v, r.value(params[1], s))
	case "unlessEquals":
		hold = !same(v, r.value(params[1], s))
	}
	if hold {
		return r.nodes(n.body, s)
	}
	return r.nodes(n.inverse, s)
}

// into is the scope of a value inside of this one.
func (s *scope) into(v any) *scope { return &scope{value: v, outer: s, loop: s.loop} }

func (r *renderer) each(n *node, v any, s *scope) error {
	var keys []string
	list, isList := v.([]any)
	m, _ := v.(map[string]any)
	if !isList {
		keys = slices.Sorted(maps.Keys(m))
	}
	total := len(list) + len(keys)
	if total == 0 {
		return r.nodes(n.inverse, s)
	}
	for i := range total {
		if err := r.step(); err != nil {
			return err
		}
		l := &loop{index: i, last: i == total-1, list: isList, outer: s.loop}
		inner := &scope{outer: s, loop: l}
		if isList {
			inner.value = list[i]
		} else {
			l.key = keys[i]
			inner.value = m[l.key]
		}
		if err := r.nodes(n.body, inner); err != nil {
			return err
		}
	}
	return nil
}

// usePartial renders {{> name value other=value}}. A partial sees nothing of what is around its context.
func (r *renderer) usePartial(n *node, s *scope) error {
	t := r.set.Partials[n.text]
	if t == nil {
		return r.wrong(n.call.name.at, "there is no partial %.80q", n.text)
	}
	if len(r.partial) == maxPartials {
		return fmt.Errorf("%w: partials are inside of each other %d deep", ErrLimit, maxPartials)
	}
	inner := &scope{value: s.value, loop: s.loop}
	if len(n.call.params) > 0 {
		inner.value = r.value(n.call.params[0], s)
	}
	if len(n.call.hash) > 0 {
		m, _ := inner.value.(map[string]any)
		m = maps.Clone(m)
		if m == nil {
			m = map[string]any{}
		}
		for _, a := range n.call.hash {
			m[a.name] = r.value(a.value, s)
		}
		inner.value = m
	}
	r.partial = append(r.partial, n.text)
	if n.indent != "" {
		r.indents = append(r.indents, indent{text: n.indent})
		defer func() { r.indents = r.indents[:len(r.indents)-1] }()
	}
	if err := r.nodes(t.nodes, inner); err != nil {
		return err
	}
	r.partial = r.partial[:len(r.partial)-1]
	return nil
}

// value is what an expression stands for; nil if nothing is there.
func (r *renderer) value(e expr, s *scope) any {
	if e.literal {
		return e.value
	}
	if e.data {
		return r.data(e, s)
	}
	for range e.up {
		if s = s.outer; s == nil {
			return nil
		}
	}
	return follow(s.value, e.names)
}

func (r *renderer) data(e expr, s *scope) any {
	l := s.loop
	for i := 0; i < e.up && l != nil; i++ {
		l = l.outer
	}
	switch name := e.names[0]; {
	case name == "root":
		return follow(r.root, e.names[1:])
	case !loopVariable(name):
		return follow(r.in.Context, e.names)
	case l == nil:
		return nil
	case name == "index":
		return int64(l.index)
	case name == "first":
		return l.index == 0
	case name == "last":
		return l.last
	case l.list:
		return int64(l.index)
	default:
		return l.key
	}
}

func follow(v any, names []string) any {
	for _, name := range names {
		switch at := v.(type) {
		case map[string]any:
			v = at[name]
		case []any:
			i, err := strconv.Atoi(name)
			if err != nil || i < 0 || i >= len(at) {
				return nil
			}
			v = at[i]
		default:
			return nil
		}
	}
	return v
}

// empty is what #with and #if take for nothing: 0 is something.
func empty(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case bool:
		return !v
	case string:
		return v == ""
	case []any:
		return len(v) == 0
	}
	return false
}

func truthy(v any) bool {
	f, isNumber := toFloat(v)
	return !empty(v) && !(isNumber && f == 0)
}

// same is strict equality: of another type is another value, and a mapping or list is like no other.
func same(a, b any) bool {
	switch a.(type) {
	case map[string]any, []any:
		return false
	}
	return equal(a, b)
}

// text is how a value is printed: without escaping, nothing for null, a list with commas.
func (r *renderer) text(e expr, v any) (string, error) {
	switch v := v.(type) {
	case nil:
		return "", nil
	case string:
		return v, nil
	case bool:
		return strconv.FormatBool(v), nil
	case map[string]any:
		return "", r.wrong(e.at, "%s is a mapping, which has no text: write {{json %[1]s}}, or the name of one of its fields", brief(e.source))
	case []any:
		parts := make([]string, len(v))
		for i, item := range v {
			text, err := r.text(e, item)
			if err != nil {
				return "", err
			}
			parts[i] = text
		}
		return strings.Join(parts, ","), nil
	}
	f, ok := toFloat(v)
	if !ok || math.IsInf(f, 0) || math.IsNaN(f) {
		return "", r.wrong(e.at, "%s is no value of JSON", brief(e.source))
	}
	return r.marshal(e, v)
}
