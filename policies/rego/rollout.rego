# Changes released step by step.
package lcm.rollout

import data.lcm.facts

# METADATA
# title: In production a rollout is watched.
deny contains {
	"rule": "no-alarms",
	"path": ["spec"],
	"message": "nothing would stop a bad change on its way to everybody: name at least one alarm in production",
} if {
	input.document.kind == "Rollout"
	facts.production
	not watched
}

# METADATA
# title: A rollout has more than one step.
warn contains {
	"rule": "at-once",
	"path": ["spec", "growth_factor"],
	"message": "the first step already reaches everybody: choose a growth_factor of 50 or less",
} if {
	input.document.kind == "Rollout"
	input.document.spec.growth_factor > 50
}

# METADATA
# title: A rollout governs what can be released step by step.
warn contains {
	"rule": "target-kind",
	"path": ["spec", "target", "ref"],
	"message": sprintf("%s is a %s, which is not released step by step: refer to an endpoint, a preset, a prompt or a setting", [facts.shown(input.document.spec.target.ref), kind]),
} if {
	input.document.kind == "Rollout"
	kind := facts.reference(input.document.spec.target.ref).kind
	kind in {"Rollout", "Secret", "Budget", "PriceMap"}
}

watched if facts.filled(input.document.spec.alarms)
