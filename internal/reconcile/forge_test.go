package reconcile

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"

	"github.com/llm-config-manager/lcm/internal/gitrepo"
	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/trust"
)

// hosted is a world whose repository lies at a forge: two operators, and production needs both.
type hosted struct {
	*world
	people map[string]ssh.Signer
	forge  forgeSays
}

// forgeSays is a forge that says what it is told to say.
type forgeSays struct {
	reviews []trust.Review
	err     error
	asked   int
}

func (a *forgeSays) Reviews(context.Context, lcm.Revision) ([]trust.Review, error) {
	a.asked++
	return a.reviews, a.err
}

func newHosted(t *testing.T) *hosted {
	h := &hosted{people: map[string]ssh.Signer{}}
	principals := ""
	for _, who := range []string{"bob", "dave", "github"} {
		h.people[who] = sshSigner(t, who)
		if who != "github" {
			principals += fmt.Sprintf("  %s: {roles: [global-admin], keys: [{ssh: %q}], logins: {github: %[1]s-at-acme}}\n", who, publicKey(h.people[who]))
		}
	}
	h.world = newWorld(t, map[string]string{
		dev + "a.yaml": config("one"),
		".lcm/trust.yaml": "apiVersion: lcm/v1\nkind: TrustPolicy\nrepository: test-config\nbranch: main\nversion: 1\nprincipals:\n  alice: {roles: [global-admin], keys: [{ssh: " +
			fmt.Sprintf("%q", publicKey(sshSigner(t, "a"))) + "}]}\n" + principals + "rules:\n  - {paths: [\"**\"], roles: [\"*\"], approvals: 1}\n  - {paths: [\"namespaces/**\"], roles: [global-admin], approvals: 2}\n" +
			fmt.Sprintf("forges: {github: {key: %q, merges: recomputed, reviews: counted}}\n", publicKey(h.people["github"])),
	})
	h.r.Forges = map[string]Forge{"github": &h.forge}
	h.pass(Options{})
	return h
}

func publicKey(s ssh.Signer) string {
	return strings.TrimSpace(string(ssh.MarshalAuthorizedKey(s.PublicKey())))
}

// write makes a commit that is on no branch yet.
func (h *hosted) write(who, message, path, text string, parents ...lcm.Revision) lcm.Revision {
	h.Helper()
	rev, err := h.repo.Write(gitrepo.Edit{Parents: parents, Files: map[string][]byte{path: []byte(text)}, Message: message,
		Author: gitrepo.Ident{Name: who, Email: who + "@example.org"}, Sign: gitrepo.SSHSigner(h.people[who])})
	h.check(err)
	return rev
}

// ref makes a reference beside the branches, as a forge keeps them.
func (h *hosted) ref(name string, rev lcm.Revision) {
	h.Helper()
	file := filepath.Join(h.dir, "origin.git", filepath.FromSlash(name))
	h.check(os.MkdirAll(filepath.Dir(file), 0o755))
	h.check(os.WriteFile(file, []byte(rev+"\n"), 0o644))
}

// A squash by the forge is judged as the merge of the pull request, whose head comes by refs/pull/; a review counts
// beside its author's signature, and is remembered.
func TestSquashAndReview(t *testing.T) {
	h := newHosted(t)
	side := h.write("bob", "change a\n", dev+"a.yaml", config("two"), h.head)
	squash := h.write("github", "change a (#12)\n\n* change a\n", dev+"a.yaml", config("two"), h.head)
	h.check(h.repo.SetBranch("main", squash))
	refused := func(rule string) {
		t.Helper()
		if r := h.pass(Options{}); r.Refusal == nil || r.Refusal.Rule != rule {
			t.Fatalf("want %s, got %v", rule, r.Refusal)
		}
	}
	refused("trust/forge-commit") // there is no such pull request
	h.ref("refs/pull/12/head", side)
	refused("trust/approvals") // bob's consent alone
	h.forge.err = errors.New("down")
	refused("trust/approvals")
	h.forge = forgeSays{reviews: []trust.Review{{Login: "dave-at-acme", Commit: side, At: h.now}}}
	if r := h.pass(Options{DryRun: true}); r.Refusal != nil || r.Revision != squash {
		t.Errorf("%v", r.Refusal)
	}
	h.expect(h.pass(Options{}), "update acme/p/s/development/a v2")

	// The forge forgets all about it, and it can be judged again all the same.
	h.forge = forgeSays{err: errors.New("gone")}
	h.check(os.RemoveAll(filepath.Join(h.dir, "origin.git", "refs", "pull")))
	verdicts, err := Verdicts(t.Context(), h.r.Config, "", "")
	h.check(err)
	s := verdicts[0].Step
	if len(verdicts) != 1 || s == nil || s.Squashed != side || s.Forge != "github" || !slices.Equal(s.Reviewers, []string{"dave"}) {
		t.Errorf("%+v", verdicts[0])
	}
	if h.forge.asked > 0 {
		t.Error("the forge was asked about a commit that was accepted")
	}
}

// GitLab's references have another name, and only what is at the subject's end names a pull request.
func TestSquashNames(t *testing.T) {
	h := newHosted(t)
	side := h.write("bob", "x\n", dev+"a.yaml", config("two"), h.head)
	h.ref("refs/pull/3/head", side)
	h.ref("refs/merge-requests/4/head", side)
	h.ref("refs/pull/5/head", "not an id")
	_, err := h.r.fetch(t.Context(), Options{})
	h.check(err)
	for message, want := range map[string]int{"x (#3)\n\nbody": 1, "x (!4)": 1, "x (#4)": 0, "x\n\n(#3)": 0, "(#3) x": 0, "x (#03)": 0, "x (#3)(#99999999999)": 0, "x (#5)": 0} {
		heads, err := h.r.squashed(t.Context(), &gitrepo.Commit{Message: message})
		if err != nil || len(heads) != want {
			t.Errorf("%q: %v, %v", message, heads, err)
		}
	}
}
