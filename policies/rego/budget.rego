# Limits on what may be spent.
package lcm.budget

import data.lcm.facts

# METADATA
# title: A budget warns before it is used up.
deny contains {
	"rule": "soft-above-max",
	"path": ["spec", "soft_budget"],
	"message": "soft_budget is above max_budget, so that nobody is warned in time: lower it",
} if {
	input.document.kind == "Budget"
	facts.amount(input.document.spec.soft_budget) > facts.amount(input.document.spec.max_budget)
}

# METADATA
# title: Alert thresholds grow.
deny contains {
	"rule": "thresholds",
	"path": ["spec", "alert_thresholds", i],
	"message": "alert_thresholds must grow from one to the next: sort them and drop repetitions",
} if {
	input.document.kind == "Budget"
	some i, threshold in input.document.spec.alert_thresholds
	facts.amount(threshold) <= facts.amount(input.document.spec.alert_thresholds[i - 1])
}

# METADATA
# title: In production a budget holds.
warn contains {
	"rule": "not-enforced",
	"path": ["spec"],
	"message": "in production this budget only reports: let on_exceed be block or downgrade, and shadow false, once its height is known",
} if {
	input.document.kind == "Budget"
	facts.production
	not enforced
}

# METADATA
# title: In production somebody hears of a budget before it is used up.
warn contains {
	"rule": "no-alerts",
	"path": ["spec"],
	"message": "nobody hears of this budget before it is used up: set alert_thresholds or soft_budget",
} if {
	input.document.kind == "Budget"
	facts.production
	not input.document.spec.soft_budget
	not has_thresholds
}

has_thresholds if facts.filled(input.document.spec.alert_thresholds)

enforced if {
	input.document.spec.on_exceed in {"block", "downgrade"}
	object.get(input.document.spec, "shadow", false) == false
}
