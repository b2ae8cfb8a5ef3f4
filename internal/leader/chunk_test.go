package leader

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestChunk(t *testing.T) {
	edits := []edit{{key: "a/b\x00\xff", value: []byte("x")}, {key: "", value: []byte{}}, {key: "gone", gone: true}, {key: "c", value: bytes.Repeat([]byte{0}, 300)}}
	got, err := decode(encode(edits))
	if diff := cmp.Diff(edits, got, cmp.AllowUnexported(edit{})); diff != "" || err != nil {
		t.Error(diff, err)
	}
	whole := encode(edits)
	for n := 1; n < len(whole); n++ {
		if got, err := decode(whole[:n]); err == nil && len(got) == len(edits) {
			t.Errorf("cut off at %d it is whole", n)
		}
	}
}

// FuzzChunk: what is read, written and read again, is the same.
func FuzzChunk(f *testing.F) {
	f.Add(encode([]edit{{key: "k", value: []byte("v")}, {key: "g", gone: true}}))
	f.Add([]byte("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"))
	f.Fuzz(func(t *testing.T, text []byte) {
		edits, err := decode(text)
		if err != nil {
			return
		}
		again, err := decode(encode(edits))
		if diff := cmp.Diff(edits, again, cmp.AllowUnexported(edit{})); diff != "" || err != nil {
			t.Error(diff, err)
		}
	})
}

// What does not fit into one transaction is divided, and nothing is lost.
func TestSplit(t *testing.T) {
	var edits []edit
	for range 2*maxEdits + 1 {
		edits = append(edits, edit{key: "k", value: []byte("v")})
	}
	for range 5 {
		edits = append(edits, edit{key: "large", value: []byte(strings.Repeat("x", partSize))})
	}
	total := 0
	for _, c := range split(edits) {
		bytes := 0
		for _, e := range c {
			bytes += len(e.key) + len(e.value)
		}
		if len(c) == 0 || len(c) > maxEdits || bytes > maxBytes {
			t.Errorf("%d edits of %d bytes", len(c), bytes)
		}
		total += len(c)
	}
	if total != len(edits) || len(split(nil)) != 1 {
		t.Errorf("%d of %d edits", total, len(edits))
	}
}
