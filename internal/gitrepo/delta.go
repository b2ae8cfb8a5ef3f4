package gitrepo

import (
	"encoding/binary"
	"math/bits"
)

// Instructions of a delta (gitformat-pack(5), "Deltified representation"): one with the high bit copies from the
// base, and its lower bits tell which bytes of the place and the size follow; any other is how many bytes to insert.
const (
	copies    = 0x80
	placeBits = 0x0f
	sizeBits  = 0x70
	wholeSize = 1 << 16 // what a size of 0 means
)

// patch makes the object that a delta makes of its base, in which Git never has nothing.
func patch(from, delta []byte, limit int64) ([]byte, error) {
	source, rest, ok := deltaNumber(delta)
	size, rest, whole := deltaNumber(rest)
	switch {
	case !ok || !whole || len(from) == 0 || source != int64(len(from)):
		return nil, errDamaged
	case size > limit:
		return nil, &sizeError{limit}
	}
	out := make([]byte, 0, size)
	for len(rest) > 0 {
		var part []byte
		if part, rest, ok = instruction(from, rest); !ok || len(part) > cap(out)-len(out) {
			return nil, errDamaged
		}
		out = append(out, part...)
	}
	if int64(len(out)) != size {
		return nil, errDamaged
	}
	return out, nil
}

// instruction carries out the first instruction of a delta: it gives the bytes to add.
func instruction(from, delta []byte) (part, rest []byte, ok bool) {
	c, delta := delta[0], delta[1:]
	if c&copies == 0 {
		if n := int(c); n > 0 && n <= len(delta) {
			return delta[:n], delta[n:], true
		}
		return nil, nil, false
	}
	place, delta, ok := operand(c&placeBits, delta)
	if !ok {
		return nil, nil, false
	}
	size, delta, ok := operand(c&sizeBits>>4, delta)
	if size == 0 {
		size = wholeSize
	}
	if !ok || place > len(from) || size > len(from)-place {
		return nil, nil, false
	}
	return from[place : place+size], delta, true
}

// operand reads a number of which only some bytes are written down, the lowest first.
func operand(written byte, delta []byte) (n int, rest []byte, ok bool) {
	if len(delta) < bits.OnesCount8(written) {
		return 0, nil, false
	}
	for shift := 0; written != 0; written, shift = written>>1, shift+8 {
		if written&1 != 0 {
			n |= int(delta[0]) << shift
			delta = delta[1:]
		}
	}
	return n, delta, true
}

// deltaNumber reads one of the two sizes at the beginning of a delta: of the base, and of what it makes.
func deltaNumber(delta []byte) (n int64, rest []byte, ok bool) {
	v, size := binary.Uvarint(delta)
	if size <= 0 || size > 8 { // 2^56, far more than anything may have
		return 0, nil, false
	}
	return int64(v), delta[size:], true
}

// deltaSize reads how large the result of a delta is.
func deltaSize(delta []byte) (int64, error) {
	_, rest, _ := deltaNumber(delta)
	size, _, ok := deltaNumber(rest)
	if !ok {
		return 0, errDamaged
	}
	return size, nil
}

// inserted gives the first bytes that a delta makes, as far as they do not come from its base: of a commit, they
// name its tree and parents, which no other does.
func inserted(delta []byte) []byte {
	_, rest, _ := deltaNumber(delta)
	_, rest, ok := deltaNumber(rest)
	if !ok || len(rest) == 0 || rest[0]&copies != 0 {
		return nil
	}
	n := int(rest[0])
	return rest[1:min(1+n, len(rest))]
}
