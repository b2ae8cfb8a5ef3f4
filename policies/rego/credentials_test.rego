package lcm.credentials_test

import data.lcm.credentials
import data.lcm.facts_test as t

holding(fields, references) := object.union(t.document("Config", {}), {"credentials": fields, "references": references})

path := ["spec", "value", "password"]

address := "acme/ml/chat/production/db"

test_by_reference if {
	literal := holding({{"path": path}}, {})
	t.found(credentials.deny) == {["by-reference", path]} with input as literal
}

test_reference_kind if {
	field := {{"path": path, "ref": address}}
	wrong := {["reference-kind", array.concat(path, ["ref"])]}
	t.found(credentials.deny) == set() with input as holding(field, {address: {"kind": "Secret"}})
	t.found(credentials.deny) == wrong with input as holding(field, {address: {"kind": "Config"}})
	t.found(credentials.deny) == wrong with input as holding(field, {})
}
