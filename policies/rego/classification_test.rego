package lcm.classification_test

import data.lcm.classification
import data.lcm.facts_test as t

config(level) := t.with_metadata(t.document("Config", {"value": 1}), {"classification": level})

secret(level) := object.union(
	t.with_metadata(t.document("Secret", {"type": "api-key", "fields": ["key"]}), {"classification": level}),
	{"target": {"name": "vault", "secrets": true, "maxClassification": "restricted"}},
)

above := {["above-target", ["metadata", "classification"]]}

test_above_target if {
	t.found(classification.deny) == above with input as config("confidential")
	t.found(classification.deny) == above with input as config("restricted")
	t.found(classification.deny) == set() with input as config("internal")
	t.found(classification.deny) == set() with input as config("public")
}

test_above_target_fails_closed if {
	t.found(classification.deny) == above with input as config("topsecret")
	vague := object.union(config("internal"), {"target": {"maxClassification": "whatever"}})
	t.found(classification.deny) == above with input as vague
	unknown := json.remove(config("internal"), ["/target/maxClassification", "/target/name", "/document/metadata/classification"])
	t.found(classification.deny) == above with input as unknown
	public := object.union(config("public"), {"target": {"maxClassification": ""}})
	t.found(classification.deny) == set() with input as public
}

test_secret_too_low if {
	low := {["secret-too-low", ["metadata", "classification"]]}
	t.found(classification.deny) == low with input as secret("internal")
	t.found(classification.deny) == low with input as secret("public")
	t.found(classification.deny) == set() with input as secret("confidential")
	t.found(classification.deny) == set() with input as secret("restricted")
}

# One mistake, one finding: routing denies it.
test_above_target_leaves_secrets_to_routing if {
	open := object.union(secret("restricted"), {"target": {"name": "runtime", "secrets": false, "maxClassification": "internal"}})
	t.found(classification.deny) == set() with input as open
	kept := object.union(secret("restricted"), {"target": {"name": "vault", "secrets": true, "maxClassification": "confidential"}})
	t.found(classification.deny) == above with input as kept
}
