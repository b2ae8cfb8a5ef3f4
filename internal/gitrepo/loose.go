package gitrepo

import (
	"bytes"
	"compress/zlib"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"

	"github.com/go-git/go-git/v5/plumbing"
)

// loose reads a loose object.
func (rd *reader) loose(path string, limit int64) (plumbing.ObjectType, []byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, nil, err
	}
	defer f.Close()
	t, size, err := rd.looseHead(f)
	if err != nil {
		return 0, nil, err
	}
	if size > limit {
		return 0, nil, &sizeError{limit}
	}
	data := make([]byte, size)
	return t, data, rd.rest(data)
}

// looseHead reads "blob 12\x00".
func (rd *reader) looseHead(f *os.File) (plumbing.ObjectType, int64, error) {
	rd.src.seekFile(f)
	if err := rd.start(); err != nil {
		return 0, 0, err
	}
	var buf [32]byte
	n := 0
	for {
		if _, err := io.ReadFull(rd.inflate, rd.one[:]); err != nil || n == len(buf) {
			return 0, 0, errDamaged
		}
		if rd.one[0] == 0 {
			break
		}
		buf[n] = rd.one[0]
		n++
	}
	name, digits, _ := bytes.Cut(buf[:n], []byte(" "))
	t, err := plumbing.ParseObjectType(string(name))
	if err != nil || t.IsDelta() {
		return 0, 0, errDamaged
	}
	size, err := strconv.ParseInt(string(digits), 10, 64)
	if err != nil || size < 0 {
		return 0, 0, errDamaged
	}
	return t, size, nil
}

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
