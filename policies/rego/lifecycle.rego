# What is on its way out.
package lcm.lifecycle

import data.lcm.facts

# METADATA
# title: Nothing new leans on what is deprecated.
warn contains {
	"rule": "deprecated-reference",
	"path": ["spec"],
	"message": sprintf("%s, to which this refers, is labelled deprecated: refer to what replaces it", [facts.shown(address)]),
} if {
	some address, reference in input.references
	not object.get(reference, ["labels", "deprecated"], "false") in {"false", "no"}
}
