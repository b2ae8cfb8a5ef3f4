package gitrepo

import (
	"bufio"
	"cmp"
	"compress/zlib"
	"context"
	"crypto/sha1"
	"encoding/binary"
	"hash"
	"io"
	"slices"

	"github.com/go-git/go-git/v5/plumbing"
)

// packWriter writes a pack. Objects that are packed already are copied as they are, compressed and as
// deltas where the base is copied too, so that a large clone costs little more than reading the files.
type packWriter struct {
	objects *objects
	rd      *reader
	w       *bufio.Writer
	sum     hash.Hash
	pos     int64
	written map[place]int64 // where an entry of another pack is in this one
	zlib    *zlib.Writer
}

// source of one object: an entry of a pack, or loose.
type stored struct {
	id plumbing.Hash
	place
}

// writePack writes a pack of the given objects.
func (r *Repo) writePack(ctx context.Context, to io.Writer, ids []plumbing.Hash) (err error) {
	defer contain(&err)
	// The trailing hash guards against truncation only; the objects have ids of their own.
	sum := sha1.New()
	w := &packWriter{
		objects: r.objects,
		rd:      newReader(),
		w:       bufio.NewWriterSize(to, 1<<16),
		sum:     sum,
		written: map[place]int64{},
		zlib:    zlib.NewWriter(nil),
	}
	list := r.objects.stored(ids)
	head := binary.BigEndian.AppendUint32([]byte("PACK\x00\x00\x00\x02"), uint32(len(list)))
	if _, err := w.Write(head); err != nil {
		return err
	}
	for _, s := range list {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := w.object(s); err != nil {
			return describe(plumbing.AnyObject, s.id, err)
		}
	}
	if _, err := w.w.Write(sum.Sum(nil)); err != nil {
		return err
	}
	return w.w.Flush()
}

// stored finds the objects and orders them as they are on disk: bases come before what builds on them,
// and the disk is read forwards.
func (o *objects) stored(ids []plumbing.Hash) []stored {
	list := make([]stored, len(ids))
	number := map[*pack]int{}
	for i, id := range ids {
		list[i] = stored{id: id}
		if p, offset, ok := o.find(id); ok {
			list[i].place = place{p, offset}
			if _, ok := number[p]; !ok {
				number[p] = len(number) + 1
			}
		}
	}
	slices.SortFunc(list, func(a, b stored) int {
		return cmp.Or(
			cmp.Compare(number[a.p], number[b.p]),
			cmp.Compare(a.offset, b.offset),
			slices.Compare(a.id[:], b.id[:]),
		)
	})
	return list
}

// Write writes to the pack, keeping its hash and position.
func (w *packWriter) Write(p []byte) (int, error) {
	n, err := w.w.Write(p)
	w.sum.Write(p[:n])
	w.pos += int64(n)
	return n, err
}

func (w *packWriter) object(s stored) error {
	if s.p != nil {
		done, err := w.copied(s)
		if done || err != nil {
			return err
		}
	}
	t, data, err := w.objects.fetch(w.rd, s.id, w.objects.limits.objectBytes())
	if err != nil {
		return err
	}
	w.remember(s)
	return w.whole(t, data)
}

// whole writes an entry that is no delta.
func (w *packWriter) whole(t plumbing.ObjectType, data []byte) error {
	if err := w.head(t, int64(len(data))); err != nil {
		return err
	}
	w.zlib.Reset(w)
	if _, err := w.zlib.Write(data); err != nil {
		return err
	}
	return w.zlib.Close()
}

func (w *packWriter) remember(s stored) {
	if s.p != nil {
		w.written[s.place] = w.pos
	}
}

// copied copies an entry without unpacking it; false if its base is not in the pack being written.
func (w *packWriter) copied(s stored) (bool, error) {
	e, err := w.rd.entryAt(s.p, s.offset)
	if err != nil {
		return false, err
	}
	distance := int64(0)
	if e.t.IsDelta() {
		base := e.base
		if e.t == plumbing.REFDeltaObject {
			base, _ = s.p.find(e.ref)
		}
		at, ok := w.written[place{s.p, base}]
		if !ok {
			return false, nil
		}
		e.t, distance = plumbing.OFSDeltaObject, w.pos-at
	}
	w.remember(s)
	if err := w.head(e.t, e.size); err != nil {
		return false, err
	}
	if distance > 0 {
		if _, err := w.Write(encodeDistance(distance)); err != nil {
			return false, err
		}
	}
	return true, w.rd.src.copy(w, s.p.end(s.offset)-e.data)
}

// head writes type and size of an entry.
func (w *packWriter) head(t plumbing.ObjectType, size int64) error {
	c := byte(t)<<4 | byte(size&15)
	var out []byte
	for size >>= 4; size > 0; size >>= 7 {
		out = append(out, c|0x80)
		c = byte(size & 0x7f)
	}
	_, err := w.Write(append(out, c))
	return err
}

// encodeDistance writes how far back a base is, as distance reads it.
func encodeDistance(n int64) []byte {
	var buf [10]byte
	i := len(buf) - 1
	buf[i] = byte(n & 0x7f)
	for n >>= 7; n > 0; n >>= 7 {
		n--
		i--
		buf[i] = byte(n&0x7f) | 0x80
	}
	return buf[i:]
}
