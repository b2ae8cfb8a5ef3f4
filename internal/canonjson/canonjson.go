// Package canonjson writes values as canonical JSON (RFC 8785), so that equal values have equal bytes.
package canonjson

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/gowebpki/jcs"
)

// Marshal returns the canonical JSON of v.
func Marshal(v any) ([]byte, error) {
	plain, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("writing JSON: %w", err)
	}
	// Transform takes only objects and arrays as the whole text: a scalar travels inside an array.
	out, err := jcs.Transform(append(append([]byte{'['}, plain...), ']'))
	if err != nil {
		return nil, fmt.Errorf("writing canonical JSON: %w", err)
	}
	return bytes.Clone(out[1 : len(out)-1]), nil // without the room that Transform leaves: many are kept
}
