package gitrepo

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
)

// index is what Git noted when it last looked at the files of a work tree: what each held, and by which
// marks to see that it still does (gitformat-index). It is only ever believed of a file whose marks are
// the same, so that an index that is old, or says less than it could, costs time and no more.
type index struct {
	folders map[string][]indexed // by path, "" being the root; files in the order of their names
	written time.Time
}

// indexed is one file. Times and size are as Git cuts them to 32 bits.
type indexed struct {
	name         string
	mode         uint32
	id           plumbing.Hash
	mtime, ctime stamp
	inode, size  uint32
}

type stamp struct{ sec, nsec uint32 }

const (
	indexHeader   = 12
	indexFixed    = 62 // an entry without its name
	indexExtended = 0x4000
	indexStage    = 0x3000
)

// maxIndexEntry bounds the bytes of an index by its entries.
const maxIndexEntry = 512

var errIndex = errors.New("the index of the work tree cannot be read: run git status, or remove it")

// readIndex reads an index of version 2, 3 or 4. Without one, nothing is known of any file.
func readIndex(file string, limits Limits) (*index, error) {
	x := &index{folders: map[string][]indexed{}}
	f, err := os.Open(file)
	if errors.Is(err, os.ErrNotExist) {
		return x, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if most := int64(limits.MaxTreeEntries) * maxIndexEntry; info.Size() > most {
		return nil, &LimitError{What: "the index of the work tree", Limit: most, Unit: "bytes"}
	}
	data := make([]byte, info.Size())
	if _, err := io.ReadFull(f, data); err != nil {
		return nil, err
	}
	x.written = info.ModTime()
	if err := x.parse(data, limits); err != nil {
		return nil, err
	}
	return x, nil
}

func (x *index) parse(data []byte, limits Limits) error {
	if len(data) < indexHeader+idSize || string(data[:4]) != "DIRC" {
		return errIndex
	}
	version, count := binary.BigEndian.Uint32(data[4:]), binary.BigEndian.Uint32(data[8:])
	switch {
	case version < 2 || version > 4:
		return fmt.Errorf("the index of the work tree has version %d: run git update-index --index-version 4", version)
	case int64(count) > int64(limits.MaxTreeEntries):
		return &LimitError{What: "the index of the work tree", Limit: int64(limits.MaxTreeEntries), Unit: "entries"}
	}
	p := indexParser{data: data[:len(data)-idSize], text: string(data), pos: indexHeader, version: version}
	all := make([]indexed, 0, min(int(count), len(data)/indexFixed)) // of which each folder has a part, most of them in one piece
	folder, begin := "", 0
	done := func() {
		if part := all[begin:len(all):len(all)]; len(part) > 0 {
			if x.folders[folder] == nil {
				x.folders[folder] = part
			} else {
				x.folders[folder] = append(x.folders[folder], part...)
			}
		}
		begin = len(all)
	}
	for range count {
		path, e, stage, err := p.next()
		if err != nil {
			return err
		}
		if path == "" || stage != 0 {
			continue
		}
		i := strings.LastIndexByte(path, '/')
		if in := path[:max(i, 0)]; in != folder {
			done()
			folder = in
		}
		e.name = path[i+1:]
		all = append(all, e)
	}
	done()
	return nil
}

type indexParser struct {
	data    []byte
	text    string // names are cut from one copy
	pos     int
	version uint32
	last    string // the path before, on which version 4 builds
}

func (p *indexParser) next() (path string, e indexed, stage uint16, err error) {
	b := p.data[min(p.pos, len(p.data)):]
	if len(b) < indexFixed {
		return "", e, 0, errIndex
	}
	u32 := func(at int) uint32 { return binary.BigEndian.Uint32(b[at:]) }
	e = indexed{ctime: stamp{u32(0), u32(4)}, mtime: stamp{u32(8), u32(12)}, inode: u32(20), mode: u32(24), size: u32(36), id: plumbing.Hash(b[40:60])}
	flags, start := binary.BigEndian.Uint16(b[60:]), p.pos
	p.pos += indexFixed
	if flags&indexExtended != 0 {
		p.pos += 2
	}
	path, err = p.path(start)
	return path, e, flags & indexStage, err
}

// path reads the name of the entry that begins at start.
func (p *indexParser) path(start int) (string, error) {
	keep := ""
	if p.version == 4 {
		strip, ok := p.varint()
		if !ok || strip > len(p.last) {
			return "", errIndex
		}
		keep = p.last[:len(p.last)-strip]
	}
	if p.pos > len(p.data) {
		return "", errIndex
	}
	n := strings.IndexByte(p.text[p.pos:len(p.data)], 0)
	if n < 0 || n > maxIndexEntry*8 {
		return "", errIndex
	}
	path := p.text[p.pos : p.pos+n]
	if p.pos += n + 1; p.version < 4 { // padded to a multiple of eight bytes
		p.pos = start + (p.pos-start+7)&^7
		return path, nil
	}
	p.last = keep + path
	return p.last, nil
}

// varint reads the number that Git also uses for the offsets of deltas.
func (p *indexParser) varint() (int, bool) {
	n := 0
	for i := 0; i < 4 && p.pos < len(p.data); i++ {
		c := p.data[p.pos]
		p.pos++
		n = n<<7 | int(c&0x7f)
		if c&0x80 == 0 {
			return n, true
		}
		n++
	}
	return 0, false
}

var emptyBlob = plumbing.NewHash("e69de29bb2d1d6434b8b29ae775ad8c2e48c5391")

// knows reports whether a file is as it was when Git looked at it. One written when the index was, or
// later, may have changed again without showing it.
func (x *index) knows(e indexed, m marks) bool {
	switch mtime := m.mtime; {
	case e.mode != m.mode || e.size != uint32(m.size) || e.size == 0 && e.id != emptyBlob:
		return false
	case e.mtime != stampOf(mtime, e.mtime) || m.deep && (e.inode != m.inode || e.ctime.sec != m.ctime.sec || e.ctime.nsec != 0 && e.ctime.nsec != m.ctime.nsec):
		return false
	case e.mtime.nsec == 0: // written by a Git that knows seconds alone
		return mtime.Unix() < x.written.Unix()
	default:
		return mtime.Before(x.written)
	}
}

// marks are by what a change of a file shows without reading it.
type marks struct {
	mode  uint32 // Git's
	size  int64
	mtime time.Time
	ctime stamp
	inode uint32
	deep  bool // ctime and inode are known, which are hard to make alike
}

// found is an entry of a folder.
type found struct {
	name  string
	kind  fs.FileMode
	err   error // why there are no marks
	marks       // none of a folder
}

func sorted(all []found) []found {
	slices.SortFunc(all, func(a, b found) int { return strings.Compare(a.name, b.name) })
	return all
}

// writtenMode is how Git writes the mode of a file. What Git knows not counts as a submodule: no file either.
func writtenMode(mode fs.FileMode) uint32 {
	switch {
	case mode.IsDir():
		return ModeFolder
	case mode.Type() == fs.ModeSymlink:
		return ModeSymlink
	case !mode.IsRegular():
		return ModeSubmodule
	case mode&0o111 != 0:
		return ModeExecutable
	}
	return ModeFile
}

// stampOf is a time as precise as another.
func stampOf(t time.Time, like stamp) stamp {
	s := stamp{uint32(t.Unix()), uint32(t.Nanosecond())}
	if like.nsec == 0 {
		s.nsec = 0
	}
	return s
}
