# Who answers for a document.
package lcm.ownership

import data.lcm.facts

# METADATA
# title: In production every document names its owner.
deny contains {
	"rule": "required",
	"path": ["metadata"],
	"message": "nobody answers for this document in production: name the team or person as metadata.owner, or as lcm.owner of a prompt",
} if {
	facts.production
	not input.document.metadata.owner
}

# METADATA
# title: The owner is somebody, not a word that fills the field.
warn contains {
	"rule": "placeholder",
	"path": ["metadata", "owner"],
	"message": "the owner is a placeholder: name the team or person who is asked when this document causes trouble",
} if {
	lower(input.document.metadata.owner) in {"todo", "tbd", "none", "n/a", "na", "unknown", "nobody", "me", "admin", "owner", "team", "changeme", "x", "-"}
}
