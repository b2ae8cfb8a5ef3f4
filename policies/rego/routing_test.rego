package lcm.routing_test

import data.lcm.facts_test as t
import data.lcm.routing

secret := t.document("Secret", {"type": "opaque", "fields": []})

test_no_target if {
	t.found(routing.deny) == {["no-target", []]} with input as object.remove(secret, ["target"])
	t.found(routing.deny) == set() with input as t.document("Config", {"value": 1})
}

test_secret_in_the_open if {
	open := {["secret-in-the-open", ["kind"]]}
	t.found(routing.deny) == open with input as secret
	t.found(routing.deny) == open with input as json.remove(secret, ["/target/secrets", "/target/name"])
	t.found(routing.deny) == set() with input as object.union(secret, {"target": {"secrets": true}})
}
