// Package yamledit changes a value in a strict YAML file in place, as a person with an editor would:
// comments, order, blank lines and the style of what stands there are kept. What it wrote is read again,
// and must differ from what was there in exactly what was asked for; so it may refuse a file that is laid
// out in a way that it does not know, but never spoils one.
package yamledit

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"

	"go.yaml.in/yaml/v3"

	"github.com/llm-config-manager/lcm/internal/diag"
	"github.com/llm-config-manager/lcm/internal/strictyaml"
)

// File is the text of a file, and what it says.
type File struct {
	name  string
	text  []byte
	value any
	root  *yaml.Node
}

// Field is an entry of a Mapping.
type Field struct {
	Key   string
	Value any
}

// Mapping is a mapping that is to be written, in this order. Values are Mapping, []any, string, int64 and bool.
type Mapping []Field

// Parse reads a file. It returns nil if there is any finding.
func Parse(name string, text []byte) (*File, []diag.Finding) {
	doc, findings := strictyaml.Parse(name, text)
	if doc == nil {
		return nil, findings
	}
	var root yaml.Node
	if err := yaml.Unmarshal(text, &root); err != nil || len(root.Content) != 1 {
		return nil, []diag.Finding{diag.Errorf(diag.Position{File: name}, "yaml/syntax", "this is not valid YAML")}
	}
	return &File{name: name, text: text, value: doc.Value, root: root.Content[0]}, nil
}

// Text is the file as it stands now.
func (f *File) Text() []byte { return f.text }

// Value is what stands at a path, elements of sequences being named by their index; nil if nothing does.
func (f *File) Value(path ...string) any {
	v := f.value
	for _, p := range path {
		v = childOf(v, p)
	}
	return v
}

// Position is where the value at a path begins; the zero Position if there is none.
func (f *File) Position(path ...string) diag.Position {
	n := f.node(path)
	if n == nil {
		return diag.Position{}
	}
	return diag.Position{File: f.name, Line: n.Line, Column: n.Column}
}

// Set gives a field a value: a scalar in place of the one that is there, or a new field, behind the others.
func (f *File) Set(value any, path ...string) error {
	parent, key := path[:len(path)-1], path[len(path)-1]
	in := f.node(parent)
	if in == nil || in.Kind != yaml.MappingNode {
		return f.byHand(in)
	}
	text, err := f.set(in, key, value)
	if err != nil {
		return err
	}
	return f.become(text, changed(f.value, parent, func(v any) any {
		m := maps.Clone(v.(map[string]any))
		m[key] = plain(value)
		return m
	}))
}

func (f *File) set(in *yaml.Node, key string, value any) ([]byte, error) {
	for i := 0; i+1 < len(in.Content); i += 2 {
		if in.Content[i].Value == key {
			return f.replace(in.Content[i+1], value)
		}
	}
	return f.insert(in, Field{key, value})
}

// Append adds an element to a sequence.
func (f *File) Append(value any, path ...string) error {
	in := f.node(path)
	if in == nil || in.Kind != yaml.SequenceNode {
		return f.byHand(in)
	}
	text, err := f.insert(in, Field{Value: value})
	if err != nil {
		return err
	}
	return f.become(text, changed(f.value, path, func(v any) any { return append(slices.Clone(v.([]any)), plain(value)) }))
}

// Remove takes away a field of a mapping or an element of a sequence, which must be there.
func (f *File) Remove(path ...string) error {
	parent, name := path[:len(path)-1], path[len(path)-1]
	in := f.node(parent)
	i := indexOf(in, name)
	if i < 0 {
		return f.byHand(in)
	}
	text, err := f.remove(in, i)
	if err != nil {
		return err
	}
	return f.become(text, changed(f.value, parent, func(v any) any { return without(v, name) }))
}

// become takes a text over if it says what was wanted, and nothing else.
func (f *File) become(text []byte, want any) error {
	next, findings := Parse(f.name, text)
	if next == nil || !reflect.DeepEqual(next.value, want) {
		return fmt.Errorf("%s is laid out in a way that cannot be edited safely: change it by hand%s", f.name, first(findings))
	}
	*f = *next
	return nil
}

func (f *File) byHand(n *yaml.Node) error {
	pos := diag.Position{File: f.name}
	if n != nil {
		pos.Line, pos.Column = n.Line, n.Column
	}
	return fmt.Errorf("%s: what stands here cannot be edited safely: change it by hand", pos)
}

func first(findings []diag.Finding) string {
	if len(findings) == 0 {
		return ""
	}
	return " (" + findings[0].Message + ")"
}

func (f *File) node(path []string) *yaml.Node {
	n := f.root
	for _, p := range path {
		i := indexOf(n, p)
		if i < 0 {
			return nil
		}
		n = items(n)[i].value
	}
	return n
}

// item is an entry of a mapping, or an element of a sequence, which has no key.
type item struct{ key, value *yaml.Node }

func (i item) first() *yaml.Node {
	if i.key != nil {
		return i.key
	}
	return i.value
}

func items(n *yaml.Node) []item {
	var all []item
	switch n.Kind {
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			all = append(all, item{n.Content[i], n.Content[i+1]})
		}
	case yaml.SequenceNode:
		for _, v := range n.Content {
			all = append(all, item{value: v})
		}
	}
	return all
}

// indexOf finds an item by its key or index; -1 if it is not there.
func indexOf(n *yaml.Node, name string) int {
	if n == nil {
		return -1
	}
	if n.Kind != yaml.SequenceNode {
		return slices.IndexFunc(items(n), func(i item) bool { return i.key.Value == name })
	}
	if i, err := strconv.Atoi(name); err == nil && i >= 0 && i < len(n.Content) {
		return i
	}
	return -1
}

func childOf(v any, name string) any {
	switch v := v.(type) {
	case map[string]any:
		return v[name]
	case []any:
		if i, err := strconv.Atoi(name); err == nil && i >= 0 && i < len(v) {
			return v[i]
		}
	}
	return nil
}

// changed returns v with what stands at path changed, sharing the rest.
func changed(v any, path []string, change func(any) any) any {
	if len(path) == 0 {
		return change(v)
	}
	switch v := v.(type) {
	case map[string]any:
		m := maps.Clone(v)
		m[path[0]] = changed(m[path[0]], path[1:], change)
		return m
	case []any:
		s := slices.Clone(v)
		if i, err := strconv.Atoi(path[0]); err == nil && i < len(s) {
			s[i] = changed(s[i], path[1:], change)
		}
		return s
	}
	return v
}

func without(v any, name string) any {
	switch v := v.(type) {
	case map[string]any:
		m := maps.Clone(v)
		delete(m, name)
		return m
	case []any:
		i, _ := strconv.Atoi(name)
		return slices.Delete(slices.Clone(v), i, i+1)
	}
	return v
}
