package gitrepo

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
)

var errNoReference = errors.New("no such reference")

// refStore reads and writes references as files, as Git does: one file each, and packed-refs for what
// has no file of its own.
type refStore struct {
	location
	mu sync.Mutex // one writer at a time; the lock files are for other processes
	// alone says that no Git writes here, so that what a killed process left must not lock anybody out.
	alone bool
}

// headRef is the one reference that is not below refs/.
const headRef = "HEAD"

func (s *refStore) path(name string) string {
	dir := s.common
	if name == headRef {
		dir = s.git
	}
	return filepath.Join(dir, filepath.FromSlash(name))
}

// get reads a reference, following symbolic ones a few times.
func (s *refStore) get(name string) (plumbing.Hash, error) {
	for range 5 {
		text, err := s.read(name)
		if err != nil {
			return plumbing.ZeroHash, err
		}
		target, symbolic := strings.CutPrefix(text, "ref: ")
		if !symbolic {
			id, err := parseID(text)
			if err != nil {
				return id, fmt.Errorf("reference %s: %w", name, err)
			}
			return id, nil
		}
		if name = strings.TrimSpace(target); checkRefName(name) != nil {
			return plumbing.ZeroHash, errors.New("a symbolic reference points outside refs/")
		}
	}
	return plumbing.ZeroHash, fmt.Errorf("reference %s points in circles", name)
}

func (s *refStore) read(name string) (string, error) {
	if name != headRef && checkRefName(name) != nil {
		return "", errNoReference
	}
	data, err := readSmall(s.path(name))
	text := strings.TrimSpace(string(data))
	switch {
	case text != "":
		return text, err
	case err == nil: // an empty file is what a crash of Git leaves
	case errors.Is(err, os.ErrNotExist), errors.Is(err, syscall.EISDIR), errors.Is(err, syscall.ENOTDIR):
	default:
		return "", err
	}
	found := ""
	err = s.packed(func(id, packed string) {
		if packed == name {
			found = id
		}
	})
	if err == nil && found == "" {
		err = errNoReference
	}
	return found, err
}

// packed calls each for the references in packed-refs.
func (s *refStore) packed(each func(id, name string)) error {
	data, err := os.ReadFile(filepath.Join(s.common, "packed-refs"))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	for line := range bytes.Lines(data) {
		if id, name, ok := strings.Cut(strings.TrimSuffix(string(line), "\n"), " "); ok && isHexID(id) {
			each(id, name)
		}
	}
	return err
}

// list gives the references below a prefix that ends with a slash, leaving out what is none.
func (s *refStore) list(prefix string) (map[string]plumbing.Hash, error) {
	all := map[string]plumbing.Hash{}
	err := s.packed(func(id, name string) {
		if strings.HasPrefix(name, prefix) && checkRefName(name) == nil {
			all[name] = plumbing.NewHash(id)
		}
	})
	if err != nil {
		return nil, err
	}
	root := s.path(strings.TrimSuffix(prefix, "/"))
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, os.ErrNotExist) {
			return nil // removed while we look
		}
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		rel, err := filepath.Rel(root, path)
		name := prefix + filepath.ToSlash(rel)
		if err != nil || checkRefName(name) != nil {
			return err
		}
		if id, err := s.get(name); err == nil {
			all[name] = id
		}
		return nil
	})
	return all, err
}

// set makes a reference point to an object, through a lock file as Git does.
func (s *refStore) set(name string, id plumbing.Hash) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	path := s.path(name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return s.replaceFile(path, []byte(id.String()+"\n"))
}

// replaceFile writes a new file beside path and renames it.
func (s *refStore) replaceFile(path string, data []byte) error {
	f, err := s.fileBeside(path)
	if err != nil {
		return err
	}
	lock := f.Name()
	_, err = f.Write(data)
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(lock, path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(lock))
	}
	return nil
}

// leftover is the pattern of the files that fileBeside makes where nobody else writes. No reference has
// such a name.
const leftover = ".lcm-*.lock"

// fileBeside makes the file that is to take the place of path: path.lock, which must not exist, as Git
// does it, or one with a name of its own.
func (s *refStore) fileBeside(path string) (*os.File, error) {
	if s.alone {
		return os.CreateTemp(filepath.Dir(path), leftover)
	}
	lock := path + ".lock"
	f, err := os.OpenFile(lock, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if errors.Is(err, os.ErrExist) {
		return nil, fmt.Errorf("%s exists: another process is writing, or one crashed; if none runs, remove it", lock)
	}
	return f, err
}

// tidy removes what killed processes left beside a reference; a living one needs it for moments.
func (s *refStore) tidy(name string) error {
	files, err := filepath.Glob(filepath.Join(filepath.Dir(s.path(name)), leftover))
	for _, file := range files {
		if fi, statErr := os.Stat(file); statErr == nil && time.Since(fi.ModTime()) > time.Minute {
			err = errors.Join(err, os.Remove(file))
		}
	}
	return err
}

// remove deletes a reference, and folders that it leaves empty.
func (s *refStore) remove(name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.unpack(name); err != nil {
		return err
	}
	path := s.path(name)
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	for range strings.Count(name, "/") - 2 { // not refs/ and what is right below it
		if path = filepath.Dir(path); os.Remove(path) != nil {
			break // not empty
		}
	}
	return nil
}

// unpack takes a reference out of packed-refs, if it is there.
func (s *refStore) unpack(name string) error {
	file := filepath.Join(s.common, "packed-refs")
	data, err := os.ReadFile(file)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var kept []byte
	drop, found := false, false
	for line := range bytes.Lines(data) {
		// A line with ^ belongs to the one before it.
		if !bytes.HasPrefix(line, []byte("^")) {
			drop = bytes.HasSuffix(bytes.TrimSuffix(line, []byte("\n")), []byte(" "+name))
		}
		if found = found || drop; !drop {
			kept = append(kept, line...)
		}
	}
	if !found {
		return nil
	}
	return s.replaceFile(file, kept)
}
