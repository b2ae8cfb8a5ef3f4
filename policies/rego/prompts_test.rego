package lcm.prompts_test

import data.lcm.facts_test as t
import data.lcm.prompts

asking(schema) := t.document("PromptTemplate", {"template": "x", "input": {"schema": schema}})

test_credential_variable if {
	t.found(prompts.warn) == {
		["credential-variable", ["spec", "input", "schema", "api_key"]],
		["credential-variable", ["spec", "input", "schema", "db_password?"]],
	} with input as asking({"api_key": "string", "db_password?": "string", "question": "string", "passwords_mentioned": "integer"})
	t.found(prompts.warn) == set() with input as asking("string")
}
