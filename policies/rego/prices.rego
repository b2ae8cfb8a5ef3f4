# What models cost.
package lcm.prices

import data.lcm.facts

# METADATA
# title: A price is for one token.
warn contains {
	"rule": "per-million",
	"path": ["spec", "models", model, field],
	"message": "over one cent a token looks like a price for a million tokens: divide it by 1000000",
} if {
	input.document.kind == "PriceMap"
	some model, prices in input.document.spec.models
	some field, price in prices
	is_string(field)
	regex.match(`_per_token|_token_cost$`, field)
	facts.amount(price) > 0.01
}

# METADATA
# title: A token read from the cache costs no more than a fresh one.
warn contains {
	"rule": "cache-above-input",
	"path": ["spec", "models", model, "cache_read_input_token_cost"],
	"message": "a token from the cache would cost more than a fresh one: look whether the two prices are swapped",
} if {
	input.document.kind == "PriceMap"
	some model, prices in input.document.spec.models
	facts.amount(prices.cache_read_input_token_cost) > facts.amount(prices.input_cost_per_token)
}

# METADATA
# title: A price takes effect before its model is retired.
warn contains {
	"rule": "dates",
	"path": ["spec", "models", model, "deprecation_date"],
	"message": "the model would be retired before these prices take effect: look whether the two dates are swapped",
} if {
	input.document.kind == "PriceMap"
	some model, prices in input.document.spec.models
	prices.deprecation_date <= prices.effective_from
}
