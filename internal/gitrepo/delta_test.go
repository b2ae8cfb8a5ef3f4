package gitrepo

import (
	"bytes"
	"errors"
	"testing"

	"github.com/go-git/go-git/v5/plumbing/format/packfile"
)

// FuzzPatch: a delta makes of a base what go-git makes of it, or neither takes it.
func FuzzPatch(f *testing.F) {
	const base = "tree 4b825dc642cb6eb9a060e54bf8d69288fbee4904\n"
	for _, seed := range []string{
		"\x2e\x03\x03abc", "\x2e\x2e\x90\x2e", "\x2e\x06\x91\x02\x03\x03abc", "\x2e\x03\x03ab", "\x2e\x03\x03abc\x00", "\x2e\x04\x03abc", "\x2f\x03\x03abc",
		"\x2e\x05\xb3\x01\x00\x05\x00", "\x2e\x05\x91\x2a\x05", "\x2e\x05\xff\x01\x00\x00\x00\x05\x00\x00", "\x2e\x00", "\x2e", "", "\xae\x00\x83\x00\x03abc", "\x2e\x83\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01",
	} {
		f.Add([]byte(base), []byte(seed))
	}
	f.Add([]byte{}, []byte("\x00\x01\x01a"))
	f.Add(bytes.Repeat([]byte("abc"), 30_000), []byte("\x90\xbf\x05\x80\x80\x04\x81\x01")) // all of 64 KiB
	f.Fuzz(func(t *testing.T, base, delta []byte) {
		const limit = 1 << 20
		got, err := patch(base, delta, limit)
		var large *sizeError
		if errors.As(err, &large) {
			if size, bad := deltaSize(delta); bad != nil || size <= limit {
				t.Errorf("%v, of %d bytes", err, size)
			}
			return
		}
		want, bad := packfile.PatchDelta(base, delta)
		if _, cut := deltaSize(delta); cut != nil { // which go-git takes for 0
			bad = cut
		}
		if (err == nil) != (bad == nil) || !bytes.Equal(got, want) {
			t.Errorf("%q, %v; go-git: %q, %v", got, err, want, bad)
		}
		if begin := inserted(delta); err == nil && !bytes.HasPrefix(got, begin) {
			t.Errorf("it begins with %q, and is %q", begin, got)
		}
	})
}
