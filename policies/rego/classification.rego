# Who may see a value, and whether the place it goes to is fit for it.
package lcm.classification

import data.lcm.facts

# METADATA
# title: A document is not stricter than its target is meant for.
deny contains {
	"rule": "above-target",
	"path": ["metadata", "classification"],
	"message": sprintf("%s may not go to the target %s, which is meant for %s at most: route it elsewhere in lcm.yaml, or lower the classification", [
		level,
		object.get(input.target, "name", "(unnamed)"),
		object.get(input.target, "maxClassification", "nothing"),
	]),
} if {
	facts.rank(level) > facts.rank_of_target
	not in_the_open
}

# Then routing says so already.
in_the_open if {
	input.document.kind == "Secret"
	not input.target.secrets == true
}

# METADATA
# title: A Secret is at least confidential.
deny contains {
	"rule": "secret-too-low",
	"path": ["metadata", "classification"],
	"message": "a Secret is at least confidential: raise metadata.classification, or leave it out, which means restricted",
} if {
	input.document.kind == "Secret"
	facts.rank(level) < facts.rank("confidential")
}

level := object.get(input.document.metadata, "classification", "")
