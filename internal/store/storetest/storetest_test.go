package storetest

import (
	"testing"

	"github.com/gowebpki/jcs"
)

// TestValues keeps the suite itself honest: a target may return the canonical form of what it was given.
func TestValues(t *testing.T) {
	for name, value := range values() {
		got, err := jcs.Transform([]byte(value))
		if err != nil || string(got) != value {
			t.Errorf("%s: %.200q is not canonical: %.200q, %v", name, value, got, err)
		}
	}
}
