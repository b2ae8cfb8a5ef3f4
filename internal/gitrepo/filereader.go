package gitrepo

import (
	"errors"
	"io"
	"os"
	"slices"
)

// Blocks of packs that a reader keeps, each in the place that its number has. What is read together lies together in a
// pack, so that most reads need no system call.
const (
	blockSize = 32 << 10
	maxBlocks = 32
)

// block is an aligned piece of a pack.
type block struct {
	p      *pack
	number int64
	data   []byte
}

// fileReader reads a pack by position, or a loose object from its beginning.
type fileReader struct {
	p    *pack // nil: a loose object
	file *os.File
	next int64  // position after buf
	buf  []byte // what was read and is yet to be taken
	own  []byte // memory for loose objects

	blocks [maxBlocks]block
}

func (r *fileReader) seekPack(p *pack, offset int64) {
	r.p, r.file, r.next, r.buf = p, p.file, offset, nil
}

func (r *fileReader) seekFile(f *os.File) {
	r.p, r.file, r.next, r.buf = nil, f, 0, nil
}

func (r *fileReader) pos() int64 { return r.next - int64(len(r.buf)) }

// maxHead is more than the head of an entry takes: its size, and the place or the id of its base.
const maxHead = 40

// peek shows the next bytes, maxHead unless the pack ends before, without taking them.
func (r *fileReader) peek() ([]byte, error) {
	if len(r.buf) == 0 {
		if err := r.fill(); err != nil {
			return nil, err
		}
	}
	if len(r.buf) >= maxHead {
		return r.buf, nil
	}
	rest, err := r.block(r.next / blockSize) // what was read so far ends with a block, or the pack
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return r.buf, nil
	}
	return slices.Concat(r.buf, rest[:min(len(rest), maxHead)]), err
}

// skip takes bytes that were peeked at.
func (r *fileReader) skip(n int) error {
	for n > len(r.buf) {
		n -= len(r.buf)
		if err := r.fill(); err != nil {
			return err
		}
	}
	r.buf = r.buf[n:]
	return nil
}

func (r *fileReader) fill() (err error) {
	if r.p == nil {
		if r.own == nil {
			r.own = make([]byte, 4096)
		}
		r.buf, err = readAt(r.file, r.own, r.next)
	} else {
		r.buf, err = r.block(r.next / blockSize)
		if skip := r.next % blockSize; err == nil && skip < int64(len(r.buf)) {
			r.buf = r.buf[skip:]
		} else if err == nil {
			err = io.ErrUnexpectedEOF
		}
	}
	if err != nil {
		r.buf = nil
		return err
	}
	r.next += int64(len(r.buf))
	return nil
}

// block returns a block of the current pack, from memory if it was read and no other took its place.
func (r *fileReader) block(number int64) ([]byte, error) {
	b := &r.blocks[number%maxBlocks]
	if b.p == r.p && b.number == number {
		return b.data, nil
	}
	b.p = nil // until it is whole
	data, err := readAt(r.file, b.data[:cap(b.data)], number*blockSize)
	if err != nil {
		return nil, err
	}
	b.p, b.number, b.data = r.p, number, data
	return data, nil
}

// readAt fills buf as far as the file goes; at its end there is an error.
func readAt(f *os.File, buf []byte, offset int64) ([]byte, error) {
	if len(buf) == 0 {
		buf = make([]byte, blockSize)
	}
	n, err := f.ReadAt(buf, offset)
	if n > 0 {
		return buf[:n], nil
	}
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return nil, err
}

func (r *fileReader) Read(p []byte) (int, error) {
	if len(r.buf) == 0 {
		if err := r.fill(); err != nil {
			return 0, err
		}
	}
	n := copy(p, r.buf)
	r.buf = r.buf[n:]
	return n, nil
}

func (r *fileReader) ReadByte() (byte, error) {
	if len(r.buf) == 0 {
		if err := r.fill(); err != nil {
			return 0, err
		}
	}
	c := r.buf[0]
	r.buf = r.buf[1:]
	return c, nil
}

// copy writes the next n bytes to w.
func (r *fileReader) copy(w io.Writer, n int64) error {
	for n > 0 {
		if len(r.buf) == 0 {
			if err := r.fill(); err != nil {
				return err
			}
		}
		part := r.buf[:min(int64(len(r.buf)), n)]
		if _, err := w.Write(part); err != nil {
			return err
		}
		r.buf, n = r.buf[len(part):], n-int64(len(part))
	}
	return nil
}
