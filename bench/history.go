package main

import (
	"bytes"
	"cmp"
	"crypto/ed25519"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/llm-config-manager/lcm/internal/gitrepo"
	"github.com/llm-config-manager/lcm/internal/lcm"
)

// history is a made-up repository with a long past: the documents of the other repositories without the
// sealed ones, and signed commits each of which changes one of them, under the policy of the design. It
// is the same at every run. What one person may do is a commit of the branch; what needs two, a change
// in production or one that production inherits, is a merge of a side branch with a commit by another.
type history struct {
	pack         *packer
	services     []service
	people       []person
	root         *node
	recent       []believed // the last revisions of the branch, which side branches fork from
	introduction lcm.Revision
	commits      int // after the introduction
	before       int // of them, up to the revision before the last
}

type believed struct {
	id   lcm.Revision
	tree *node
}

type person struct {
	name string
	sign gitrepo.Signer
	key  ssh.PublicKey
}

// Of ten steps, four change development, four staging, one production and one base.
var changes = []string{"development", "staging", "development", "production", "staging", "development", "staging", "base", "development", "staging"}

const maxFork = 5 // revisions between a fork and its merge

func newPerson(name string) (person, error) {
	seed := sha256.Sum256([]byte(name))
	key, err := ssh.NewSignerFromKey(ed25519.NewKeyFromSeed(seed[:]))
	if err != nil {
		return person{}, err
	}
	return person{name, gitrepo.SSHSigner(key), key.PublicKey()}, nil
}

// write makes the history: the introduction, then so many commits.
func (h *history) write(documents, commits int) error {
	for _, name := range []string{"alice", "carol", "bob", "dave", "erin", "frank", "grace", "heidi"} {
		p, err := newPerson(name)
		if err != nil {
			return err
		}
		h.people = append(h.people, p)
	}
	h.services = services(max(1, documents/perService))
	h.root = &node{}
	files := map[string]string{"lcm.yaml": settings, ".lcm/trust.yaml": h.policy()}
	for _, s := range h.services {
		for file, text := range s.documents() {
			files[file] = text
		}
	}
	for file, text := range files {
		if err := h.put(&h.root, file, text); err != nil {
			return err
		}
	}
	id, err := h.commit(h.root, h.people[0], "introduction")
	if err != nil {
		return err
	}
	h.introduction, h.commits = id, 0
	h.believe(id)
	for step := 0; h.commits < commits; step++ {
		h.before = h.commits
		if err := h.step(step); err != nil {
			return err
		}
	}
	return nil
}

func (h *history) believe(id lcm.Revision) {
	h.recent = append(h.recent, believed{id, h.root})
	if len(h.recent) > maxFork+1 {
		h.recent = h.recent[1:]
	}
}

func (h *history) route() route {
	return route{Introduction: h.introduction, Before: h.recent[len(h.recent)-2].id, Head: h.head(), Commits: h.before}
}

func (h *history) head() lcm.Revision { return h.recent[len(h.recent)-1].id }

// step adds a commit, or a side branch of one commit and its merge.
func (h *history) step(n int) error {
	s := h.services[n*7919%len(h.services)]
	environment := changes[n%len(changes)]
	files := plainFiles(environment)
	file := s.path(environment, files[n/len(changes)%len(files)])
	text := s.config(4*n, "internal", fmt.Sprint(n))
	one, other := h.people[2+n%6], h.people[2+(n+1)%6]
	parents := []lcm.Revision{h.head()}
	message := fmt.Sprintf("Change %s\n\nBecause of what was seen in request %d.", file, n)
	if environment == "base" || environment == "production" {
		fork := h.recent[max(0, len(h.recent)-1-n/len(changes)%maxFork)]
		side := fork.tree
		if err := h.put(&side, file, text); err != nil {
			return err
		}
		id, err := h.commit(side, other, message, fork.id)
		if err != nil {
			return err
		}
		parents, message = append(parents, id), fmt.Sprintf("Merge pull request #%d", n)
	}
	if err := h.put(&h.root, file, text); err != nil {
		return err
	}
	id, err := h.commit(h.root, one, message, parents...)
	h.believe(id)
	return err
}

// plainFiles are the documents of an environment that hold plain values.
func plainFiles(environment string) (files []string) {
	if environment == "base" {
		for i := range 11 {
			files = append(files, fmt.Sprintf("setting-%02d.yaml", i+1))
		}
		return files
	}
	for i := range 3 {
		files = append(files, fmt.Sprintf("setting-%02d.yaml", 3*i+1))
	}
	for i := range 4 {
		files = append(files, fmt.Sprintf("%s-%02d.yaml", environment, i+1))
	}
	return files
}

func (h *history) commit(root *node, by person, message string, parents ...lcm.Revision) (lcm.Revision, error) {
	var b bytes.Buffer
	fmt.Fprintf(&b, "tree %s\n", hex.EncodeToString(root.id[:]))
	for _, p := range parents {
		fmt.Fprintf(&b, "parent %s\n", p)
	}
	when := time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC).Unix() + int64(h.commits)*60
	who := fmt.Sprintf("%s <%s@example.org> %d +0200", by.name, by.name, when)
	fmt.Fprintf(&b, "author %s\ncommitter %s\n", who, who)
	armored, err := by.sign([]byte(b.String() + "\n" + message + "\n"))
	if err != nil {
		return "", err
	}
	fmt.Fprintf(&b, "gpgsig %s\n\n%s\n", strings.ReplaceAll(strings.TrimSuffix(string(armored), "\n"), "\n", "\n "), message)
	id, err := h.pack.object(commitObject, b.Bytes())
	h.commits++
	return lcm.Revision(hex.EncodeToString(id[:])), err
}

// policy is the one of the design, but for names and tenants.
func (h *history) policy() string {
	var b strings.Builder
	fmt.Fprintf(&b, "apiVersion: lcm/v1\nkind: TrustPolicy\nrepository: %s\nbranch: main\nversion: 1\nprincipals:\n", repositoryName)
	for i, p := range h.people {
		roles := `global-admin`
		if i > 1 {
			roles = `"operator:tenant-1", "operator:tenant-2", "operator:tenant-3", "operator:tenant-4"`
		}
		fmt.Fprintf(&b, "  %s: {roles: [%s], keys: [{ssh: %q}]}\n", p.name, roles, strings.TrimSpace(string(ssh.MarshalAuthorizedKey(p.key))))
	}
	b.WriteString(`rules:
  - {paths: ["**"], roles: ["*"], approvals: 1}
  - {paths: [".lcm/**", ".sops.yaml", "lcm.yaml", "schemas/**", "policies/**"], roles: [global-admin], approvals: 2}
  - {paths: ["namespaces/*/*/*/production/**"], roles: [global-admin, tenant-admin, operator], approvals: 2, rollbackApprovals: 1}
`)
	return b.String()
}

// signers is what git verifies by (ssh-keygen(1), ALLOWED SIGNERS).
func (h *history) signers() string {
	var b strings.Builder
	for _, p := range h.people {
		fmt.Fprintf(&b, "%s@example.org %s", p.name, ssh.MarshalAuthorizedKey(p.key))
	}
	return b.String()
}

// node is a folder or file of a tree. It does not change once written, so that revisions share what is
// the same in them.
type node struct {
	id    [sha1.Size]byte
	below map[string]*node // nil for a file
}

// put writes a file and, anew, the folders above it.
func (h *history) put(root **node, file, text string) (err error) {
	leaf := &node{}
	if leaf.id, err = h.pack.object(blobObject, []byte(text)); err != nil {
		return err
	}
	*root, err = h.with(*root, strings.Split(file, "/"), leaf)
	return err
}

func (h *history) with(n *node, path []string, leaf *node) (*node, error) {
	if len(path) == 0 {
		return leaf, nil
	}
	out := &node{below: map[string]*node{}}
	if n != nil {
		for name, b := range n.below {
			out.below[name] = b
		}
	}
	next, err := h.with(out.below[path[0]], path[1:], leaf)
	if err != nil {
		return nil, err
	}
	out.below[path[0]] = next
	out.id, err = h.pack.object(treeObject, out.encode())
	return out, err
}

func (n *node) encode() []byte {
	key := func(name string) string {
		if n.below[name].below != nil {
			return name + "/"
		}
		return name
	}
	names := make([]string, 0, len(n.below))
	for name := range n.below {
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b string) int { return cmp.Compare(key(a), key(b)) })
	var b []byte
	for _, name := range names {
		mode := "100644 "
		if n.below[name].below != nil {
			mode = "40000 "
		}
		b = append(append(append(b, mode...), name...), 0)
		b = append(b, n.below[name].id[:]...)
	}
	return b
}
