# What this repository demands beyond the built-in rules. It can refuse more, never allow.
package lcm.house

tiers := {"gold", "silver", "bronze"}

# METADATA
# title: In production every model has a tier, by which on-call is paged.
deny contains {
	"rule": "tier",
	"path": ["metadata", "labels"],
	"message": "in production a ModelEndpoint has the label tier: gold, silver or bronze",
} if {
	input.document.kind == "ModelEndpoint"
	input.document.environment == "production"
	not object.get(input.document.metadata, ["labels", "tier"], "") in tiers
}
