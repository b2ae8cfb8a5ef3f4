package gitrepo

import (
	"compress/zlib"
	"crypto/sha1"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/format/packfile"
)

// maxDeltas is how long a chain of deltas may be; it is Git's own limit.
const maxDeltas = 4095

// sizeError becomes a LimitError where the object's name is known.
type sizeError struct{ max int64 }

func (e *sizeError) Error() string { return fmt.Sprintf("larger than %d bytes", e.max) }

var (
	errDamaged = errors.New("the repository is damaged")
	errNoBase  = errors.New("a delta builds on an object that is not in its pack")
)

// reader holds what one reading goroutine needs, for reuse.
type reader struct {
	hasher  *objectHasher
	quick   quickHasher
	src     fileReader
	inflate io.ReadCloser // also a zlib.Resetter
	whole   inflater      // for what lies in one block
	one     [1]byte
}

func newReader() *reader {
	return &reader{hasher: newObjectHasher(), quick: quickHasher{Hash: sha1.New()}}
}

// entry is the head of an object in a pack.
type entry struct {
	t    plumbing.ObjectType
	size int64
	data int64 // where the compressed bytes begin
	base int64 // of a delta in the same pack; 0: see ref
	ref  plumbing.Hash
}

// entryAt reads the head of the entry at offset, leaving rd.src at its compressed bytes.
func (rd *reader) entryAt(p *pack, offset int64) (e entry, err error) {
	rd.src.seekPack(p, offset)
	head, err := rd.src.peek()
	if err != nil {
		return e, err
	}
	n := 0
	next := func() (c byte) {
		if n < len(head) {
			c = head[n]
		}
		n++
		return c
	}
	c := next()
	e.t, e.size = plumbing.ObjectType(c>>4&7), int64(c&15)
	for shift := 4; c&0x80 != 0; shift += 7 {
		if c = next(); shift > 53 {
			return e, errDamaged
		}
		e.size |= int64(c&0x7f) << shift
	}
	switch e.t {
	case plumbing.CommitObject, plumbing.TreeObject, plumbing.BlobObject, plumbing.TagObject:
	case plumbing.OFSDeltaObject:
		if e.base = offset - distance(next); e.base <= 0 || e.base >= offset {
			return e, errDamaged
		}
	case plumbing.REFDeltaObject:
		for i := range e.ref {
			e.ref[i] = next()
		}
	default:
		return e, errDamaged
	}
	if n > len(head) {
		return e, io.ErrUnexpectedEOF
	}
	e.data = offset + int64(n)
	return e, rd.src.skip(n)
}

// distance reads how far back the base of a delta is: at most 2^56.
func distance(next func() byte) int64 {
	c := next()
	n := int64(c & 0x7f)
	for c&0x80 != 0 && n < 1<<48 {
		c = next()
		n = (n+1)<<7 | int64(c&0x7f)
	}
	return n
}

// body inflates exactly size bytes from where rd.src is.
func (rd *reader) body(size int64) ([]byte, error) {
	begin, out := rd.src.pos(), make([]byte, size)
	if rd.whole.inflate(rd.src.buf, out) == nil {
		return out, nil
	}
	// It goes on in the next block, or is damaged.
	rd.src.seekPack(rd.src.p, begin)
	if err := rd.start(); err != nil {
		return nil, err
	}
	return out, rd.rest(out)
}

// rest inflates the last bytes of a stream, as many as out takes.
func (rd *reader) rest(out []byte) error {
	if _, err := io.ReadFull(rd.inflate, out); err != nil {
		return fmt.Errorf("%w: %w", errDamaged, err)
	}
	// The end of the stream is where its checksum is verified.
	if n, err := rd.inflate.Read(rd.one[:]); n != 0 || err != io.EOF {
		return fmt.Errorf("%w: more bytes than announced", errDamaged)
	}
	return nil
}

func (rd *reader) start() (err error) {
	if rd.inflate == nil {
		rd.inflate, err = zlib.NewReader(&rd.src)
		return err
	}
	return rd.inflate.(zlib.Resetter).Reset(&rd.src, nil)
}

// unpack returns the object at offset of a pack, its deltas applied.
func (o *objects) unpack(rd *reader, p *pack, offset, limit int64) (plumbing.ObjectType, []byte, error) {
	var deltas [][]byte
	var places []int64
	var held int64
	for {
		if len(deltas) > 0 {
			if b, ok := o.bases.get(place{p, offset}); ok {
				return o.apply(p, b.t, b.data, deltas, places, limit)
			}
		}
		e, err := rd.entryAt(p, offset)
		if err != nil {
			return 0, nil, err
		}
		if e.t.IsDelta() && len(deltas) == 0 {
			if b, ok := o.bases.get(place{p, offset}); ok {
				return o.apply(p, b.t, b.data, deltas, places, limit)
			}
		}
		// A delta may be a little larger than what it makes; a base is read by objectBytes.
		bound := limit
		if len(deltas) > 0 || e.t.IsDelta() {
			bound = max(limit, o.limits.objectBytes())
		}
		if e.size > bound {
			return 0, nil, &sizeError{limit}
		}
		data, err := rd.body(e.size)
		if err != nil {
			return 0, nil, err
		}
		if !e.t.IsDelta() {
			if len(deltas) > 0 {
				o.bases.put(place{p, offset}, base{e.t, data}, len(data)+cacheEntry)
			}
			return o.apply(p, e.t, data, deltas, places, limit)
		}
		// A chain is held in memory whole: without a bound on its bytes, a small pack could fill it.
		if held += e.size; len(deltas) == maxDeltas || held > 2*o.limits.objectBytes() {
			return 0, nil, &sizeError{2 * o.limits.objectBytes()}
		}
		deltas, places = append(deltas, data), append(places, offset)
		if offset = e.base; offset == 0 {
			var ok bool
			if offset, ok = p.find(e.ref); !ok {
				return 0, nil, errNoBase
			}
		}
	}
}

// apply makes the object from its base and the deltas, the last of which is the first to apply.
func (o *objects) apply(p *pack, t plumbing.ObjectType, data []byte, deltas [][]byte, places []int64, limit int64) (plumbing.ObjectType, []byte, error) {
	for i := len(deltas) - 1; i >= 0; i-- {
		bound := o.limits.objectBytes()
		if i == 0 {
			bound = limit
		}
		size, err := deltaSize(deltas[i])
		if err != nil {
			return 0, nil, err
		}
		if size > bound {
			return 0, nil, &sizeError{bound}
		}
		if data, err = packfile.PatchDelta(data, deltas[i]); err != nil {
			return 0, nil, err
		}
		o.bases.put(place{p, places[i]}, base{t, data}, len(data)+cacheEntry)
	}
	if int64(len(data)) > limit {
		return 0, nil, &sizeError{limit}
	}
	return t, data, nil
}

// deltaSize reads how large the result of a delta is: the second number in it.
func deltaSize(delta []byte) (int64, error) {
	var n int64
	for range 2 {
		n = 0
		for shift := 0; ; shift += 7 {
			if len(delta) == 0 || shift > 53 {
				return 0, errDamaged
			}
			c := delta[0]
			delta = delta[1:]
			n |= int64(c&0x7f) << shift
			if c&0x80 == 0 {
				break
			}
		}
	}
	return n, nil
}

// begins reads the first bytes of a commit that is packed, unchecked; nothing if it is not.
func (o *objects) begins(id plumbing.Hash, size int) (data []byte, err error) {
	defer contain(&err)
	p, offset, ok := o.find(id)
	if !ok {
		return nil, nil
	}
	rd := o.pool.Get().(*reader)
	defer o.pool.Put(rd)
	t, data, err := o.unpack(rd, p, offset, o.limits.MaxCommitBytes)
	if err != nil || t != plumbing.CommitObject {
		return nil, err
	}
	return data[:min(size, len(data))], nil
}

// size gives the type and the size of an object without reading it whole.
func (o *objects) size(id plumbing.Hash) (size int64, err error) {
	defer contain(&err)
	rd := o.pool.Get().(*reader)
	defer o.pool.Put(rd)
	p, offset, path, err := o.locate(id)
	if err != nil {
		return 0, describe(plumbing.BlobObject, id, err)
	}
	if p == nil {
		f, err := os.Open(path)
		if err != nil {
			return 0, err
		}
		defer f.Close()
		_, size, err := rd.looseHead(f)
		return size, err
	}
	e, err := rd.entryAt(p, offset)
	if err != nil || !e.t.IsDelta() {
		return e.size, err
	}
	if err := rd.start(); err != nil {
		return 0, err
	}
	head := make([]byte, min(e.size, 20))
	if _, err := io.ReadFull(rd.inflate, head); err != nil {
		return 0, errDamaged
	}
	return deltaSize(head)
}
