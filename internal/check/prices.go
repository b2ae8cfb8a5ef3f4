package check

import (
	"github.com/llm-config-manager/lcm/internal/tree"
)

// price is what a PriceMap says of one model. The zero price is of a model that none names.
type price struct {
	fields map[string]any
	by     *tree.Entry
}

func (g *together) readPrices(priceMaps []*tree.Entry) {
	for _, e := range priceMaps {
		models := mapping(e.Spec, "models")
		for _, model := range sorted(models) {
			if other, ok := g.prices[model]; ok {
				g.warnKey(e, []string{"spec", "models", model}, "prices/twice", "%s prices this model too, and nobody knows which of the two holds: keep one", other.by.Address.Key)
				continue
			}
			fields, _ := models[model].(map[string]any)
			g.prices[model] = price{fields, e}
		}
	}
}

// modelPrice looks up the model of a target. Without any PriceMap nobody wants to know.
func (g *together) modelPrice(e *tree.Entry, model string, at []string) {
	if len(g.prices) == 0 {
		return
	}
	p, ok := g.prices[model]
	if !ok {
		g.warn(e, at, "endpoint/unpriced", "no PriceMap of this service prices this model, so that what it costs is not counted: add it, as unpriced if nobody knows its price")
		return
	}
	if gone := text(p.fields, "deprecation_date"); gone != "" && g.come(gone) {
		g.warn(e, at, "endpoint/retired-model", "by the PriceMap %s its provider no longer serves this model since %s: name its successor", p.by.Address.Key, gone)
	}
	if from := text(p.fields, "effective_from"); from != "" && g.rules.today != "" && !g.come(from) {
		g.warn(p.by, []string{"spec", "models", model, "effective_from"}, "prices/not-yet", "these prices hold from %s on, and the model is in use: until then add what it costs now", from)
	}
}

// come reports whether a day has come, as far as the time is known.
func (g *together) come(date string) bool {
	g.yielded.dates = append(g.yielded.dates, date)
	return g.rules.today != "" && date <= g.rules.today
}
