package policy

import (
	"errors"
	"strings"
	"sync"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown"
)

// maxGrown bounds what one call of a built-in function may make, in bytes, more or less.
const maxGrown = 16 << 20

var errGrown = errors.New("the result would be too large")

// boundGrowth makes the built-in functions that can make much of little refuse to. The guard cannot help
// there: nothing interrupts the engine within one step, and a replace can ask for gigabytes. OPA keeps its
// functions in one table of the process and cannot be told limits, so those few are wrapped in it, once,
// before anything is evaluated. Only this package evaluates Rego.
var boundGrowth = sync.OnceFunc(func() {
	for name, grown := range growing() {
		call := topdown.GetBuiltin(name)
		topdown.RegisterBuiltinFunc(name, func(bctx topdown.BuiltinContext, operands []*ast.Term, yield func(*ast.Term) error) error {
			if grown(operands) > maxGrown {
				return errGrown
			}
			return call(bctx, operands, yield)
		})
	}
})

// growing gives the functions that grow, and at most how much each makes of its operands.
func growing() map[string]func([]*ast.Term) int {
	times := func(n int) func([]*ast.Term) int {
		return func(o []*ast.Term) int { return n * size(o[0].Value) }
	}
	const cell = 64 // bytes that an element takes
	cells := func(o []*ast.Term) (n int) {
		for _, t := range o {
			n += cell * elements(t.Value)
		}
		return n
	}
	return map[string]func([]*ast.Term) int{
		"concat": func(o []*ast.Term) int { return (1+elements(o[1].Value))*size(o[0].Value) + size(o[1].Value) },
		"replace": func(o []*ast.Term) int {
			return size(o[0].Value) + strings.Count(asText(o[0]), asText(o[1]))*size(o[2].Value)
		},
		"strings.replace_n":        func(o []*ast.Term) int { return (1 + size(o[1].Value)) * (1 + longest(o[0].Value)) },
		"regex.replace":            func(o []*ast.Term) int { return (1 + size(o[0].Value)) * (1 + size(o[2].Value)) },
		"sprintf":                  func(o []*ast.Term) int { return formatted(asText(o[0]), longest(o[1].Value)) },
		"internal.template_string": times(2),
		"array.concat":             cells, "array.flatten": cells, "object.union": cells, "object.union_n": cells, "union": cells,
		"base64.encode": times(2), "base64url.encode": times(2), "base64url.encode_no_pad": times(2), "hex.encode": times(2),
		"urlquery.encode": times(3), "urlquery.encode_object": times(3),
		"bits.lsh":        func(o []*ast.Term) int { return size(o[0].Value) + shift(o[1]) },
		"mul":             func(o []*ast.Term) int { return 1000 * (size(o[0].Value) + size(o[1].Value)) }, // its time grows faster than its size
		"split":           func(o []*ast.Term) int { return cell * (1 + strings.Count(asText(o[0]), asText(o[1]))) },
		"strings.split_n": times(cell), "regex.split": func(o []*ast.Term) int { return cell * size(o[1].Value) },
		"json.unmarshal": times(cell),
	}
}

func asText(t *ast.Term) string {
	s, _ := t.Value.(ast.String)
	return string(s)
}

// size is the length of all texts in a value, and something for each of its elements. It stops counting when
// there is too much.
func size(v ast.Value) (n int) {
	switch v := v.(type) {
	case ast.String:
		return len(v)
	case ast.Number:
		return len(v)
	}
	each(v, func(e ast.Value) bool {
		n += 8 + size(e)
		return n <= maxGrown
	})
	return n
}

// longest is the size of the largest element.
func longest(v ast.Value) (n int) {
	each(v, func(e ast.Value) bool {
		n = max(n, size(e))
		return true
	})
	return n
}

// elements counts those of a value, and of the collections right in it.
func elements(v ast.Value) (n int) {
	each(v, func(e ast.Value) bool {
		n++
		each(e, func(ast.Value) bool {
			n++
			return n <= maxGrown
		})
		return n <= maxGrown
	})
	return n
}

// each goes over the elements of a collection until yield returns false; of an object, keys and values.
func each(v ast.Value, yield func(ast.Value) bool) {
	switch v := v.(type) {
	case *ast.Array:
		v.Until(func(t *ast.Term) bool { return !yield(t.Value) })
	case ast.Set:
		v.Until(func(t *ast.Term) bool { return !yield(t.Value) })
	case ast.Object:
		v.Until(func(k, e *ast.Term) bool { return !yield(k.Value) || !yield(e.Value) })
	}
}

// formatted is what a format makes at most: each verb of the longest argument, and all widths, which may be
// given by arguments too.
func formatted(format string, longest int) int {
	n, width := len(format)+strings.Count(format, "%")*(8+longest)*2+strings.Count(format, "*")*maxGrown, 0
	for _, c := range format {
		if c >= '0' && c <= '9' {
			width = min(10*width+int(c-'0'), maxGrown)
			continue
		}
		n, width = n+width, 0
	}
	return n
}

// shift is a number of bits, as bytes.
func shift(t *ast.Term) int {
	n, ok := t.Value.(ast.Number)
	if !ok {
		return 0
	}
	bits, ok := n.Int()
	if !ok || bits > 8*1024 {
		return maxGrown + 1
	}
	return bits / 8
}
