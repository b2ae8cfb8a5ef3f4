# What is said to models.
package lcm.prompts

# METADATA
# title: No credential is put into a prompt.
warn contains {
	"rule": "credential-variable",
	"path": ["spec", "input", "schema", field],
	"message": "what stands in a prompt reaches the provider and its logs: let the application use the credential, not the model",
} if {
	input.document.kind == "PromptTemplate"
	some field, _ in input.document.spec.input.schema
	is_string(field)
	regex.match(`(?i)^(.*_)?(api_?key|password|passphrase|client_?secret|private_?key|access_?token)[?]?(\(.*)?$`, field)
}
