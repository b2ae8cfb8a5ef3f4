package check

import (
	"slices"
	"strings"

	"github.com/llm-config-manager/lcm/internal/diag"
	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/tree"
)

// fallbackFields are the lists of a ModelEndpoint that name others to try.
var fallbackFields = [...]string{"fallbacks", "context_window_fallbacks", "content_policy_fallbacks"}

func (g *together) readOffers() {
	for _, e := range g.endpoints {
		for _, t := range targets(e) {
			g.offered[text(t, "model")] = true
		}
	}
}

func targets(e *tree.Entry) []map[string]any { return mappings(e.Spec["targets"]) }

func (g *together) endpoint(e *tree.Entry) {
	allowed := g.regions(e)
	for i, t := range targets(e) {
		at := []string{"spec", "targets", index(i)}
		g.region(e, t, at, allowed)
		g.modelPrice(e, text(t, "model"), append(at, "model"))
	}
	for _, field := range fallbackFields {
		g.fallbacks(e, field)
	}
}

// regions are those that the endpoint's tenant is kept to; none: it may use any.
func (g *together) regions(e *tree.Entry) []string {
	return g.rules.tree.Settings().Tenants[e.Address.Org].Regions
}

// region holds a target against the regions of its tenant. Since references never leave the tenant, every
// endpoint that can be fallen back to is held against the same.
func (g *together) region(e *tree.Entry, t map[string]any, at, allowed []string) {
	const rule = "endpoint/region"
	switch region := text(t, "region"); {
	case len(allowed) == 0 || slices.Contains(allowed, region):
	case region == "":
		g.fail(e, at, rule, "nobody can tell where this target's requests go, and lcm.yaml keeps this tenant to %s: name the target's region", strings.Join(allowed, ", "))
	default:
		g.fail(e, append(at, "region"), rule, "lcm.yaml keeps this tenant to %s: choose one of them", strings.Join(allowed, ", "))
	}
}

// fallbacks looks at the endpoints that one list names.
func (g *together) fallbacks(e *tree.Entry, field string) {
	seen := map[lcm.Address]bool{}
	for _, ref := range e.References {
		if len(ref.Path) != 2 || ref.Path[0] != field {
			continue
		}
		at := []string{"spec", field, ref.Path[1], "ref"}
		to := g.find(ref.To)
		switch {
		case seen[ref.To]:
			g.warn(e, at, "endpoint/repeated-fallback", "this stands in the list already, and fails again: remove it, or name another endpoint")
		case to != nil:
			g.fallback(e, to, field, at)
		}
		seen[ref.To] = true
	}
}

func (g *together) fallback(e, to *tree.Entry, field string, at []string) {
	if field == "fallbacks" && sameTargets(to, e) {
		g.warn(e, at, "endpoint/same-targets", "all targets of this fallback are targets of this endpoint, which have just failed: name an endpoint with another provider or model")
	}
	if field == "context_window_fallbacks" {
		g.window(e, to, at)
	}
	if abroad := g.abroad(e, to); abroad != "" && len(g.regions(e)) == 0 {
		g.warn(e, at, "endpoint/residency", "all targets of this endpoint are in %s, and this fallback leads to one in %s: choose another, or say in lcm.yaml which regions the tenant may use", only(parts(e)), abroad)
	}
}

// find returns the endpoint at an address, if it is a sound one.
func (g *together) find(a lcm.Address) *tree.Entry {
	e := g.sound[a.Key]
	if a.Namespace != g.facts.namespace {
		e = g.rules.others.facts(g.rules.tree, a.Namespace).own[a.Key]
		if e == nil || diag.Failed(g.rules.standing(e)) {
			return nil
		}
	}
	if e == nil || e.Kind != lcm.KindModelEndpoint {
		return nil
	}
	return e
}

// sameTargets reports whether each target of an endpoint is one of another's, but for timeouts and the like.
func sameTargets(e, of *tree.Entry) bool {
	place := func(t map[string]any) string {
		var words []string
		for _, field := range [...]string{"provider", "model", "api_base", "region", "deployment"} {
			words = append(words, text(t, field))
		}
		return strings.Join(words, "\n")
	}
	known := map[string]bool{}
	for _, t := range targets(of) {
		known[place(t)] = true
	}
	return !slices.ContainsFunc(targets(e), func(t map[string]any) bool { return !known[place(t)] })
}

// window warns of a fallback for long prompts that takes none longer, as far as the PriceMaps know.
func (g *together) window(e, to *tree.Entry, at []string) {
	own, ok := g.windows(e)
	other, known := g.windows(to)
	if ok && known && slices.Max(other) <= slices.Min(own) {
		g.warn(e, at, "endpoint/context-window", "by the PriceMap no model of this fallback takes more than %d tokens, which this endpoint's take too: name one with a longer context", slices.Max(other))
	}
}

// windows returns how much each target of an endpoint takes; not ok if it is not known of all.
func (g *together) windows(e *tree.Entry) (out []int64, ok bool) {
	for _, t := range targets(e) {
		n, known := g.prices[text(t, "model")].fields["max_input_tokens"].(int64)
		if !known {
			return nil, false
		}
		out = append(out, n)
	}
	return out, len(out) > 0
}

// abroad names the part of the world that an endpoint's own targets are not in, and one of those are which it
// can fall back to by way of another. It is empty where not all is known: a target need not name its region.
func (g *together) abroad(e, to *tree.Entry) string {
	home := parts(e)
	if len(home) != 1 || home[""] {
		return ""
	}
	for _, other := range g.reach(to) {
		for _, part := range listed(parts(other)) {
			if part != "" && !home[part] {
				return part
			}
		}
	}
	return ""
}

// maxReach bounds the endpoints that one fallback can lead to.
const maxReach = 256

// reach returns an endpoint and all that it can fall back to.
func (g *together) reach(e *tree.Entry) []*tree.Entry {
	out, seen := []*tree.Entry{e}, map[lcm.Address]bool{e.Address: true}
	for i := 0; i < len(out) && len(out) < maxReach; i++ {
		for _, ref := range out[i].References {
			if len(ref.Path) != 2 || !slices.Contains(fallbackFields[:], ref.Path[0]) || seen[ref.To] {
				continue
			}
			seen[ref.To] = true
			if next := g.find(ref.To); next != nil {
				out = append(out, next)
			}
		}
	}
	return out
}

// parts returns the parts of the world that an endpoint's targets are in; "" for what is not known.
func parts(e *tree.Entry) map[string]bool {
	out := map[string]bool{}
	for _, t := range targets(e) {
		out[partOfWorld(text(t, "region"))] = true
	}
	return out
}

func only(set map[string]bool) string { return strings.Join(listed(set), ", ") }
