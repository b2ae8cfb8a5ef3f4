package policy

import (
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"
)

// capabilities is what rules may use: a list of what is allowed, so that a built-in which OPA adds
// later stays out until somebody looked at it. Left out are
//
//   - the network and the host: http.send, net.*, opa.runtime, providers.*, json.match_schema and
//     graphql.*, which fetch or are costly, and time zones, which are read from files;
//   - the clock and chance: time.now_ns, rand.intn, uuid.rfc4122, io.jwt.decode_verify: what was good
//     must not turn bad by a restart, so a rule cannot ask what time it is;
//   - what runs long within one step, where it cannot be stopped: numbers.range*, net.cidr_expand,
//     graph.reachable_paths, regex.globs_match, glob.*, yaml.* (alias bombs), json.marshal*;
//   - parsers of keys and certificates, and rego.parse_module.
func capabilities() *ast.Capabilities {
	c := ast.CapabilitiesForThisVersion()
	c.Builtins = slices.DeleteFunc(slices.Clone(c.Builtins), func(b *ast.Builtin) bool {
		_, ok := slices.BinarySearch(allowed[:], b.Name)
		return !ok
	})
	c.AllowNet = []string{} // not nil, which would allow every host
	return c
}

// allowed is sorted.
var allowed = [...]string{
	"abs", "all", "and", "any", "array.concat", "array.flatten", "array.reverse", "array.slice", "assign",
	"base64.decode", "base64.encode", "base64.is_valid", "base64url.decode", "base64url.encode", "base64url.encode_no_pad",
	"bits.and", "bits.lsh", "bits.negate", "bits.or", "bits.rsh", "bits.xor",
	"cast_array", "cast_boolean", "cast_null", "cast_object", "cast_set", "cast_string", "ceil", "concat", "contains", "count",
	"crypto.sha256", "div", "endswith", "eq", "equal", "floor", "format_int", "graph.reachable", "gt", "gte", "hex.decode",
	"hex.encode", "indexof", "indexof_n", "internal.member_2", "internal.member_3", "internal.print", "internal.template_string",
	"intersection", "is_array", "is_boolean", "is_null", "is_number", "is_object", "is_set", "is_string",
	"json.filter", "json.is_valid", "json.patch", "json.remove", "json.unmarshal", "lower", "lt", "lte", "max", "min", "minus", "mul", "neq",
	"object.filter", "object.get", "object.keys", "object.remove", "object.subset", "object.union", "object.union_n", "or", "plus",
	"print", "product", "regex.find_all_string_submatch_n", "regex.find_n", "regex.is_valid", "regex.match", "regex.replace",
	"regex.split", "rem", "replace", "round", "semver.compare", "semver.is_valid", "set_diff", "sort", "split", "sprintf", "startswith",
	"strings.any_prefix_match", "strings.any_suffix_match", "strings.count", "strings.replace_n", "strings.reverse", "strings.split_n",
	"substring", "sum", "time.parse_duration_ns", "time.parse_rfc3339_ns", "to_number", "trim", "trim_left", "trim_prefix", "trim_right",
	"trim_space", "trim_suffix", "type_name", "union", "units.parse", "units.parse_bytes", "upper", "uri.is_valid", "uri.parse",
	"urlquery.decode", "urlquery.decode_object", "urlquery.encode", "urlquery.encode_object", "walk",
}
