package schema

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"cuelang.org/go/cue"

	"github.com/llm-config-manager/lcm/internal/diag"
)

// violations tells one site. healed is the definition with the document, all known mistakes taken
// out, so that what stands at the site's path there is the constraint alone.
func (e *explainer) violations(healed cue.Value, original any, s site) []Violation {
	constraint := healed.LookupPath(place(original, s.path))
	x := anyExpectation()
	if constraint.Exists() {
		x = e.describe(constraint, 0)
	}
	name := e.subject(s.path)
	switch s.fault {
	case faultSaid:
		return []Violation{{Path: s.path, Rule: RuleConflict, Message: s.said}}
	case faultUnknown:
		return []Violation{e.unknown(healed, original, s.path)}
	case faultMissing:
		if e.renamed[strings.Join(s.path, "\x00")] {
			return nil
		}
		return []Violation{{Path: s.path, Key: true, Rule: RuleRequired, Message: missing(name, x)}}
	}
	value, ok := at(original, s.path)
	if !ok {
		return []Violation{{Path: s.path, Rule: RuleConflict, Message: name + " does not fit: the schema contradicts itself here"}}
	}
	return e.judge(s.path, value, x)
}

// judge finds out which of the demands value fails, and says so.
func (e *explainer) judge(path []string, value any, x expectation) []Violation {
	one := func(rule, format string, args ...any) []Violation {
		return []Violation{{Path: path, Rule: rule, Message: e.subject(path) + " " + fmt.Sprintf(format, args...)}}
	}
	kind := kindName(value)
	switch {
	case x.kind == cue.BottomKind:
		return one(RuleConflict, "cannot be right whatever it is: the constraints contradict each other")
	case x.kind&kind == 0:
		return one(RuleType, "must be %s", x.kindWords())
	}
	if shapes := slices.DeleteFunc(slices.Clone(x.shapes), func(s shape) bool { return s.kind&kind == 0 }); len(x.shapes) > 0 {
		return e.judgeShapes(path, value, x, shapes)
	}
	switch {
	case x.enum != nil && !slices.Contains(x.enum, scalarText(value)):
		return one(RuleEnum, "must be %s", x.enumWords())
	case !x.inBounds(value):
		return one(RuleBounds, "must be %s", x.numberWords())
	}
	for _, l := range x.lengths {
		if !l.fits(value) {
			return one(RuleBounds, "must have %s", x.lengthWords(l.unit))
		}
	}
	for _, p := range x.patterns {
		if s, ok := value.(string); ok && !p.matches(s) {
			return one(RulePattern, "must %s", p.say())
		}
	}
	return one(RuleConflict, "does not fit the constraints on it")
}

// judgeShapes explains a disjunction by the one shape that was meant, if the kind of the value tells it.
func (e *explainer) judgeShapes(path []string, value any, x expectation, meant []shape) []Violation {
	x.shapes = nil
	if len(meant) == 1 {
		if v := e.inside(path, value, meant[0]); len(v) > 0 {
			return v
		}
		return e.judge(path, value, x.and(meant[0].expectation))
	}
	var words []string
	for _, s := range meant {
		if w := s.say(); w != "" && !slices.Contains(words, w) {
			words = append(words, w)
		}
	}
	msg := e.subject(path) + " fits none of the shapes allowed here"
	if len(words) > 0 {
		msg = e.subject(path) + " must be " + orList(words)
	}
	return []Violation{{Path: path, Rule: RuleConflict, Message: msg}}
}

// maxNested bounds disjunctions within disjunctions.
const maxNested = 8

// inside looks for the mistake within a mapping or list that must have a certain shape.
func (e *explainer) inside(path []string, value any, s shape) []Violation {
	switch value.(type) {
	case map[string]any, []any:
	default:
		return nil
	}
	if e.depth >= maxNested {
		return nil
	}
	def := cue.Dereference(s.value)
	nested := newExplainer(e.ctx, e.defs)
	nested.depth, nested.prefix = e.depth+1, slices.Concat(e.prefix, path)
	found := nested.explain(def, len(def.Path().Selectors()), value)
	for i := range found {
		if len(found[i].Path) == 0 {
			return nil
		}
		found[i].Path = slices.Concat(path, found[i].Path)
	}
	return found
}

// unknown tells a field that is not allowed, and which one was probably meant. That one then counts
// as told too: a misspelt field is not also a missing one.
func (e *explainer) unknown(healed cue.Value, original any, path []string) Violation {
	name, parent := path[len(path)-1], path[:len(path)-1]
	v := Violation{Path: path, Key: true, Rule: RuleUnknownField}
	there, _ := at(original, parent)
	known, keys := e.fields(healed.LookupPath(place(original, parent)), there)
	near := diag.Nearest(name, known)
	if near != "" {
		meant := append(slices.Clone(parent), near)
		if _, taken := at(original, meant); taken {
			near = ""
		} else {
			e.renamed[strings.Join(meant, "\x00")] = true
		}
	}
	switch {
	case near != "":
		v.Message = fmt.Sprintf("the field %.80q is unknown; did you mean %q?", name, near)
	case len(known) == 0 && keys != "":
		v.Message = fmt.Sprintf("the key %.80q is not allowed here: it must be %s", name, keys)
	case len(known) == 0:
		v.Message = fmt.Sprintf("the field %.80q is unknown here", name)
	default:
		v.Message = fmt.Sprintf("the field %.80q is unknown; there may be %s", name, list(known))
	}
	return v
}

// fields lists the fields that a mapping may have, and says what other keys must look like. value is
// the mapping as it stands: a field of it that only fits such a key is none that everybody may have.
func (e *explainer) fields(v cue.Value, value any) (names []string, keys string) {
	it, err := v.Fields(cue.Optional(true), cue.Patterns(true))
	if err != nil {
		return nil, ""
	}
	var keyed []pattern
	for it.Next() {
		sel := it.Selector()
		switch {
		case sel.ConstraintType() == cue.PatternConstraint:
			x := e.describe(sel.Pattern(), 0)
			keyed, keys = append(keyed, x.patterns...), e.keyWords(x)
		case sel.IsString() && it.Value().IncompleteKind() != cue.BottomKind: // else it is there only to be refused
			names = append(names, sel.Unquoted())
		}
	}
	names = slices.DeleteFunc(names, func(name string) bool {
		_, present := at(value, []string{name})
		return present && slices.ContainsFunc(keyed, func(p pattern) bool { return p.matches(name) })
	})
	slices.Sort(names)
	return slices.Compact(names), keys
}

// keyWords says what the keys of a mapping must look like. The pattern comes without the name of the
// definition that it was written as, but the definition has the same one.
func (e *explainer) keyWords(x expectation) string {
	if len(x.patterns) == 0 {
		return x.say()
	}
	if words, ok := e.defs.patterns[x.patterns[0].expr]; ok {
		return words
	}
	return "a name that matches " + x.patterns[0].expr
}

// place is path as CUE names it. What a list is, the document says.
func place(doc any, path []string) cue.Path {
	sels := make([]cue.Selector, len(path))
	for i, p := range path {
		sels[i] = cue.Str(p)
		if l, ok := doc.([]any); ok {
			if n, err := strconv.Atoi(p); err == nil && n >= 0 && n < len(l) {
				sels[i] = cue.Index(n)
			}
		}
		doc, _ = at(doc, path[i:i+1])
	}
	return cue.MakePath(sels...)
}

func (x expectation) inBounds(value any) bool {
	var f float64
	switch v := value.(type) {
	case int64:
		f = float64(v)
	case int:
		f = float64(v)
	case float64:
		f = v
	default:
		return true
	}
	low := x.min != nil && (f < x.min.value || x.min.exclusive && f == x.min.value)
	high := x.max != nil && (f > x.max.value || x.max.exclusive && f == x.max.value)
	return !low && !high
}

func (l length) fits(value any) bool {
	n := 0
	switch v := value.(type) {
	case string:
		n = utf8.RuneCountInString(v)
	case []any:
		n = len(v)
	case map[string]any:
		n = len(v)
	}
	if l.min {
		return int64(n) >= l.n
	}
	return int64(n) <= l.n
}

func (p pattern) matches(s string) bool {
	re, err := regexp.Compile(p.expr)
	return err == nil && re.MatchString(s) != p.negate
}
