package gitrepo

import (
	"io/fs"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/llm-config-manager/lcm/internal/lcm"
)

// Commit is one commit object, parsed strictly from its raw bytes.
type Commit struct {
	ID        lcm.Revision
	Tree      string // object id of the root tree
	Parents   []lcm.Revision
	Author    Ident
	Committer Ident
	Message   string
	Signature []byte // the armored signature of the gpgsig header; nil if unsigned
	Payload   []byte // the bytes that the signature covers: the object without its gpgsig header
}

// Ident is who and when, as the commit claims.
type Ident struct {
	Name, Email string
	When        time.Time
}

// Blob is a file of a tree. The zero Blob stands for absence.
type Blob struct {
	ID   string // object id
	Mode uint32 // Git's mode: 0100644, 0100755, 0120000 (symlink), 0160000 (submodule)
}

// Change is one path at which two trees differ.
type Change struct {
	Path     string
	Old, New Blob
}

// Tree is the tree of one commit. It is an fs.FS (ReadDirFS, ReadFileFS, StatFS) whose entries are
// read by object id, as raw bytes: no filters, no line endings, no attributes.
type Tree struct {
	repo   *Repo
	root   plumbing.Hash
	partly bool // nobody walks over all of it: its size does not matter
}

var (
	_ fs.ReadDirFS  = (*Tree)(nil)
	_ fs.ReadFileFS = (*Tree)(nil)
	_ fs.StatFS     = (*Tree)(nil)
)
