package gitrepo

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/bits"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"sync"

	"github.com/go-git/go-git/v5/plumbing"
)

// Layout of a pack index, version 2: magic and version, 256 running counts, ids in order, checksums,
// offsets, long offsets, two trailing hashes.
const (
	indexMagic = "\xfftOc\x00\x00\x00\x02"
	indexHead  = len(indexMagic) + 256*4
	idSize     = len(plumbing.Hash{})
	trailer    = 2 * idSize
)

// pack is an open pack with its index in memory.
type pack struct {
	index  string // file name of the index; the pack's own but for the suffix
	file   *os.File
	size   int64
	count  int
	ids    []byte   // count ids, ascending
	offs   []byte   // count 32-bit offsets, in the order of ids
	longs  []byte   // 64-bit offsets, for those whose high bit is set
	starts []uint32 // see divide
	shift  int

	early map[plumbing.Hash]int64 // in place of an index, while a pack is being received

	order  sync.Once
	sorted []int64 // see places
}

// openPack opens a pack by the name of its index.
func openPack(index string) (*pack, error) {
	data, err := os.ReadFile(index)
	if err != nil {
		return nil, err
	}
	p := &pack{index: index}
	if err := p.parseIndex(data); err != nil {
		return nil, fmt.Errorf("pack index %s: %w", filepath.Base(index), err)
	}
	if p.file, err = os.Open(p.packName()); err != nil {
		return nil, err
	}
	fi, err := p.file.Stat()
	if err != nil {
		p.file.Close()
		return nil, err
	}
	p.size = fi.Size()
	return p, nil
}

func (p *pack) packName() string { return strings.TrimSuffix(p.index, ".idx") + ".pack" }

func (p *pack) parseIndex(data []byte) error {
	if len(data) < indexHead+trailer || string(data[:len(indexMagic)]) != indexMagic {
		return fmt.Errorf("it is not of version 2; run `git repack -ad`")
	}
	last := uint32(0)
	for i := range 256 {
		n := binary.BigEndian.Uint32(data[len(indexMagic)+4*i:])
		if n < last {
			return fmt.Errorf("its counts go down; it is damaged")
		}
		last = n
	}
	p.count = int(last)
	rest := data[indexHead : len(data)-trailer]
	if len(rest) < p.count*(idSize+8) {
		return fmt.Errorf("it is cut short")
	}
	// The checksums, a seventh of it, are not kept in memory.
	p.ids, rest = bytes.Clone(rest[:p.count*idSize]), rest[p.count*(idSize+4):]
	p.offs, p.longs = bytes.Clone(rest[:p.count*4]), bytes.Clone(rest[p.count*4:])
	p.divide()
	return nil
}

func (p *pack) id(i int) plumbing.Hash {
	return plumbing.Hash(p.ids[i*idSize : (i+1)*idSize])
}

// find looks an id up in the index.
func (p *pack) find(id plumbing.Hash) (offset int64, ok bool) {
	if p.early != nil {
		offset, ok = p.early[id]
		return offset, ok
	}
	at := p.part(id)
	lo, hi := int(p.starts[at]), int(p.starts[at+1])
	for lo < hi {
		i := (lo + hi) / 2
		switch c := bytes.Compare(p.ids[i*idSize:(i+1)*idSize], id[:]); {
		case c == 0:
			return p.offset(i)
		case c < 0:
			lo = i + 1
		default:
			hi = i
		}
	}
	return 0, false
}

// idsInPart is how many ids share a beginning that starts tells apart, on average: they lie in one or two lines of a
// processor's cache, while the index's own table leaves hundreds to search. Where somebody made ids otherwise, halving
// bounds the search.
const idsInPart = 4

// part numbers the ids by how they begin, in their order.
func (p *pack) part(id plumbing.Hash) int {
	return int(binary.BigEndian.Uint32(id[:]) >> p.shift)
}

// divide notes where in the order of ids each part starts.
func (p *pack) divide() {
	parts := bits.Len(uint(p.count / idsInPart))
	p.shift = 32 - min(parts, 24)
	p.starts = make([]uint32, 1<<(32-p.shift)+1)
	next := 0
	for i := range p.count {
		for at := p.part(p.id(i)); next <= at; next++ {
			p.starts[next] = uint32(i)
		}
	}
	for ; next < len(p.starts); next++ {
		p.starts[next] = uint32(p.count)
	}
}

// offset gives the place of the i-th id; false if the index points nowhere.
func (p *pack) offset(i int) (int64, bool) {
	off := int64(binary.BigEndian.Uint32(p.offs[4*i:]))
	if off >= 1<<31 {
		at := 8 * (off - 1<<31)
		if at+8 > int64(len(p.longs)) {
			return 0, false
		}
		off = int64(binary.BigEndian.Uint64(p.longs[at:]))
	}
	return off, off > 0
}

// places lists all offsets in order, and at last where the pack's trailing hash begins.
func (p *pack) places() []int64 {
	p.order.Do(func() {
		p.sorted = make([]int64, 0, p.count+1)
		for i := range p.count {
			off, _ := p.offset(i)
			p.sorted = append(p.sorted, off)
		}
		p.sorted = append(p.sorted, p.size-int64(idSize))
		slices.Sort(p.sorted)
	})
	return p.sorted
}

// end is where the entry at offset ends: where the next begins.
func (p *pack) end(offset int64) int64 {
	i, ok := slices.BinarySearch(p.places(), offset)
	if !ok || i+1 >= len(p.sorted) {
		return offset
	}
	return p.sorted[i+1]
}

// withPrefix calls found for each id that begins with the hexadecimal prefix.
func (p *pack) withPrefix(prefix string, found func(plumbing.Hash)) {
	i := sort.Search(p.count, func(i int) bool { return p.id(i).String() >= prefix })
	for ; i < p.count && strings.HasPrefix(p.id(i).String(), prefix); i++ {
		found(p.id(i))
	}
}
