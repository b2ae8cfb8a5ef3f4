# Plain values.
package lcm.config

import data.lcm.facts

# METADATA
# title: In production services are reached over https.
warn contains {
	"rule": "plain-http",
	"path": ["spec", "value"],
	"message": "in production this URL is read and changed by whoever stands between: write https://",
} if {
	input.document.kind == "Config"
	facts.production
	url := input.document.spec.value
	is_string(url)
	startswith(lower(url), "http://")
	not facts.loopback(url)
}
