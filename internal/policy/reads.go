package policy

import (
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/llm-config-manager/lcm/internal/diag"
)

// readings are the places of the input that a rule looks at, as paths of names, whatever stands below them: the
// one empty path means that nobody can tell.
type readings [][]string

var anything = readings{{}}

// replaced is what a rule reads that looks at an input with other facts put in: no fact of ours.
var replaced = []string{"with"}

// reader finds what rules read, themselves and through other rules. The sources are looked at as they were
// written: the compiler takes conditions apart.
type reader struct {
	compiler *ast.Compiler
	direct   map[diag.Position]readings
}

func newReader(sources map[string]*ast.Module, c *ast.Compiler) *reader {
	r := &reader{c, map[diag.Position]readings{}}
	for _, m := range sources {
		var imported readings // a name of the module may stand for it anywhere
		for _, i := range m.Imports {
			if ref, ok := i.Path.Value.(ast.Ref); ok && ref[0].Equal(ast.InputRootDocument) {
				imported = append(imported, names(ref[1:]))
			}
		}
		for _, rule := range m.Rules {
			for ; rule != nil; rule = rule.Else {
				at := position(rule.Location)
				r.direct[at] = append(r.direct[at], directReadings(rule)...)
				r.direct[at] = append(r.direct[at], imported...)
			}
		}
	}
	return r
}

// output tells what all rules of a deny or warn set read.
func (r *reader) output(o output) (all readings) {
	seen := map[*ast.Rule]bool{}
	for _, rule := range r.rules(o) {
		all = append(all, r.rule(rule, seen)...)
	}
	return all
}

// rules are those of a deny or warn set.
func (r *reader) rules(o output) (all []*ast.Rule) {
	for _, m := range r.compiler.Modules {
		for _, rule := range m.Rules {
			if severity, ok := severityOf(rule); ok && severity == o.severity && name(m) == o.name {
				all = append(all, rule)
			}
		}
	}
	return all
}

// named tells what a rule reads by its full name.
func (r *reader) named(rule string) (all readings) {
	found := r.compiler.GetRulesExact(ast.MustParseRef(rule))
	if len(found) == 0 {
		return anything
	}
	for _, x := range found {
		all = append(all, r.rule(x, map[*ast.Rule]bool{})...)
	}
	return all
}

func (r *reader) rule(rule *ast.Rule, seen map[*ast.Rule]bool) (all readings) {
	if seen[rule] {
		return nil
	}
	seen[rule] = true
	direct, known := r.direct[position(rule.Location)]
	if !known {
		return anything
	}
	all = append(all, direct...)
	for d := range r.compiler.Graph.Dependencies(rule) {
		if other, ok := d.(*ast.Rule); ok {
			all = append(all, r.rule(other, seen)...)
		}
	}
	return all
}

func directReadings(rule *ast.Rule) (found readings) {
	var v *ast.GenericVisitor
	walk := func(terms []*ast.Term) bool {
		for _, t := range terms {
			v.Walk(t)
		}
		return true
	}
	v = ast.NewGenericVisitor(func(x any) bool {
		switch x := x.(type) {
		case *ast.Expr:
			if len(x.With) > 0 {
				found = append(found, replaced)
			} else if terms, ok := x.Terms.([]*ast.Term); ok {
				if path := fieldOf(terms); path != nil {
					found = append(found, path)
					return walk(terms[2:])
				}
			}
		case ast.Call:
			if path := fieldOf(x); path != nil {
				found = append(found, path)
				return walk(x[2:])
			}
		case ast.Ref:
			if x[0].Equal(ast.InputRootDocument) {
				found = append(found, names(x[1:]))
				return walk(x[1:])
			}
		case ast.Var:
			if x.Equal(ast.InputRootDocument.Value) {
				found = append(found, anything...)
			}
		}
		return false
	})
	v.Walk(rule)
	return found
}

// names is the beginning of a path that is known before the input is.
func names(terms []*ast.Term) []string {
	path := []string{}
	for _, t := range terms {
		s, ok := t.Value.(ast.String)
		if !ok {
			break
		}
		path = append(path, string(s))
	}
	return path
}

// fieldOf is what a call reads that is object.get of a part of the input and a name or a path; nil for other calls.
func fieldOf(call []*ast.Term) []string {
	if len(call) < 4 || call[0].String() != "object.get" {
		return nil
	}
	of := []string{}
	if part, ok := call[1].Value.(ast.Ref); ok && part[0].Equal(ast.InputRootDocument) && len(names(part[1:])) == len(part)-1 {
		of = names(part[1:])
	} else if !call[1].Equal(ast.InputRootDocument) {
		return nil
	}
	if path, ok := call[2].Value.(*ast.Array); ok {
		return append(of, names(listed(path))...)
	}
	return append(of, names(call[2:3])...)
}

func listed(list *ast.Array) (all []*ast.Term) {
	list.Foreach(func(t *ast.Term) { all = append(all, t) })
	return all
}

// common are the facts that many documents share, as they are told apart by: of all that a rule looks at, if it
// looks at nothing else, its verdict on one document is its verdict on every other.
var common = []struct {
	path  []string
	write func(*key, *Input)
}{
	{[]string{"document", "kind"}, func(k *key, in *Input) { k.text(string(in.Document.Kind)) }},
	{[]string{"document", "org"}, func(k *key, in *Input) { k.text(in.Document.Org) }},
	{[]string{"document", "environment"}, func(k *key, in *Input) { k.text(in.Document.Environment) }},
	{[]string{"document", "metadata", "classification"}, func(k *key, in *Input) { k.text(string(in.Document.Metadata.Classification)) }},
	{[]string{"document", "metadata", "owner"}, func(k *key, in *Input) { k.text(in.Document.Metadata.Owner) }},
	{[]string{"document", "metadata", "labels"}, func(k *key, in *Input) { k.labels(in.Document.Metadata.Labels) }},
	{[]string{"document", "metadata", "merge"}, func(k *key, in *Input) { k.text(in.Document.Metadata.Merge) }},
	{[]string{"document", "metadata", "inheritable"}, func(k *key, in *Input) { k.bool(in.Document.Metadata.Inheritable) }},
	{[]string{"document", "metadata", "sharedWith"}, func(k *key, in *Input) { k.texts(in.Document.Metadata.SharedWith) }},
	{[]string{"document", "metadata", "audience"}, func(k *key, in *Input) { k.texts(in.Document.Metadata.Audience) }},
	{[]string{"origin", "environment"}, func(k *key, in *Input) { k.text(in.Origin.Environment) }},
	{[]string{"target"}, func(k *key, in *Input) { k.target(in.Target) }},
	{[]string{"references"}, func(k *key, in *Input) { k.rare = k.rare || len(in.References) > 0 }},
	{[]string{"credentials"}, func(k *key, in *Input) { k.rare = k.rare || in.found().Value.(ast.Set).Len() > 0 }},
}

// shared returns which facts of common the readings are about, by their index; false if they look at others, too.
func (all readings) shared() (facts []int, ok bool) {
	for _, path := range all {
		i := slices.IndexFunc(common, func(f struct {
			path  []string
			write func(*key, *Input)
		}) bool {
			return len(path) >= len(f.path) && slices.Equal(path[:len(f.path)], f.path)
		})
		if i < 0 {
			return nil, false
		}
		facts = append(facts, i)
	}
	slices.Sort(facts)
	return slices.Compact(facts), true
}

func (all readings) String() string {
	var s []string
	for _, path := range all {
		s = append(s, "input."+strings.Join(path, "."))
	}
	slices.Sort(s)
	return strings.Join(slices.Compact(s), " ")
}
