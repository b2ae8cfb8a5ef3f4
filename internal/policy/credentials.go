package policy

import (
	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/leak"
)

// credentials is the set of the fields named like a credential that hold a text, a number or a
// reference, as {path} and {path, ref}. The texts and numbers themselves are left out: no rule needs
// them. It is told as a fact because a search by the rules takes longer than all of them together.
//
// Only what a person sets is searched: the schema, the examples and the text of a prompt may well speak
// of a password, and so may what a Config says of its fields.
func (d *Document) credentials() *ast.Term {
	f := finder{path: make([]step, 0, 16)}
	switch d.Kind {
	case lcm.KindSecret:
	case lcm.KindConfig:
		f.push("spec", "value")
		f.field(d.Key, d.Spec["value"])
	case lcm.KindPromptTemplate:
		f.push("spec", "config")
		f.walk(d.Spec["config"])
		variants, _ := d.Spec["variants"].(map[string]any)
		for name, v := range variants {
			if v, ok := v.(map[string]any); ok {
				f.path = f.path[:0]
				f.push("spec", "variants", name, "config")
				f.walk(v["config"])
			}
		}
	default:
		f.push("spec")
		f.walk(d.Spec)
	}
	for label, v := range d.Metadata.Labels {
		f.path = f.path[:0]
		f.push("metadata", "labels", label)
		f.field(label, v)
	}
	return ast.SetTerm(f.found...)
}

// step is a name, or a position in a list where the name is empty.
type step struct {
	name  string
	index int
}

type finder struct {
	path  []step
	found []*ast.Term
}

func (f *finder) push(names ...string) {
	for _, n := range names {
		f.path = append(f.path, step{name: n})
	}
}

func (f *finder) pop() { f.path = f.path[:len(f.path)-1] }

// field looks at what stands under a name.
func (f *finder) field(name string, v any) {
	if leak.Suspicious(name) {
		f.value(v)
		return
	}
	f.walk(v)
}

// walk looks for names in v.
func (f *finder) walk(v any) {
	switch v := v.(type) {
	case map[string]any:
		for k, e := range v {
			f.push(k)
			f.field(k, e)
			f.pop()
		}
	case []any:
		for i, e := range v {
			f.path = append(f.path, step{index: i})
			f.walk(e)
			f.pop()
		}
	}
}

// value takes what stands under a suspicious name: tokens: [a, b] as well as token: a.
func (f *finder) value(v any) {
	switch v := v.(type) {
	case string:
		if v != "" {
			f.add("")
		}
	case int64, float64, int, uint64:
		f.add("")
	case []any:
		for i, e := range v {
			f.path = append(f.path, step{index: i})
			f.value(e)
			f.pop()
		}
	case map[string]any:
		if ref, ok := v["ref"].(string); ok && len(v) == 1 {
			f.add(ref)
		} else {
			f.walk(v)
		}
	}
}

func (f *finder) add(ref string) {
	steps := make([]*ast.Term, len(f.path))
	for i, s := range f.path {
		if s.name != "" {
			steps[i] = ast.StringTerm(s.name)
		} else {
			steps[i] = ast.InternedTerm(s.index)
		}
	}
	var o object
	o.add("path", ast.ArrayTerm(steps...))
	o.text("ref", ref)
	f.found = append(f.found, o.term())
}
