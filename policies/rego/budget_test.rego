package lcm.budget_test

import data.lcm.budget
import data.lcm.facts_test as t

good := t.document("Budget", {
	"scope": "service",
	"max_budget": "100",
	"soft_budget": "80.00",
	"budget_duration": "30d",
	"alert_thresholds": ["0.8", "0.95", "1.0"],
	"on_exceed": "block",
})

but(change) := object.union(good, {"document": {"spec": change}})

test_good if {
	t.found(budget.deny) == set() with input as good
	t.found(budget.warn) == set() with input as good
}

test_soft_above_max if {
	above := {["soft-above-max", ["spec", "soft_budget"]]}
	t.found(budget.deny) == above with input as but({"soft_budget": "100.01"})
	t.found(budget.deny) == above with input as but({"soft_budget": "9", "max_budget": "8.5"})
	t.found(budget.deny) == set() with input as but({"soft_budget": "9", "max_budget": "10"})
}

test_thresholds if {
	t.found(budget.deny) == {["thresholds", ["spec", "alert_thresholds", 1]]} with input as but({"alert_thresholds": ["0.9", "0.8", "1.0"]})
	t.found(budget.deny) == {["thresholds", ["spec", "alert_thresholds", 1]]} with input as but({"alert_thresholds": ["0.9", "0.90"]})
}

test_not_enforced if {
	loose := {["not-enforced", ["spec"]]}
	t.found(budget.warn) == loose with input as but({"on_exceed": "warn"})
	t.found(budget.warn) == loose with input as but({"shadow": true})
	t.found(budget.warn) == set() with input as but({"on_exceed": "downgrade", "shadow": false})
	t.found(budget.warn) == set() with input as t.in_development(but({"shadow": true}))
}

test_no_alerts if {
	mute := json.remove(good, ["/document/spec/soft_budget", "/document/spec/alert_thresholds"])
	t.found(budget.warn) == {["no-alerts", ["spec"]]} with input as mute
	t.found(budget.warn) == set() with input as t.in_development(mute)
	t.found(budget.warn) == set() with input as json.remove(good, ["/document/spec/soft_budget"])
}
