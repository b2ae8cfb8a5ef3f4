package lcm.lifecycle_test

import data.lcm.facts_test as t
import data.lcm.lifecycle

referring(labels) := object.union(t.document("Config", {}), {"references": {"acme/ml/chat/production/old": {"kind": "Preset", "labels": labels}}})

test_deprecated_reference if {
	t.found(lifecycle.warn) == {["deprecated-reference", ["spec"]]} with input as referring({"deprecated": "2027-01-01"})
	t.found(lifecycle.warn) == set() with input as referring({"deprecated": "false"})
	t.found(lifecycle.warn) == set() with input as referring({})
}
