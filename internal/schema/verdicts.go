package schema

import (
	"crypto/sha256"
	"encoding/binary"
	"math"
	"slices"
	"sync"
)

// maxVerdicts bounds each of the two generations of verdicts: some 6 MB in all.
const maxVerdicts = 1 << 15

type verdict [sha256.Size]byte

// verdicts remembers documents that passed. An inherited document comes by once for every
// environment, mostly unchanged, and CUE is the dearest step of a pass.
type verdicts struct {
	mu       sync.Mutex
	new, old map[verdict]struct{}
}

func (v *verdicts) passed(key verdict) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	if _, ok := v.new[key]; ok {
		return true
	}
	_, ok := v.old[key]
	if ok {
		v.keep(key)
	}
	return ok
}

func (v *verdicts) remember(key verdict) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.keep(key)
}

func (v *verdicts) keep(key verdict) {
	if v.new == nil || len(v.new) >= maxVerdicts {
		v.old, v.new = v.new, map[verdict]struct{}{}
	}
	v.new[key] = struct{}{}
}

// digest is over the kind and the document, unambiguously: every value with its type and length, so
// that 3 and 3.0 differ. Texts and numbers are told by leaf. ok is false for a value that no document has.
func digest(kind string, doc map[string]any, leaf appendLeaf) (key verdict, ok bool) {
	buf, ok := appendValue(appendString(make([]byte, 0, 1024), kind), doc, leaf)
	if !ok {
		return key, false
	}
	return sha256.Sum256(buf), true
}

func appendString(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// appendLeaf appends what is to be told of a text or a number; false for anything else.
type appendLeaf func(b []byte, v any) ([]byte, bool)

// exactly tells a text or a number as it is.
func exactly(b []byte, v any) ([]byte, bool) {
	switch v := v.(type) {
	case string:
		return appendString(append(b, 's'), v), true
	case int64:
		return binary.BigEndian.AppendUint64(append(b, 'i'), uint64(v)), true
	case float64:
		return binary.BigEndian.AppendUint64(append(b, 'd'), math.Float64bits(v)), true
	}
	return b, false
}

func appendValue(b []byte, v any, leaf appendLeaf) ([]byte, bool) {
	ok := true
	switch v := v.(type) {
	case nil:
		return append(b, 'n'), true
	case bool:
		if v {
			return append(b, 't'), true
		}
		return append(b, 'f'), true
	case []any:
		b = binary.AppendUvarint(append(b, 'l'), uint64(len(v)))
		for _, e := range v {
			if b, ok = appendValue(b, e, leaf); !ok {
				return b, false
			}
		}
		return b, true
	case map[string]any:
		b = binary.AppendUvarint(append(b, 'm'), uint64(len(v)))
		keys := make([]string, 0, 16)
		for k := range v {
			keys = append(keys, k)
		}
		slices.Sort(keys)
		for _, k := range keys {
			if b, ok = appendValue(appendString(b, k), v[k], leaf); !ok {
				return b, false
			}
		}
		return b, true
	}
	return leaf(b, v)
}
