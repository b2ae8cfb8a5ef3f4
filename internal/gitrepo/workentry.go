package gitrepo

import (
	"bytes"
	"io/fs"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
)

// workEntry is a file or folder of a work tree. It keeps no more than is asked for, for there may be many; it is an
// fs.DirEntry and its own fs.FileInfo, without a time.
type workEntry struct {
	name   string
	kind   fs.FileMode
	mode   uint32        // Git's; what is neither file, link nor folder counts as a submodule
	id     plumbing.Hash // that Git would give it: zero if it could not be read
	bytes  int64
	folder *workFolder // nil unless it is one
}

func (e *workEntry) Name() string               { return e.name }
func (e *workEntry) IsDir() bool                { return e.kind.IsDir() }
func (e *workEntry) Type() fs.FileMode          { return e.kind.Type() }
func (e *workEntry) Info() (fs.FileInfo, error) { return e, nil }
func (e *workEntry) Size() int64                { return e.bytes }
func (e *workEntry) Mode() fs.FileMode          { return e.kind }
func (e *workEntry) ModTime() time.Time         { return time.Time{} }
func (e *workEntry) Sys() any                   { return nil }

// ContentID names what the file or folder held when it was looked at: two with the same held the same. It is empty if nobody knows.
func (e *workEntry) ContentID() string {
	if e.id.IsZero() {
		return ""
	}
	return e.id.String()
}

func (e *workEntry) treeEntry() treeEntry { return treeEntry{name: e.name, mode: e.mode, id: e.id} }

// workFile is a file that was read.
type workFile struct {
	info workEntry
	*bytes.Reader
}

func (f *workFile) Stat() (fs.FileInfo, error) { return &f.info, nil }
func (f *workFile) Close() error               { return nil }
