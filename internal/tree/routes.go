package tree

import (
	"regexp"
	"slices"
	"strconv"

	"github.com/llm-config-manager/lcm/internal/diag"
	"github.com/llm-config-manager/lcm/internal/lcm"
)

// Route sends documents to a target by namespace and kind.
type Route struct {
	Namespaces []lcm.Pattern
	Kinds      []string // "*" is any
	Target     string
	Position   diag.Position
}

func (r Route) matches(ns lcm.Namespace, kind lcm.Kind) bool {
	return slices.ContainsFunc(r.Kinds, func(k string) bool { return k == "*" || k == string(kind) }) &&
		slices.ContainsFunc(r.Namespaces, func(p lcm.Pattern) bool { return p.Match(ns.String()) })
}

func (s *Settings) routes(f *form, v any) {
	path := []string{"routes"}
	list, ok := v.([]any)
	if !ok || len(list) == 0 {
		f.at(path, "settings/route", "routes must be a list of at least one {match, target}")
		return
	}
	for i, v := range list {
		s.route(f, v, join(path, strconv.Itoa(i)))
	}
}

func (s *Settings) route(f *form, v any, at []string) {
	const rule = "settings/route"
	m, ok := v.(map[string]any)
	if !ok {
		f.at(at, rule, "a route is a mapping of match and target")
		return
	}
	f.only(m, at, "settings/unknown-field", "match", "target")
	r := Route{Position: f.doc.Position(at...)}
	if match, ok := m["match"]; !ok {
		f.at(at, "settings/missing", "the route has no match")
	} else if fields, ok := match.(map[string]any); !ok {
		f.at(join(at, "match"), rule, "match is a mapping of namespaces and kinds")
	} else {
		r.match(f, fields, join(at, "match"))
	}
	if target, ok := m["target"]; !ok {
		f.at(at, "settings/missing", "the route has no target")
	} else if r.Target, _ = target.(string); s.Targets != nil && !contains(s.Targets, r.Target) {
		f.at(join(at, "target"), rule, "a route's target must be one of the targets of this file")
	}
	s.Routes = append(s.Routes, r)
}

var kindShape = regexp.MustCompile(`^[A-Z][A-Za-z0-9]{0,62}$`)

func (r *Route) match(f *form, m map[string]any, at []string) {
	const rule = "settings/route"
	f.only(m, at, "settings/unknown-field", "namespaces", "kinds")
	f.words(m, at, "namespaces", func(path []string, s string) {
		p, err := lcm.ParsePattern(s)
		if err != nil {
			f.at(path, rule, "%v", err)
		}
		r.Namespaces = append(r.Namespaces, p)
	})
	f.words(m, at, "kinds", func(path []string, s string) {
		if s != "*" && !kindShape.MatchString(s) {
			f.at(path, rule, "a kind is * or a name such as Config or ModelEndpoint")
		}
		r.Kinds = append(r.Kinds, s)
	})
}

// words reads a list of at least one string of a route.
func (f *form) words(m map[string]any, at []string, field string, each func(path []string, s string)) {
	v, ok := m[field]
	if !ok {
		f.at(at, "settings/missing", "the match has no %s", field)
		return
	}
	list, _ := v.([]any)
	if len(list) == 0 {
		f.at(join(at, field), "settings/route", "%s must be a list of at least one string", field)
	}
	for i, v := range list {
		path := join(at, field, strconv.Itoa(i))
		if s, ok := v.(string); ok {
			each(path, s)
		} else {
			f.at(path, "settings/route", "%s must hold strings only", field)
		}
	}
}
