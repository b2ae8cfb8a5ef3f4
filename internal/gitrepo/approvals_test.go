package gitrepo

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/llm-config-manager/lcm/internal/lcm"
)

func TestApprovalRefs(t *testing.T) {
	g := newGit(t)
	head := g.commit(map[string]string{"a": "1"})
	other := g.commit(map[string]string{"a": "2"})
	r := g.open(Limits{})
	ref, err := r.SetApproval(head, "alice", []byte("yes\n"))
	if err != nil || ref != "refs/lcm/approvals/"+string(head)+"/alice" {
		t.Fatal(ref, err)
	}
	if got := g.run("cat-file", "blob", ref); got != "yes" {
		t.Errorf("git reads %q", got)
	}
	if _, err := r.SetApproval(head, "alice", []byte("again\n")); err != nil {
		t.Fatal(err)
	}
	// What is none: another form of name, no blob, a large one, an object that is not there.
	large := g.object("blob", []byte(strings.Repeat("x", MaxApprovalBytes+1)))
	for name, id := range map[string]string{string(head) + "/tree": g.run("rev-parse", "HEAD^{tree}"), string(head) + "/large": large,
		"short/bob": string(head), string(head) + "/a/b": string(head), string(other) + "/bob": g.object("blob", []byte("no\n"))} {
		g.run("update-ref", "refs/lcm/approvals/"+name, id)
	}
	g.run("pack-refs", "--all")
	a, err := r.Approvals()
	if err != nil || a.Empty() {
		t.Fatal(err)
	}
	if got := a.Names(head); !slices.Equal(got, []string{"alice", "large", "tree"}) {
		t.Errorf("names: %q", got)
	}
	if data, ok := a.Read(head, "alice"); !ok || string(data) != "again\n" {
		t.Errorf("%q, %v", data, ok)
	}
	for _, name := range []string{"large", "tree", "nobody"} {
		if data, ok := a.Read(head, name); ok {
			t.Errorf("%s: %d bytes are read", name, len(data))
		}
	}
	for name, data := range map[string]int{"a/b": 1, "..": 1, "-x": 1, "": 1, "big": MaxApprovalBytes + 1} {
		if _, err := r.SetApproval(head, name, make([]byte, data)); err == nil {
			t.Errorf("%q is written", name)
		}
	}
	if _, err := r.SetApproval("HEAD", "alice", nil); err == nil {
		t.Error("an approval of no commit")
	}
}

func TestCheckedOut(t *testing.T) {
	g := newGit(t)
	rev := g.commit(map[string]string{"a": "1"})
	g.run("branch", "side")
	g.run("branch", "free")
	g.run("worktree", "add", "-q", t.TempDir()+"/linked", "side")
	r := g.open(Limits{})
	for branch, want := range map[string]bool{"main": true, "side": true, "free": false} {
		if got, err := r.CheckedOut(branch); got != want || err != nil {
			t.Errorf("%s: %v, %v", branch, got, err)
		}
	}
	g.run("checkout", "-q", string(rev))
	if got, err := r.CheckedOut("main"); got || err != nil {
		t.Errorf("detached: %v, %v", got, err)
	}
	bare, _ := newRepo(t)
	if got, err := bare.CheckedOut("main"); got || err != nil {
		t.Errorf("bare: %v, %v", got, err)
	}
}

// Merge gives what git merges, wherever files are changed as wholes.
func TestMergeMatchesGit(t *testing.T) {
	g := newGit(t)
	g.commit(map[string]string{"same": "1", "ours": "1", "theirs": "1", "gone": "1", "both": "1", "f": "file"})
	g.run("checkout", "-q", "-b", "side")
	g.run("rm", "-q", "gone", "f")
	g.commit(map[string]string{"theirs": "2", "both": "2", "new/deep": "1", "f/g": "now a folder"})
	g.run("update-index", "--chmod=+x", "theirs")
	g.run("commit", "-q", "-m", "mode")
	side := g.head()
	g.run("checkout", "-q", "-f", "main")
	ours := g.commit(map[string]string{"ours": "2", "both": "2"})
	r := g.open(Limits{})
	changes, err := r.Merge(t.Context(), ours, side)
	if err != nil {
		t.Fatal(err)
	}
	blobs := map[string]Blob{}
	for _, ch := range changes {
		blobs[ch.Path] = ch.New
	}
	merged, err := r.Write(Edit{Parents: []lcm.Revision{ours, side}, Blobs: blobs, Message: "m", Author: Ident{Name: "a", Email: "a@example.org"}})
	if err != nil {
		t.Fatal(err)
	}
	g.run("merge", "-q", "--no-ff", "-m", "merge", "side")
	if got, want := g.run("rev-parse", string(merged)+"^{tree}"), g.run("rev-parse", "HEAD^{tree}"); got != want {
		t.Errorf("the trees differ:\n%s", g.run("diff", "--stat", got, want))
	}
	again, err := r.Merge(t.Context(), merged, side)
	if err != nil || len(again) > 0 {
		t.Errorf("merged again: %v, %v", again, err)
	}
	// Two merges of the same two commits have both of them for bases.
	if base, err := r.MergeBase(t.Context(), merged, g.head()); !errors.Is(err, ErrMergeBase) {
		t.Error(base, err)
	}
	conflicting := g.commit(map[string]string{"ours": "3"})
	g.run("checkout", "-q", string(side))
	other := g.commit(map[string]string{"ours": "4"})
	var conflict *ConflictError
	if _, err := r.Merge(t.Context(), conflicting, other); !errors.As(err, &conflict) || !slices.Equal(conflict.Paths, []string{"ours"}) {
		t.Errorf("%v", err)
	}
}
