package trust

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/llm-config-manager/lcm/internal/diag"
	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/strictyaml"
)

// reader takes a policy file apart, field by field, and collects what is wrong with it.
type reader struct {
	doc         *strictyaml.Document
	findings    []diag.Finding
	authorities map[string]*Authority // who may certify keys of the file's principals
}

// section is a mapping with the path that leads to it.
type section struct {
	path   []string
	fields map[string]any
}

func (s section) at(more ...string) []string { return append(slices.Clone(s.path), more...) }

// at records a finding at the value that path leads to.
func (r *reader) at(rule, message string, path ...string) {
	r.findings = append(r.findings, diag.Errorf(r.doc.Position(path...), rule, "%s", message))
}

// top checks the head of the file: a mapping of the allowed fields, with our apiVersion and the kind.
func (r *reader) top(kind string, allowed ...string) section {
	s := r.section(r.doc.Value, append(allowed, "apiVersion", "kind"))
	if s.fields == nil {
		return s
	}
	for field, want := range map[string]string{"apiVersion": lcm.APIVersion, "kind": kind} {
		if got, ok := s.fields[field]; !ok || got != want {
			r.at("trust/format", fmt.Sprintf("%s must be %s", field, want), field)
		}
	}
	return s
}

// section takes v for a mapping of the allowed fields only.
func (r *reader) section(v any, allowed []string, path ...string) section {
	m, ok := v.(map[string]any)
	if !ok {
		r.at("trust/format", "this must be a mapping with the fields "+strings.Join(allowed, ", "), path...)
		return section{path: path}
	}
	for _, k := range slices.Sorted(maps.Keys(m)) {
		if !slices.Contains(allowed, k) {
			r.findings = append(r.findings, diag.Errorf(r.doc.KeyPosition(append(slices.Clone(path), k)...), "trust/unknown-field",
				"there is no field %q here; there are %s", k, strings.Join(allowed, ", ")))
		}
	}
	return section{path, m}
}

func (r *reader) required(s section, field string) string {
	if v, _ := s.fields[field].(string); v != "" {
		return v
	}
	r.at("trust/format", field+" is required and must be a string", s.at(field)...)
	return ""
}

func (r *reader) version(s section) int64 {
	v, ok := s.fields["version"].(int64)
	if !ok || v < 1 || v > maxVersion {
		r.at("trust/version", "version must be a whole number from 1, exactly one more at every change of this file", s.at("version")...)
	}
	return v
}

// list takes a field for a list of at most limit elements. An absent field is an empty list.
func (r *reader) list(s section, field string, limit int) []any {
	v, present := s.fields[field]
	l, ok := v.([]any)
	switch {
	case present && !ok:
		r.at("trust/format", field+" must be a list", s.at(field)...)
	case len(l) > limit:
		r.at("trust/format", fmt.Sprintf("%s has %d elements; at most %d are read", field, len(l), limit), s.at(field)...)
		return nil
	}
	return l
}

// empty reports whether a field that must hold something is absent, or an empty list.
func (s section) empty(field string) bool {
	l, ok := s.fields[field].([]any)
	return s.fields[field] == nil || ok && len(l) == 0
}

// readStrings reads a list of strings, each with parse.
func readStrings[T any](r *reader, s section, field, rule string, limit int, parse func(string) (T, error)) []T {
	var out []T
	for i, v := range r.list(s, field, limit) {
		at := s.at(field, strconv.Itoa(i))
		text, ok := v.(string)
		if !ok {
			r.at(rule, "this must be a string", at...)
			continue
		}
		t, err := parse(text)
		if err != nil {
			r.at(rule, err.Error(), at...)
			continue
		}
		out = append(out, t)
	}
	return out
}

// count reads a number of approvals; an absent one is 0 where it may be absent.
func (r *reader) count(s section, field string, optional bool) int {
	v, present := s.fields[field]
	if !present && optional {
		return 0
	}
	n, ok := v.(int64)
	if !ok || n < 1 || n > maxPrincipals {
		r.at("trust/approvals", field+" must be a whole number, at least 1", s.at(field)...)
		return 1
	}
	return int(n)
}

func (r *reader) time(s section, field string) time.Time {
	v, present := s.fields[field]
	if !present {
		return time.Time{}
	}
	text, _ := v.(string)
	t, err := time.Parse(time.RFC3339, text)
	if err != nil || t.IsZero() {
		r.at("trust/format", field+" must be a time such as 2027-01-01T00:00:00Z", s.at(field)...)
	}
	return t
}

func (r *reader) bool(s section, field string) bool {
	v, present := s.fields[field]
	b, ok := v.(bool)
	if present && !ok {
		r.at("trust/format", field+" must be true or false", s.at(field)...)
	}
	return b
}

// word reports whether an optional field is there; it can have one value only.
func (r *reader) word(s section, field, want string) bool {
	v, present := s.fields[field]
	if present && v != want {
		r.at("trust/format", fmt.Sprintf("%s must be %s, or absent", field, want), s.at(field)...)
	}
	return present
}
