package lcm.labels_test

import data.lcm.facts_test as t
import data.lcm.labels

labelled(l) := t.with_metadata(t.document("Config", {"value": 1}), {"labels": l})

test_reserved if {
	t.found(labels.deny) == {["reserved", ["metadata", "labels", "lcm.x"]]} with input as labelled({"lcm.x": "1", "tier": "gold"})
	t.found(labels.deny) == {["reserved", ["metadata", "labels", "lcm/y"]]} with input as labelled({"lcm/y": "1"})
	t.found(labels.deny) == set() with input as labelled({"lcmx": "1"})
}

test_too_many if {
	t.found(labels.deny) == {["too-many", ["metadata", "labels"]]} with input as labelled(many(33))
	t.found(labels.deny) == set() with input as labelled(many(32))
}

many(n) := {sprintf("l%d", [i]): "x" | some i in array.slice(positions, 0, n)}

positions := [i | some i, _ in split("................................................", "")]
