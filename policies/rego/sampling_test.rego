package lcm.sampling_test

import data.lcm.facts_test as t
import data.lcm.sampling

preset(slug, temperature) := t.document("Preset", {"slug": slug, "config": {"temperature": temperature, "max_tokens": 500}})

path := ["spec", "config", "temperature"]

test_preset_temperature if {
	every slug, bound in {"production-deterministic": 0.5, "data-extraction": 0.3, "code-generation": 0.6, "customer-support": 0.9} {
		t.found(sampling.deny) == set() with input as preset(slug, bound)
		t.found(sampling.deny) == {["preset-temperature", path]} with input as preset(slug, bound + 0.1)
		t.found(sampling.deny) == {["preset-temperature", path]} with input as t.in_development(preset(slug, 1.5))
	}
}

test_one_mistake_one_finding if {
	t.found(sampling.deny) == {["preset-temperature", path]} with input as preset("data-extraction", 1.5)
}

test_production_temperature if {
	t.found(sampling.deny) == {["production-temperature", path]} with input as preset("poetry", 1.1)
	t.found(sampling.deny) == set() with input as preset("poetry", 1)
	t.found(sampling.deny) == set() with input as t.in_development(preset("poetry", 2))
}

test_production_temperature_of_prompts if {
	prompt := t.document("PromptTemplate", {
		"config": {"temperature": 0.7},
		"template": "x",
		"variants": {"wild": {"config": {"temperature": 1.8}}},
	})
	wild := {["production-temperature", ["spec", "variants", "wild", "config", "temperature"]]}
	t.found(sampling.deny) == wild with input as prompt
	t.found(sampling.deny) == set() with input as t.in_development(prompt)
}

test_development_preset if {
	creative := preset("development-creative", 0.9)
	t.found(sampling.deny) == {["development-preset", ["spec", "slug"]]} with input as creative
	t.found(sampling.deny) == set() with input as t.in_development(creative)
}

test_no_max_tokens if {
	endless := json.remove(preset("poetry", 0.9), ["/document/spec/config/max_tokens"])
	t.found(sampling.warn) == {["no-max-tokens", ["spec", "config"]]} with input as endless
	t.found(sampling.warn) == set() with input as t.in_development(endless)
	t.found(sampling.warn) == set() with input as preset("poetry", 0.9)
}

led(kind) := object.union(preset("poetry", 0.9), {
	"document": {"spec": {"system_prompt": {"ref": "acme/ml/chat/production/manner"}}},
	"references": {"acme/ml/chat/production/manner": {"kind": kind}},
})

test_system_prompt_kind if {
	t.found(sampling.warn) == {["system-prompt-kind", ["spec", "system_prompt", "ref"]]} with input as led("Config")
	t.found(sampling.warn) == set() with input as led("PromptTemplate")
	t.found(sampling.warn) == set() with input as object.union(preset("poetry", 0.9), {"document": {"spec": {"system_prompt": "Rhyme."}}})
}
