package lcm.config_test

import data.lcm.config
import data.lcm.facts_test as t

value(v) := t.document("Config", {"value": v})

test_plain_http if {
	plain := {["plain-http", ["spec", "value"]]}
	t.found(config.warn) == plain with input as value("http://search.example/")
	t.found(config.warn) == plain with input as value("HTTP://search.example/")
	t.found(config.warn) == set() with input as value("https://search.example/")
	t.found(config.warn) == set() with input as value("http://localhost:9200")
	t.found(config.warn) == set() with input as t.in_development(value("http://search.example/"))
	every other in [7, true, ["http://a"], {"url": "http://a"}] {
		t.found(config.warn) == set() with input as value(other)
	}
}
