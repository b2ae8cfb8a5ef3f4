package gitrepo

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/llm-config-manager/lcm/internal/lcm"
)

// Approvals lie at refs/lcm/approvals/<head>/<name>, each a reference to a blob. Anybody who may push at
// all may put some there, so that their number and size are bounded wherever they are read.
const (
	approvalsOf      = approvalPrefix + "approvals/"
	MaxApprovalBytes = 16 << 10
)

// Approvals are the references to approvals as they were at one moment.
type Approvals struct {
	repo  *Repo
	heads map[lcm.Revision]map[string]plumbing.Hash
}

// Approvals lists what lies under refs/lcm/approvals/. Names that are of another form are left out, and
// so is what goes beyond a few thousand.
func (r *Repo) Approvals() (*Approvals, error) {
	refs, err := r.refs.list(approvalsOf)
	if err != nil {
		return nil, fmt.Errorf("listing approvals: %w", err)
	}
	a := &Approvals{r, map[lcm.Revision]map[string]plumbing.Hash{}}
	for _, ref := range approvalNames(refs) {
		head, name, ok := strings.Cut(strings.TrimPrefix(ref, approvalsOf), "/")
		if !ok || !isHexID(head) || strings.Contains(name, "/") {
			continue
		}
		of := a.heads[lcm.Revision(head)]
		if of == nil {
			of = map[string]plumbing.Hash{}
			a.heads[lcm.Revision(head)] = of
		}
		of[name] = refs[ref]
	}
	return a, nil
}

// Empty reports whether there is none of any head.
func (a *Approvals) Empty() bool { return len(a.heads) == 0 }

// Names gives the names under which there are approvals of a head, sorted.
func (a *Approvals) Names(head lcm.Revision) []string {
	return slices.Sorted(maps.Keys(a.heads[head]))
}

// Read returns the bytes of one approval; false if what is there is missing, damaged, no blob or too
// large to be one.
func (a *Approvals) Read(head lcm.Revision, name string) (data []byte, ok bool) {
	id, ok := a.heads[head][name]
	if !ok {
		return nil, false
	}
	data, err := a.repo.objects.readAny(id, plumbing.BlobObject, MaxApprovalBytes)
	return data, err == nil
}

// SetApproval writes an approval of a head, in place of an earlier one of that name.
func (r *Repo) SetApproval(head lcm.Revision, name string, data []byte) (ref string, err error) {
	ref = approvalsOf + string(head) + "/" + name
	switch {
	case !isHexID(string(head)) || strings.Contains(name, "/"):
		return "", fmt.Errorf("%q is not a whole commit id, or %q not a name", head, name)
	case len(data) > MaxApprovalBytes:
		return "", &LimitError{What: "the approval", Limit: MaxApprovalBytes, Unit: "bytes"}
	case checkRefName(ref) != nil:
		return "", fmt.Errorf("the name %q cannot be part of a reference", name)
	}
	id, err := r.objects.write(plumbing.BlobObject, data)
	if err != nil {
		return "", err
	}
	return ref, r.refs.set(ref, id)
}

// CheckedOut reports whether some work tree of the repository stands on a branch, so that moving the
// branch would leave its files behind. A bare repository has none.
func (r *Repo) CheckedOut(branch string) (bool, error) {
	name, err := branchRef(branch)
	if err != nil {
		return false, err
	}
	for _, git := range r.refs.workTrees() {
		text, err := readSmall(filepath.Join(git, "HEAD"))
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return false, err
		}
		if target, ok := strings.CutPrefix(strings.TrimSpace(string(text)), "ref: "); ok && strings.TrimSpace(target) == name {
			return true, nil
		}
	}
	return false, nil
}

// workTrees lists the folders that keep the HEAD and the index of a work tree: the repository's own,
// unless it is bare, and those of linked ones.
func (l location) workTrees() []string {
	linked, _ := filepath.Glob(filepath.Join(escapeGlob(l.common), "worktrees", "*"))
	if _, err := os.Stat(filepath.Join(l.common, "index")); err == nil || filepath.Base(l.common) == ".git" {
		return append(linked, l.common)
	}
	return linked
}
