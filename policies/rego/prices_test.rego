package lcm.prices_test

import data.lcm.facts_test as t
import data.lcm.prices

priced(change) := t.document("PriceMap", {"models": {"openai/gpt-4o": object.union(
	{
		"input_cost_per_token": "0.0000025",
		"output_cost_per_token": "0.00001",
		"cache_read_input_token_cost": "0.00000125",
		"input_cost_per_image": "0.02",
	},
	change,
)}})

at(field) := ["spec", "models", "openai/gpt-4o", field]

test_per_million if {
	t.found(prices.warn) == {["per-million", at("output_cost_per_token")]} with input as priced({"output_cost_per_token": "10.00"})
	t.found(prices.warn) == set() with input as priced({})
	t.found(prices.warn) == set() with input as priced({"output_cost_per_token": "unpriced"})
}

test_cache_above_input if {
	swapped := priced({"cache_read_input_token_cost": "0.000005"})
	t.found(prices.warn) == {["cache-above-input", at("cache_read_input_token_cost")]} with input as swapped
}

test_dates if {
	t.found(prices.warn) == {["dates", at("deprecation_date")]} with input as priced({"effective_from": "2026-01-01", "deprecation_date": "2025-01-01"})
	t.found(prices.warn) == set() with input as priced({"effective_from": "2025-01-01", "deprecation_date": "2026-01-01"})
	t.found(prices.warn) == set() with input as priced({"deprecation_date": "2026-01-01"})
}
