package main

import (
	"bytes"
	"compress/zlib"
	"crypto/sha1"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/llm-config-manager/lcm/internal/gitrepo"
	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/masterkey"
	"github.com/llm-config-manager/lcm/internal/reconcile"
	"github.com/llm-config-manager/lcm/internal/state"
	"github.com/llm-config-manager/lcm/internal/trust"
)

// attacked is a daemon that serves something good from a repository to which the attacker may write whatever
// they like, byte by byte.
type attacked struct {
	*desk
	config string
	good   lcm.Revision      // the last one that was accepted
	code   int               // the exit code of a pass there
	served map[string]string // what the targets hold since: files with their content

	checked string        // the path and text of the configuration that cfg was read from
	cfg     *daemonConfig // of the last pass
}

const (
	api       = "namespaces/acme/app/api/"
	prodLimit = api + "production/limit.yaml"
	baseLimit = api + "base/limit.yaml"
	devTone   = api + "development/tone.yaml"
)

// canary is the secret that no attack may bring out.
const canary = "canary-of-production-7391"

const attackedPolicy = `apiVersion: lcm/v1
kind: TrustPolicy
repository: test-config
branch: main
version: 1
principals:
  alice: {roles: [global-admin], keys: [{ssh: "${alice}"}]}
  carol: {roles: [global-admin], keys: [{ssh: "${carol}"}]}
  bob: {roles: ["operator:acme"], keys: [{ssh: "${bob}"}]}
  dan: {roles: ["operator:acme"], keys: [{ssh: "${dan}"}, {ssh: "${dan2}"}]}
  dev: {roles: ["developer:acme"], keys: [{ssh: "${dev}"}]}
  gus: {roles: ["operator:globex"], keys: [{ssh: "${gus}"}]}
  rotator: {bot: true, roles: ["service-account:acme"], keys: [{ssh: "${rotator}"}]}
rules:
  - {paths: ["**"], roles: ["*"], approvals: 1}
  - {paths: [".lcm/**", ".sops.yaml", "lcm.yaml", "schemas/**", "policies/**"], roles: [global-admin], approvals: 2}
  - {paths: ["namespaces/*/*/*/production/**"], roles: [global-admin, tenant-admin, operator], approvals: 2, rollbackApprovals: 1, rotation: [rotator]}
`

// policy is attackedPolicy with everybody's keys, changed: pairs of what was and what is to be.
func policy(changes ...string) string {
	text := attackedPolicy
	for i := 0; i < len(changes); i += 2 {
		if !strings.Contains(text, changes[i]) {
			panic("the policy does not hold " + changes[i])
		}
		text = strings.Replace(text, changes[i], changes[i+1], 1)
	}
	return regexp.MustCompile(`\$\{(\w+)\}`).ReplaceAllStringFunc(text, func(name string) string { return publicKey(name[2 : len(name)-1]) })
}

// nextPolicy is the same, as the version after the introduction's.
func nextPolicy(changes ...string) string {
	return policy(append([]string{"version: 1", "version: 2"}, changes...)...)
}

// newAttacked has the daemon accept an introduction and one step more.
func newAttacked(t *testing.T, policyText string) *attacked {
	t.Helper()
	a := &attacked{desk: newDesk(t, "testdata/base")}
	sealed, text := a.secret("acme/app/api/production/openai-key", "opaque", map[string]any{"password": canary})
	settings, err := os.ReadFile("testdata/base/repo/lcm.yaml")
	a.check(err)
	rules, err := os.ReadFile("testdata/base/repo/.sops.yaml")
	a.check(err)
	a.intro = a.object("alice", nil, map[string]string{".lcm/trust.yaml": policyText, "lcm.yaml": string(settings), ".sops.yaml": a.expand(string(rules)),
		prodLimit: config("600"), api + "production/own.yaml": config("1"), baseLimit: config("100"), devTone: config("warm"), sealed: text})
	a.config = a.daemon("one", map[string]string{"secrets": "{type: bolt, path: out/secrets.db}", "runtime": "{type: file, path: out/runtime}"})
	a.accepted(a.by("alice", map[string]string{devTone: config("cool")}, a.intro))
	return a
}

// by makes a commit on some parents; on the last good revision if none is named.
func (a *attacked) by(who string, files map[string]string, parents ...lcm.Revision) lcm.Revision {
	a.t.Helper()
	if len(parents) == 0 {
		parents = []lcm.Revision{a.good}
	}
	return a.object(who, parents, files)
}

// agreed makes a change that two consent to: the one commits it beside the branch, the other merges it.
func (a *attacked) agreed(one, other string, files map[string]string) lcm.Revision {
	a.t.Helper()
	return a.by(other, files, a.good, a.by(one, files))
}

// signedBy makes a commit with any signer, as who claims to be both author and committer.
func (a *attacked) signedBy(sign gitrepo.Signer, author gitrepo.Ident, message string, files map[string]string, parents ...lcm.Revision) lcm.Revision {
	a.t.Helper()
	e := gitrepo.Edit{Parents: parents, Files: map[string][]byte{}, Message: message, Author: author, Sign: sign}
	for name, text := range files {
		e.Files[name] = []byte(text)
	}
	rev, err := a.repo.Write(e)
	a.check(err)
	return rev
}

// raw writes an object of any content into the repository, as no Git would.
func (a *attacked) raw(kind, content string) string {
	a.t.Helper()
	object := fmt.Sprintf("%s %d\x00%s", kind, len(content), content)
	id := fmt.Sprintf("%x", sha1.Sum([]byte(object)))
	a.loose(id, object)
	return id
}

// loose writes an object under an id, which need not be its own.
func (a *attacked) loose(id, object string) {
	a.t.Helper()
	var b bytes.Buffer
	z := zlib.NewWriter(&b)
	_, err := z.Write([]byte(object))
	a.check(err)
	a.check(z.Close())
	file := a.path("origin.git/objects/" + id[:2] + "/" + id[2:])
	a.check(os.MkdirAll(filepath.Dir(file), 0o755))
	_ = os.Remove(file)
	a.check(os.WriteFile(file, b.Bytes(), 0o644))
}

// point moves the branch, to whatever it may be, at once.
func (a *attacked) point(head lcm.Revision) {
	a.t.Helper()
	a.write("origin.git/main", string(head)+"\n")
	a.check(os.Rename(a.path("origin.git/main"), a.path("origin.git/refs/heads/main")))
}

// pass is `reconciler once`, in this process. Its configuration is checked once, as long as it does not change.
func (a *attacked) pass(args ...string) (code int, report reportJSON, text string) {
	a.t.Helper()
	var stdout, stderr bytes.Buffer
	if text := a.config + read(a.t, a.config); len(args) > 0 || text != a.checked {
		code = run(append([]string{"once", "--format", "json", "--config", a.config}, args...), &stdout, &stderr)
		if cfg, err := loadConfig(a.config); err == nil {
			a.checked, a.cfg = text, cfg
		}
	} else {
		c := &cli{stdout: &stdout, stderr: &stderr, format: "json"}
		code = c.end(c.passWith(a.t.Context(), a.cfg, reconcile.Options{}))
	}
	if stdout.Len() > 0 {
		a.check(json.Unmarshal(stdout.Bytes(), &report))
	}
	return code, report, stdout.String() + stderr.String()
}

// refused offers a head, and demands that trust refuses it by a rule, with these words: exit code 3, nothing
// written to any target, the ratchet where it was.
func (a *attacked) refused(head lcm.Revision, rule string, words ...string) refusalJSON {
	a.t.Helper()
	a.point(head)
	code, report, text := a.pass()
	if code != exitRefused || report.Refusal == nil || report.Refusal.Rule != rule {
		a.t.Fatalf("want a refusal by %s, got exit code %d\n%s", rule, code, text)
	}
	for _, w := range words {
		if !strings.Contains(report.Refusal.Reason, w) {
			a.t.Errorf("refused by %s, which does not say %q: %s", rule, w, report.Refusal.Reason)
		}
	}
	a.untouched()
	return *report.Refusal
}

// failed demands that a pass cannot be made at all, and says why; nothing is touched.
func (a *attacked) failed(head lcm.Revision, words ...string) {
	a.t.Helper()
	a.point(head)
	code, _, text := a.pass()
	if code != exitFailed {
		a.t.Fatalf("want a failed pass, got exit code %d\n%s", code, text)
	}
	for _, w := range words {
		if !strings.Contains(text, w) {
			a.t.Errorf("it does not say %q: %s", w, text)
		}
	}
	a.untouched()
}

// held demands that a head is believed, and that what it holds is not: a check holds it by a rule, and no
// value changes. From here on the head is the last good revision; namespaces that are not held bear its mark.
func (a *attacked) held(head lcm.Revision, rule string) {
	a.t.Helper()
	before := a.values()
	a.point(head)
	code, _, text := a.pass()
	if code != exitHeld || !strings.Contains(text, `"`+rule+`"`) {
		a.t.Fatalf("want something held by %s, got exit code %d\n%s", rule, code, text)
	}
	if d := cmp.Diff(before, a.values()); d != "" {
		a.t.Fatalf("values were touched: %s", d)
	}
	a.good, a.code, a.served = head, exitHeld, a.targets()
	a.untouched()
}

// accepted demands that a head is believed and served, which shows that what is refused elsewhere is not
// refused for another reason.
func (a *attacked) accepted(head lcm.Revision) {
	a.t.Helper()
	a.point(head)
	if code, _, text := a.pass(); code != exitDone {
		a.t.Fatalf("%s is not accepted: exit code %d\n%s", head, code, text)
	}
	a.good, a.code, a.served = head, exitDone, a.targets()
	a.untouched()
}

// untouched demands that the targets hold what they held, byte for byte, and that the ratchet stands at the
// last good revision.
func (a *attacked) untouched() {
	a.t.Helper()
	if d := cmp.Diff(a.served, a.targets()); d != "" {
		a.t.Fatalf("the targets were touched: %s", d)
	}
	if r := a.ratchet(); r.Accepted != a.good {
		a.t.Fatalf("the ratchet is at %s, not at %s", r.Accepted, a.good)
	}
}

// recovers demands that the branch, moved back to the last good revision, is served on as if nothing had been.
func (a *attacked) recovers() {
	a.t.Helper()
	a.point(a.good)
	if code, _, text := a.pass(); code != a.code {
		a.t.Fatalf("back at the last good revision: exit code %d\n%s", code, text)
	}
	a.untouched()
}

func (a *attacked) ratchet() state.Ratchet {
	a.t.Helper()
	key, err := masterkey.Load(a.path("lcm.key"))
	a.check(err)
	db, err := state.Open(state.Config{Path: a.path("one/state/lcm.db"), Repository: "test-config", Key: key.Derive(masterkey.State), ReadOnly: true})
	a.check(err)
	r, _, err := db.Ratchet()
	a.check(err)
	a.check(db.Close())
	return r
}

// targets is everything below the daemon's targets: files with their content, links with where they lead.
func (a *attacked) targets() map[string]string {
	a.t.Helper()
	all := map[string]string{}
	root := a.path("one/out")
	a.check(filepath.WalkDir(root, func(file string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		if d.Type()&fs.ModeSymlink != 0 {
			to, err := os.Readlink(file)
			all[file] = "-> " + to
			return err
		}
		data, err := os.ReadFile(file)
		all[file] = string(data)
		return err
	}))
	if len(all) < 3 {
		a.t.Fatalf("the targets hold nothing: %v", maps.Keys(all))
	}
	return all
}

// values is what a reader finds: each file of an environment's present generation, and the Secret.
func (a *attacked) values() map[string]string {
	a.t.Helper()
	all := map[string]string{"openai-key": a.secretValue("acme/app/api/production/openai-key")}
	for _, env := range []string{"production", "development"} {
		files, err := filepath.Glob(a.path("one/out/runtime/acme/app/api/" + env + "/*.json"))
		a.check(err)
		for _, file := range files {
			all[file] = read(a.t, file)
		}
	}
	if len(all) < 4 {
		a.t.Fatalf("hardly any values: %v", all)
	}
	return all
}

// header is the head of a commit, line by line, that nobody has signed yet.
func (a *attacked) header(tree string, parents ...lcm.Revision) []string {
	lines := []string{"tree " + tree}
	for _, p := range parents {
		lines = append(lines, "parent "+string(p))
	}
	ident := "Dev <dev@example.org> 1780000000 +0000"
	return append(lines, "author "+ident, "committer "+ident)
}

// signedRaw signs a head and a message, and puts the signature where place says.
func (a *attacked) signedRaw(who string, header []string, place func(header []string, signature string) []string) lcm.Revision {
	a.t.Helper()
	return a.signedRawAs(gitrepo.SSHSigner(signerOf(who)), header, place)
}

func (a *attacked) signedRawAs(sign gitrepo.Signer, header []string, place func(header []string, signature string) []string) lcm.Revision {
	a.t.Helper()
	armored, err := sign([]byte(strings.Join(header, "\n") + "\n\nraw\n"))
	a.check(err)
	header = place(header, "gpgsig "+strings.ReplaceAll(strings.TrimRight(string(armored), "\n"), "\n", "\n "))
	return lcm.Revision(a.raw("commit", strings.Join(header, "\n")+"\n\nraw\n"))
}

func last(header []string, signature string) []string { return append(header, signature) }

func (a *attacked) treeOf(r lcm.Revision) string {
	a.t.Helper()
	c, err := a.repo.Commit(r)
	a.check(err)
	return c.Tree
}

// commitTree signs a commit of a tree, on the last good revision.
func (a *attacked) commitTree(who, tree string) lcm.Revision {
	a.t.Helper()
	return a.signedRaw(who, a.header(tree, a.good), last)
}

// approve signs an approval with somebody's key and pushes it under the name of whose key that is.
func (a *attacked) approve(who string, base, head lcm.Revision) []byte {
	a.t.Helper()
	document, err := trust.Approval{Repository: "test-config", Branch: "main", Base: base, Head: head}.Sign(gitrepo.SSHSignerFor(trust.ApprovalNamespace, signerOf(who)))
	a.check(err)
	_, err = a.repo.SetApproval(head, strings.TrimRight(who, "2"), document)
	a.check(err)
	return document
}

// forget takes an object out of the repository.
func (a *attacked) forget(id lcm.Revision) {
	a.t.Helper()
	a.check(os.Remove(a.path("origin.git/objects/" + string(id[:2]) + "/" + string(id[2:]))))
}

func read(t *testing.T, file string) string {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// below makes a regular commit on top of a tree that is good and of a parent that is not.
func (a *attacked) below(who string, parent lcm.Revision) lcm.Revision {
	a.t.Helper()
	return a.signedRaw(who, a.header(a.treeOf(a.good), parent), last)
}
