# How freely a model may answer.
package lcm.sampling

import data.lcm.facts

# METADATA
# title: A preset named for a purpose stays within that purpose's temperature.
deny contains {
	"rule": "preset-temperature",
	"path": ["spec", "config", "temperature"],
	"message": sprintf("%s promises a temperature of %v at most: lower it, or give the preset another slug", [input.document.spec.slug, bound]),
} if {
	input.document.kind == "Preset"
	bound := bounds[input.document.spec.slug]
	input.document.spec.config.temperature > bound
}

# METADATA
# title: In production no temperature is above 1.0.
deny contains {
	"rule": "production-temperature",
	"path": array.concat(path, ["temperature"]),
	"message": "a temperature above 1.0 is for experiments: lower it in production",
} if {
	input.document.kind in {"Preset", "PromptTemplate"}
	facts.production
	some path, config in configs
	config.temperature > 1
	not bounded
}

# METADATA
# title: A preset made for development is not published in production.
deny contains {
	"rule": "development-preset",
	"path": ["spec", "slug"],
	"message": "this preset is made for development: set  inheritable: false  in its metadata where it is defined, or put a Tombstone of the same key into production",
} if {
	input.document.kind == "Preset"
	facts.production
	is_string(input.document.spec.slug)
	startswith(input.document.spec.slug, "development-")
}

# METADATA
# title: In production a preset bounds the length of the answer.
warn contains {
	"rule": "no-max-tokens",
	"path": ["spec", "config"],
	"message": "without max_tokens an answer may be as long, and cost as much, as the model allows: set it in production",
} if {
	input.document.kind == "Preset"
	facts.production
	not input.document.spec.config.max_tokens
}

# METADATA
# title: A preset's system prompt is a text or a prompt.
warn contains {
	"rule": "system-prompt-kind",
	"path": ["spec", "system_prompt", "ref"],
	"message": sprintf("%s is a %s: refer to the PromptTemplate that holds the text, or write it here", [facts.shown(input.document.spec.system_prompt.ref), kind]),
} if {
	input.document.kind == "Preset"
	kind := facts.reference(input.document.spec.system_prompt.ref).kind
	kind != "PromptTemplate"
}

bounds := {
	"production-deterministic": 0.5,
	"data-extraction": 0.3,
	"code-generation": 0.6,
	"customer-support": 0.9,
}

bounded if bounds[input.document.spec.slug]

configs[["spec", "config"]] := input.document.spec.config if input.document.kind in {"Preset", "PromptTemplate"}

configs[["spec", "variants", name, "config"]] := variant.config if {
	input.document.kind == "PromptTemplate"
	some name, variant in input.document.spec.variants
}
