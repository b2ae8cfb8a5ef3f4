package schema

import (
	"fmt"
	"io/fs"
	"strings"

	"cuelang.org/go/cue"
	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/build"
	"cuelang.org/go/cue/literal"
	"cuelang.org/go/cue/parser"
	"cuelang.org/go/cue/token"

	"github.com/llm-config-manager/lcm/internal/diag"
	lcmcue "github.com/llm-config-manager/lcm/schemas/cue"
)

// source is one CUE file.
type source struct {
	name string
	data []byte
}

// embedded returns the definitions that the programs carry.
func embedded() ([]source, error) {
	files := lcmcue.Files()
	names, err := fs.Glob(files, "*.cue")
	if err != nil {
		return nil, err
	}
	var out []source
	for _, name := range names {
		data, err := fs.ReadFile(files, name)
		if err != nil {
			return nil, err
		}
		out = append(out, source{"builtin/" + name, data})
	}
	return out, nil
}

func broken(err error) diag.Finding {
	return diag.Errorf(diag.Position{}, RuleOwnCUE, "the definitions built into this program are broken, report this as a bug: %v", err)
}

// definitions are compiled CUE and the words to explain it with.
type definitions struct {
	root     cue.Value
	words    map[string]string // of a definition's @expect, by its name (#Duration)
	patterns map[string]string // the same, by the pattern that the definition is
	said     map[string]bool   // messages of error("…"): sentences of the schema, not of a document
	cache    map[string]cue.Value
}

func compile(ctx *cue.Context, sources []source) (*definitions, error) {
	d := &definitions{words: map[string]string{}, patterns: map[string]string{}, said: map[string]bool{}, cache: map[string]cue.Value{}}
	inst := build.NewContext().NewInstance("lcm", nil)
	for _, s := range sources {
		f, err := parser.ParseFile(s.name, s.data)
		if err != nil {
			return nil, err
		}
		d.learn(f)
		if err := inst.AddSyntax(f); err != nil {
			return nil, err
		}
	}
	if err := inst.Complete(); err != nil {
		return nil, err
	}
	d.root = ctx.BuildInstance(inst)
	if err := d.root.Validate(); err != nil {
		return nil, err
	}
	return d, nil
}

// learn notes the words of a file.
func (d *definitions) learn(f *ast.File) {
	for _, decl := range f.Decls {
		field, ok := decl.(*ast.Field)
		if !ok {
			continue
		}
		name, _, err := ast.LabelName(field.Label)
		if err != nil {
			continue
		}
		for _, a := range field.Attrs {
			if key, body := a.Split(); key == "expect" {
				if text, err := literal.Unquote(body); err == nil {
					d.words[name] = text
					if expr, ok := regex(field.Value); ok {
						d.patterns[expr] = text
					}
				}
			}
		}
	}
	ast.Walk(f, func(n ast.Node) bool {
		if text, ok := errorText(n); ok {
			d.said[text] = true
		}
		return true
	}, nil)
}

// regex returns the regular expression that an expression demands a match with.
func regex(n ast.Node) (string, bool) {
	match, ok := n.(*ast.UnaryExpr)
	if !ok || match.Op != token.MAT && match.Op != token.NMAT {
		return "", false
	}
	lit, ok := match.X.(*ast.BasicLit)
	if !ok {
		return "", false
	}
	text, err := literal.Unquote(lit.Value)
	return text, err == nil
}

// errorText returns the text of a call error("text").
func errorText(n ast.Node) (string, bool) {
	call, ok := n.(*ast.CallExpr)
	if !ok || len(call.Args) != 1 {
		return "", false
	}
	if fun, ok := call.Fun.(*ast.Ident); !ok || fun.Name != "error" {
		return "", false
	}
	lit, ok := call.Args[0].(*ast.BasicLit)
	if !ok {
		return "", false
	}
	text, err := literal.Unquote(lit.Value)
	return text, err == nil
}

// lookup finds a definition, or a field below it.
func (d *definitions) lookup(path ...string) cue.Value {
	key := strings.Join(path, "\x00")
	if v, ok := d.cache[key]; ok {
		return v
	}
	sels := make([]cue.Selector, len(path))
	for i, p := range path {
		if strings.HasPrefix(p, "#") {
			sels[i] = cue.Def(p)
		} else {
			sels[i] = cue.Str(p)
		}
	}
	v := d.root.LookupPath(cue.MakePath(sels...))
	if v.Exists() {
		d.cache[key] = v
	}
	return v
}

// check judges a value by the definition at path.
func (w *worker) check(d *definitions, value map[string]any, path ...string) []Violation {
	def := d.lookup(path...)
	if !def.Exists() {
		return []Violation{undecided}
	}
	if def.Unify(w.ctx.Encode(value)).Validate(complete[:]...) == nil {
		return nil
	}
	if v := newExplainer(w.ctx, d).explain(def, len(path), value); len(v) > 0 {
		return v
	}
	return []Violation{{Rule: RuleConflict, Message: fmt.Sprintf("the document does not fit %s", strings.Join(path, "."))}}
}
