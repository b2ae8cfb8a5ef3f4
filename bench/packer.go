package main

import (
	"bufio"
	"compress/zlib"
	"crypto/sha1"
	"encoding/binary"
	"fmt"
	"hash"
	"io"
	"os"
)

// Types of objects in a pack (gitformat-pack(5)).
const (
	commitObject = 1
	treeObject   = 2
	blobObject   = 3
)

var objectNames = map[byte]string{commitObject: "commit", treeObject: "tree", blobObject: "blob"}

// packer writes objects into a pack as they are made, each once: a hundred times faster than files.
type packer struct {
	file  *os.File
	w     *bufio.Writer
	zlib  *zlib.Writer
	seen  map[[sha1.Size]byte]bool
	count uint32
}

const packHead = "PACK\x00\x00\x00\x02"

func newPacker(name string) (*packer, error) {
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return nil, err
	}
	p := &packer{file: f, w: bufio.NewWriterSize(f, 1<<20), seen: map[[sha1.Size]byte]bool{}}
	if p.zlib, err = zlib.NewWriterLevel(nil, zlib.BestSpeed); err != nil {
		return nil, err
	}
	_, err = p.w.WriteString(packHead + "\x00\x00\x00\x00") // the count comes at the end
	return p, err
}

// object adds an object and returns its id.
func (p *packer) object(t byte, data []byte) (id [sha1.Size]byte, err error) {
	h := sha1.New()
	fmt.Fprintf(h, "%s %d\x00", objectNames[t], len(data))
	h.Write(data)
	h.Sum(id[:0])
	if p.seen[id] {
		return id, nil
	}
	p.seen[id] = true
	p.count++
	size := len(data)
	c := t<<4 | byte(size&15)
	for size >>= 4; size > 0; size >>= 7 {
		p.w.WriteByte(c | 0x80)
		c = byte(size & 0x7f)
	}
	p.w.WriteByte(c)
	p.zlib.Reset(p.w)
	if _, err := p.zlib.Write(data); err != nil {
		return id, err
	}
	return id, p.zlib.Close()
}

// close writes the number of objects into the head and the hash of all at the end.
func (p *packer) close() error {
	defer p.file.Close()
	if err := p.w.Flush(); err != nil {
		return err
	}
	if _, err := p.file.WriteAt(binary.BigEndian.AppendUint32(nil, p.count), int64(len(packHead))); err != nil {
		return err
	}
	sum, err := p.sum()
	if err != nil {
		return err
	}
	if _, err := p.file.Write(sum.Sum(nil)); err != nil {
		return err
	}
	return p.file.Close()
}

func (p *packer) sum() (hash.Hash, error) {
	if _, err := p.file.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	h := sha1.New()
	_, err := io.Copy(h, p.file)
	return h, err
}
