package schema

import (
	"fmt"
	"slices"
	"strconv"

	"cuelang.org/go/cue"
)

// expectation is what a constraint asks for, as far as words can tell it.
type expectation struct {
	kind     cue.Kind // what it may be
	enum     []string // the only scalars allowed, as people write them; nil: any
	min, max *bound
	patterns []pattern
	lengths  []length
	shapes   []shape // one of these, if there are any
	words    string  // of the definition it comes from
	struc    cue.Value
}

type bound struct {
	value     float64
	text      string
	exclusive bool
}

type pattern struct {
	expr   string
	negate bool
	words  string
}

// length bounds how many characters, items or fields there are.
type length struct {
	unit string
	min  bool
	n    int64
}

// shape is one alternative of a disjunction.
type shape struct {
	value cue.Value
	expectation
}

func anyExpectation() expectation { return expectation{kind: cue.TopKind} }

// maxDescribe bounds how far references and operators are followed.
const maxDescribe = 32

// describe reads a constraint. What it does not understand it leaves out: then the sentence is less exact.
func (e *explainer) describe(v cue.Value, depth int) expectation {
	if depth > maxDescribe {
		return anyExpectation()
	}
	op, args := v.Expr()
	switch op {
	case cue.AndOp:
		x := anyExpectation()
		for _, a := range args {
			x = x.and(e.describe(a, depth+1))
		}
		return x
	case cue.OrOp:
		return e.either(args, depth)
	case cue.SelectorOp, cue.IndexOp:
		return e.reference(v, op, args, depth)
	case cue.RegexMatchOp, cue.NotRegexMatchOp:
		if s, err := args[0].String(); err == nil {
			return expectation{kind: cue.StringKind, patterns: []pattern{{expr: s, negate: op == cue.NotRegexMatchOp}}}
		}
	case cue.GreaterThanEqualOp, cue.GreaterThanOp, cue.LessThanEqualOp, cue.LessThanOp:
		return bounded(v, op, args[0])
	case cue.CallOp:
		return called(v, args)
	case cue.NoOp:
		return plain(v)
	}
	return expectation{kind: kindOf(v)}
}

func kindOf(v cue.Value) cue.Kind {
	if k := v.IncompleteKind(); k != cue.BottomKind {
		return k
	}
	return cue.TopKind
}

// reference follows a name to its definition and brings its words along.
func (e *explainer) reference(v cue.Value, op cue.Op, args []cue.Value, depth int) expectation {
	d := cue.Dereference(v)
	if o, _ := d.Expr(); o == op {
		return plain(v)
	}
	x := e.describe(d, depth+1)
	if x.kind == cue.StructKind {
		x.struc = v
	}
	if len(args) != 2 {
		return x
	}
	name, err := args[1].String()
	if words := e.defs.words[name]; err == nil && words != "" {
		x.words = words
		for i := range x.patterns {
			x.patterns[i].words = words
		}
	}
	return x
}

// plain reads a concrete value, a type, or a struct or list of them.
func plain(v cue.Value) expectation {
	x := expectation{kind: kindOf(v)}
	if text, ok := scalar(v); ok {
		x.kind, x.enum = v.Kind(), []string{text}
	}
	if x.kind == cue.StructKind {
		x.struc = v
	}
	return x
}

// scalar returns a concrete scalar as people write it.
func scalar(v cue.Value) (string, bool) {
	switch v.Kind() {
	case cue.StringKind:
		s, err := v.String()
		return s, err == nil
	case cue.BoolKind, cue.IntKind, cue.FloatKind, cue.NullKind:
		return fmt.Sprint(v), true
	}
	return "", false
}

func bounded(v cue.Value, op cue.Op, arg cue.Value) expectation {
	x := expectation{kind: kindOf(v)}
	n, err := arg.Float64()
	if err != nil && arg.IncompleteKind()&cue.NumberKind == 0 {
		return x
	}
	b := &bound{value: n, text: fmt.Sprint(arg), exclusive: op == cue.GreaterThanOp || op == cue.LessThanOp}
	if op == cue.GreaterThanEqualOp || op == cue.GreaterThanOp {
		x.min = b
	} else {
		x.max = b
	}
	return x
}

// called reads the validators of CUE's packages.
func called(v cue.Value, args []cue.Value) expectation {
	x := expectation{kind: kindOf(v)}
	if len(args) == 0 {
		return x
	}
	_, parts := args[0].Expr()
	if len(parts) != 2 {
		return x
	}
	name, err := parts[1].String()
	if err != nil {
		return x
	}
	if name == "Time" || name == "Duration" {
		x.words = map[string]string{"Time": "a point in time such as 2027-01-31T00:00:00Z", "Duration": "a duration such as 1h30m"}[name]
		return x
	}
	if len(args) != 2 {
		return x
	}
	l, ok := map[string]length{
		"MinRunes": {"characters", true, 0}, "MaxRunes": {"characters", false, 0},
		"MinItems": {"items", true, 0}, "MaxItems": {"items", false, 0},
		"MinFields": {"fields", true, 0}, "MaxFields": {"fields", false, 0},
	}[name]
	if n, err := args[1].Int64(); ok && err == nil {
		l.n = n
		x.lengths = []length{l}
	}
	return x
}

// either reads a disjunction: of scalars an enumeration, of anything else its shapes.
func (e *explainer) either(args []cue.Value, depth int) expectation {
	x := expectation{}
	scalars := true
	for _, a := range args {
		s := shape{a, e.describe(a, depth+1)}
		x.kind |= s.kind
		scalars = scalars && s.enum != nil && len(s.shapes) == 0
		x.shapes = append(x.shapes, s)
	}
	if scalars {
		for _, s := range x.shapes {
			x.enum = append(x.enum, s.enum...)
		}
		x.shapes = nil
	}
	return x
}

// and is what both ask for.
func (x expectation) and(y expectation) expectation {
	x.kind &= y.kind
	switch {
	case x.enum == nil:
		x.enum = y.enum
	case y.enum != nil:
		x.enum = slices.DeleteFunc(slices.Clone(x.enum), func(s string) bool { return !slices.Contains(y.enum, s) })
	}
	if x.min == nil || y.min != nil && y.min.value > x.min.value {
		x.min = y.min
	}
	if x.max == nil || y.max != nil && y.max.value < x.max.value {
		x.max = y.max
	}
	for _, p := range y.patterns {
		if !slices.Contains(x.patterns, p) {
			x.patterns = append(slices.Clone(x.patterns), p)
		}
	}
	for _, l := range y.lengths {
		if !slices.Contains(x.lengths, l) {
			x.lengths = append(slices.Clone(x.lengths), l)
		}
	}
	// Two disjunctions multiply; the narrower one alone tells more.
	if len(x.shapes) == 0 || len(y.shapes) > 0 && len(y.shapes) < len(x.shapes) {
		x.shapes = y.shapes
	}
	if x.words == "" || y.words != "" && len(y.patterns) > 0 {
		x.words = y.words
	}
	if !x.struc.Exists() {
		x.struc = y.struc
	}
	return x
}

// kindName says of what kind a value of a document is.
func kindName(v any) cue.Kind {
	switch v := v.(type) {
	case nil:
		return cue.NullKind
	case bool:
		return cue.BoolKind
	case string:
		return cue.StringKind
	case int, int64, uint64:
		return cue.IntKind
	case float64:
		return cue.FloatKind
	case []any:
		return cue.ListKind
	case map[string]any:
		return cue.StructKind
	default:
		_ = v
		return cue.BottomKind
	}
}

// scalarText is a scalar of a document as an enumeration writes it.
func scalarText(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case int64:
		return strconv.FormatInt(v, 10)
	case nil:
		return "null"
	}
	return fmt.Sprint(v)
}
