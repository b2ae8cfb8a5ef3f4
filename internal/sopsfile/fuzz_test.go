package sopsfile

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// No input makes open panic, and what it opens SOPS opens too, to the same values.
func FuzzOpen(f *testing.F) {
	k := newTestKey(f)
	good := sealer{recipient: k.recipient}.seal(f, plain)
	f.Add([]byte(good))
	f.Add([]byte(plain))
	f.Add([]byte("sops: {age: [{recipient: x, enc: y}]}"))
	for _, kind := range []string{"bytes", "time", "comment", "int", "x"} {
		f.Add([]byte(strings.ReplaceAll(good, "type:str]", "type:"+kind+"]")))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := k.open(testFile, data)
		if err != nil {
			if !s.IsZero() || strings.Contains(err.Error(), canary) {
				t.Errorf("the error tells: %v", err)
			}
			return
		}
		branch, err := sopsOpens(k, string(data))
		if err != nil {
			t.Fatalf("opens what SOPS does not: %v", err)
		}
		// SOPS reads types from the tags as well; it is laxer about them, never different.
		if d := cmp.Diff(treeValue(treeChild(treeChild(branch, "spec"), "data")), any(s.Reveal())); d != "" {
			t.Error(d)
		}
	})
}
