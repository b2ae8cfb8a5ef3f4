package gitrepo

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

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

// treeObject is a parsed tree, its entries in Git's order.
type treeObject struct{ entries []treeEntry }

// child finds an entry by name.
func (t *treeObject) child(name string) (treeEntry, bool) {
	for _, mode := range [...]uint32{ModeFile, ModeFolder} {
		i, ok := slices.BinarySearchFunc(t.entries, treeEntry{name: name, mode: mode}, compareEntries)
		if ok {
			return t.entries[i], true
		}
	}
	return treeEntry{}, false
}

// tree reads and parses a tree object, strictly.
func (r *Repo) tree(id plumbing.Hash) (*treeObject, error) {
	if t, ok := r.trees.get(id); ok {
		return t, nil
	}
	raw, err := r.objects.read(id, plumbing.TreeObject)
	if err != nil {
		return nil, err
	}
	entries, err := parseTree(raw, r.limits.folderEntries())
	if err != nil {
		if errors.Is(err, errTooMany) {
			return nil, &LimitError{What: "the tree " + id.String(), Limit: int64(r.limits.folderEntries()), Unit: "entries"}
		}
		return nil, &MalformedError{Object: id.String(), Kind: "tree", Reason: err.Error()}
	}
	t := &treeObject{entries}
	r.trees.put(id, t, len(raw)+len(entries)*48+cacheEntry)
	return t, nil
}

var errTooMany = errors.New("too many entries")

// parseTree parses `<mode> <name>\0<20 bytes of id>`…. What Git would not write is refused, and so are
// names that could not be told apart, or could do harm, on somebody's disk or terminal.
func parseTree(raw []byte, most int) ([]treeEntry, error) {
	entries := make([]treeEntry, 0, min(len(raw)/32+1, most))
	text := string(raw) // names are cut from one copy
	for pos := 0; pos < len(raw); {
		if len(entries) == most {
			return nil, errTooMany
		}
		nul := bytes.IndexByte(raw[pos:], 0)
		if nul < 0 || len(raw) < pos+nul+1+idSize {
			return nil, errors.New("it is cut short")
		}
		digits, name, _ := strings.Cut(text[pos:pos+nul], " ")
		e := treeEntry{name: name, id: plumbing.Hash(raw[pos+nul+1 : pos+nul+1+idSize])}
		var ok bool
		if e.mode, ok = parseMode(digits); !ok {
			return nil, fmt.Errorf("%.40q has the mode %.10q, which Git does not use", name, digits)
		}
		if err := checkName(name); err != nil {
			return nil, err
		}
		if n := len(entries); n > 0 && compareEntries(entries[n-1], e) >= 0 {
			return nil, fmt.Errorf("%.40q is not in order, or there twice", name)
		}
		if e.folder() && hasFile(entries, name) {
			return nil, fmt.Errorf("%.40q is a file and a folder", name)
		}
		entries = append(entries, e)
		pos += nul + 1 + idSize
	}
	return entries, nil
}

// hasFile reports whether there is an entry of the name that is not a folder. In Git's order it can be
// far before the folder: a, a.b, a/.
func hasFile(entries []treeEntry, name string) bool {
	_, ok := slices.BinarySearchFunc(entries, treeEntry{name: name, mode: ModeFile}, compareEntries)
	return ok
}

func parseMode(s string) (uint32, bool) {
	switch s {
	case "40000":
		return ModeFolder, true
	case "100644":
		return ModeFile, true
	case "100755":
		return ModeExecutable, true
	case "120000":
		return ModeSymlink, true
	case "160000":
		return ModeSubmodule, true
	}
	return 0, false
}

// checkName accepts what may name a file or folder, on any system that somebody may check it out on.
func checkName(name string) error {
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

// treeCache keeps parsed trees.
type treeCache struct {
	*generations[plumbing.Hash, *treeObject]
}

func newTreeCache() *treeCache {
	return &treeCache{newGenerations[plumbing.Hash, *treeObject](treeCacheBytes)}
}
