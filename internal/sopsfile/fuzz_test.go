package sopsfile

import (
	"os"
	"strings"
	"testing"

	"filippo.io/age"
	"github.com/google/go-cmp/cmp"
)

// exampleKey is the published key: the processes that share the fuzzing must all have the same one.
func exampleKey(f *testing.F) *testKey {
	k := &testKey{file: "../../examples/repo-layout/EXAMPLE-AGE-KEY-DO-NOT-USE.txt"}
	text, err := os.Open(k.file)
	if err != nil {
		f.Fatal(err)
	}
	defer text.Close()
	ids, err := age.ParseIdentities(text)
	if err != nil {
		f.Fatal(err)
	}
	k.identity = ids[0].(*age.X25519Identity)
	k.recipient = k.identity.Recipient().String()
	if k.Opener, err = NewOpener(Config{IdentityFile: k.file}); err != nil {
		f.Fatal(err)
	}
	return k
}

// No input makes open panic, and what it opens SOPS opens too, to the same values.
func FuzzOpen(f *testing.F) {
	k := exampleKey(f)
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
