# Where documents go.
package lcm.routing

# METADATA
# title: Every document has a target.
deny contains {
	"rule": "no-target",
	"path": [],
	"message": "it is not known where this document goes: let a route of lcm.yaml match its namespace and kind",
} if {
	not input.target
}

# METADATA
# title: A Secret goes only to a target that keeps secrets.
deny contains {
	"rule": "secret-in-the-open",
	"path": ["kind"],
	"message": sprintf("this Secret falls through to the target %s, which does not keep secrets: put a route for the kind Secret before it in lcm.yaml", [object.get(input.target, "name", "(unnamed)")]),
} if {
	input.document.kind == "Secret"
	input.target
	not input.target.secrets == true
}
