package lcm.rollout_test

import data.lcm.facts_test as t
import data.lcm.rollout

good := t.document("Rollout", {
	"target": {"ref": "acme/ml/chat/production/model"},
	"growth_type": "linear",
	"growth_factor": 20,
	"duration": "2h",
	"alarms": [{"promql": "error_rate", "threshold": 0.05}],
})

blind := json.remove(good, ["/document/spec/alarms"])

test_no_alarms if {
	t.found(rollout.deny) == {["no-alarms", ["spec"]]} with input as blind
	t.found(rollout.deny) == {["no-alarms", ["spec"]]} with input as object.union(blind, {"document": {"spec": {"alarms": []}}})
	t.found(rollout.deny) == set() with input as good
	t.found(rollout.deny) == set() with input as t.in_development(blind)
}

test_at_once if {
	t.found(rollout.warn) == {["at-once", ["spec", "growth_factor"]]} with input as object.union(good, {"document": {"spec": {"growth_factor": 100}}})
	t.found(rollout.warn) == set() with input as good
}

governing(kind) := object.union(good, {"references": {"acme/ml/chat/production/model": {"kind": kind}}})

test_target_kind if {
	t.found(rollout.warn) == {["target-kind", ["spec", "target", "ref"]]} with input as governing("Secret")
	t.found(rollout.warn) == {["target-kind", ["spec", "target", "ref"]]} with input as governing("Rollout")
	t.found(rollout.warn) == set() with input as governing("ModelEndpoint")
}
