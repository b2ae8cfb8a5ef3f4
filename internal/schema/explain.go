package schema

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"strings"

	"cuelang.org/go/cue"
	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/errors"
	"cuelang.org/go/cue/literal"
)

// complete are the demands on a document: nothing missing, nothing open.
var complete = [...]cue.Option{cue.Concrete(true), cue.Final(), cue.All()}

// A document is explained in rounds: CUE names the places that are wrong, each is told and then taken
// out of the document (replaced by _, which fits anything), until CUE finds no more. So a mistake
// that shows at several places is told once, and one that another one hid is told too.
const (
	maxRounds     = 32
	maxWork       = 6000 // values of the document that all rounds together go through, the first one apart
	maxViolations = 100
	maxSites      = 1000
)

type explainer struct {
	ctx    *cue.Context
	defs   *definitions
	depth  int      // of disjunctions within disjunctions
	prefix []string // where the value stands in the document
	// renamed are fields that are missing only because they are misspelt, by path.
	renamed map[string]bool
}

func newExplainer(ctx *cue.Context, defs *definitions) *explainer {
	return &explainer{ctx: ctx, defs: defs, renamed: map[string]bool{}}
}

// fault says how CUE complained about one place.
type fault int

const (
	faultValue       fault = iota // what stands there does not fit
	faultDisjunction              // it fits none of several shapes
	faultMissing
	faultUnknown
	faultSaid // the schema has a sentence of its own for it
	faultOpen // only that something is not decided: it follows from another fault
)

type site struct {
	path  []string
	fault fault
	said  string
}

// explain tells all mistakes of value. base is how many segments of CUE's paths lead to the definition.
func (e *explainer) explain(def cue.Value, base int, value any) []Violation {
	doc := clone(value)
	var out []Violation
	var told [][]string
	for round := range max(1, min(maxRounds, maxWork/count(value))) {
		sites := e.sites(def.Unify(e.ctx.Encode(doc)), base, round)
		sites = slices.DeleteFunc(sites, func(s site) bool {
			return e.renamed[strings.Join(s.path, "\x00")] || slices.ContainsFunc(told, func(t []string) bool { return within(s.path, t) })
		})
		if len(sites) == 0 {
			break
		}
		for _, s := range sites {
			doc = neutralise(doc, s)
			told = append(told, s.path)
		}
		healed := def.Unify(e.ctx.Encode(doc))
		slices.SortStableFunc(sites, func(a, b site) int { return cmp.Compare(b.fault, a.fault) }) // misspelt before missing
		for _, s := range sites {
			out = append(out, e.violations(healed, value, s)...)
		}
		if len(out) >= maxViolations {
			break
		}
	}
	slices.SortStableFunc(out, func(a, b Violation) int { return cmp.Or(slices.Compare(a.Path, b.Path), cmp.Compare(a.Rule, b.Rule)) })
	return slices.CompactFunc(out, func(a, b Violation) bool { return a.Rule == b.Rule && slices.Equal(a.Path, b.Path) })
}

// sites condenses CUE's errors to places, one fault each, none inside another.
func (e *explainer) sites(v cue.Value, base, round int) []site {
	found := map[string]site{}
	for _, err := range errors.Errors(v.Validate(complete[:]...)) {
		s := e.site(err, base)
		if s.fault == faultOpen && round > 0 {
			continue
		}
		key := strings.Join(s.path, "\x00")
		if old, ok := found[key]; !ok || weight(s.fault) > weight(old.fault) {
			found[key] = s
		}
	}
	all := slices.SortedFunc(maps.Values(found), func(a, b site) int { return slices.Compare(a.path, b.path) })
	all = all[:min(len(all), maxSites)] // what is left out comes up again in the next round, if anybody still wants more
	sites := slices.DeleteFunc(slices.Clone(all), func(s site) bool {
		return slices.ContainsFunc(all, func(o site) bool { return eclipses(o, s) })
	})
	return sites[:min(len(sites), maxViolations)]
}

// weight orders the faults that one place may have at once.
func weight(f fault) int {
	return map[fault]int{faultOpen: 0, faultValue: 1, faultMissing: 2, faultUnknown: 3, faultDisjunction: 4, faultSaid: 5}[f]
}

// whole reports whether the fault concerns all that lies below its place: what is not allowed at
// all has no inside, and what is wrong inside a disjunction depends on which shape was meant.
func (f fault) whole() bool { return f == faultUnknown || f == faultDisjunction || f == faultSaid }

// eclipses reports whether s need not be told since o is: as a rule the deeper place is the exact one.
func eclipses(o, s site) bool {
	switch {
	case len(o.path) == len(s.path):
		return false
	case within(s.path, o.path):
		return o.fault.whole()
	default:
		return within(o.path, s.path) && !s.fault.whole()
	}
}

// within reports whether path is prefix or lies below it.
func within(path, prefix []string) bool {
	return len(path) >= len(prefix) && slices.Equal(path[:len(prefix)], prefix)
}

func (e *explainer) site(err errors.Error, base int) site {
	format, args := err.Msg()
	s := site{path: segments(err.Path(), base)}
	switch {
	case format == "field not allowed":
		s.fault = faultUnknown
	case format == "field is required but not present":
		s.fault = faultMissing
	case strings.HasPrefix(format, "required field missing") && len(args) == 1:
		s.fault = faultMissing
		if name, ok := args[0].(string); ok {
			s.path = append(s.path, unquote(name))
		}
	case strings.HasSuffix(format, "errors in empty disjunction:"):
		s.fault = faultDisjunction
	case strings.HasPrefix(format, "incomplete value"), strings.HasPrefix(format, "unresolved disjunction"),
		strings.HasPrefix(format, "undefined field"), strings.HasPrefix(format, "non-concrete"), strings.HasPrefix(format, "cannot reference optional"):
		s.fault = faultOpen
	case format == "%s" && len(args) == 1:
		if text, ok := args[0].(string); ok && e.defs.said[text] {
			s.fault, s.said = faultSaid, text
		}
	}
	return s
}

// segments turns CUE's path into ours: without the definition, unquoted.
func segments(path []string, base int) []string {
	path = path[min(base, len(path)):]
	out := make([]string, len(path))
	for i, p := range path {
		out[i] = unquote(p)
	}
	return out
}

func unquote(label string) string {
	if strings.HasPrefix(label, `"`) {
		if s, err := literal.Unquote(label); err == nil {
			return s
		}
	}
	return strings.TrimRight(label, "?!")
}

// neutralise returns doc with the place changed so that it is no longer wrong.
func neutralise(doc any, s site) any {
	return edit(doc, s.path, func(m map[string]any, key string) {
		if s.fault == faultUnknown {
			delete(m, key)
		} else {
			m[key] = anything()
		}
	})
}

// anything is CUE's _.
func anything() any { return ast.NewIdent("_") }

// edit applies change to the mapping that holds the last segment of path. Elements of lists are
// replaced by _ whatever change is.
func edit(doc any, path []string, change func(m map[string]any, key string)) any {
	if len(path) == 0 {
		return anything()
	}
	switch v := doc.(type) {
	case map[string]any:
		if len(path) == 1 {
			change(v, path[0])
		} else if child, ok := v[path[0]]; ok {
			v[path[0]] = edit(child, path[1:], change)
		}
	case []any:
		if i, err := strconv.Atoi(path[0]); err == nil && i >= 0 && i < len(v) {
			v[i] = edit(v[i], path[1:], change)
		}
	}
	return doc
}

func clone(v any) any {
	switch v := v.(type) {
	case map[string]any:
		m := make(map[string]any, len(v))
		for k, e := range v {
			m[k] = clone(e)
		}
		return m
	case []any:
		l := make([]any, len(v))
		for i, e := range v {
			l[i] = clone(e)
		}
		return l
	}
	return v
}

// at returns what stands at path, and whether anything does.
func at(v any, path []string) (any, bool) {
	for _, p := range path {
		switch c := v.(type) {
		case map[string]any:
			e, ok := c[p]
			if !ok {
				return nil, false
			}
			v = e
		case []any:
			i, err := strconv.Atoi(p)
			if err != nil || i < 0 || i >= len(c) {
				return nil, false
			}
			v = c[i]
		default:
			return nil, false
		}
	}
	return v, true
}
