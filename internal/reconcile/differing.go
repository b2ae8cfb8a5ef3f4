package reconcile

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"

	"github.com/llm-config-manager/lcm/internal/lcm"
)

// maxFields bounds the fields that are named of one value.
const maxFields = 20

// differing names where a value differs from the one that is wanted, as paths such as retry.attempts or models[2]. Every
// name in them is one of the wanted value's: what somebody else wrote is not repeated, not even a name. "value" is
// the whole of it.
func differing(want, stands []byte) []string {
	a, b := decoded(want), decoded(stands)
	out := paths(nil, "", a, b)
	slices.Sort(out)
	out = slices.Compact(out)
	return out[:min(len(out), maxFields)]
}

// decoded reads a value; what can't be read equals nothing.
func decoded(value []byte) any {
	var v any
	d := json.NewDecoder(bytes.NewReader(value))
	d.UseNumber()
	if d.Decode(&v) != nil {
		return new(int)
	}
	return v
}

func paths(out []string, at string, want, stands any) []string {
	if reflect.DeepEqual(want, stands) {
		return out
	}
	switch w := want.(type) {
	case map[string]any:
		s, ok := stands.(map[string]any)
		if !ok {
			break
		}
		for _, name := range slices.Sorted(maps.Keys(w)) {
			out = paths(out, join(at, name), w[name], orAbsent(s, name))
		}
		if !slices.ContainsFunc(slices.Collect(maps.Keys(s)), func(name string) bool { _, known := w[name]; return !known }) {
			return out
		}
	case []any:
		s, ok := stands.([]any)
		if !ok || len(s) != len(w) {
			break
		}
		for i := range w {
			out = paths(out, fmt.Sprintf("%s[%d]", at, i), w[i], s[i])
		}
		return out
	}
	if at == "" {
		at = "value"
	}
	return append(out, at)
}

// orAbsent returns a field, or something that equals no value.
func orAbsent(m map[string]any, name string) any {
	if v, ok := m[name]; ok {
		return v
	}
	return new(int)
}

func join(at, name string) string {
	if !lcm.ValidName(name) && !plainName(name) {
		return at + "[" + strconv.QuoteToASCII(name) + "]"
	}
	if at == "" {
		return name
	}
	return at + "." + name
}

func plainName(name string) bool {
	for _, c := range name {
		if c != '_' && (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') {
			return false
		}
	}
	return name != ""
}
