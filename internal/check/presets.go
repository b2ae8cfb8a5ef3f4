package check

import (
	"slices"
	"strings"

	"github.com/llm-config-manager/lcm/internal/tree"
)

// preset holds a Preset against the endpoints and PriceMaps beside it, as far as these know its models.
func (g *together) preset(e *tree.Entry) {
	models := words(e.Spec["models"])
	some := slices.ContainsFunc(models, func(m string) bool { return g.offered[m] })
	for i, model := range models {
		at := []string{"spec", "models", index(i)}
		// Where none is offered, the preset may be for the endpoints of another service.
		if some && !g.offered[model] {
			g.warn(e, at, "preset/unknown-model", "no endpoint of this service offers this model: correct it, or add it to the targets of one")
		}
		g.parameters(e, model)
	}
	g.answerLength(e, models)
	g.providers(e, models)
}

// features are parameters that take a model which is able to.
var features = [...]struct {
	path    []string
	wanted  any // nil: whatever it is
	support string
}{
	{[]string{"spec", "config", "reasoning_effort"}, nil, "supports_reasoning"},
	{[]string{"spec", "config", "response_format", "type"}, "json_schema", "supports_response_schema"},
	{[]string{"spec", "system_prompt"}, nil, "supports_system_messages"},
}

// unknownTo are parameters that a provider's own API does not have.
var unknownTo = map[string][]string{
	"anthropic": {"frequency_penalty", "presence_penalty", "seed"},
}

// parameters finds what one model of a preset can't or its provider does not know.
func (g *together) parameters(e *tree.Entry, model string) {
	for _, f := range features {
		within := mapping(e.Spec, f.path[1:len(f.path)-1]...)
		value, given := within[f.path[len(f.path)-1]]
		if able, known := g.prices[model].fields[f.support].(bool); known && !able && given && value != "none" && (f.wanted == nil || f.wanted == value) {
			g.warn(e, f.path, "preset/unsupported", "by the PriceMap %s is not able to do this (%s: false): take the model from the preset, or drop the field", model, f.support)
		}
	}
	provider, _, _ := strings.Cut(model, "/")
	config := mapping(e.Spec, "config")
	for _, name := range unknownTo[provider] {
		if _, given := config[name]; given {
			g.warnKey(e, []string{"spec", "config", name}, "preset/unknown-parameter", "%s does not know %s, and %s is one of this preset's models: drop it, or make a preset of its own for them", provider, name, model)
		}
	}
	if provider == "anthropic" && above(config["temperature"], 1) {
		g.warn(e, []string{"spec", "config", "temperature"}, "preset/unknown-parameter", "%s refuses a temperature above 1, and %s is one of this preset's models: lower it, or make a preset of its own for them", provider, model)
	}
}

func above(v any, bound float64) bool {
	switch n := v.(type) {
	case int64:
		return float64(n) > bound
	case float64:
		return n > bound
	}
	return false
}

// answerLength finds a preset that asks for a longer answer than one of its models can give, or, if it is for any,
// than all that are offered.
func (g *together) answerLength(e *tree.Entry, models []string) {
	wants, ok := mapping(e.Spec, "config")["max_tokens"].(int64)
	any := len(models) == 0
	if any {
		models = listed(g.offered)
	}
	var short []string
	for _, model := range models {
		if most, known := g.prices[model].fields["max_output_tokens"].(int64); known && wants > most {
			short = append(short, model)
		}
	}
	if !ok || len(short) == 0 || any && len(short) < len(models) {
		return
	}
	most := g.prices[short[0]].fields["max_output_tokens"]
	g.warn(e, []string{"spec", "config", "max_tokens"}, "preset/max-tokens", "by the PriceMap %s answers with at most %d tokens: lower max_tokens, or take the model from the preset", short[0], most)
}

// providers finds preferences for providers of which no model is meant.
func (g *together) providers(e *tree.Entry, models []string) {
	if len(models) == 0 {
		return
	}
	var known []string
	for _, model := range models {
		provider, _, _ := strings.Cut(model, "/")
		known = append(known, provider)
	}
	preferences := mapping(e.Spec, "provider")
	for _, field := range [...]string{"order", "only", "ignore"} {
		for i, name := range words(preferences[field]) {
			if !slices.Contains(known, name) {
				g.warn(e, []string{"spec", "provider", field, index(i)}, "preset/unknown-provider", "none of this preset's models is of this provider: correct the name, or remove it")
			}
		}
	}
}
