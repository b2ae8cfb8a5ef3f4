package jsonschema

import (
	"cmp"
	"fmt"
	"strings"

	"cuelang.org/go/cue/ast"
)

// Setting is a field of a settings file as its reference tells of it.
type Setting struct {
	Path     string   // from the top; <name> stands for a name that is free, [] for an element
	Value    string   // what it may be, in words
	Required bool     // wherever the mapping around it is given, under the conditions
	Under    []string // conditions on other settings, in words of Markdown, under which alone it may be given
	Absent   string   // what counts if it is absent, in Markdown; from the attributes @default and @absent
	Unit     string   // of a number; from the attribute @unit, its own or of the definition that it is
	Doc      string   // what it means
}

// Settings lists the fields of a definition such as #Daemon, each with those below it, and what else holds between them, as
// sentences in Markdown. One that is declared under several conditions is there for each.
func (d *Definitions) Settings(name string) ([]Setting, []string, error) {
	def := d.byName[name]
	if def == nil {
		return nil, nil, fmt.Errorf("%s is not defined", name)
	}
	p := &page{of: d, apart: true}
	if err := p.rows("", def.value, nil); err != nil {
		return nil, nil, fmt.Errorf("%s: %w", name, err)
	}
	var all []Setting
	for _, r := range p.table {
		all = append(all, Setting{r.path, r.value, r.required, moreThanPresence(r.under), r.absent, r.unit, r.doc})
	}
	return all, p.notes, nil
}

// Leaf reports whether a setting has a value of its own, and is not only a mapping of others.
func (s Setting) Leaf() bool {
	return !strings.HasPrefix(s.Value, "a mapping") && s.Value != "a list of mappings" && !strings.HasPrefix(s.Value, "a list of mappings,")
}

// Default is the value that counts if the setting is absent; "" if there is none, or only words tell it.
func (s Setting) Default() string {
	value, ok := strings.CutPrefix(s.Absent, "`")
	if value, closed := strings.CutSuffix(value, "`"); ok && closed && !strings.Contains(value, "`") {
		return value
	}
	return ""
}

func absent(x *ast.Field) string {
	if value := attribute(x, "default"); value != "" {
		return "`" + value + "`"
	}
	return attribute(x, "absent")
}

// unit is a field's own, or that of the definition that it is.
func (p *page) unit(x *ast.Field) string {
	var of string
	if ident, ok := x.Value.(*ast.Ident); ok && p.of.byName[ident.Name] != nil {
		of = p.of.byName[ident.Name].unit
	}
	return cmp.Or(attribute(x, "unit"), of)
}
