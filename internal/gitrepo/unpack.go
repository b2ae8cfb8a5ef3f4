package gitrepo

import (
	"compress/zlib"
	"crypto/sha1"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/go-git/go-git/v5/plumbing"
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

	deltas  [][]byte // of the object that is being unpacked
	places  []int64  // where they are
	scratch [8 << 10]byte
	free    []byte // of scratch
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

// body fills out with what is inflated from where rd.src is, which has to be as much.
func (rd *reader) body(out []byte) error {
	begin := rd.src.pos()
	if rd.whole.inflate(rd.src.buf, out) == nil {
		return nil
	}
	// It goes on in the next block, or is damaged.
	rd.src.seekPack(rd.src.p, begin)
	if err := rd.start(); err != nil {
		return err
	}
	return rd.rest(out)
}

// delta inflates a delta, which is there until the next object is unpacked.
func (rd *reader) delta(size int64) ([]byte, error) {
	if size > int64(len(rd.free)) {
		rd.free = make([]byte, max(size, int64(len(rd.scratch))))
	}
	out := rd.free[:size:size]
	rd.free = rd.free[size:]
	return out, rd.body(out)
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
	rd.deltas, rd.places, rd.free = rd.deltas[:0], rd.places[:0], rd.scratch[:]
	var held int64
	for {
		if len(rd.deltas) > 0 {
			if b, ok := o.bases.get(place{p, offset}); ok {
				return o.apply(rd, p, b, limit)
			}
		}
		e, err := rd.entryAt(p, offset)
		if err != nil {
			return 0, nil, err
		}
		if e.t.IsDelta() && len(rd.deltas) == 0 {
			if b, ok := o.bases.get(place{p, offset}); ok {
				return o.apply(rd, p, b, limit)
			}
		}
		// A delta may be a little larger than what it makes; a base is read by objectBytes.
		bound := limit
		if len(rd.deltas) > 0 || e.t.IsDelta() {
			bound = max(limit, o.limits.objectBytes())
		}
		if e.size > bound {
			return 0, nil, &sizeError{limit}
		}
		if !e.t.IsDelta() {
			data := make([]byte, e.size)
			if err := rd.body(data); err != nil {
				return 0, nil, err
			}
			if len(rd.deltas) > 0 {
				o.bases.put(place{p, offset}, base{e.t, data}, len(data)+cacheEntry)
			}
			return o.apply(rd, p, base{e.t, data}, limit)
		}
		// A chain is held in memory whole: without a bound on its bytes, a small pack could fill it.
		if held += e.size; len(rd.deltas) == maxDeltas || held > 2*o.limits.objectBytes() {
			return 0, nil, &sizeError{2 * o.limits.objectBytes()}
		}
		delta, err := rd.delta(e.size)
		if err != nil {
			return 0, nil, err
		}
		rd.deltas, rd.places = append(rd.deltas, delta), append(rd.places, offset)
		if offset = e.base; offset == 0 {
			var ok bool
			if offset, ok = p.find(e.ref); !ok {
				return 0, nil, errNoBase
			}
		}
	}
}

// apply makes the object from its base and the reader's deltas, the last of which is the first to apply.
func (o *objects) apply(rd *reader, p *pack, b base, limit int64) (plumbing.ObjectType, []byte, error) {
	for i, delta := range slices.Backward(rd.deltas) {
		bound := o.limits.objectBytes()
		if i == 0 {
			bound = limit
		}
		var err error
		if b.data, err = patch(b.data, delta, bound); err != nil {
			return 0, nil, err
		}
		o.bases.put(place{p, rd.places[i]}, b, len(b.data)+cacheEntry)
	}
	clear(rd.deltas) // some may be large
	if int64(len(b.data)) > limit {
		return 0, nil, &sizeError{limit}
	}
	return b.t, b.data, nil
}

// begins reads the first bytes of a commit that is packed, unchecked, and little more, and tells how many: fewer than
// were asked for where they are not what its entry in the pack begins with.
func (o *objects) begins(id plumbing.Hash, out []byte) int {
	p, offset, ok := o.find(id)
	if !ok {
		return 0
	}
	rd := o.pool.Get().(*reader)
	defer o.pool.Put(rd)
	e, err := rd.entryAt(p, offset)
	switch {
	case err != nil:
		return 0
	case e.t == plumbing.CommitObject:
		return rd.whole.begin(rd.src.buf, out)
	case !e.t.IsDelta():
		return 0
	}
	var delta [192]byte
	n := rd.whole.begin(rd.src.buf, delta[:min(e.size, int64(len(delta)))])
	return copy(out, inserted(delta[:n]))
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
