package lcm.secrets_test

import data.lcm.facts_test as t
import data.lcm.secrets

secret(type, rotation) := t.document("Secret", {"type": type, "fields": ["key"], "rotation": rotation})

good := secret("api-key", {"interval": "90d", "grace": "7d"})

test_good if {
	t.found(secrets.deny) == set() with input as good
	t.found(secrets.warn) == set() with input as good
}

test_shared_outside_tenant if {
	shared := t.with_metadata(good, {"sharedWith": ["acme/ml/search", "globex/web/shop", "acme-2/ml/search"]})
	t.found(secrets.deny) == {
		["shared-outside-tenant", ["metadata", "sharedWith", 1]],
		["shared-outside-tenant", ["metadata", "sharedWith", 2]],
	} with input as shared
}

test_grace if {
	long := {["grace", ["spec", "rotation", "grace"]]}
	t.found(secrets.deny) == long with input as secret("api-key", {"interval": "7d", "grace": "168h"})
	t.found(secrets.deny) == long with input as secret("api-key", {"interval": "1h", "grace": "1d"})
	t.found(secrets.deny) == set() with input as secret("api-key", {"interval": "7d"})
}

test_slow_rotation if {
	slow := {["slow-rotation", ["spec", "rotation", "interval"]]}
	t.found(secrets.warn) == slow with input as secret("api-key", {"interval": "91d"})
	t.found(secrets.warn) == slow with input as secret("database", {"interval": "5w"})
	t.found(secrets.warn) == slow with input as secret("tls", {"interval": "25h"})
	t.found(secrets.warn) == set() with input as secret("opaque", {"interval": "400d"})
}

test_no_rotation if {
	cloud := t.document("Secret", {"type": "aws", "fields": []})
	t.found(secrets.warn) == {["no-rotation", ["spec"]]} with input as cloud
	t.found(secrets.warn) == set() with input as t.in_development(cloud)
	t.found(secrets.warn) == set() with input as secret("aws", {"interval": "30d"})
}

test_inherited if {
	inherited := object.union(good, {"origin": {"environment": "base"}})
	t.found(secrets.warn) == {["inherited", ["metadata", "inheritable"]]} with input as inherited
	t.found(secrets.warn) == set() with input as object.union(inherited, {"document": {"environment": "staging"}})
}

test_silent_on_others if {
	other := object.union(t.with_metadata(good, {"sharedWith": ["globex/web/shop"]}), {"document": {"kind": "Config"}})
	t.found(secrets.deny) == set() with input as other
}
