# Words to select documents by.
package lcm.labels

# METADATA
# title: The prefix lcm is the program's own.
deny contains {
	"rule": "reserved",
	"path": ["metadata", "labels", label],
	"message": "labels that begin with lcm. or lcm/ are the program's own: choose another prefix",
} if {
	some label, _ in input.document.metadata.labels
	strings.any_prefix_match(label, ["lcm.", "lcm/"])
}

# METADATA
# title: A document has at most 32 labels.
deny contains {
	"rule": "too-many",
	"path": ["metadata", "labels"],
	"message": "a document has at most 32 labels: put what describes it into the description",
} if {
	count(input.document.metadata.labels) > 32
}
