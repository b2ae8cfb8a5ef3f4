package gitrepo

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
)

// checkComplete makes sure that all that the objects of a pack name is in the pack or in the mirror.
func (r *Repo) checkComplete(ctx context.Context, p *pack) error {
	rd := newReader()
	places := p.places()
	for _, offset := range places[:len(places)-1] { // in this order bases are met before deltas
		if err := ctx.Err(); err != nil {
			return err
		}
		if t, ok := p.plainType(rd, offset); ok && t == plumbing.BlobObject {
			continue // names nothing; its hash was checked when indexing
		}
		t, data, err := r.objects.unpack(rd, p, offset, r.limits.objectBytes())
		if err != nil {
			return err
		}
		err = references(t, data, func(id plumbing.Hash, _ plumbing.ObjectType) error {
			if _, ok := p.find(id); ok {
				return nil
			}
			there, err := r.objects.has(id)
			if err == nil && !there {
				err = fmt.Errorf("%w: %s", ErrMissing, id)
			}
			return err
		})
		if errors.Is(err, errNotGit) {
			id, _ := newObjectHasher().sum(t, data)
			return describe(t, id, err)
		}
		if err != nil {
			return fmt.Errorf("what was fetched is incomplete: a %s in it: %w", t, err)
		}
	}
	return nil
}

// plainType gives the type of an entry that is not a delta.
func (p *pack) plainType(rd *reader, offset int64) (plumbing.ObjectType, bool) {
	e, err := rd.entryAt(p, offset)
	return e.t, err == nil && !e.t.IsDelta()
}

var errNotGit = errors.New("it is not what Git writes")

// references calls name for every object that an object needs, with the type it must have. It is
// lenient where reading is strict: a repository's distant past may hold what no longer passes.
func references(t plumbing.ObjectType, data []byte, name namer) error {
	switch t {
	case plumbing.CommitObject:
		return commitReferences(string(data), name)
	case plumbing.TreeObject:
		return treeReferences(data, name)
	case plumbing.TagObject:
		line, _, _ := strings.Cut(string(data[:min(len(data), 64)]), "\n")
		return name.hex(strings.TrimPrefix(line, "object "), plumbing.AnyObject)
	}
	return nil
}

type namer func(plumbing.Hash, plumbing.ObjectType) error

func (name namer) hex(s string, t plumbing.ObjectType) error {
	id, err := parseID(s)
	if err != nil {
		return fmt.Errorf("%w: %w", errNotGit, err)
	}
	return name(id, t)
}

func commitReferences(text string, name namer) error {
	line, rest, _ := strings.Cut(text, "\n")
	tree, ok := strings.CutPrefix(line, "tree ")
	if !ok {
		return errNotGit
	}
	if err := name.hex(tree, plumbing.TreeObject); err != nil {
		return err
	}
	for {
		line, rest, _ = strings.Cut(rest, "\n")
		parent, ok := strings.CutPrefix(line, "parent ")
		if !ok {
			return nil
		}
		if err := name.hex(parent, plumbing.CommitObject); err != nil {
			return err
		}
	}
}

func treeReferences(raw []byte, name namer) error {
	for len(raw) > 0 {
		nul := bytes.IndexByte(raw, 0)
		if nul < 0 || len(raw) < nul+1+idSize {
			return errNotGit
		}
		mode, id := raw[:min(nul, 2)], plumbing.Hash(raw[nul+1:nul+1+idSize])
		raw = raw[nul+1+idSize:]
		t := plumbing.BlobObject
		switch string(mode) {
		case "16":
			continue // a submodule: a commit of another repository
		case "40", "04":
			t = plumbing.TreeObject
		}
		if err := name(id, t); err != nil {
			return err
		}
	}
	return nil
}
