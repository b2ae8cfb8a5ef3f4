package gitrepo

import (
	"compress/zlib"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/go-git/go-git/v5/plumbing"
)

// write stores an object loose, if it is not there yet.
func (o *objects) write(t plumbing.ObjectType, data []byte) (plumbing.Hash, error) {
	id, ok := newObjectHasher().sum(t, data)
	if !ok {
		return id, errCollision
	}
	if there, err := o.has(id); there || err != nil {
		return id, err
	}
	name := id.String()
	dir := filepath.Join(o.dirs[0], name[:2])
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return id, err
	}
	f, err := os.CreateTemp(dir, "tmp_obj_")
	if err != nil {
		return id, err
	}
	defer os.Remove(f.Name()) // a no-op once renamed
	if err := deflate(f, t, data); err != nil {
		return id, errors.Join(err, f.Close())
	}
	if err := errors.Join(f.Chmod(0o444), f.Close()); err != nil {
		return id, err
	}
	return id, os.Rename(f.Name(), filepath.Join(dir, name[2:]))
}

func deflate(f *os.File, t plumbing.ObjectType, data []byte) error {
	w := zlib.NewWriter(f)
	if _, err := fmt.Fprintf(w, "%s %d\x00", t, len(data)); err != nil {
		return err
	}
	if _, err := w.Write(data); err != nil {
		return err
	}
	return w.Close()
}
