package tree

import (
	"maps"
	"slices"

	"github.com/llm-config-manager/lcm/internal/diag"
	"github.com/llm-config-manager/lcm/internal/strictyaml"
)

// form reads the fields of one parsed file and collects what is wrong with them, each at its place.
type form struct {
	doc      *strictyaml.Document
	findings []diag.Finding
}

// at adds a finding at the value of a path.
func (f *form) at(path []string, rule, format string, args ...any) {
	f.findings = append(f.findings, diag.Errorf(f.doc.Position(path...), rule, format, args...))
}

// atKey adds a finding at the key of a path.
func (f *form) atKey(path []string, rule, format string, args ...any) {
	f.findings = append(f.findings, diag.Errorf(f.doc.KeyPosition(path...), rule, format, args...))
}

// only refuses all fields of m, which stands at path, but the allowed ones.
func (f *form) only(m map[string]any, path []string, rule string, allowed ...string) {
	for _, k := range slices.Sorted(maps.Keys(m)) {
		if !slices.Contains(allowed, k) {
			f.atKey(join(path, k), rule, "the field %.80q is unknown here: %s", k, allowedFields(allowed))
		}
	}
}

func allowedFields(names []string) string {
	s := "there may be "
	for i, n := range names {
		if i > 0 {
			s += ", "
		}
		s += n
	}
	return s
}

// join appends to a path without sharing its memory.
func join(path []string, more ...string) []string { return slices.Concat(path, more) }

func contains[V any](m map[string]V, k string) bool { _, ok := m[k]; return ok }
