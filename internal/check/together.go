package check

import (
	"slices"

	"github.com/llm-config-manager/lcm/internal/diag"
	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/tree"
)

// together is what the documents of one namespace show side by side, those alone that are sound by
// themselves. It depends on the namespace and on what its references lead to, directly or not, as all
// does that may hold a namespace. Messages name no environment, so that a mistake in what several inherit is one.
type together struct {
	rules     *Rules
	facts     facts
	sound     map[string]*tree.Entry // by key
	endpoints []*tree.Entry
	presets   []*tree.Entry
	budgets   []*tree.Entry
	rollouts  []*tree.Entry
	prices    map[string]price // by model; empty without a PriceMap
	offered   map[string]bool  // the models of the endpoints
	findings  []diag.Finding
	yielded   gathered
}

func (r *Rules) together(f facts, sound []*tree.Entry) ([]diag.Finding, gathered) {
	g := &together{rules: r, facts: f, sound: map[string]*tree.Entry{}, prices: map[string]price{}, offered: map[string]bool{}}
	var priceMaps []*tree.Entry
	for _, e := range sound {
		g.sound[e.Address.Key] = e
		switch e.Kind {
		case lcm.KindModelEndpoint:
			g.endpoints = append(g.endpoints, e)
		case lcm.KindPreset:
			g.presets = append(g.presets, e)
		case lcm.KindBudget:
			g.budgets = append(g.budgets, e)
		case lcm.KindRollout:
			g.rollouts = append(g.rollouts, e)
		case lcm.KindPriceMap:
			priceMaps = append(priceMaps, e)
		}
	}
	g.readPrices(priceMaps)
	g.readOffers()
	g.same(g.endpoints, "model_name", "endpoint/same-name", "%s bears this model_name too, and nobody knows which of the two an application gets: rename one of them")
	g.same(g.presets, "slug", "preset/same-slug", "%s bears this slug too, and nobody knows which of the two an application gets: rename one of them")
	for _, e := range g.endpoints {
		g.endpoint(e)
	}
	for _, e := range g.presets {
		g.preset(e)
	}
	g.nested()
	g.governedTwice()
	return g.findings, g.yielded
}

func (g *together) fail(e *tree.Entry, path []string, rule, format string, args ...any) {
	g.findings = append(g.findings, diag.Errorf(e.Position(path...), rule, format, args...))
}

func (g *together) warn(e *tree.Entry, path []string, rule, format string, args ...any) {
	g.findings = append(g.findings, diag.Warnf(e.Position(path...), rule, format, args...))
}

func (g *together) warnKey(e *tree.Entry, path []string, rule, format string, args ...any) {
	g.findings = append(g.findings, diag.Warnf(e.KeyPosition(path...), rule, format, args...))
}

// same finds entries whose field of the spec is that of an earlier one.
func (g *together) same(entries []*tree.Entry, field, rule, format string) {
	first := map[string]*tree.Entry{}
	for _, e := range entries {
		name, _ := e.Spec[field].(string)
		if other, ok := first[name]; ok {
			g.warn(e, []string{"spec", field}, rule, format, other.Address.Key)
			continue
		}
		first[name] = e
	}
}

// governedTwice finds Rollouts for what another one governs.
func (g *together) governedTwice() {
	first := map[lcm.Address]*tree.Entry{}
	for _, e := range g.rollouts {
		for _, ref := range e.References {
			if len(ref.Path) != 1 || ref.Path[0] != "target" {
				continue
			}
			if other, ok := first[ref.To]; ok {
				g.fail(e, []string{"spec", "target", "ref"}, "rollout/twice", "the Rollout %s governs this document already, by other steps: remove one of the two, or put a Tombstone in the place of one that is inherited", other.Address.Key)
				continue
			}
			first[ref.To] = e
		}
	}
}

// mapping returns the mapping at a path of a spec; nil if there is none.
func mapping(spec map[string]any, path ...string) map[string]any {
	for _, step := range path {
		spec, _ = spec[step].(map[string]any)
	}
	return spec
}

// mappings returns the elements of a list of mappings.
func mappings(v any) (out []map[string]any) {
	list, _ := v.([]any)
	for _, e := range list {
		m, _ := e.(map[string]any)
		out = append(out, m)
	}
	return out
}

// words returns the elements of a list of strings.
func words(v any) (out []string) {
	list, _ := v.([]any)
	for _, e := range list {
		s, _ := e.(string)
		out = append(out, s)
	}
	return out
}

func text(m map[string]any, field string) string {
	s, _ := m[field].(string)
	return s
}

// shown is an address without its environment.
func shown(a lcm.Address) string { return "/" + a.Service.String() + "/" + a.Key }

// listed joins a few names.
func listed(names map[string]bool) []string {
	out := make([]string, 0, len(names))
	for name := range names {
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}
