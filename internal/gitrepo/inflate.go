package gitrepo

import (
	"encoding/binary"
	"errors"
	"hash/adler32"
)

// inflater unpacks one zlib stream (RFC 1950, RFC 1951) that lies in memory, into as many bytes as it is known to
// hold. The objects of a pack are so many and so small that a library made for streams takes most of its time to begin:
// this takes half of it. It need not tell why it gives up, for then compress/zlib has a try.
type inflater struct {
	in    []byte
	pos   int    // in in; beyond its end there are zeros
	bits  uint64 // the next bits, the first lowest
	count uint   // how many of them are there
	lit   prefix
	dist  prefix
	used  [maxLit + maxDist]codeLength // of the codes that are being read
}

const (
	maxLit     = 286 // codes for literals and lengths
	maxDist    = 30  // codes for distances
	maxCode    = 15  // bits of a code
	maxLength  = 14  // bits of a code for the length of codes, and of what follows it
	tableBits  = 9   // of codes that one look decodes
	maxRepeat  = 33  // bits of what follows the code of a length: 5, a code for a distance, 13
	endOfBlock = 256
)

var errNotInflated = errors.New("not a stream of the expected size that lies whole in memory")

// prefix is a prefix code. Of a code as long as mask or shorter, the table holds symbol<<4 | length at every index that begins
// with it, its first bit lowest; longer ones are decoded by counts and symbols, a bit at a time.
type prefix struct {
	table   [1 << tableBits]uint16
	mask    uint64
	counts  [maxCode + 1]uint16
	symbols [maxLit + 2]uint16 // by code
}

// codeLength is how many bits a symbol takes.
type codeLength struct {
	symbol uint16
	bits   uint8
}

// build makes the code of the symbols that are used, in their order; false if there is no such code.
func (p *prefix) build(used []codeLength) bool {
	p.counts = [maxCode + 1]uint16{}
	for _, u := range used {
		p.counts[u.bits]++
	}
	var place [maxCode + 2]uint16
	left, longest := 1, 0
	for n := 1; n <= maxCode; n++ {
		if left = left<<1 - int(p.counts[n]); left < 0 {
			return false
		}
		if place[n+1] = place[n] + p.counts[n]; p.counts[n] > 0 {
			longest = n
		}
	}
	if left > 0 && (len(used) > 1 || longest > 1) {
		return false // codes that stand for nothing, which one code of one bit may leave
	}
	for _, u := range used {
		p.symbols[place[u.bits]] = u.symbol
		place[u.bits]++
	}
	p.tabulate(min(longest, tableBits))
	return true
}

// tabulate makes the table of a length from that of one bit less, which stands in it twice.
func (p *prefix) tabulate(longest int) {
	p.table[0], p.mask = 0, 1<<longest-1
	code, next := 0, 0
	for n := 1; n <= longest; n++ {
		copy(p.table[1<<(n-1):1<<n], p.table[:1<<(n-1)])
		for range p.counts[n] {
			p.table[code] = p.symbols[next]<<4 | uint16(n)
			next++
			bit := 1 << (n - 1) // the code's last
			for ; code&bit != 0; bit >>= 1 {
				code ^= bit
			}
			code |= bit
		}
	}
}

// fixed are the codes of RFC 1951, section 3.2.6.
var fixedLit, fixedDist = func() (lit, dist prefix) {
	var used [maxLit + 2]codeLength
	for i := range used {
		used[i] = codeLength{uint16(i), 8}
		switch {
		case i >= 144 && i < 256:
			used[i].bits = 9
		case i >= 256 && i < 280:
			used[i].bits = 7
		}
	}
	lit.build(used[:])
	for i := range used {
		used[i].bits = 5
	}
	dist.build(used[:32])
	return lit, dist
}()

// Lengths and distances (RFC 1951, section 3.2.5): where each code begins, and by how many further bits it goes on.
var (
	lengthBase  = [...]uint16{3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258}
	lengthExtra = [...]uint8{0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0}
	distBase    = [...]uint16{1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1025, 1537, 2049, 3073, 4097, 6145, 8193, 12289, 16385, 24577}
	distExtra   = [...]uint8{0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13}
)

// codeOrder is in which order the lengths of the code that writes the lengths of codes come (section 3.2.7).
var codeOrder = [...]uint8{16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15}

// inflate fills out with what the stream at the beginning of in holds.
func (f *inflater) inflate(in, out []byte) error {
	n, ok := f.blocks(in, out)
	end := f.pos - int(f.count/8)
	if !ok || n != len(out) || end+4 > len(in) || binary.BigEndian.Uint32(in[end:]) != adler32.Checksum(out) {
		return errNotInflated
	}
	return nil
}

// begin fills out with how a stream begins, unchecked, and tells how far it came: about as far as out goes, unless the
// stream does not go on. If so much of it does not lie in memory, there is nothing.
func (f *inflater) begin(in, out []byte) int {
	n, _ := f.blocks(in, out)
	if f.pos-int(f.count/8) > len(in) {
		return 0
	}
	return n
}

// blocks unpacks blocks up to the last; false if that is more than out takes.
func (f *inflater) blocks(in, out []byte) (n int, ok bool) {
	if len(in) < 2 || in[0]&15 != 8 || in[0]>>4 > 7 || in[1]&0x20 != 0 || binary.BigEndian.Uint16(in)%31 != 0 {
		return 0, false
	}
	f.in, f.pos, f.bits, f.count = in, 2, 0, 0
	ok = true
	for last := false; ok && !last; {
		f.fill()
		last = f.take(1) == 1
		switch f.take(2) {
		case 0:
			n, ok = f.stored(out, n)
		case 1:
			n, ok = f.block(out, n, &fixedLit, &fixedDist)
		case 2:
			if ok = f.codes(); ok {
				n, ok = f.block(out, n, &f.lit, &f.dist)
			}
		default:
			ok = false
		}
	}
	return n, ok
}

// fill sees to 56 bits at least.
func (f *inflater) fill() {
	if f.pos+8 <= len(f.in) {
		f.bits |= binary.LittleEndian.Uint64(f.in[f.pos:]) << f.count
		f.pos += int(63-f.count) / 8
		f.count |= 56
		return
	}
	for ; f.count <= 56; f.count += 8 {
		if f.pos < len(f.in) {
			f.bits |= uint64(f.in[f.pos]) << f.count
		}
		f.pos++
	}
}

func (f *inflater) take(n uint) uint {
	v := uint(f.bits & (1<<n - 1))
	f.bits >>= n
	f.count -= n
	return v
}

// stored copies a block that is not compressed.
func (f *inflater) stored(out []byte, n int) (int, bool) {
	f.take(f.count % 8)
	at := f.pos - int(f.count/8)
	if at+4 > len(f.in) {
		return n, false
	}
	size, check := int(binary.LittleEndian.Uint16(f.in[at:])), binary.LittleEndian.Uint16(f.in[at+2:])
	at += 4
	if uint16(size) != ^check || at+size > len(f.in) || n+size > len(out) {
		return n, false
	}
	copy(out[n:], f.in[at:at+size])
	f.pos, f.bits, f.count = at+size, 0, 0
	return n + size, true
}

// codes reads the codes of a block: of few symbols, mostly, so that only those are looked at again.
func (f *inflater) codes() bool {
	f.fill()
	lits, dists, codes := int(f.take(5))+257, int(f.take(5))+1, int(f.take(4))+4
	if lits > maxLit || dists > maxDist || !f.lengthCode(codes) {
		return false
	}
	used, literals, ends := f.used[:0], 0, false
	bits, times, ok := noLength, 0, false
	for n := 0; n < lits+dists; {
		if bits, times, ok = f.length(bits); !ok || n+times > lits+dists {
			return false
		}
		if bits == 0 {
			n += times
			continue
		}
		for range times {
			ends = ends || n == endOfBlock
			if n < lits {
				used = append(used, codeLength{uint16(n), bits})
				literals++
			} else {
				used = append(used, codeLength{uint16(n - lits), bits})
			}
			n++
		}
	}
	return ends && f.lit.build(used[:literals]) && f.dist.build(used[literals:])
}

// lengthCode reads the code in which the lengths of codes are written, which needs that of literals for the time.
func (f *inflater) lengthCode(codes int) bool {
	var lengths [len(codeOrder)]uint8
	for _, symbol := range codeOrder[:codes] {
		if f.count < 3 {
			f.fill()
		}
		lengths[symbol] = uint8(f.take(3))
	}
	used := f.used[:0]
	for symbol, bits := range lengths {
		if bits > 0 {
			used = append(used, codeLength{uint16(symbol), bits})
		}
	}
	return f.lit.build(used)
}

// noLength is what the first length follows.
const noLength = uint8(255)

// length reads a length and how often it stands there, given the one before.
func (f *inflater) length(before uint8) (bits uint8, times int, ok bool) {
	if f.count < maxLength {
		f.fill()
	}
	e := f.lit.table[f.bits&f.lit.mask&(1<<tableBits-1)] // which decodes all of them
	f.take(uint(e & 15))
	switch symbol := e >> 4; symbol {
	case 16:
		return before, 3 + int(f.take(2)), before != noLength
	case 17:
		return 0, 3 + int(f.take(3)), true
	case 18:
		return 0, 11 + int(f.take(7)), true
	default:
		return uint8(symbol), 1, e != 0
	}
}

// symbol decodes one symbol, for which the bits must be there.
func (f *inflater) symbol(p *prefix) (uint, bool) {
	if e := p.table[f.bits&p.mask&(1<<tableBits-1)]; e != 0 {
		f.bits >>= e & 15
		f.count -= uint(e & 15)
		return uint(e >> 4), true
	}
	code, first, index := 0, 0, 0
	for n, b := 1, f.bits; n <= maxCode; n++ {
		code |= int(b & 1)
		b >>= 1
		count := int(p.counts[n])
		if code-first < count {
			f.take(uint(n))
			return uint(p.symbols[index+code-first]), true
		}
		index += count
		first = (first + count) << 1
		code <<= 1
	}
	return 0, false
}

// block unpacks a block, given its codes.
func (f *inflater) block(out []byte, n int, lit, dist *prefix) (int, bool) {
	for f.pos <= len(f.in)+8 { // what lies beyond are zeros, in which no stream ends
		f.fill()
		n = f.literals(out, n, lit)
		symbol, ok := f.symbol(lit)
		switch {
		case !ok || symbol < endOfBlock && n == len(out):
			return n, false
		case symbol == endOfBlock:
			return n, true
		case symbol < endOfBlock:
			out[n] = byte(symbol)
			n++
		default:
			if n, ok = f.repeat(out, n, symbol-endOfBlock-1, dist); !ok {
				return n, false
			}
		}
	}
	return n, false
}

// literals unpacks those that one look each decodes, and leaves the bits that one more symbol may take.
func (f *inflater) literals(out []byte, n int, lit *prefix) int {
	bits, count := f.bits, f.count
	for n < len(out) {
		e := lit.table[bits&lit.mask&(1<<tableBits-1)]
		size := uint(e & 15)
		if e == 0 || e >= endOfBlock<<4 || count < size+maxCode {
			break
		}
		out[n] = byte(e >> 4)
		n++
		bits >>= size
		count -= size
	}
	f.bits, f.count = bits, count
	return n
}

// repeat copies what was unpacked before.
func (f *inflater) repeat(out []byte, n int, length uint, dist *prefix) (int, bool) {
	if length >= uint(len(lengthBase)) {
		return n, false
	}
	if f.count < maxRepeat {
		f.fill()
	}
	size := int(lengthBase[length]) + int(f.take(uint(lengthExtra[length])))
	code, ok := f.symbol(dist)
	if !ok || code >= uint(len(distBase)) {
		return n, false
	}
	back := int(distBase[code]) + int(f.take(uint(distExtra[code])))
	if back > n || n+size > len(out) {
		return n, false
	}
	if back >= size {
		copy(out[n:n+size], out[n-back:])
		return n + size, true
	}
	for range size {
		out[n] = out[n-back]
		n++
	}
	return n, true
}
