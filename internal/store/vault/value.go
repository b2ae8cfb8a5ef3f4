package vault

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"

	"github.com/llm-config-manager/lcm/internal/canonjson"
	"github.com/llm-config-manager/lcm/internal/lcm"
)

// KV version 2 holds a JSON object and nothing else. A value that is an object is stored as it is,
// so that secret/data/…/openai-key shows {"key": …}. A Config's value may be a string, a number, a
// list: it is stored as {"value": …}. For that to be told from a value which is itself an object with
// the single field "value", such an object is stored inside another one; a Secret never is, since its
// value is always an object.
const wrapper = "value"

// encode gives the object that stands for a value in KV.
func encode(value []byte, kind lcm.Kind) (json.RawMessage, error) {
	v, err := canonical(value)
	switch {
	case err != nil:
		return nil, err
	case isObject(v) && (kind == lcm.KindSecret || !hasOnlyWrapper(v)):
		return v, nil
	case kind == lcm.KindSecret:
		return nil, errors.New("vault: the value of a Secret is not an object")
	}
	return slices.Concat([]byte(`{"`+wrapper+`":`), v, []byte{'}'}), nil
}

// decode gives the value for which an object stands in KV, as canonical JSON.
func decode(object json.RawMessage, kind lcm.Kind) ([]byte, error) {
	v, err := canonical(object)
	if err != nil || !isObject(v) {
		return nil, errAnswer
	}
	if kind == lcm.KindSecret || !hasOnlyWrapper(v) {
		return v, nil
	}
	return v[len(`{"`+wrapper+`":`) : len(v)-1], nil
}

func canonical(value []byte) ([]byte, error) {
	v, err := canonjson.Marshal(json.RawMessage(value))
	if err != nil {
		return nil, errors.New("vault: the value is not JSON") // the cause would quote it
	}
	return v, nil
}

func isObject(canonical []byte) bool { return bytes.HasPrefix(canonical, []byte{'{'}) }

func hasOnlyWrapper(canonical []byte) bool {
	var fields map[string]json.RawMessage
	if json.Unmarshal(canonical, &fields) != nil || len(fields) != 1 {
		return false
	}
	_, ok := fields[wrapper]
	return ok
}
