package jsonschema

import (
	"encoding/json"
	"strings"

	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/literal"
	"cuelang.org/go/cue/token"
)

// number is a number as it is written, or as JSON has it.
func number(s string) any {
	s = strings.ReplaceAll(s, "_", "")
	if json.Valid([]byte(s)) {
		return json.Number(s)
	}
	return s
}

var bounds = map[token.Token]string{token.GEQ: "minimum", token.LEQ: "maximum", token.GTR: "exclusiveMinimum", token.LSS: "exclusiveMaximum"}

// bound is that of >=0, =~"…" and the like.
func bound(x *ast.UnaryExpr) (object, error) {
	if key, ok := bounds[x.Op]; ok {
		if n, ok := signed(x.X); ok {
			return object{key: n}, nil
		}
	}
	if x.Op == token.MAT || x.Op == token.NMAT {
		if expr, ok := constant(x.X); ok {
			s := object{"type": "string", "pattern": pattern(expr.(string))}
			if x.Op == token.NMAT {
				s = object{"not": s}
			}
			return s, nil
		}
	}
	if n, ok := signed(x); ok {
		return object{"const": n}, nil
	}
	return nil, unknown(x)
}

// signed is a number, perhaps with a minus before it.
func signed(e ast.Expr) (any, bool) {
	if minus, ok := e.(*ast.UnaryExpr); ok && minus.Op == token.SUB {
		n, ok := constant(minus.X)
		digits, isNumber := n.(json.Number)
		return json.Number("-" + string(digits)), ok && isNumber
	}
	return constant(e)
}

// pattern writes an RE2 expression as ECMA 262 has it: there, a flag for the dot to match line ends can't stand inside.
func pattern(expr string) string {
	if rest, ok := strings.CutPrefix(expr, "(?s)"); ok {
		expr = dotAll(rest)
	}
	if before, rest, ok := strings.Cut(expr, "(?s:"); ok {
		inner, after, _ := strings.Cut(rest, ")")
		expr = before + "(?:" + dotAll(inner) + ")" + after
	}
	return expr
}

// dotAll replaces each dot that is neither escaped nor in a class.
func dotAll(expr string) string {
	var out strings.Builder
	class := false
	for i := 0; i < len(expr); i++ {
		c := expr[i]
		switch {
		case c == '\\' && i+1 < len(expr):
			out.WriteByte(c)
			i++
			c = expr[i]
		case c == '[':
			class = true
		case c == ']':
			class = false
		case c == '.' && !class:
			out.WriteString(`[\s\S]`)
			continue
		}
		out.WriteByte(c)
	}
	return out.String()
}

var calls = map[string]string{
	"list.MinItems": "minItems", "list.MaxItems": "maxItems", "strings.MaxRunes": "maxLength", "strings.MinRunes": "minLength", "struct.MinFields": "minProperties",
}

// call is that of list.MaxItems(16), error("…") and the like.
func call(x *ast.CallExpr) (object, error) {
	if len(x.Args) != 1 {
		return nil, unknown(x)
	}
	name := text(x.Fun)
	if name == "error" {
		return refusal(x.Args[0])
	}
	n, ok := constant(x.Args[0])
	if key := calls[name]; ok && key != "" {
		return object{key: n}, nil
	}
	return nil, unknown(x)
}

// refusal is a field that must not be there, and why.
func refusal(why ast.Expr) (object, error) {
	lit, ok := why.(*ast.BasicLit)
	if !ok {
		return nil, unknown(why)
	}
	words, err := literal.Unquote(lit.Value)
	return object{"not": object{}, "errorMessage": words}, err
}
