package gitrepo

import (
	"errors"
	"fmt"

	"github.com/llm-config-manager/lcm/internal/lcm"
)

// Limits bounds what is read from a repository and fetched into it. Zero fields are the defaults.
type Limits struct {
	MaxFetchBytes  int64 // one fetch, as transferred; 0: 1 GiB
	MaxBlobBytes   int64 // a file that is read; 0: 2 MiB
	MaxTreeEntries int   // files and folders of one commit, and a tenth of it in one folder; 0: 1,000,000
	MaxDepth       int   // folders in folders; 0: 32
	MaxCommitBytes int64 // a commit object; 0: 1 MiB
}

// WithDefaults fills in what zero fields stand for.
func (l Limits) WithDefaults() Limits {
	if l.MaxFetchBytes == 0 {
		l.MaxFetchBytes = 1 << 30
	}
	if l.MaxBlobBytes == 0 {
		l.MaxBlobBytes = 2 << 20
	}
	if l.MaxTreeEntries == 0 {
		l.MaxTreeEntries = 1_000_000
	}
	if l.MaxDepth == 0 {
		l.MaxDepth = 32
	}
	if l.MaxCommitBytes == 0 {
		l.MaxCommitBytes = 1 << 20
	}
	return l
}

// folderEntries is how many entries one tree object may have.
func (l Limits) folderEntries() int { return max(l.MaxTreeEntries/10, 1) }

// treeBytes is how large a tree object may be: names are 255 bytes at most on any usual file system.
func (l Limits) treeBytes() int64 { return int64(l.folderEntries()) * (255 + 28) }

// objectBytes is how large any object may be that a fetch brings. It is well above what can be read
// back, so that one large image in a repository's past does not make it unusable.
func (l Limits) objectBytes() int64 {
	return max(16*l.MaxBlobBytes, l.treeBytes(), l.MaxCommitBytes)
}

// fetchObjects is how many objects one fetch may bring.
func (l Limits) fetchObjects() int64 { return 4 * int64(l.MaxTreeEntries) }

// inflatedBytes is how large the objects of one fetch may be together when unpacked.
func (l Limits) inflatedBytes() int64 { return 16 * l.MaxFetchBytes }

// LimitError says that something from a repository exceeds a limit.
type LimitError struct {
	What  string // "the blob 1234…"
	Limit int64
	Unit  string // "bytes", "entries", …
}

func (e *LimitError) Error() string {
	return fmt.Sprintf("%s exceeds the limit of %d %s", e.What, e.Limit, e.Unit)
}

// MalformedError says that an object is not what Git would write, and so is not believed.
type MalformedError struct {
	Object string // id of the object
	Kind   string // "commit", "tree", …
	Reason string
}

func (e *MalformedError) Error() string {
	return fmt.Sprintf("malformed %s %s: %s", e.Kind, lcm.Revision(e.Object).Short(), e.Reason)
}

var (
	// ErrMissing is met when the repository does not have the object asked for.
	ErrMissing = errors.New("no such object in the repository")
	// ErrNoBranch is met when there is no branch of the name asked for.
	ErrNoBranch = errors.New("no such branch")
)

// contain turns a panic of a library, met on hostile bytes, into an error.
func contain(err *error) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("reading a Git object failed inside a library: %v", p)
	}
}
