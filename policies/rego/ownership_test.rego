package lcm.ownership_test

import data.lcm.facts_test as t
import data.lcm.ownership

owned := t.document("Config", {"value": 1})

orphan := json.remove(owned, ["/document/metadata/owner"])

test_required if {
	t.found(ownership.deny) == {["required", ["metadata"]]} with input as orphan
	t.found(ownership.deny) == set() with input as owned
	t.found(ownership.deny) == set() with input as t.in_development(orphan)
}

test_placeholder if {
	t.found(ownership.warn) == {["placeholder", ["metadata", "owner"]]} with input as t.with_metadata(owned, {"owner": "TODO"})
	t.found(ownership.warn) == set() with input as owned
}
