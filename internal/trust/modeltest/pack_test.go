package modeltest

import (
	"bytes"
	"cmp"
	"compress/zlib"
	"crypto/sha1"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/llm-config-manager/lcm/internal/gitrepo"
	"github.com/llm-config-manager/lcm/internal/lcm"
)

// pack collects the objects of many histories, and writes them as one pack with its index (gitformat-pack):
// object by object, as files, takes ten times as long.
type pack struct {
	data    bytes.Buffer
	entries map[id]entry
	deflate *zlib.Writer
}

type id [sha1.Size]byte

type entry struct{ offset, crc uint32 }

// The kinds of objects, by their numbers in a pack.
var kinds = map[string]byte{"commit": 1, "tree": 2, "blob": 3}

func newPack() *pack {
	deflate, err := zlib.NewWriterLevel(nil, zlib.NoCompression)
	if err != nil {
		panic(err)
	}
	return &pack{entries: map[id]entry{}, deflate: deflate}
}

// add puts an object into the pack, once.
func (p *pack) add(kind string, content []byte) id {
	object := sha1.Sum(append(fmt.Appendf(nil, "%s %d\x00", kind, len(content)), content...))
	if _, there := p.entries[object]; there {
		return object
	}
	start := p.data.Len()
	size, b := len(content)>>4, kinds[kind]<<4|byte(len(content)&15)
	for ; size > 0; size >>= 7 {
		p.data.WriteByte(b | 0x80)
		b = byte(size & 127)
	}
	p.data.WriteByte(b)
	p.deflate.Reset(&p.data)
	_, _ = p.deflate.Write(content) // a buffer takes everything
	_ = p.deflate.Close()
	p.entries[object] = entry{uint32(start) + packHeader, crc32.ChecksumIEEE(p.data.Bytes()[start:])}
	return object
}

const packHeader = 12

// write writes the pack and its index, version 2, into a repository.
func (p *pack) write(repository string) error {
	data := binary.BigEndian.AppendUint32([]byte("PACK\x00\x00\x00\x02"), uint32(len(p.entries)))
	data = append(data, p.data.Bytes()...)
	sum := sha1.Sum(data)
	base := filepath.Join(repository, "objects", "pack", fmt.Sprintf("pack-%x", sum))
	if err := os.MkdirAll(filepath.Dir(base), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(base+".pack", append(data, sum[:]...), 0o644); err != nil {
		return err
	}
	return os.WriteFile(base+".idx", p.index(sum), 0o644)
}

func (p *pack) index(sum id) []byte {
	var ids []id
	for object := range p.entries {
		ids = append(ids, object)
	}
	slices.SortFunc(ids, func(a, b id) int { return bytes.Compare(a[:], b[:]) })
	out := []byte("\xfftOc\x00\x00\x00\x02")
	for first := range 256 {
		n, _ := slices.BinarySearchFunc(ids, first+1, func(object id, next int) int { return cmp.Compare(int(object[0]), next) })
		out = binary.BigEndian.AppendUint32(out, uint32(n))
	}
	var sums, offsets []byte
	for _, object := range ids {
		out = append(out, object[:]...)
		sums = binary.BigEndian.AppendUint32(sums, p.entries[object].crc)
		offsets = binary.BigEndian.AppendUint32(offsets, p.entries[object].offset)
	}
	out = slices.Concat(out, sums, offsets, sum[:])
	own := sha1.Sum(out)
	return append(out, own[:]...)
}

// tree adds the tree of some files, whose paths all begin with dir, and those below it.
func (p *pack) tree(files tree, paths []string, dir string) id {
	var out []byte
	for len(paths) > 0 {
		name, _, folder := strings.Cut(strings.TrimPrefix(paths[0], dir), "/")
		if !folder {
			mode, f := gitrepo.ModeFile, files[paths[0]]
			if f.means == (link{}) {
				mode = gitrepo.ModeSymlink
			}
			blob := p.add("blob", []byte(f.text))
			out, paths = append(fmt.Appendf(out, "%o %s\x00", mode, name), blob[:]...), paths[1:]
			continue
		}
		within := 0
		for within < len(paths) && strings.HasPrefix(paths[within], dir+name+"/") {
			within++
		}
		below := p.tree(files, paths[:within], dir+name+"/")
		out, paths = append(fmt.Appendf(out, "%o %s\x00", gitrepo.ModeFolder, name), below[:]...), paths[within:]
	}
	return p.add("tree", out)
}

// commit adds a commit of a tree, signed if need be.
func (p *pack) commit(root id, parents []lcm.Revision, sign gitrepo.Signer, message string) (lcm.Revision, error) {
	head := fmt.Appendf(nil, "tree %x\n", root)
	for _, parent := range parents {
		head = fmt.Appendf(head, "parent %s\n", parent)
	}
	for _, role := range []string{"author", "committer"} {
		head = fmt.Appendf(head, "%s Somebody <somebody@example.org> %d +0000\n", role, epoch.Unix())
	}
	body := "\n" + message
	if sign != nil {
		armored, err := sign(append(slices.Clone(head), body...))
		if err != nil {
			return "", err
		}
		head = fmt.Appendf(head, "gpgsig %s\n", strings.ReplaceAll(strings.TrimSuffix(string(armored), "\n"), "\n", "\n "))
	}
	return lcm.Revision(fmt.Sprintf("%x", p.add("commit", append(head, body...)))), nil
}
