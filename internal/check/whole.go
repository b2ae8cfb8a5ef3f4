package check

import (
	"slices"
	"strconv"

	"github.com/llm-config-manager/lcm/internal/diag"
	"github.com/llm-config-manager/lcm/internal/lcm"
)

// Widely lets the rules look beyond what a namespace depends on, its layers and what its references lead to: at
// all layers of its service. What they find there are warnings, so that a pass over few namespaces may leave
// it out, and nothing is held by what it has no part in.
func (r *Rules) Widely() { r.widely = true }

// gathered is what the checks of a service yield beside findings.
type gathered struct {
	limits []limit
	dates  []string // with which the day was compared
}

func (g *gathered) add(more gathered) {
	g.limits, g.dates = append(g.limits, more.limits...), append(g.dates, more.dates...)
}

// gather notes what is of use only where rules look widely.
func (r *Rules) gather(s lcm.Service, note func(*gathered)) {
	if !r.widely {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.gathered == nil {
		r.gathered = map[lcm.Service]*gathered{}
	}
	if r.gathered[s] == nil {
		r.gathered[s] = &gathered{}
	}
	note(r.gathered[s])
}

// yield returns what was gathered of a service.
func (r *Rules) yield(s lcm.Service) gathered {
	r.mu.Lock()
	defer r.mu.Unlock()
	if g := r.gathered[s]; g != nil {
		return *g
	}
	return gathered{}
}

// Whole is what no namespace shows by itself, after the last was judged. It depends on the settings, on which
// folders there are, on the names of sealed files, and on the budgets of the namespaces that were judged. All
// of it are warnings.
func (r *Rules) Whole() []diag.Finding {
	r.mu.Lock()
	defer r.mu.Unlock()
	var limits []limit
	for _, g := range r.gathered {
		limits = append(limits, g.limits...)
	}
	return slices.Concat(r.dormant(), r.unknownKinds(), nestedAcross(limits))
}

// unknownKinds finds routes for kinds that no schema knows.
func (r *Rules) unknownKinds() (findings []diag.Finding) {
	s := r.tree.Settings()
	for i, route := range s.Routes {
		for j, kind := range route.Kinds {
			if kind == "*" {
				continue
			}
			if why := r.schema.Unknown(lcm.Kind(kind)); why != "" {
				findings = append(findings, diag.Warnf(s.YAML.Position("routes", index(i), "match", "kinds", index(j)), "route/unknown-kind", "%s", why))
			}
		}
	}
	return findings
}

func index(i int) string { return strconv.Itoa(i) }

// layers looks at each layer of a namespace as a whole.
func (r *Rules) layers(ns lcm.Namespace) (findings []diag.Finding) {
	for _, environment := range r.tree.Chain(ns.Environment) {
		layer := ns.Service.In(environment)
		findings = append(findings, r.once("layer\x00"+layer.String(), func() []diag.Finding {
			found := r.tree.Idle(layer)
			if r.widely {
				found = append(found, r.tree.Hidden(layer)...)
			}
			return found
		})...)
	}
	return findings
}

// beside leaves out warnings about files that have errors: first things first.
func beside(warnings []diag.Finding, errors ...[]diag.Finding) []diag.Finding {
	return slices.DeleteFunc(slices.Clone(warnings), func(w diag.Finding) bool {
		return slices.ContainsFunc(errors, func(fs []diag.Finding) bool {
			return slices.ContainsFunc(fs, func(f diag.Finding) bool { return f.File == w.File && f.Severity == diag.Error })
		})
	})
}
