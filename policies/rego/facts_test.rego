package lcm.facts_test

import data.lcm.facts

# found reduces a deny or warn set to what the tests compare: rules and paths.
found(set) := {[f.rule, f.path] | some f in set}

# document is an input with nothing to complain of, but for the spec.
document(kind, spec) := {
	"document": {
		"address": "acme/ml/chat/production/example",
		"org": "acme",
		"project": "ml",
		"service": "chat",
		"environment": "production",
		"key": "example",
		"kind": kind,
		"metadata": {"classification": "internal", "owner": "team-chat", "inheritable": true},
		"spec": spec,
	},
	"origin": {"file": "namespaces/acme/ml/chat/production/example.yaml", "environment": "production"},
	"target": {"name": "runtime", "secrets": false, "maxClassification": "internal"},
	"references": {},
	"credentials": set(),
}

# in_development is the same document in development.
in_development(doc) := object.union(doc, {
	"document": {"environment": "development"},
	"origin": {"environment": "development"},
})

# with_metadata adds to the metadata.
with_metadata(doc, metadata) := object.union(doc, {"document": {"metadata": metadata}})

environment(name) := {"document": {"environment": name}}

test_production_by_name if {
	every name in ["production", "prod", "live", "production-eu", "prod-2"] {
		facts.production with input as environment(name)
	}
	every name in ["development", "staging", "base", "preproduction", "alive", "products", ""] {
		not facts.production with input as environment(name)
	}
	not facts.production with input as {}
}

test_rank_unknown_is_strictest if {
	facts.rank("public") < facts.rank("internal")
	facts.rank("internal") < facts.rank("confidential")
	facts.rank("confidential") < facts.rank("restricted")
	facts.rank("topsecret") > facts.rank("restricted")
}

test_reference if {
	references := {"references": {"a/b/c/d/e": {"kind": "Secret"}}}
	facts.reference("a/b/c/d/e").kind == "Secret" with input as references
	facts.reference("/a/b/c/d/e").kind == "Secret" with input as references
	not facts.reference("e") with input as references
	not facts.reference(7) with input as references
}

test_milliseconds if {
	facts.milliseconds("90d") == 7776000000
	facts.milliseconds("2h") == 7200000
	facts.milliseconds("500ms") == 500
	facts.milliseconds("1w") == facts.milliseconds("7d")
	every bad in ["", "1", "d", "-1d", "1.5h", "1d ", 90, null] {
		not facts.milliseconds(bad)
	}
}

test_filled if {
	facts.filled([1])
	every other in [[], null, 7, "a", {"a": 1}] {
		not facts.filled(other)
	}
}

test_amount if {
	facts.amount("12.50") == 12.5
	facts.amount("9.5") < facts.amount("10")
	every bad in ["", "1e9", "-1", ".5", "unpriced", 3] {
		not facts.amount(bad)
	}
}

test_loopback if {
	every url in ["http://localhost", "http://LOCALHOST:8000/v1", "http://127.0.0.1:11434", "http://[::1]:80/"] {
		facts.loopback(url)
	}
	every url in ["http://localhost.evil.example", "http://127.0.0.1.example/", "http://example.com/localhost", 7] {
		not facts.loopback(url)
	}
}

test_shown_without_environment if {
	facts.shown("a/b/c/production/e") == "/a/b/c/e"
	facts.shown("/a/b/c/production/e") == "/a/b/c/e"
	facts.shown("key") == "key"
	facts.shown(7) == 7
}
