package tree

import "maps"

// mergePatch applies a JSON Merge Patch (RFC 7396) and returns a new value; both stay as they are.
// Where a reference and other fields would end up in one map, it is no reference any more: lost
// gets the path.
func mergePatch(onto, patch any, at []string, lost func([]string)) any {
	p, ok := patch.(map[string]any)
	if !ok {
		return patch
	}
	target, _ := onto.(map[string]any)
	out := maps.Clone(target)
	if out == nil {
		out = map[string]any{}
	}
	for _, k := range sortedKeys(p) {
		if p[k] == nil {
			delete(out, k)
		} else {
			out[k] = mergePatch(out[k], p[k], join(at, k), lost)
		}
	}
	if (isReference(target) || isReference(p)) && contains(out, "ref") && len(out) > 1 {
		lost(at)
	}
	return out
}

// isReference reports whether m is a reference: a map with the one key ref.
func isReference(m map[string]any) bool {
	_, ok := m["ref"]
	return ok && len(m) == 1
}
