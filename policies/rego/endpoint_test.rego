package lcm.endpoint_test

import data.lcm.endpoint
import data.lcm.facts_test as t

key := "acme/ml/chat/production/openai-key"

openai := {
	"provider": "openai",
	"model": "openai/gpt-4o-2024-11-20",
	"api_base": "https://api.openai.com/v1",
	"api_key": {"ref": key},
	"timeout": "60s",
	"weight": 1,
}

serving(targets) := t.document("ModelEndpoint", {
	"model_name": "chat",
	"strategy": {"mode": "loadbalance"},
	"targets": targets,
	"retry": {"attempts": 2},
})

at(url) := serving([object.union(openai, {"api_base": url})])

bound(target, audience) := object.union(serving([target]), {"references": {key: {"kind": "Secret", "audience": audience}}})

test_https if {
	plain := {["https", ["spec", "targets", 0, "api_base"]]}
	t.found(endpoint.deny) == plain with input as at("http://api.openai.com/v1")
	t.found(endpoint.deny) == plain with input as at("http://localhost:8000")
	t.found(endpoint.deny) == plain with input as t.in_development(at("http://localhost.example"))
	t.found(endpoint.deny) == set() with input as at("HTTPS://api.openai.com/v1")
	t.found(endpoint.deny) == set() with input as t.in_development(at("http://localhost:8000"))
	t.found(endpoint.deny) == set() with input as serving([object.remove(openai, ["api_base"])])
}

test_audience if {
	elsewhere := {["audience", ["spec", "targets", 0]]}
	t.found(endpoint.deny) == set() with input as bound(openai, ["api.openai.com"])
	t.found(endpoint.deny) == set() with input as bound(openai, ["other.example", "API.openai.com"])
	t.found(endpoint.deny) == set() with input as bound(openai, [])
	t.found(endpoint.deny) == elsewhere with input as bound(openai, ["other.example"])
	every url in [
		"https://evil.example/api.openai.com",
		"https://api.openai.com@evil.example/",
		"https://api.openai.com.evil.example",
		"https://api.openai.com:8443/",
		"https://evil.example?x=@api.openai.com",
		"wss://api.openai.com",
		"https://",
	] {
		elsewhere & t.found(endpoint.deny) == elsewhere with input as bound(object.union(openai, {"api_base": url}), ["api.openai.com"])
	}
	same := object.union(openai, {"api_base": "https://api.openai.com:443/v1"})
	t.found(endpoint.deny) == set() with input as bound(same, ["api.openai.com"])
}

test_audience_without_api_base if {
	elsewhere := {["audience", ["spec", "targets", 0]]}
	plain := object.remove(openai, ["api_base"])
	t.found(endpoint.deny) == set() with input as bound(plain, ["api.openai.com"])
	t.found(endpoint.deny) == elsewhere with input as bound(plain, ["api.anthropic.com"])
	unknown := object.union(plain, {"provider": "custom"})
	t.found(endpoint.deny) == elsewhere with input as bound(unknown, ["api.openai.com"])
	bedrock := object.union(plain, {"provider": "bedrock", "region": "eu-central-1"})
	t.found(endpoint.deny) == set() with input as bound(bedrock, ["bedrock-runtime.eu-central-1.amazonaws.com"])
	vertex := object.union(plain, {"provider": "vertex_ai", "region": "europe-west4"})
	t.found(endpoint.deny) == set() with input as bound(vertex, ["europe-west4-aiplatform.googleapis.com"])
}

falling_back(field, kind) := object.union(serving([openai]), {
	"document": {"spec": {field: [{"ref": "acme/ml/chat/production/other"}]}},
	"references": {"acme/ml/chat/production/other": {"kind": kind}},
})

test_fallback_kind if {
	every field in ["fallbacks", "context_window_fallbacks", "content_policy_fallbacks"] {
		t.found(endpoint.deny) == {["fallback-kind", ["spec", field, 0, "ref"]]} with input as falling_back(field, "Preset")
		t.found(endpoint.deny) == set() with input as falling_back(field, "ModelEndpoint")
	}
}

test_no_weight if {
	idle := object.union(openai, {"weight": 0})
	t.found(endpoint.deny) == {["no-weight", ["spec", "targets"]]} with input as serving([idle, idle])
	t.found(endpoint.deny) == set() with input as serving([idle, openai])
	t.found(endpoint.deny) == set() with input as serving([idle, object.remove(openai, ["weight"])])
}

test_no_fallback if {
	fragile := json.remove(serving([openai]), ["/document/spec/retry"])
	once := object.union(serving([openai]), {"document": {"spec": {"retry": {"attempts": 0}}}})
	t.found(endpoint.warn) == {["no-fallback", ["spec"]]} with input as fragile
	t.found(endpoint.warn) == {["no-fallback", ["spec"]]} with input as once
	t.found(endpoint.warn) == set() with input as t.in_development(fragile)
	t.found(endpoint.warn) == set() with input as serving([openai])
	t.found(endpoint.warn) == set() with input as object.union(fragile, {"document": {"spec": {"fallbacks": [{"ref": "x"}]}}})
	two := json.remove(serving([openai, openai]), ["/document/spec/retry"])
	t.found(endpoint.warn) == set() with input as two
}

test_no_timeout if {
	patient := serving([openai, object.remove(openai, ["timeout"])])
	t.found(endpoint.warn) == {["no-timeout", ["spec", "targets", 1]]} with input as patient
	t.found(endpoint.warn) == set() with input as t.in_development(patient)
}

test_moving_model if {
	moving := object.union(openai, {"model": "openai/chatgpt-4o-latest"})
	t.found(endpoint.warn) == {["moving-model", ["spec", "targets", 0, "model"]]} with input as serving([moving])
	t.found(endpoint.warn) == set() with input as t.in_development(serving([moving]))
	prompt := t.document("PromptTemplate", {"model": "mistral:latest", "template": "x"})
	t.found(endpoint.warn) == {["moving-model", ["spec", "model"]]} with input as prompt
	t.found(endpoint.warn) == set() with input as t.document("PromptTemplate", {"model": "openai/gpt-latest-2", "template": "x"})
}
