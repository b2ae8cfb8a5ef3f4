# How Secrets are shared and changed. Their values are never seen here.
package lcm.secrets

import data.lcm.facts

# METADATA
# title: A Secret is shared only within its tenant.
deny contains {
	"rule": "shared-outside-tenant",
	"path": ["metadata", "sharedWith", i],
	"message": sprintf("a Secret stays within its tenant: name only services of %s here", [input.document.org]),
} if {
	input.document.kind == "Secret"
	some i, service in input.document.metadata.sharedWith
	not startswith(service, sprintf("%s/", [input.document.org]))
}

# METADATA
# title: The previous value ends before the next rotation.
deny contains {
	"rule": "grace",
	"path": ["spec", "rotation", "grace"],
	"message": "the previous value would still work when the next one is due: make grace shorter than interval",
} if {
	input.document.kind == "Secret"
	rotation := input.document.spec.rotation
	facts.milliseconds(rotation.grace) >= facts.milliseconds(rotation.interval)
}

# METADATA
# title: A Secret changes at least as often as its type should.
warn contains {
	"rule": "slow-rotation",
	"path": ["spec", "rotation", "interval"],
	"message": sprintf("a Secret of the type %s should change every %s at least: shorten interval", [input.document.spec.type, usual]),
} if {
	input.document.kind == "Secret"
	usual := intervals[input.document.spec.type]
	facts.milliseconds(input.document.spec.rotation.interval) > facts.milliseconds(usual)
}

# METADATA
# title: In production credentials of clouds and hosts change regularly.
warn contains {
	"rule": "no-rotation",
	"path": ["spec"],
	"message": "nothing says how often this credential changes, and its type has no default: set rotation.interval in production",
} if {
	input.document.kind == "Secret"
	facts.production
	input.document.spec.type in {"aws", "azure", "gcp", "oauth2", "ssh"}
	not input.document.spec.rotation.interval
}

# METADATA
# title: Production has Secrets of its own.
warn contains {
	"rule": "inherited",
	"path": ["metadata", "inheritable"],
	"message": sprintf("production uses the same Secret as %s: give production one of its own", [input.origin.environment]),
} if {
	input.document.kind == "Secret"
	facts.production
	input.origin.environment != input.document.environment
}

# Of the other types nothing is usual.
intervals := {"api-key": "90d", "database": "30d", "tls": "24h", "jwt-signing-key": "90d"}
