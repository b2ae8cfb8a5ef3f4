package main

import (
	"crypto/ed25519"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/sync/errgroup"

	"github.com/llm-config-manager/lcm/internal/gitrepo"
	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/sopsfile"
)

const repositoryName = "bench-config"

const settings = `apiVersion: lcm/v1
kind: Repository
name: bench-config
rules: "1"
environments:
  base: {abstract: true}
  development: {inherits: base}
  staging: {inherits: base}
  production: {inherits: base}
targets:
  secrets: {secrets: true, maxClassification: restricted}
  runtime: {maxClassification: confidential}
routes:
  - {match: {namespaces: ["**"], kinds: [Secret]}, target: secrets}
  - {match: {namespaces: ["**"], kinds: ["*"]}, target: runtime}
limits: {maxDeletes: 10%}
`

const daemon = `repository:
  name: bench-config
  url: origin.git
  branch: main
  introduction: INTRODUCTION
  tenants: ["*"]
state: {type: bolt, path: state/lcm.db}
secrets: {age: {identityFile: age.txt}}
targets:
  secrets: {type: bolt, path: targets/secrets.db}
  runtime: {type: bolt, path: targets/runtime.db}
`

// world is a folder with a signed repository, an age key and a daemon's configuration.
type world struct {
	dir          string
	repo         *gitrepo.Repo
	signer       ssh.Signer
	services     []service
	recipient    string
	introduction lcm.Revision
	head         lcm.Revision
	commits      int
	secrets      int

	changed string // a file of the work tree that was changed, and what it held
	was     []byte
}

func (w *world) path(name string) string { return filepath.Join(w.dir, name) }

// newWorld makes a repository of about so many documents, and steps signed commits after the first,
// each of which changes one of them.
func newWorld(dir string, documents, steps int) (*world, error) {
	w := &world{dir: dir, services: services(max(1, documents/perService))}
	private := ed25519.NewKeyFromSeed([]byte(strings.Repeat("b", ed25519.SeedSize)))
	var err error
	if w.signer, err = ssh.NewSignerFromKey(private); err != nil {
		return nil, err
	}
	identity, recipient, err := sopsfile.NewIdentity()
	if err != nil {
		return nil, err
	}
	w.recipient = recipient
	if w.repo, err = gitrepo.Init(w.path("origin.git")); err != nil {
		return nil, err
	}
	files, err := w.files()
	if err != nil {
		return nil, err
	}
	if err := w.commit("all documents", files); err != nil {
		return nil, err
	}
	w.introduction = w.head
	w.repack()
	for range steps {
		if _, err := w.change(); err != nil {
			return nil, err
		}
	}
	return w, w.write(map[string]string{"age.txt": string(identity), "reconciler.yaml": strings.Replace(daemon, "INTRODUCTION", string(w.introduction), 1),
		"allowed-signers": "bench@example.org " + w.publicKey() + "\n"})
}

// repack packs the repository as a forge does, if there is a git; what follows stays loose, as after a push.
func (w *world) repack() {
	_ = exec.Command("git", "-C", w.path("origin.git"), "repack", "-adq").Run()
}

func (w *world) publicKey() string {
	return strings.TrimSpace(string(ssh.MarshalAuthorizedKey(w.signer.PublicKey())))
}

func (w *world) write(files map[string]string) error {
	for name, text := range files {
		if err := os.WriteFile(w.path(name), []byte(text), 0o600); err != nil {
			return err
		}
	}
	return nil
}

// files are all files of the repository, the Secrets sealed.
func (w *world) files() (map[string]string, error) {
	files := map[string]string{
		"lcm.yaml":   settings,
		".sops.yaml": "creation_rules:\n  - {path_regex: '^namespaces/.*$', encrypted_regex: '^(data|previous)$', age: " + w.recipient + "}\n",
		".lcm/trust.yaml": "apiVersion: lcm/v1\nkind: TrustPolicy\nrepository: " + repositoryName + "\nbranch: main\nversion: 1\nprincipals:\n  alice: {roles: [global-admin], keys: [{ssh: \"" +
			w.publicKey() + "\"}]}\nrules:\n  - {paths: [\"**\"], roles: [\"*\"], approvals: 1}\n",
	}
	sealed := make([]map[string]string, len(w.services))
	var g errgroup.Group
	g.SetLimit(runtime.GOMAXPROCS(0))
	for i, s := range w.services {
		g.Go(func() error {
			sealed[i] = map[string]string{}
			for _, environment := range published {
				file := s.path(environment, "openai-key.sops.yaml")
				data, err := sopsfile.Seal(file, s.secret(environment), []string{w.recipient})
				if err != nil {
					return err
				}
				sealed[i][file] = string(data)
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	for i, s := range w.services {
		for file, text := range s.documents() {
			files[file] = text
		}
		for file, text := range sealed[i] {
			files[file] = text
			w.secrets++
		}
	}
	return files, nil
}

func (w *world) documents() int { return len(w.services) * perService }

// change commits another value for one setting in production of some service, and returns its file.
func (w *world) change() (string, error) {
	s := w.services[w.commits*7919%len(w.services)]
	file := s.path("production", "setting-01.yaml")
	text := s.config(0, "internal", fmt.Sprint(1_000_000+w.commits))
	return file, w.commit("change "+file, map[string]string{file: text})
}

func (w *world) commit(message string, files map[string]string) error {
	e := gitrepo.Edit{Files: map[string][]byte{}, Message: message + "\n", Sign: gitrepo.SSHSigner(w.signer),
		Author: gitrepo.Ident{Name: "Bench", Email: "bench@example.org", When: time.Now()}}
	if w.head != "" {
		e.Parents = []lcm.Revision{w.head}
	}
	for file, text := range files {
		e.Files[file] = []byte(text)
	}
	head, err := w.repo.Write(e)
	if err != nil {
		return err
	}
	w.head = head
	w.commits++
	return w.repo.SetBranch("main", head)
}
