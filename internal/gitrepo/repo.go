// Package gitrepo is the project's view of Git: a bare mirror that follows one branch, commits parsed
// strictly from their raw bytes, trees as file systems, the difference of two trees, and signed commits
// written without a work tree. It reads objects by id and checks that their bytes hash to it, with
// limits on everything that comes from outside; it needs no git binary, and ignores replace refs,
// grafts, hooks, filters, attributes and repository configuration.
package gitrepo

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/go-git/go-git/v5/plumbing"
)

// Repo is a Git repository: a mirror that fetches, or one that is only read and written to. It is safe
// for concurrent use.
type Repo struct {
	limits  Limits
	objects *objects
	trees   *treeCache
	sizes   treeSizes

	refs *refStore

	remote    source      // nil unless a mirror
	elsewhere []elsewhere // where the same repository is, too

	fetchMu sync.Mutex // one fetch at a time; guards what follows
	answers source     // the one that answered last
	partial bool       // what the source does not have may yet be elsewhere: it is a bundle
	branch  string
	known   map[string]plumbing.Hash // what the mirror's own references are
	stale   error
}

// Open opens an existing repository, bare or with a work tree, for reading and for Write. dir is the
// repository, its work tree, or a linked work tree. Zero limits are the defaults.
func Open(dir string, limits Limits) (*Repo, error) {
	l, err := locate(dir)
	if err != nil {
		return nil, err
	}
	return open(l, limits.WithDefaults())
}

// Init makes a new bare repository in dir, whose HEAD is the branch main.
func Init(dir string) (*Repo, error) {
	if _, err := locate(dir); err == nil {
		return nil, fmt.Errorf("%s is a repository already", dir)
	}
	if err := create(dir); err != nil {
		return nil, err
	}
	return Open(dir, Limits{})
}

// Close releases the files that the repository holds open.
func (r *Repo) Close() error {
	err := r.objects.close()
	if r.remote != nil {
		err = errors.Join(err, r.remote.close())
	}
	for _, e := range r.elsewhere {
		err = errors.Join(err, e.close())
	}
	return err
}

func open(l location, limits Limits) (*Repo, error) {
	if err := l.checkFormat(); err != nil {
		return nil, err
	}
	o, err := openObjects(filepath.Join(l.common, "objects"), limits)
	if err != nil {
		return nil, err
	}
	return &Repo{
		limits:  limits,
		objects: o,
		trees:   newTreeCache(),
		refs:    &refStore{location: l},
	}, nil
}

// location is where the parts of a repository are: of a linked work tree, HEAD is in its own folder
// and all else in the common one.
type location struct{ git, common string }

// locate finds the repository that dir is, or is the work tree of. It does not look in parent folders:
// what is read must be what was named.
func locate(dir string) (location, error) {
	git := dir
	dot := filepath.Join(dir, ".git")
	switch fi, err := os.Stat(dot); {
	case err == nil && fi.IsDir():
		git = dot
	case err == nil:
		target, err := pointer(dot, "gitdir: ")
		if err != nil {
			return location{}, err
		}
		git = target
	}
	l := location{git: git, common: git}
	if _, err := os.Stat(filepath.Join(git, "commondir")); err == nil {
		if l.common, err = pointer(filepath.Join(git, "commondir"), ""); err != nil {
			return location{}, err
		}
	}
	for _, name := range []string{filepath.Join(l.git, "HEAD"), filepath.Join(l.common, "objects")} {
		if _, err := os.Stat(name); err != nil {
			return location{}, fmt.Errorf("%s is not a Git repository: %w", dir, err)
		}
	}
	return l, nil
}

// pointer reads a one-line file that names a folder, relative to the file's own.
func pointer(file, prefix string) (string, error) {
	data, err := readSmall(file)
	if err != nil {
		return "", err
	}
	target, ok := strings.CutPrefix(strings.TrimSuffix(string(data), "\n"), prefix)
	if !ok || target == "" || strings.ContainsAny(target, "\n\x00") {
		return "", fmt.Errorf("%s does not name a repository", file)
	}
	if !filepath.IsAbs(target) {
		target = filepath.Join(filepath.Dir(file), target)
	}
	return target, nil
}

func readSmall(file string) ([]byte, error) {
	fi, err := os.Stat(file)
	if err != nil {
		return nil, err
	}
	if fi.Size() > 1<<20 {
		return nil, fmt.Errorf("%s is too large to be what its name says", file)
	}
	return os.ReadFile(file)
}

// checkFormat refuses repositories whose objects this package cannot read. Nothing else of the
// configuration matters here.
func (l location) checkFormat() error {
	data, err := readSmall(filepath.Join(l.common, "config"))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for line := range strings.Lines(strings.ToLower(string(data))) {
		key, value, _ := strings.Cut(line, "=")
		value = strings.Trim(strings.TrimSpace(value), `"`)
		switch strings.TrimSpace(key) {
		case "objectformat":
			if value != "sha1" {
				return fmt.Errorf("%s: object format %q is not supported; use a SHA-1 repository", l.common, value)
			}
		case "refstorage":
			if value != "files" {
				return fmt.Errorf("%s: reference storage %q is not supported; run `git refs migrate --ref-format=files`", l.common, value)
			}
		}
	}
	return nil
}

// create makes the files of an empty bare repository.
func create(dir string) error {
	for _, d := range []string{"objects/pack", "objects/info", "refs/heads"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			return err
		}
	}
	const config = "[core]\n\trepositoryformatversion = 0\n\tfilemode = true\n\tbare = true\n"
	if err := os.WriteFile(filepath.Join(dir, "config"), []byte(config), 0o644); err != nil {
		return err
	}
	// HEAD last: without it the folder is no repository, and the next attempt starts again.
	return os.WriteFile(filepath.Join(dir, "HEAD"), []byte("ref: refs/heads/main\n"), 0o644)
}
