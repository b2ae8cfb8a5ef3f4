package gitrepo

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"
	"unsafe"

	"github.com/go-git/go-git/v5/plumbing"
)

// index is what Git noted when it last looked at the files of a work tree: what each held, and by which
// marks to see that it still does (gitformat-index). It is only ever believed of a file whose marks are
// the same, so that an index that is old, or says less than it could, costs time and no more.
type index struct {
	root    *indexFolder // nil: nothing is known
	written time.Time
	device  uint64 // on which it is; 0: not known
}

// indexFolder is what the index has of one folder; a nil one has nothing.
type indexFolder struct {
	name    string
	files   []indexed      // in the order of their names
	folders []*indexFolder // in Git's order
}

// indexed is one file. All but its name is read when it is asked for, by many at a time.
type indexed struct {
	name string
	line *[indexFixed]byte
}

// Times and size are as Git cuts them to 32 bits.
func (e indexed) u32(at int) uint32 { return binary.BigEndian.Uint32(e.line[at:]) }
func (e indexed) ctime() stamp      { return stamp{e.u32(0), e.u32(4)} }
func (e indexed) mtime() stamp      { return stamp{e.u32(8), e.u32(12)} }
func (e indexed) inode() uint32     { return e.u32(20) }
func (e indexed) mode() uint32      { return e.u32(24) }
func (e indexed) size() uint32      { return e.u32(36) }
func (e indexed) id() plumbing.Hash { return plumbing.Hash(e.line[40:60]) }
func (e indexed) flags() uint16     { return binary.BigEndian.Uint16(e.line[60:]) }

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
	x := &index{root: &indexFolder{}}
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
	data, err := contentOf(f, info.Size())
	if err != nil {
		return nil, err
	}
	x.written, x.device = info.ModTime(), deviceOf(info)
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
	data = data[:len(data)-idSize]
	p := indexParser{data: data, text: unsafe.String(unsafe.SliceData(data), len(data)), pos: indexHeader, version: version}
	all := make([]indexed, 0, min(int(count), len(data)/indexFixed)) // of which each folder has a part, most of them in one piece
	folder, in, begin, folders := x.root, "", 0, 0
	done := func() {
		if part := all[begin:len(all):len(all)]; folder.files == nil {
			folder.files = part
		} else {
			folder.files = append(folder.files, part...)
		}
		begin = len(all)
	}
	for range count {
		path, line, err := p.next()
		if err != nil {
			return err
		}
		i := strings.LastIndexByte(path, '/')
		e := indexed{path[i+1:], line}
		if path == "" || e.flags()&indexStage != 0 {
			continue
		}
		if path[:max(i, 0)] != in {
			done()
			in = path[:max(i, 0)]
			folder = x.root.enter(in)
			if folders++; folders > limits.MaxTreeEntries {
				return limits.tooMany()
			}
		}
		all = append(all, e)
	}
	done()
	return nil
}

// enter finds the folder at a path, or adds it. In an index all that is below a folder comes together.
func (f *indexFolder) enter(path string) *indexFolder {
	for path != "" {
		var name string
		name, path, _ = strings.Cut(path, "/")
		if n := len(f.folders); n == 0 || f.folders[n-1].name != name {
			f.folders = append(f.folders, &indexFolder{name: name})
		}
		f = f.folders[len(f.folders)-1]
	}
	return f
}

// at finds the folder at a path; nil if there is none.
func (f *indexFolder) at(path string) *indexFolder {
	for path != "" && path != "." && f != nil {
		var name string
		name, path, _ = strings.Cut(path, "/")
		f = f.folder(name)
	}
	return f
}

// folder finds a folder by name; nil if there is none.
func (f *indexFolder) folder(name string) *indexFolder {
	if f == nil {
		return nil
	}
	i, ok := slices.BinarySearchFunc(f.folders, name, func(e *indexFolder, name string) int {
		return compareEntries(treeEntry{name: e.name, mode: ModeFolder}, treeEntry{name: name, mode: ModeFolder})
	})
	if !ok {
		return nil
	}
	return f.folders[i]
}

// list lists a folder as if it held no more than the index says, by name, in place of what all held.
func (f *indexFolder) list(all []found) []found {
	all = all[:0]
	if f == nil {
		return all
	}
	for _, e := range f.files {
		all = append(all, found{name: e.name, kind: fs.ModeIrregular})
	}
	for _, e := range f.folders {
		all = append(all, found{name: e.name, kind: fs.ModeDir | 0o755})
	}
	if len(f.folders) > 0 {
		sortFound(all)
	}
	return all
}

// indexParser goes over the entries. What it read is never changed, so that names are cut from it as it lies.
type indexParser struct {
	data    []byte
	text    string // the same
	pos     int
	version uint32
	last    string // the path before, on which version 4 builds
}

func (p *indexParser) next() (path string, line *[indexFixed]byte, err error) {
	b := p.data[min(p.pos, len(p.data)):]
	if len(b) < indexFixed {
		return "", nil, errIndex
	}
	line, start := (*[indexFixed]byte)(b), p.pos
	p.pos += indexFixed
	if (indexed{line: line}).flags()&indexExtended != 0 {
		p.pos += 2
	}
	path, err = p.path(start)
	return path, line, err
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
	was, made, size := e.mtime(), e.ctime(), e.size()
	switch {
	case e.mode() != m.mode || size != uint32(m.size) || size == 0 && e.id() != emptyBlob:
		return false
	case was != stampOf(m.mtime, was) || m.deep && (e.inode() != m.inode || made.sec != m.ctime.sec || made.nsec != 0 && made.nsec != m.ctime.nsec):
		return false
	case was.nsec == 0: // written by a Git that knows seconds alone
		return m.mtime.Unix() < x.written.Unix()
	default:
		return m.mtime.Before(x.written)
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

func sortFound(all []found) {
	slices.SortFunc(all, func(a, b found) int { return strings.Compare(a.name, b.name) })
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
