package jsonschema

import (
	"fmt"
	"strings"
)

// Setting is a field of a settings file as its reference tells of it.
type Setting struct {
	Path     string   // from the top; <name> stands for a name that is free, [] for an element
	Value    string   // what it may be, in words
	Required bool     // wherever the mapping around it is given, under the conditions
	Under    []string // conditions on other settings, under which alone it may be given
	Default  string   // what counts if it is absent: a value, or words; from the attribute @default
	Unit     string   // of a number; from the attribute @unit
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
		all = append(all, Setting{r.path, r.value, r.required, r.under, r.standard, r.unit, r.doc})
	}
	return all, p.notes, nil
}

// Leaf reports whether a setting has a value of its own, and is not only a mapping of others.
func (s Setting) Leaf() bool {
	return !strings.HasPrefix(s.Value, "a mapping") && s.Value != "a list of mappings" && !strings.HasPrefix(s.Value, "a list of mappings,")
}
