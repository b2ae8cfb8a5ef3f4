# What several packages of the base pack need to know. It says nothing of a document itself.
#
# A warning to who writes rules: in  not f(x).y == z  the call is made before the not, so that the rule
# stays silent where f(x) is undefined. Give what is negated a name of its own:  not good(x).
package lcm.facts

# An environment counts as production by its name: production, prod or live, alone or with a suffix
# such as production-eu.
production if split(input.document.environment, "-")[0] in {"production", "prod", "live"}

ranks := {"public": 0, "internal": 1, "confidential": 2, "restricted": 3}

# rank puts the classifications in order. An unknown word is the strictest of all.
rank(classification) := object.get(ranks, classification, 4)

# rank_of_target is what the target is meant for. One of which nothing intelligible is known is fit for
# public things only. It is undefined where there is no target.
rank_of_target := object.get(ranks, object.get(input.target, "maxClassification", ""), 0)

# reference is what input.references tells of the document that ref names; undefined if nothing.
reference(ref) := input.references[trim_left(ref, "/")] if is_string(ref)

# shown is what to call a document in a message: without its environment, so that a mistake in what
# several environments inherit is told once.
shown(address) := sprintf("/%s/%s/%s/%s", [p[0], p[1], p[2], p[4]]) if {
	is_string(address)
	p := split(trim_left(address, "/"), "/")
	count(p) == 5
} else := address

units := {"ms": 1, "s": 1000, "m": 60000, "h": 3600000, "d": 86400000, "w": 604800000}

# filled holds for lists with something in them.
filled(list) if {
	is_array(list)
	list != []
}

# milliseconds gives the length of a duration such as 90d; undefined if it is none.
milliseconds(duration) := to_number(parts[1]) * units[parts[2]] if {
	is_string(duration)
	[parts] := regex.find_all_string_submatch_n(`^([0-9]{1,12})(ms|s|m|h|d|w)$`, duration, 1)
}

# amount gives the number that a decimal string stands for; undefined if it is none.
amount(text) := to_number(text) if {
	is_string(text)
	regex.match(`^[0-9]{1,15}(\.[0-9]{1,15})?$`, text)
}

# loopback holds for URLs that do not leave the machine.
loopback(url) if {
	is_string(url)
	regex.match(`^[a-z]+://(localhost|127\.0\.0\.1|\[::1\])(:[0-9]+)?(/|$)`, lower(url))
}
