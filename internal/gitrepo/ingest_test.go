package gitrepo

import (
	"bytes"
	"compress/zlib"
	"crypto/sha1"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/go-git/go-git/v5/plumbing"
)

// packOf writes a pack by hand.
type packOf struct {
	body  bytes.Buffer
	count uint32
}

func (p *packOf) add(kind plumbing.ObjectType, size int, base []byte, content string) (offset int) {
	offset = 12 + p.body.Len()
	c := byte(kind)<<4 | byte(size&15)
	for size >>= 4; size > 0; size >>= 7 {
		p.body.WriteByte(c | 0x80)
		c = byte(size & 0x7f)
	}
	p.body.WriteByte(c)
	p.body.Write(base)
	w := zlib.NewWriter(&p.body)
	io.WriteString(w, content)
	w.Close()
	p.count++
	return offset
}

func (p *packOf) object(kind plumbing.ObjectType, content string) (offset int) {
	return p.add(kind, len(content), nil, content)
}

func (p *packOf) bytes() []byte {
	out := binary.BigEndian.AppendUint32([]byte("PACK\x00\x00\x00\x02"), p.count)
	out = append(out, p.body.Bytes()...)
	sum := sha1.Sum(out)
	return append(out, sum[:]...)
}

// delta makes a delta that copies the whole base and adds something.
func delta(baseSize int, add string) string {
	number := func(n int) (s string) {
		for ; n >= 0x80; n >>= 7 {
			s += string([]byte{byte(n) | 0x80})
		}
		return s + string([]byte{byte(n)})
	}
	out := number(baseSize) + number(baseSize+len(add))
	out += string([]byte{0x80 | 0x10 | 0x20 | 0x40, byte(baseSize), byte(baseSize >> 8), byte(baseSize >> 16)})
	if add != "" {
		out += string([]byte{byte(len(add))}) + add
	}
	return out
}

func blobID(t *testing.T, content string) plumbing.Hash {
	t.Helper()
	id, ok := newObjectHasher().sum(plumbing.BlobObject, []byte(content))
	if !ok {
		t.Fatal("collision")
	}
	return id
}

func TestIngest(t *testing.T) {
	content := strings.Repeat("content ", 20)
	r, _ := newRepo(t)
	var p packOf
	// Deltas by offset and by id, one of the latter before its base, which is a delta itself.
	first := blobID(t, content)
	second := blobID(t, content+"two")
	d3 := delta(len(content)+3, "three")
	p.add(plumbing.REFDeltaObject, len(d3), second[:], d3)
	at := p.object(plumbing.BlobObject, content)
	d2 := delta(len(content), "two")
	p.add(plumbing.REFDeltaObject, len(d2), first[:], d2)
	d4 := delta(len(content), "four")
	p.add(plumbing.OFSDeltaObject, len(d4), encodeDistance(int64(12+p.body.Len()-at)), d4)
	if err := r.ingest(t.Context(), bytes.NewReader(p.bytes()), 1<<20); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{content, content + "two", content + "twothree", content + "four"} {
		got, err := r.objects.read(blobID(t, want), plumbing.BlobObject)
		if err != nil || string(got) != want {
			t.Errorf("%q, %v; want %q", got, err, want)
		}
		if size, err := r.objects.size(blobID(t, want)); err != nil || size != int64(len(want)) {
			t.Errorf("%d, %v; want %d", size, err, len(want))
		}
	}
	// Once more: the same pack does no harm.
	if err := r.ingest(t.Context(), bytes.NewReader(p.bytes()), 1<<20); err != nil {
		t.Fatal(err)
	}
	if n := len(r.objects.list()); n != 1 {
		t.Errorf("%d packs", n)
	}
}

func TestIngestRefuses(t *testing.T) {
	content := strings.Repeat("content ", 20)
	id := blobID(t, content)
	build := func(do func(*packOf)) []byte {
		var p packOf
		do(&p)
		return p.bytes()
	}
	good := build(func(p *packOf) { p.object(plumbing.BlobObject, content) })
	ofs := func(p *packOf, back int, d string) {
		p.add(plumbing.OFSDeltaObject, len(d), encodeDistance(int64(back)), d)
	}
	tests := map[string]struct {
		pack  []byte
		limit bool
	}{
		"cut short":            {good[:len(good)-1], false},
		"bytes after it":       {append(bytes.Clone(good), 'x'), false},
		"another checksum":     {append(bytes.Clone(good[:len(good)-1]), ^good[len(good)-1]), false},
		"one object fewer":     {append(append([]byte("PACK\x00\x00\x00\x02\x00\x00\x00\x02"), good[12:len(good)-20]...), good[len(good)-20:]...), false},
		"type 0":               {build(func(p *packOf) { p.object(0, content) }), false},
		"type 5":               {build(func(p *packOf) { p.object(5, content) }), false},
		"shorter than said":    {build(func(p *packOf) { p.add(plumbing.BlobObject, len(content)+1, nil, content) }), false},
		"longer than said":     {build(func(p *packOf) { p.add(plumbing.BlobObject, len(content)-1, nil, content) }), false},
		"huge":                 {build(func(p *packOf) { p.object(plumbing.BlobObject, strings.Repeat("0", 40<<20)) }), true},
		"said to be huge":      {build(func(p *packOf) { p.add(plumbing.BlobObject, 1<<50, nil, content) }), true},
		"thin":                 {build(func(p *packOf) { d := delta(len(content), "x"); p.add(plumbing.REFDeltaObject, len(d), id[:], d) }), false},
		"base before the pack": {build(func(p *packOf) { ofs(p, 13, delta(1, "x")) }), false},
		"base in the header":   {build(func(p *packOf) { ofs(p, 5, delta(1, "x")) }), false},
		"its own base":         {build(func(p *packOf) { ofs(p, 0, delta(1, "x")) }), false},
		"base of another size": {build(func(p *packOf) {
			at := p.object(plumbing.BlobObject, content)
			ofs(p, 12+p.body.Len()-at, delta(len(content)+1, "x"))
		}), false},
		"delta to something huge": {build(func(p *packOf) {
			at := p.object(plumbing.BlobObject, content)
			ofs(p, 12+p.body.Len()-at, "\xa0\x01\xff\xff\xff\xff\x7f\x80")
		}), true},
		"empty delta": {build(func(p *packOf) {
			at := p.object(plumbing.BlobObject, content)
			ofs(p, 12+p.body.Len()-at, "")
		}), false},
		"commit without its tree": {build(func(p *packOf) { p.object(plumbing.CommitObject, treeLine[:5]+id.String()+"\n"+people+"\nm\n") }), false},
		"commit that is none":     {build(func(p *packOf) { p.object(plumbing.CommitObject, "hello\n") }), false},
		"tree that is none":       {build(func(p *packOf) { p.object(plumbing.TreeObject, "hello\n") }), false},
		"tag of nothing":          {build(func(p *packOf) { p.object(plumbing.TagObject, "object "+id.String()+"\n") }), false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			r, _ := newRepo(t)
			err := r.ingest(t.Context(), bytes.NewReader(tt.pack), 1<<30)
			if err == nil {
				t.Fatal("it was taken")
			}
			var limit *LimitError
			if errors.As(err, &limit) != tt.limit {
				t.Errorf("got %v", err)
			}
			if names := storedFiles(t, r); names != nil {
				t.Errorf("left behind: %v", names)
			}
		})
	}
}

// TestIngestLongChain has a chain of deltas as long as Git allows.
func TestIngestLongChain(t *testing.T) {
	var p packOf
	last := "content"
	at := p.object(plumbing.BlobObject, last)
	for range maxDeltas {
		d := delta(len(last), "x")
		back := 12 + p.body.Len() - at
		at = p.add(plumbing.OFSDeltaObject, len(d), encodeDistance(int64(back)), d)
		last += "x"
	}
	r, dir := newRepo(t)
	if err := r.ingest(t.Context(), bytes.NewReader(p.bytes()), 1<<30); err != nil {
		t.Fatal(err)
	}
	again, err := Open(dir, Limits{}) // with nothing in its caches
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if got, err := again.objects.read(blobID(t, last), plumbing.BlobObject); err != nil || string(got) != last {
		t.Errorf("%d bytes, %v", len(got), err)
	}
}

func FuzzIngest(f *testing.F) {
	content := strings.Repeat("content ", 20)
	var p packOf
	at := p.object(plumbing.BlobObject, content)
	d := delta(len(content), "four")
	p.add(plumbing.OFSDeltaObject, len(d), encodeDistance(int64(12+p.body.Len()-at)), d)
	p.object(plumbing.TreeObject, line("100644", "a", plumbing.ComputeHash(plumbing.BlobObject, []byte(content)).String()))
	f.Add(p.bytes()[:12+p.body.Len()])
	dir := f.TempDir()
	r, err := Init(dir + "/repo")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		sum := sha1.Sum(body)
		// Whatever it is, it must not panic, nor take long, nor much memory.
		_ = r.ingest(t.Context(), bytes.NewReader(append(body, sum[:]...)), 1<<20)
	})
}

func FuzzParseTree(f *testing.F) {
	id, other := strings.Repeat("ab", 20), strings.Repeat("cd", 20)
	f.Add([]byte(line("100644", "a", id)+line("40000", "b", id)), []byte(line("100644", "a", id)+line("40000", "b", other)))
	f.Add([]byte(line("100644", "a", id)+line("40000", "b", id)), []byte(line("100644", "a", id)+line("40000", ".", other)))
	f.Add([]byte(line("100644", "a", id)+line("100644", "a.b", id)+line("40000", "a", id)), []byte{})
	f.Add([]byte(line("160000", ".git", id)), []byte(line("160000", ".git", other)))
	f.Fuzz(func(t *testing.T, raw, next []byte) {
		tree, err := parseTree(raw, 1000)
		if err != nil {
			return
		}
		var back strings.Builder
		for e := range tree.all() {
			digits := map[uint32]string{ModeFolder: "40000", ModeFile: "100644", ModeExecutable: "100755", ModeSymlink: "120000", ModeSubmodule: "160000"}[e.mode]
			back.WriteString(line(digits, e.name, e.id.String()))
			if got, ok := tree.child(e.name); !ok || got != e {
				t.Errorf("%q is not found", e.name)
			}
		}
		if back.String() != string(raw) {
			t.Errorf("%q became %q", raw, back.String())
		}
		if like := tree.with(next); like != nil {
			if parsed, err := parseTree(next, 1000); err != nil || parsed.text != like.text || !slices.Equal(parsed.lines, like.lines) {
				t.Errorf("%q after %q: %v", next, raw, err)
			}
		}
	})
}

// TestCollisionIsNoticed hashes the first 320 bytes of one of the two colliding files of
// https://shattered.io. They hold the attack's blocks, whose marks show whatever follows.
func TestCollisionIsNoticed(t *testing.T) {
	data, err := os.ReadFile("testdata/shattered.bin")
	if err != nil {
		t.Fatal(err)
	}
	h := newObjectHasher()
	h.Reset()
	h.Write(data[:256])
	if _, ok := h.end(); !ok {
		t.Error("noticed too early")
	}
	h.Write(data[256:])
	if _, ok := h.end(); ok {
		t.Error("not noticed")
	}
}
