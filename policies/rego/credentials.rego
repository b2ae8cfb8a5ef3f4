# Credentials stand in Secrets. Everything else refers to them. Which fields are meant for credentials
# is told by their names: input.credentials lists them, so that no rule needs to search every document.
package lcm.credentials

import data.lcm.facts

# METADATA
# title: Fields for credentials hold references, never values.
deny contains {
	"rule": "by-reference",
	"path": field.path,
	"message": "a credential does not belong here: put it into a Secret and write  {ref: <its key>}  in its place; if it was real, revoke it, since Git keeps it",
} if {
	some field in input.credentials
	not field.ref
}

# METADATA
# title: Where a credential belongs, only a Secret is referred to.
deny contains {
	"rule": "reference-kind",
	"path": array.concat(field.path, ["ref"]),
	"message": sprintf("a credential is expected here, and %s is not known to be a Secret: refer to a Secret of this environment", [facts.shown(field.ref)]),
} if {
	some field in input.credentials
	field.ref
	not to_secret(field.ref)
}

to_secret(ref) if facts.reference(ref).kind == "Secret"
