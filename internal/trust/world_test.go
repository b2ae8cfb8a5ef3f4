package trust

import (
	"bytes"
	"compress/zlib"
	"context"
	"crypto/ed25519"
	"crypto/sha1"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/llm-config-manager/lcm/internal/gitrepo"
	"github.com/llm-config-manager/lcm/internal/lcm"
)

// now is when commits are first seen, unless a test says otherwise.
var now = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

// world is a repository with people who commit to it.
type world struct {
	t    *testing.T
	dir  string
	repo *gitrepo.Repo
	cfg  Config
	seen map[lcm.Revision]time.Time
	n    int
}

func newWorld(t *testing.T) *world {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "repo.git")
	repo, err := gitrepo.Init(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = repo.Close() })
	w := &world{t: t, dir: dir, repo: repo, seen: map[lcm.Revision]time.Time{}}
	w.cfg = Config{Repository: "acme-config", Branch: "main", Tenants: []string{"acme-corp", "globex"}}
	w.cfg.FirstSeen = func(r lcm.Revision) time.Time {
		if at, ok := w.seen[r]; ok {
			return at
		}
		return now
	}
	return w
}

// sshKey is the key of a person, always the same for a name.
func sshKey(name string) ssh.Signer {
	seed := sha256.Sum256([]byte(name))
	s, err := ssh.NewSignerFromKey(ed25519.NewKeyFromSeed(seed[:]))
	if err != nil {
		panic(err)
	}
	return s
}

func publicLine(s ssh.Signer) string {
	return strings.TrimSpace(string(ssh.MarshalAuthorizedKey(s.PublicKey())))
}

func sshEntry(name string) string { return fmt.Sprintf("{ssh: %q}", publicLine(sshKey(name))) }

// policy writes a trust.yaml.
type policy struct {
	repository, branch string
	version            int
	people             map[string]string // name → flow mapping without braces
	rules              []string
	tail               string
}

func person(roles string, keys ...string) string {
	return fmt.Sprintf("roles: [%s], keys: [%s]", roles, strings.Join(keys, ", "))
}

// design is the policy of the design's example, with more people.
func design() policy {
	return policy{
		repository: "acme-config", branch: "main", version: 1,
		people: map[string]string{
			"alice":   person("global-admin", sshEntry("alice")),
			"carol":   person("global-admin", sshEntry("carol")),
			"bob":     person(`"operator:acme-corp"`, sshEntry("bob")),
			"dave":    person(`"operator:acme-corp"`, sshEntry("dave"), sshEntry("dave2")),
			"gus":     person(`"operator:globex"`, sshEntry("gus")),
			"dev":     person(`"developer:acme-corp"`, sshEntry("dev")),
			"rotator": "bot: true, " + person(`"service-account:acme-corp"`, sshEntry("rotator")),
		},
		rules: []string{
			`{paths: ["**"], roles: ["*"], approvals: 1}`,
			`{paths: [".lcm/**", ".sops.yaml", "lcm.yaml", "schemas/**", "policies/**"], roles: [global-admin], approvals: 2}`,
			`{paths: ["namespaces/*/*/*/production/**"], roles: [global-admin, tenant-admin, operator], approvals: 2, rollbackApprovals: 1, rotation: [rotator]}`,
		},
	}
}

func (p policy) with(name, what string) policy {
	p.people = maps.Clone(p.people)
	if what == "" {
		delete(p.people, name)
	} else {
		p.people[name] = what
	}
	return p
}

func (p policy) next() policy { p.version++; return p }

func (p policy) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "apiVersion: lcm/v1\nkind: TrustPolicy\nrepository: %s\nbranch: %s\nversion: %d\nprincipals:\n", p.repository, p.branch, p.version)
	for _, name := range slices.Sorted(maps.Keys(p.people)) {
		fmt.Fprintf(&b, "  %s: {%s}\n", name, p.people[name])
	}
	b.WriteString("rules:\n")
	for _, r := range p.rules {
		fmt.Fprintf(&b, "  - %s\n", r)
	}
	return b.String() + p.tail
}

const settingsText = `apiVersion: lcm/v1
kind: Repository
name: acme-config
rules: "1"
environments:
  base: {abstract: true}
  development: {inherits: base}
  staging: {inherits: base}
  production: {inherits: staging}
targets:
  runtime: {maxClassification: internal}
routes:
  - {match: {namespaces: ["**"], kinds: ["*"]}, target: runtime}
limits: {maxDeletes: 10%}
`

func config(value string) string {
	return "apiVersion: lcm/v1\nkind: Config\nmetadata: {owner: team}\nspec: {value: " + value + "}\n"
}

const service = "namespaces/acme-corp/ml/chat/"

type files map[string]string

// introduce makes the first commit and takes it as the introduction.
func (w *world) introduce(p policy, more files) lcm.Revision {
	w.t.Helper()
	all := files{policyFile: p.String(), "lcm.yaml": settingsText}
	maps.Copy(all, more)
	root := w.commit("alice", all)
	w.cfg.Introduction = root
	return root
}

// commit makes a commit by a person; nobody's name means unsigned. An empty text deletes.
func (w *world) commit(who string, f files, parents ...lcm.Revision) lcm.Revision {
	w.t.Helper()
	var sign gitrepo.Signer
	if who != "" {
		sign = gitrepo.SSHSigner(sshKey(who))
	}
	return w.commitBy(sign, f, parents...)
}

func (w *world) commitBy(sign gitrepo.Signer, f files, parents ...lcm.Revision) lcm.Revision {
	w.t.Helper()
	w.n++
	edit := gitrepo.Edit{Parents: parents, Files: map[string][]byte{}, Sign: sign, Message: fmt.Sprintf("change %d\n", w.n),
		Author: gitrepo.Ident{Name: "Somebody", Email: "somebody@example.org", When: now}}
	for path, text := range f {
		edit.Files[path] = nil
		if text != "" {
			edit.Files[path] = []byte(text)
		}
	}
	rev, err := w.repo.Write(edit)
	if err != nil {
		w.t.Fatal(err)
	}
	return rev
}

func (w *world) verify(last, head lcm.Revision) (Verified, error) {
	w.t.Helper()
	return Verify(context.Background(), w.repo, w.cfg, last, head)
}

// accepts demands that head is believed.
func (w *world) accepts(last, head lcm.Revision) Verified {
	w.t.Helper()
	v, err := w.verify(last, head)
	if err != nil {
		w.t.Fatalf("refused: %v", err)
	}
	if v.Revision() != head || v.IsZero() {
		w.t.Fatalf("believed %s, not %s", v.Revision(), head)
	}
	return v
}

// refuses demands that head is refused by a rule, and that what was believed before stays.
func (w *world) refuses(last, head lcm.Revision, rule string) *Refusal {
	w.t.Helper()
	v, err := w.verify(last, head)
	var r *Refusal
	if !errors.As(err, &r) {
		w.t.Fatalf("want a refusal by %s, got revision %s and error %v", rule, v.Revision(), err)
	}
	if r.Rule != rule {
		w.t.Fatalf("want a refusal by %s, got %v", rule, r)
	}
	if v.Revision() == head {
		w.t.Fatalf("refused and yet believed: %v", r)
	}
	return r
}

// raw writes an object of any content, as a hostile server could.
func (w *world) raw(kind, content string) lcm.Revision {
	w.t.Helper()
	object := fmt.Sprintf("%s %d\x00%s", kind, len(content), content)
	id := fmt.Sprintf("%x", sha1.Sum([]byte(object)))
	var b bytes.Buffer
	z := zlib.NewWriter(&b)
	z.Write([]byte(object))
	z.Close()
	dir := filepath.Join(w.dir, "objects", id[:2])
	if err := os.MkdirAll(dir, 0o755); err != nil {
		w.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, id[2:]), b.Bytes(), 0o644); err != nil {
		w.t.Fatal(err)
	}
	return lcm.Revision(id)
}

// rawCommit writes a commit whose header is given line by line; sign may be nil, and places the
// signature with fold.
func (w *world) rawCommit(header []string, sign gitrepo.Signer, fold func(header []string, signature string) []string) lcm.Revision {
	w.t.Helper()
	if sign != nil {
		armored, err := sign([]byte(strings.Join(header, "\n") + "\n\nraw\n"))
		if err != nil {
			w.t.Fatal(err)
		}
		header = fold(header, "gpgsig "+strings.ReplaceAll(strings.TrimRight(string(armored), "\n"), "\n", "\n "))
	}
	return w.raw("commit", strings.Join(header, "\n")+"\n\nraw\n")
}

func (w *world) treeID(r lcm.Revision) string {
	w.t.Helper()
	c, err := w.repo.Commit(r)
	if err != nil {
		w.t.Fatal(err)
	}
	return c.Tree
}
