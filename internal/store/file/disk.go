package file

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"

	"github.com/llm-config-manager/lcm/internal/store"
)

// This file holds every change of the disk. Each is made through s.change.

// folders makes the folders of a namespace that are missing, and sees that none is a link: nobody
// shall lead one tenant's values into another's folder.
func (s *Store) folders(p place) error {
	for _, dir := range []string{path.Dir(path.Dir(p.service)), path.Dir(p.service), p.service, path.Dir(p.generations), p.generations} {
		info, err := s.root.Lstat(dir)
		switch {
		case err == nil && info.IsDir():
			continue
		case err == nil:
			return fmt.Errorf("%s is not a folder: move it away", s.full(dir))
		case !errors.Is(err, fs.ErrNotExist):
			return err
		}
		if err := s.mkdir(dir); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
		if err := s.sync(path.Dir(dir)); err != nil {
			return err
		}
	}
	return nil
}

// mkdir makes a folder with its mode, whatever the process's umask is.
func (s *Store) mkdir(name string) error {
	if err := s.change("mkdir "+name, func() error { return s.root.Mkdir(name, s.dirMode) }); err != nil {
		return err
	}
	return s.change("chmod "+name, func() error { return s.root.Chmod(name, s.dirMode) })
}

// write makes a file and returns when it is on the disk.
func (s *Store) write(name string, data []byte) error {
	var f *os.File
	err := s.change("create "+name, func() (err error) {
		f, err = s.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, s.fileMode)
		return err
	})
	if err != nil {
		return err
	}
	err = s.change("write "+name, func() error { _, err := f.WriteAt(data, 0); return err })
	if err == nil {
		err = s.change("sync "+name, f.Sync)
	}
	return errors.Join(err, f.Chmod(s.fileMode), f.Close())
}

// link gives a file a second name. Where that is not possible (some file systems know no hard links,
// and Linux refuses them for another user's files) it copies.
func (s *Store) link(from, to string) error {
	linked := s.change("link "+to, func() error { return s.root.Link(from, to) })
	if linked == nil {
		return nil
	}
	if err := s.copy(from, to); err != nil {
		return fmt.Errorf("carrying it over: %w", errors.Join(linked, err))
	}
	return nil
}

func (s *Store) copy(from, to string) error {
	data, found, err := s.file(from, maxValue)
	if err == nil && !found {
		err = store.ErrConflict // somebody removed it just now
	}
	if err != nil {
		return err
	}
	return s.write(to, data)
}

// sync makes the names in a folder last.
func (s *Store) sync(dir string) error {
	f, err := s.root.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(s.change("sync "+dir, f.Sync), f.Close())
}

// turn makes the environment's link point at a generation, in one step.
func (s *Store) turn(p place, next generation) error {
	fresh := path.Join(p.generations, "next")
	err := s.change("remove "+fresh, func() error { return s.root.Remove(fresh) })
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	err = s.change("symlink "+fresh, func() error { return s.root.Symlink(path.Join(p.target, next.name), fresh) })
	if err != nil {
		return err
	}
	if err := s.change("rename "+p.link, func() error { return s.root.Rename(fresh, p.link) }); err != nil {
		return err
	}
	return s.sync(p.service)
}

// remove removes generations. Each is first renamed away, so that a reader who finds its generation in
// place has seen all of it.
func (s *Store) remove(p place, names []string) error {
	trash := path.Join(p.generations, "trash")
	if err := s.removeAll(trash); err != nil { // of a run that broke off
		return err
	}
	for _, name := range names {
		err := s.change("rename "+name, func() error { return s.root.Rename(path.Join(p.generations, name), trash) })
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err := errors.Join(err, s.removeAll(trash)); err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) removeAll(name string) error {
	return s.change("remove "+name, func() error { return s.root.RemoveAll(name) })
}
