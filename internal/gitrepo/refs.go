package gitrepo

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/llm-config-manager/lcm/internal/lcm"
)

// maxTags is how many tags may point to tags before a commit comes.
const maxTags = 8

// Head returns the commit that a branch points to.
func (r *Repo) Head(branch string) (lcm.Revision, error) {
	name, err := branchRef(branch)
	if err != nil {
		return "", err
	}
	id, err := r.refs.get(name)
	if errors.Is(err, errNoReference) {
		return "", fmt.Errorf("%w: %q", ErrNoBranch, branch)
	}
	return revision(id), err
}

// SetBranch makes a branch point to a commit, which must be there.
func (r *Repo) SetBranch(branch string, rev lcm.Revision) error {
	name, err := branchRef(branch)
	if err != nil {
		return err
	}
	if _, err := r.Commit(rev); err != nil {
		return fmt.Errorf("setting branch %s: %w", branch, err)
	}
	return r.refs.set(name, plumbing.NewHash(string(rev)))
}

// Resolve finds the commit that people mean by a full or abbreviated id, HEAD, a branch, a tag or a
// remote branch, with ~N and ^N after it.
func (r *Repo) Resolve(spec string) (lcm.Revision, error) {
	base, steps, err := splitSpec(spec)
	if err != nil {
		return "", fmt.Errorf("revision %.80q: %w", spec, err)
	}
	id, err := r.resolveBase(base)
	if err == nil {
		id, err = r.peel(id)
	}
	for _, s := range steps {
		if err == nil {
			id, err = r.ancestor(id, s)
		}
	}
	if err != nil {
		return "", fmt.Errorf("revision %.80q: %w", spec, err)
	}
	return revision(id), nil
}

func revision(id plumbing.Hash) lcm.Revision {
	if id.IsZero() {
		return ""
	}
	return lcm.Revision(id.String())
}

// step is one ~N (first parents) or ^N (the N-th parent).
type step struct {
	kind byte
	n    int
}

func splitSpec(spec string) (base string, steps []step, err error) {
	if spec == "" || spec[0] == '-' || !plain(spec) {
		return "", nil, errors.New("it is not the name of a commit")
	}
	at := strings.IndexAny(spec, "~^")
	if at < 0 {
		return spec, nil, nil
	}
	base = spec[:at]
	for rest := spec[at:]; rest != ""; {
		end := strings.IndexAny(rest[1:], "~^") + 1
		if end == 0 {
			end = len(rest)
		}
		s := step{rest[0], 1}
		if end > 1 {
			if s.n, err = strconv.Atoi(rest[1:end]); err != nil || s.n < 0 || s.n > 100_000 {
				return "", nil, fmt.Errorf("%.20q is not a number of steps", rest[1:end])
			}
		}
		steps, rest = append(steps, s), rest[end:]
	}
	return base, steps, nil
}

func (r *Repo) ancestor(id plumbing.Hash, s step) (plumbing.Hash, error) {
	times, parent := s.n, 1
	if s.kind == '^' {
		times, parent = min(s.n, 1), s.n
	}
	for range times {
		c, err := r.Commit(revision(id))
		if err != nil {
			return id, err
		}
		if len(c.Parents) < parent {
			return id, fmt.Errorf("commit %s has no parent %d", c.ID.Short(), parent)
		}
		id = plumbing.NewHash(string(c.Parents[parent-1]))
	}
	return id, nil
}

// resolveBase tries the places in which Git looks, in its order.
func (r *Repo) resolveBase(base string) (plumbing.Hash, error) {
	if isHexID(base) {
		return parseID(base)
	}
	for _, format := range []string{"%s", "refs/%s", "refs/tags/%s", "refs/heads/%s", "refs/remotes/%s", "refs/remotes/%s/HEAD"} {
		name := fmt.Sprintf(format, base)
		id, err := r.refs.get(name)
		if !errors.Is(err, errNoReference) {
			return id, err
		}
	}
	if len(base) >= 4 && len(base) < hexID && strings.Trim(base, "0123456789abcdef") == "" {
		return r.abbreviated(base)
	}
	return plumbing.ZeroHash, errors.New("there is no branch, tag or commit of that name; fetch it first")
}

// abbreviated finds the one commit or tag whose id begins so.
func (r *Repo) abbreviated(prefix string) (plumbing.Hash, error) {
	ids, err := r.objects.withPrefix(prefix)
	if err != nil {
		return plumbing.ZeroHash, err
	}
	commits := slices.DeleteFunc(ids, func(id plumbing.Hash) bool {
		_, err := r.peel(id)
		return err != nil
	})
	switch len(commits) {
	case 0:
		return plumbing.ZeroHash, errors.New("no commit has an id that begins so")
	case 1:
		return commits[0], nil
	}
	return plumbing.ZeroHash, errors.New("several commits have ids that begin so; write more of it")
}

// peel follows tags to the commit.
func (r *Repo) peel(id plumbing.Hash) (plumbing.Hash, error) {
	for range maxTags {
		_, err := r.objects.read(id, plumbing.CommitObject)
		if err == nil {
			return id, nil
		}
		raw, tagErr := r.objects.read(id, plumbing.TagObject)
		if tagErr != nil {
			return id, err
		}
		target, _, ok := bytes.Cut(raw, []byte("\n"))
		hex, found := bytes.CutPrefix(target, []byte("object "))
		if !ok || !found {
			return id, &MalformedError{Object: id.String(), Kind: "tag", Reason: "its first line names no object"}
		}
		if id, err = parseID(string(hex)); err != nil {
			return id, err
		}
	}
	return id, fmt.Errorf("more than %d tags point to each other", maxTags)
}

func branchRef(branch string) (string, error) {
	name := "refs/heads/" + branch
	if err := checkRefName(name); err != nil {
		return "", fmt.Errorf("branch %.80q: %w", branch, err)
	}
	return name, nil
}

// checkRefName accepts what `git check-ref-format` accepts below refs/, and less: no segment begins
// with a hyphen, so that none is ever taken for an option.
func checkRefName(name string) error {
	wrong := errors.New("this is not a name that Git allows")
	if !strings.HasPrefix(name, "refs/") || len(name) > 255 || !plain(name) {
		return wrong
	}
	if strings.ContainsAny(name, " ~^:?*[\\") || strings.Contains(name, "..") || strings.Contains(name, "@{") {
		return wrong
	}
	for seg := range strings.SplitSeq(name, "/") {
		if seg == "" || seg[0] == '.' || seg[0] == '-' || strings.HasSuffix(seg, ".") || strings.HasSuffix(seg, ".lock") {
			return wrong
		}
	}
	return nil
}
