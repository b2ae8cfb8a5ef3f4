package main

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"golang.org/x/crypto/ssh"

	"github.com/llm-config-manager/lcm/examples"
	"github.com/llm-config-manager/lcm/internal/gitrepo"
	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/sopsfile"
	"github.com/llm-config-manager/lcm/internal/trust"
)

// demo is the example repository in a folder, with the keys of all its principals, and a daemon for it.
type demo struct {
	ctx     context.Context
	cli     *cli
	dir     string
	repo    *gitrepo.Repo // the "server"
	signers map[string]gitrepo.Signer
	daemon  *app
	head    lcm.Revision
	intro   lcm.Revision
	before  string
	steps   int
}

func (d *demo) origin() string { return filepath.Join(d.dir, "origin.git") }

// newDemo makes the repository and the daemon.
func newDemo(ctx context.Context, c *cli, dir string) (*demo, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	if entries, err := os.ReadDir(dir); err == nil && len(entries) > 0 {
		return nil, configErrorf("%s is not empty: the demo wants a folder of its own", dir)
	}
	d := &demo{ctx: ctx, cli: c, dir: dir, signers: map[string]gitrepo.Signer{}}
	files, err := d.exampleFiles()
	if err != nil {
		return nil, err
	}
	if d.repo, err = gitrepo.Init(d.origin()); err != nil {
		return nil, err
	}
	if err := d.commit("alice", files, "The example repository"); err != nil {
		return nil, err
	}
	d.intro = d.head
	return d, d.startDaemon()
}

// exampleFiles is the example as it is embedded, with fresh keys in place of the published ones.
func (d *demo) exampleFiles() (map[string][]byte, error) {
	files := map[string][]byte{}
	err := fs.WalkDir(examples.Repository(), ".", func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		files[path], err = fs.ReadFile(examples.Repository(), path)
		return err
	})
	if err != nil {
		return nil, err
	}
	if err := d.freshSigners(files); err != nil {
		return nil, err
	}
	return files, d.freshSeals(files)
}

// freshSigners gives every principal of the trust policies a new SSH key.
func (d *demo) freshSigners(files map[string][]byte) error {
	for path, data := range files {
		if path != ".lcm/trust.yaml" && !strings.HasPrefix(path, ".lcm/tenants/") {
			continue
		}
		for _, key := range sshKeys.FindAll(data, -1) {
			line, err := d.newSigner(principalOf(data, key))
			if err != nil {
				return err
			}
			data = bytes.Replace(data, key, []byte(line), 1)
		}
		files[path] = data
	}
	if _, findings := trust.ParsePolicy(".lcm/trust.yaml", files[".lcm/trust.yaml"]); len(findings) > 0 {
		return configFindings(findings)
	}
	return nil
}

// newSigner makes a key pair, keeps the private half in the folder, and returns the public one.
func (d *demo) newSigner(principal string) (string, error) {
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return "", err
	}
	signer, err := ssh.NewSignerFromKey(private)
	if err != nil {
		return "", err
	}
	block, err := ssh.MarshalPrivateKey(private, principal)
	if err != nil {
		return "", err
	}
	if err := d.write("keys/"+principal, pem.EncodeToMemory(block), 0o600); err != nil {
		return "", err
	}
	public := strings.TrimSpace(string(ssh.MarshalAuthorizedKey(signer.PublicKey())))
	d.signers[principal] = gitrepo.SSHSigner(signer)
	return public, d.write("keys/"+principal+".pub", []byte(public+"\n"), 0o644)
}

// freshSeals seals every secret anew, to a key that only this demo has.
func (d *demo) freshSeals(files map[string][]byte) error {
	published := filepath.Join(d.dir, "keys", "published-example-key.txt")
	if err := d.write("keys/published-example-key.txt", files[examples.AgeKeyFile], 0o600); err != nil {
		return err
	}
	opener, err := sopsfile.NewOpener(sopsfile.Config{IdentityFile: published})
	if err != nil {
		return err
	}
	identity, recipient, err := sopsfile.NewIdentity()
	if err != nil {
		return err
	}
	if err := d.write("keys/age.txt", identity, 0o600); err != nil {
		return err
	}
	for path, data := range files {
		if strings.HasSuffix(path, ".sops.yaml") && strings.HasPrefix(path, "namespaces/") {
			if files[path], err = opener.Reseal(path, data, []string{recipient}); err != nil {
				return err
			}
		}
	}
	files[".sops.yaml"] = ageRecipients.ReplaceAll(files[".sops.yaml"], []byte(recipient))
	delete(files, examples.AgeKeyFile)
	return os.Remove(published)
}

const demoConfig = `# The demo's daemon: embedded stores, a repository on this machine.
repository:
  name: %s
  url: origin.git
  branch: main
  introduction: %s
  tenants: ["*"]
state: {type: bolt, path: state/lcm.db}
secrets: {age: {identityFile: keys/age.txt}}
targets:
  secrets: {type: bolt, path: state/secrets.db, maxClassification: restricted}
  runtime: {type: bolt, path: state/runtime.db, maxClassification: confidential}
schedule: "@every 2s"
`

// startDaemon writes the configuration and wires the daemon as reconciler once does.
func (d *demo) startDaemon() error {
	if err := d.write("reconciler.yaml", fmt.Appendf(nil, demoConfig, examples.Name, d.intro), 0o644); err != nil {
		return err
	}
	cfg, err := loadConfig(filepath.Join(d.dir, "reconciler.yaml"))
	if err != nil {
		return err
	}
	d.daemon, err = open(d.ctx, cfg, false, nil, new(bytes.Buffer))
	return err
}

func (d *demo) close() error {
	if d.daemon == nil {
		return nil
	}
	return errors.Join(d.daemon.close(), d.repo.Close())
}

func (d *demo) write(name string, data []byte, mode fs.FileMode) error {
	path := filepath.Join(d.dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	return os.WriteFile(path, data, mode)
}

// commit puts a commit on the branch, signed by a principal, or by nobody.
func (d *demo) commit(principal string, files map[string][]byte, message string) (err error) {
	d.head, err = d.writeCommit(principal, parents(d.head), files, message)
	if err != nil {
		return err
	}
	return d.repo.SetBranch("main", d.head)
}

// merge lets one principal make the change on a branch, and another merge it.
func (d *demo) merge(author, merger string, files map[string][]byte, message string) error {
	side, err := d.writeCommit(author, parents(d.head), files, message)
	if err != nil {
		return err
	}
	d.head, err = d.writeCommit(merger, []lcm.Revision{d.head, side}, files, "Merge: "+message)
	if err != nil {
		return err
	}
	return d.repo.SetBranch("main", d.head)
}

func parents(head lcm.Revision) []lcm.Revision {
	if head == "" {
		return nil
	}
	return []lcm.Revision{head}
}

func (d *demo) writeCommit(principal string, parents []lcm.Revision, files map[string][]byte, message string) (lcm.Revision, error) {
	who := principal
	if who == "" {
		who = "mallory"
	}
	return d.repo.Write(gitrepo.Edit{Parents: parents, Files: files, Message: message + "\n", Sign: d.signers[principal],
		Author: gitrepo.Ident{Name: who, Email: who + "@example.org", When: demoTime()}})
}

// moveBack takes the branch back to the last accepted revision.
func (d *demo) moveBack() error {
	r, err := d.daemon.repositories[0].reconciler()
	if err != nil {
		return err
	}
	ratchet, _, err := r.State.Ratchet()
	if err != nil {
		return err
	}
	d.head = ratchet.Accepted
	return d.repo.SetBranch("main", d.head)
}

// edited is a file of the branch with one text replaced by another, once.
func (d *demo) edited(file, old, new string) ([]byte, error) {
	data, err := d.at(d.head, file)
	if err != nil {
		return nil, err
	}
	if !bytes.Contains(data, []byte(old)) {
		return nil, fmt.Errorf("the example has no %q in %s", old, file)
	}
	return bytes.Replace(data, []byte(old), []byte(new), 1), nil
}

func (d *demo) original(file string) ([]byte, error) { return d.at(d.intro, file) }

func (d *demo) at(rev lcm.Revision, file string) ([]byte, error) {
	t, err := d.repo.Tree(rev)
	if err != nil {
		return nil, err
	}
	return fs.ReadFile(t, file)
}

var (
	sshKeys       = regexp.MustCompile(`ssh-ed25519 [A-Za-z0-9+/=]+`)
	ageRecipients = regexp.MustCompile(`age1[02-9ac-hj-np-z]{58}`)
	principalLine = regexp.MustCompile(`(?m)^  ([a-z0-9-]+):`)
)

// principalOf names the principal in whose entry a key stands.
func principalOf(policy, key []byte) string {
	before := policy[:bytes.Index(policy, key)]
	all := principalLine.FindAllSubmatch(before, -1)
	if len(all) == 0 {
		return "unknown"
	}
	return string(all[len(all)-1][1])
}
