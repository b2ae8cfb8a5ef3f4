package gitrepo

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
)

// maxBundleHeader bounds what stands before the pack of a bundle, in bytes: one line for each reference
// and for each commit that it builds on.
const maxBundleHeader = 16 << 20

// bundleSource is a file made by `git bundle create`, of version 2 or 3 (gitformat-bundle(5)). It is a
// part of a repository, by whatever way it came.
type bundleSource struct{ path string }

func (s *bundleSource) close() error { return nil }

func (s *bundleSource) list(_ context.Context, branch string) (conversation, error) {
	f, err := os.Open(s.path)
	if err != nil {
		return nil, fmt.Errorf("opening the bundle: %w", err)
	}
	b := &bundle{file: f, rest: bufio.NewReaderSize(f, 1<<16), heads: map[string]plumbing.Hash{}}
	if err := b.readHeader(branch); err != nil {
		return nil, errors.Join(fmt.Errorf("reading the bundle: %w", err), f.Close())
	}
	return b, nil
}

// bundle is an open bundle whose header was read.
type bundle struct {
	file  *os.File
	rest  *bufio.Reader // at its pack
	heads map[string]plumbing.Hash
	needs []plumbing.Hash // commits that whoever takes it must have
}

func (b *bundle) refs() map[string]plumbing.Hash { return b.heads }
func (b *bundle) close() error                   { return b.file.Close() }

// pack gives the bundle's pack, whatever is wanted of it: what is not in it will be missed.
func (b *bundle) pack(_ context.Context, _ []plumbing.Hash, mirror *Repo) (io.ReadCloser, error) {
	for _, id := range b.needs {
		there, err := mirror.objects.has(id)
		if err != nil {
			return nil, err
		}
		if !there {
			return nil, fmt.Errorf("the bundle builds on commit %s, which was never fetched here: make one that holds more (git bundle create FILE <last accepted revision>..<branch>)", revision(id).Short())
		}
	}
	return io.NopCloser(b.rest), nil
}

// readHeader reads as far as the pack. Without the branch, HEAD stands for it.
func (b *bundle) readHeader(branch string) error {
	left := maxBundleHeader
	version, err := b.line(&left)
	if err != nil || version != "# v2 git bundle" && version != "# v3 git bundle" {
		return errors.Join(errors.New("it is none that git makes, of version 2 or 3"), err)
	}
	for {
		line, err := b.line(&left)
		if err != nil {
			return err
		}
		if line == "" {
			break
		}
		if err := b.take(line, version, branch); err != nil {
			return err
		}
	}
	head, ok := b.heads[headRef]
	delete(b.heads, headRef)
	if _, there := b.heads[branch]; !there && !ok {
		return fmt.Errorf("%w in it: neither %s nor HEAD", ErrNoBranch, branch)
	} else if !there {
		b.heads[branch] = head
	}
	return nil
}

func (b *bundle) line(left *int) (string, error) {
	line, err := b.rest.ReadSlice('\n')
	if *left -= len(line); *left < 0 || errors.Is(err, bufio.ErrBufferFull) {
		return "", &LimitError{What: "its header", Limit: maxBundleHeader, Unit: "bytes"}
	}
	if err != nil {
		return "", fmt.Errorf("its header is cut short: %w", err)
	}
	return string(line[:len(line)-1]), nil
}

// take reads one line of the header: what the bundle demands of its reader, a commit that it builds on,
// or a reference. References that nobody asked for are passed over.
func (b *bundle) take(line, version, branch string) error {
	if capability, ok := strings.CutPrefix(line, "@"); ok && version == "# v3 git bundle" {
		if capability != "object-format=sha1" {
			return fmt.Errorf("it demands %.60q, which is not supported: make a whole one of a SHA-1 repository", capability)
		}
		return nil
	}
	text, needed := strings.CutPrefix(line, "-")
	hex, name, _ := strings.Cut(text, " ")
	id, err := parseID(hex)
	if err != nil {
		return fmt.Errorf("its header: %w", err)
	}
	switch {
	case needed:
		b.needs = append(b.needs, id)
	case name == branch, name == headRef, strings.HasPrefix(name, approvalPrefix):
		if old, twice := b.heads[name]; twice && old != id {
			return fmt.Errorf("its header names %.60q twice", name)
		}
		b.heads[name] = id
	}
	return nil
}
