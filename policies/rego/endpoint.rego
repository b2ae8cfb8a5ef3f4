# Models, how they are reached, and what happens when one fails.
package lcm.endpoint

import data.lcm.facts

# METADATA
# title: An endpoint is reached over https.
deny contains {
	"rule": "https",
	"path": ["spec", "targets", i, "api_base"],
	"message": "prompts and keys would travel in the clear: write an api_base that begins with https:// (http:// is accepted for localhost outside production)",
} if {
	input.document.kind == "ModelEndpoint"
	some i, target in input.document.spec.targets
	is_string(target.api_base)
	not startswith(lower(target.api_base), "https://")
	not local(target.api_base)
}

# METADATA
# title: A key is sent only to the hosts in its Secret's audience.
deny contains {
	"rule": "audience",
	"path": ["spec", "targets", i],
	"message": sprintf("%s may be sent only to the hosts in its metadata.audience, and this target's host is not known to be one: set api_base to one of them, or let the Secret's owner add the host", [facts.shown(target.api_key.ref)]),
} if {
	input.document.kind == "ModelEndpoint"
	some i, target in input.document.spec.targets
	audience := {lower(host) | some host in facts.reference(target.api_key.ref).audience}
	count(audience) > 0
	not within(target, audience)
}

# METADATA
# title: Load is balanced over at least one target.
deny contains {
	"rule": "no-weight",
	"path": ["spec", "targets"],
	"message": "every target has the weight 0, so that none is ever asked: give at least one a weight",
} if {
	input.document.kind == "ModelEndpoint"
	input.document.spec.strategy.mode == "loadbalance"
	every target in input.document.spec.targets { target.weight == 0 }
}

# METADATA
# title: Only an endpoint is fallen back to.
deny contains {
	"rule": "fallback-kind",
	"path": ["spec", field, i, "ref"],
	"message": sprintf("%s is a %s, and a request can only go on to a ModelEndpoint: refer to one", [facts.shown(fallback.ref), kind]),
} if {
	input.document.kind == "ModelEndpoint"
	some field in ["fallbacks", "context_window_fallbacks", "content_policy_fallbacks"]
	some i, fallback in input.document.spec[field]
	kind := facts.reference(fallback.ref).kind
	kind != "ModelEndpoint"
}

# METADATA
# title: In production an endpoint survives one failure.
warn contains {
	"rule": "no-fallback",
	"path": ["spec"],
	"message": "one failed request of the only target reaches the users: add a second target, fallbacks or retry",
} if {
	input.document.kind == "ModelEndpoint"
	facts.production
	not resilient
}

# METADATA
# title: In production every target has a timeout.
warn contains {
	"rule": "no-timeout",
	"path": ["spec", "targets", i],
	"message": "a provider that hangs holds the caller for as long as its library likes: set timeout",
} if {
	input.document.kind == "ModelEndpoint"
	facts.production
	some i, target in input.document.spec.targets
	not target.timeout
}

# METADATA
# title: In production a model is named by its version.
warn contains {
	"rule": "moving-model",
	"path": path,
	"message": "this name stands for another model tomorrow, without any change here: name a fixed version in production",
} if {
	input.document.kind in {"ModelEndpoint", "PromptTemplate"}
	facts.production
	some path, model in models
	is_string(model)
	regex.match(`[-/:@]latest$`, model)
}

models[["spec", "targets", i, "model"]] := target.model if {
	input.document.kind == "ModelEndpoint"
	some i, target in input.document.spec.targets
}

models[["spec", "model"]] := input.document.spec.model if input.document.kind == "PromptTemplate"

local(url) if {
	not facts.production
	facts.loopback(url)
}

resilient if input.document.spec.retry.attempts > 0

resilient if facts.filled(input.document.spec.fallbacks)

resilient if input.document.spec.targets[1]

within(target, audience) if count(hosts(target) & audience) > 0

# hosts gives where a target's requests can go. A port that is the scheme's own is left out.
hosts(target) := {trim_suffix(host, ":443")} if {
	is_string(target.api_base)
	[parts] := regex.find_all_string_submatch_n(`^https?://([^/?#]*@)?([^/?#@]+)`, lower(target.api_base), 1)
	host := parts[2]
}

hosts(target) := object.get(own, target.provider, set()) | regional(target) if not target.api_base

own := {
	"openai": {"api.openai.com"},
	"anthropic": {"api.anthropic.com"},
	"cohere": {"api.cohere.com", "api.cohere.ai"},
	"huggingface": {"router.huggingface.co", "api-inference.huggingface.co"},
}

default regional(_) := set()

regional(target) := {sprintf("bedrock-runtime.%s.amazonaws.com", [target.region])} if target.provider == "bedrock"

regional(target) := {sprintf("%s-aiplatform.googleapis.com", [target.region])} if target.provider == "vertex_ai"
