# What a file shows of the base pack's rules, for conftest: rules that need the environment, the target
# or another document are left out, which is in conftest's favour.
package main

deny contains "nobody answers for this document" if not input.metadata.owner

deny contains "a Secret is at least confidential" if {
	input.kind == "Secret"
	not input.metadata.classification in {"confidential", "restricted"}
}

deny contains "a temperature above 1.0 is for experiments" if {
	input.kind == "Preset"
	input.spec.config.temperature > 1
}

deny contains sprintf("%s promises a temperature of %v at most", [input.spec.slug, bound]) if {
	input.kind == "Preset"
	bound := {"production-deterministic": 0.5, "data-extraction": 0.3, "code-generation": 0.6, "customer-support": 0.9}[input.spec.slug]
	input.spec.config.temperature > bound
}

deny contains "an endpoint is reached over https" if {
	input.kind == "ModelEndpoint"
	some target in input.spec.targets
	not startswith(lower(target.api_base), "https://")
}

deny contains "a credential stands here" if {
	input.kind != "Secret"
	walk(input.spec, [path, value])
	regex.match(`(?i)(api_?key|password|passphrase|client_?secret|private_?key|access_?token)$`, path[count(path) - 1])
	not value.ref
}

deny contains "soft_budget is above max_budget" if {
	input.kind == "Budget"
	to_number(input.spec.soft_budget) > to_number(input.spec.max_budget)
}

deny contains "alert_thresholds must grow" if {
	input.kind == "Budget"
	some i, threshold in input.spec.alert_thresholds
	to_number(threshold) <= to_number(input.spec.alert_thresholds[i - 1])
}

deny contains "the previous value would still work when the next one is due" if {
	input.kind == "Secret"
	rotation := input.spec.rotation
	time.parse_duration_ns(hours(rotation.grace)) >= time.parse_duration_ns(hours(rotation.interval))
}

deny contains "labels that begin with lcm. are the program's own" if {
	some label, _ in input.metadata.labels
	startswith(label, "lcm.")
}

deny contains "over one cent a token looks like a price for a million" if {
	input.kind == "PriceMap"
	some prices in input.spec.models
	to_number(prices.input_cost_per_token) > 0.01
}

hours(duration) := sprintf("%dh", [24 * to_number(trim_suffix(duration, "d"))]) if endswith(duration, "d")

hours(duration) := duration if not endswith(duration, "d")
