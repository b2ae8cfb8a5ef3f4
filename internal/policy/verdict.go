package policy

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/llm-config-manager/lcm/internal/diag"
	"github.com/llm-config-manager/lcm/internal/leak"
)

// Limits on what one set says about one document.
const (
	maxVerdicts = 100 // what is over is dropped; what denies still denies
	maxMessage  = 1024
	maxPath     = 64
)

var ruleName = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)

// decode appends what a deny or warn set holds, in its order. Anything but {rule, path, message} is an
// error: a denial that nobody can read must not be dropped.
func (o output) decode(verdicts []Verdict, value ast.Value) ([]Verdict, error) {
	set, ok := value.(ast.Set)
	if !ok {
		return nil, o.errorf("is not a set")
	}
	if set.Len() == 0 {
		return verdicts, nil
	}
	sorted := set.Sorted()
	for i := range min(sorted.Len(), maxVerdicts) {
		v, err := o.verdict(sorted.Elem(i).Value)
		if err != nil {
			return nil, err
		}
		verdicts = append(verdicts, v)
	}
	return verdicts, nil
}

func (o output) verdict(value ast.Value) (Verdict, error) {
	object, ok := value.(ast.Object)
	if !ok {
		return Verdict{}, o.errorf("holds something that is not an object {rule, path, message}")
	}
	rule, ok1 := text(object, "rule")
	message, ok2 := text(object, "message")
	path, ok3 := path(object)
	switch {
	case object.Len() != 3 || !ok1 || !ok2 || !ok3:
		return Verdict{}, o.errorf("must hold objects of exactly rule and message, both text, and path, a list of names and positions")
	case !ruleName.MatchString(rule):
		return Verdict{}, o.errorf("names a rule in other than small letters, digits and inner hyphens, at most 63")
	case !printable(message):
		return Verdict{}, o.errorf("has an empty message, one over %d bytes, or one with control characters, by rule %s", maxMessage, rule)
	}
	// A rule may quote what stands in a document, and what stands there may be a key that somebody
	// pasted by mistake.
	if leak.Contains(message) {
		message = "the rule's message is withheld, since it quotes what looks like a credential"
	}
	return Verdict{Rule: "policy/" + o.name + "/" + rule, Severity: o.severity, Path: path, Message: message}, nil
}

// OutputError is what is wrong with what a rule said, whatever document it said it of.
type OutputError struct {
	diag.Position // of the first rule of the set
	Message       string
}

func (e *OutputError) Error() string { return e.Message }

// errorf names the package and the set and nothing of what the set holds.
func (o output) errorf(format string, args ...any) error {
	return &OutputError{o.at, fmt.Sprintf("package lcm.%s: %s %s", o.name, o.set(), fmt.Sprintf(format, args...))}
}

func text(o ast.Object, key string) (string, bool) {
	t := o.Get(ast.InternedTerm(key))
	if t == nil {
		return "", false
	}
	s, ok := t.Value.(ast.String)
	return string(s), ok
}

func path(o ast.Object) ([]string, bool) {
	t := o.Get(ast.InternedTerm("path"))
	if t == nil {
		return nil, false
	}
	list, ok := t.Value.(*ast.Array)
	if !ok || list.Len() > maxPath {
		return nil, false
	}
	steps := make([]string, list.Len())
	for i := range steps {
		switch v := list.Elem(i).Value.(type) {
		case ast.String:
			steps[i] = string(v)
		case ast.Number:
			n, whole := v.Int()
			if !whole || n < 0 {
				return nil, false
			}
			steps[i] = fmt.Sprint(n)
		default:
			return nil, false
		}
	}
	return steps, true
}

func printable(s string) bool {
	return s != "" && len(s) <= maxMessage && utf8.ValidString(s) && !strings.ContainsFunc(s, unicode.IsControl)
}
