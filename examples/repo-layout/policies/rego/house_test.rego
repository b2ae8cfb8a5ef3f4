# Run with: lcm-lint --test
package lcm.house_test

import data.lcm.house

endpoint(environment, labels) := {"document": {
	"kind": "ModelEndpoint",
	"environment": environment,
	"metadata": {"labels": labels},
}}

test_tier if {
	count(house.deny) == 0 with input as endpoint("production", {"tier": "gold"})
	count(house.deny) == 1 with input as endpoint("production", {"tier": "platinum"})
	count(house.deny) == 1 with input as endpoint("production", {})
	count(house.deny) == 1 with input as {"document": {"kind": "ModelEndpoint", "environment": "production", "metadata": {}}}
	count(house.deny) == 0 with input as endpoint("development", {})
	count(house.deny) == 0 with input as {"document": {"kind": "Config", "environment": "production", "metadata": {}}}
}
