package gitrepo

import (
	"bytes"
	"compress/flate"
	"compress/zlib"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// Whatever compress/zlib writes is read, by all of its ways to write; cut short or followed by others, too.
func TestInflate(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 1))
	noise := make([]byte, 70_000)
	for i := range noise {
		noise[i] = byte(random.Uint32())
	}
	var skewed strings.Builder // of which few symbols are frequent: long codes
	for i := range 20_000 {
		fmt.Fprintf(&skewed, "%c", 'a'+min(25, random.IntN(1<<min(1+i%24, 20))&(1<<(i%5)-1)))
	}
	var rare []byte // each symbol half as often as the one before: codes of all lengths
	for i := range 16 {
		rare = append(rare, bytes.Repeat([]byte{byte(3 * i)}, 1<<i)...)
	}
	random.Shuffle(len(rare), func(i, j int) { rare[i], rare[j] = rare[j], rare[i] })
	var f inflater
	for name, plain := range map[string]string{
		"empty": "", "one": "x", "short": "tree 4b825dc642cb6eb9a060e54bf8d69288fbee4904\n", "run": strings.Repeat("a", 1000),
		"pattern": strings.Repeat("abcdefg", 5000), "noise": string(noise), "skewed": skewed.String(), "rare": string(rare),
		"far": string(noise[:200]) + strings.Repeat("-", 32_000) + string(noise[:200]),
	} {
		for level := flate.HuffmanOnly; level <= flate.BestCompression; level++ {
			packed := deflated(t, plain, level)
			what := fmt.Sprintf("%s at level %d", name, level)
			for _, after := range []string{"", "x", string(noise[:100])} {
				out := make([]byte, len(plain))
				if err := f.inflate(append(slices.Clone(packed), after...), out); err != nil || string(out) != plain {
					t.Errorf("%s with %d bytes after it: %v", what, len(after), err)
				}
			}
			for _, size := range []int{len(plain) - 1, len(plain) + 1} {
				if size >= 0 && f.inflate(packed, make([]byte, size)) == nil {
					t.Errorf("%s: %d bytes of %d were taken for all", what, size, len(plain))
				}
			}
			stored := level == flate.NoCompression || strings.HasPrefix(plain, string(noise[:200]))
			const lengthMax = 258 // of a repetition, which begin does not cut
			for _, size := range []int{1, 94, 1000} {
				out := make([]byte, min(size, len(plain)))
				if n := f.begin(packed, out); string(out[:n]) != plain[:n] || n < len(out)-lengthMax && !stored {
					t.Errorf("%s: of %d bytes of its beginning there are %d: %.40q", what, len(out), n, out[:n])
				}
			}
			for n := max(0, len(packed)-300); n < len(packed); n++ {
				out := make([]byte, len(plain))
				if f.inflate(packed[:n], out) == nil {
					t.Errorf("%s: %d bytes of %d were enough", what, n, len(packed))
				}
				if begin := out[:f.begin(packed[:n], out)]; string(begin) != plain[:len(begin)] {
					t.Errorf("%s: by %d bytes of %d it begins with %.40q", what, n, len(packed), begin)
				}
			}
		}
	}
}

func deflated(t *testing.T, plain string, level int) []byte {
	var b bytes.Buffer
	w, err := zlib.NewWriterLevel(&b, level)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(w, plain); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// FuzzInflate: what is accepted, compress/zlib accepts, and it holds the same; and the other way round.
func FuzzInflate(f *testing.F) {
	for _, seed := range []string{
		"x\x9c\x03\x00\x00\x00\x00\x01", "x\x01\x01\x01\x00\xfe\xffa\x00b\x00b", "x\x9cKL\xa4=\x00\x00zG%\xe5",
		"x\xda\x05\xc1\x81\x00\x00\x00\x00\x00\x90\xd6\x0a\xfa\x02\x10", "x\x9c\x00\x05\x00\xfa\xffabcde\x01\x00\x00\xff\xff\x05\xc8\x01\xf0",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		const most = 1 << 20
		var want []byte
		var bad error
		r, bad := zlib.NewReader(bytes.NewReader(in))
		if bad == nil {
			if want, bad = io.ReadAll(io.LimitReader(r, most+1)); len(want) > most {
				return
			}
		}
		size := len(want)
		if bad != nil {
			size = len(in) % 64
		}
		out := make([]byte, size)
		var i inflater
		err := i.inflate(in, out)
		if (err == nil) != (bad == nil) {
			t.Fatalf("%v; compress/zlib: %v", err, bad)
		}
		if err == nil && !bytes.Equal(out, want) {
			t.Errorf("%q; compress/zlib: %q", out, want)
		}
	})
}
