package gitrepo

import (
	"cmp"
	"errors"
	"fmt"
	"iter"
	"slices"
	"sort"
	"strings"
	"unicode"
	"unicode/utf8"
	"unsafe"

	"github.com/go-git/go-git/v5/plumbing"
)

// The modes that Git gives to the entries of a tree.
const (
	ModeFolder     uint32 = 0o040000
	ModeFile       uint32 = 0o100644
	ModeExecutable uint32 = 0o100755
	ModeSymlink    uint32 = 0o120000
	ModeSubmodule  uint32 = 0o160000
)

// treeEntry is one line of a tree object.
type treeEntry struct {
	name string
	mode uint32
	id   plumbing.Hash
}

func (e treeEntry) folder() bool { return e.mode == ModeFolder }

// compareEntries orders entries as Git does, which is the order of whole paths: the name of a folder
// counts with a slash at its end.
func compareEntries(a, b treeEntry) int {
	n := min(len(a.name), len(b.name))
	if c := strings.Compare(a.name[:n], b.name[:n]); c != 0 {
		return c
	}
	return cmp.Compare(a.after(n), b.after(n))
}

// after is the byte that follows the first n of the entry's name in a path.
func (e treeEntry) after(n int) int {
	if n < len(e.name) {
		return int(e.name[n])
	}
	if e.folder() {
		return '/'
	}
	return -1
}

// treeObject is a tree that is in form: its bytes, and where each entry stands in them, in Git's order. Entries
// are cut from them when asked for: most never are, and what holds no pointers costs the garbage collector nothing.
type treeObject struct {
	text  string
	lines []entryLine
}

// sameLines reports whether two trees are known to have the same entries, but for their ids.
func (t *treeObject) sameLines(o *treeObject) bool {
	return len(t.lines) > 0 && len(t.lines) == len(o.lines) && &t.lines[0] == &o.lines[0]
}

// idAt is the id of an entry.
func (t *treeObject) idAt(i int) string {
	at := int(t.lines[i].name) + int(t.lines[i].size) + 1
	return t.text[at : at+idSize]
}

// entryLine tells where an entry's name begins; its id follows after a NUL.
type entryLine struct {
	name uint32
	size uint16 // of the name
	mode uint8  // of modes
}

// at cuts out an entry.
func (t *treeObject) at(i int) treeEntry {
	l := t.lines[i]
	end := int(l.name) + int(l.size)
	e := treeEntry{name: t.text[l.name:end], mode: modes[l.mode].mode}
	copy(e.id[:], t.text[end+1:])
	return e
}

// all yields every entry.
func (t *treeObject) all() iter.Seq[treeEntry] {
	return func(yield func(treeEntry) bool) {
		for i := range t.lines {
			if !yield(t.at(i)) {
				return
			}
		}
	}
}

// name is that of an entry.
func (t *treeObject) name(i int) string {
	l := t.lines[i]
	return t.text[l.name : int(l.name)+int(l.size)]
}

// few entries are looked through faster than searched.
const few = 32

// child finds an entry by name.
func (t *treeObject) child(name string) (treeEntry, bool) {
	if len(t.lines) <= few {
		for i := range t.lines {
			if t.name(i) == name {
				return t.at(i), true
			}
		}
		return treeEntry{}, false
	}
	for _, mode := range [...]uint32{ModeFile, ModeFolder} {
		if i, ok := t.search(treeEntry{name: name, mode: mode}); ok {
			return t.at(i), true
		}
	}
	return treeEntry{}, false
}

// search finds an entry by its place in the order, which is that of the name and of being a folder.
func (t *treeObject) search(e treeEntry) (int, bool) {
	return sort.Find(len(t.lines), func(i int) int { return compareEntries(e, t.at(i)) })
}

// tree reads and parses a tree object, strictly.
func (r *Repo) tree(id plumbing.Hash) (*treeObject, error) { return r.treeLike(id, nil) }

// treeLike is tree for one that is likely to have the same entries as another, of other ids.
func (r *Repo) treeLike(id plumbing.Hash, like *treeObject) (*treeObject, error) {
	if t, ok := r.trees.get(id); ok {
		return t, nil
	}
	raw, err := r.objects.read(id, plumbing.TreeObject)
	if err != nil {
		return nil, err
	}
	t := like.with(raw)
	if t == nil {
		t, err = parseTree(raw, r.limits.folderEntries())
	}
	if err != nil {
		if errors.Is(err, errTooMany) {
			return nil, &LimitError{What: "the tree " + id.String(), Limit: int64(r.limits.folderEntries()), Unit: "entries"}
		}
		return nil, &MalformedError{Object: id.String(), Kind: "tree", Reason: err.Error()}
	}
	r.trees.put(id, t, len(raw)+len(t.lines)*8+cacheEntry)
	return t, nil
}

// with is the tree of these bytes if they differ from t's in ids alone, or else nil: what was found of the form of
// t's entries is true of them, too.
func (t *treeObject) with(raw []byte) *treeObject {
	if t == nil || len(t.lines) == 0 || len(raw) != len(t.text) {
		return nil
	}
	text, pos := unsafe.String(unsafe.SliceData(raw), len(raw)), 0
	for _, l := range t.lines {
		id := int(l.name) + int(l.size) + 1
		if text[pos:id] != t.text[pos:id] {
			return nil
		}
		pos = id + idSize
	}
	return &treeObject{text: text, lines: t.lines}
}

var errTooMany = errors.New("too many entries")

// parseTree parses `<mode> <name>\0<20 bytes of id>`…. What Git would not write is refused, and so are
// names that could not be told apart, or could do harm, on somebody's disk or terminal.
func parseTree(raw []byte, most int) (*treeObject, error) {
	// What was read is never changed, so that it can be a string as it lies; in with, too.
	t := &treeObject{text: unsafe.String(unsafe.SliceData(raw), len(raw)), lines: make([]entryLine, 0, min(len(raw)/32+1, most))}
	var before treeEntry
	for pos := 0; pos < len(t.text); {
		if len(t.lines) == most {
			return nil, errTooMany
		}
		nul := strings.IndexByte(t.text[pos:], 0)
		if nul < 0 || len(t.text) < pos+nul+1+idSize {
			return nil, errors.New("it is cut short")
		}
		digits, name, _ := strings.Cut(t.text[pos:pos+nul], " ")
		mode := slices.IndexFunc(modes[:], func(m gitMode) bool { return m.digits == digits })
		if mode < 0 {
			return nil, fmt.Errorf("%.40q has the mode %.10q, which Git does not use", name, digits)
		}
		if err := checkName(name); err != nil {
			return nil, err
		}
		e := treeEntry{name: name, mode: modes[mode].mode}
		if pos > 0 && compareEntries(before, e) >= 0 {
			return nil, fmt.Errorf("%.40q is not in order, or there twice", name)
		}
		if e.folder() && t.hasFile(name) {
			return nil, fmt.Errorf("%.40q is a file and a folder", name)
		}
		t.lines = append(t.lines, entryLine{uint32(pos + len(digits) + 1), uint16(len(name)), uint8(mode)})
		before, pos = e, pos+nul+1+idSize
	}
	return t, nil
}

// hasFile reports whether there is an entry of the name that is not a folder. In Git's order it can be
// far before the folder: a, a.b, a/.
func (t *treeObject) hasFile(name string) bool {
	_, ok := t.search(treeEntry{name: name, mode: ModeFile})
	return ok
}

type gitMode struct {
	digits string
	mode   uint32
}

var modes = [...]gitMode{{"40000", ModeFolder}, {"100644", ModeFile}, {"100755", ModeExecutable}, {"120000", ModeSymlink}, {"160000", ModeSubmodule}}

// maxName is the longest name that the file systems of the day have; what is longer can't be checked out.
const maxName = 1 << 12

// checkName accepts what may name a file or folder, on any system that somebody may check it out on.
func checkName(name string) error {
	if isSimple(name) {
		return nil
	}
	if len(name) > maxName {
		return fmt.Errorf("the name %.40q… has more than %d bytes", name, maxName)
	}
	if strings.Contains(name, "/") {
		return fmt.Errorf("the name %.40q holds a slash", name)
	}
	if !utf8.ValidString(name) || !plain(name) || strings.ContainsFunc(name, turnsText) {
		return fmt.Errorf("the name %.40q holds control characters or is not UTF-8; rename it", name)
	}
	for part := range strings.SplitSeq(name, `\`) { // which separates folders on Windows
		switch {
		case part == "." || part == ".." || part == "" && name == "":
			return fmt.Errorf("an entry is named %q", name)
		case isDotGit(part):
			return fmt.Errorf("an entry is named %q, which is Git's own on some systems", name)
		}
	}
	return nil
}

// isSimple reports whether a name is one that needs no further look: small letters, digits, hyphens, and inner
// dots and underscores. None of these is Git's own.
func isSimple(name string) bool {
	if name == "" || name[0] == '.' || len(name) > 255 {
		return false
	}
	for i := range len(name) {
		if c := name[i]; !('a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '-' || c == '.' || c == '_') {
			return false
		}
	}
	return true
}

// turnsText reports whether a character changes the direction of the text after it, so that a name is not
// what it looks like.
func turnsText(r rune) bool {
	return r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069
}

// isDotGit reports whether some file system takes the name for .git: whoever checks such a commit out would
// have its configuration, and its programs, from the commit. Git refuses the same (path.c, utf8.c).
func isDotGit(name string) bool {
	if !strings.ContainsAny(name, "gG") {
		return false
	}
	visible := strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Cf, r) { // HFS+ ignores such characters
			return -1
		}
		return r
	}, name)
	visible, _, _ = strings.Cut(visible, ":")  // NTFS: the name of a stream
	visible = strings.TrimRight(visible, " .") // NTFS ignores these
	return strings.EqualFold(visible, ".git") || strings.EqualFold(visible, "git~1")
}
