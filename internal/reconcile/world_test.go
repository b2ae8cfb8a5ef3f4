package reconcile

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/llm-config-manager/lcm/internal/gitrepo"
	"github.com/llm-config-manager/lcm/internal/kept"
	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/masterkey"
	"github.com/llm-config-manager/lcm/internal/sopsfile"
	"github.com/llm-config-manager/lcm/internal/state"
	"github.com/llm-config-manager/lcm/internal/store"
	"github.com/llm-config-manager/lcm/internal/store/bolt"
)

// world is a repository that one admin may change alone, a reconciler for it, and two bolt targets.
type world struct {
	*testing.T
	dir       string
	repo      *gitrepo.Repo
	signer    ssh.Signer
	head      lcm.Revision
	intro     lcm.Revision
	now       time.Time
	key       masterkey.Key
	age       string // recipient
	faults    map[string]*faulty
	elsewhere []gitrepo.Remote
	fresh     Freshness // that start gives to the reconciler
	keeps     bool      // it keeps verdicts
	r         *Reconciler
}

// faulty is a target that fails on demand.
type faulty struct {
	store.Target
	mu                   sync.Mutex // guards applied
	list, apply, unknown error
	empty                bool  // it lists nothing, as if that were so
	after                error // the batch is carried out, and reported as failed
	applied              int
	asked                int // for its namespaces
}

func (f *faulty) List(ctx ctxT, ns lcm.Namespace) (store.Listing, error) {
	if f.list != nil {
		return store.Listing{}, f.list
	}
	if f.empty {
		return store.Listing{}, nil
	}
	return f.Target.List(ctx, ns)
}

func (f *faulty) Apply(ctx ctxT, b store.Batch) error {
	if f.apply != nil {
		return f.apply
	}
	f.mu.Lock()
	f.applied++
	f.mu.Unlock()
	return errors.Join(f.Target.Apply(ctx, b), f.after)
}

const settings = `apiVersion: lcm/v1
kind: Repository
name: test-config
rules: "1"
environments:
  base: {abstract: true}
  development: {inherits: base}
  production: {inherits: base}
targets:
  secrets: {secrets: true, maxClassification: restricted}
  runtime: {maxClassification: internal}
routes:
  - {match: {namespaces: ["**"], kinds: [Secret]}, target: secrets}
  - {match: {namespaces: ["**"], kinds: ["*"]}, target: runtime}
`

func newWorld(t *testing.T, files map[string]string) *world {
	t.Helper()
	w := &world{T: t, dir: t.TempDir(), now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), key: masterkey.Random(), faults: map[string]*faulty{}}
	w.signer = sshSigner(t, "a")
	var err error
	w.repo, err = gitrepo.Init(filepath.Join(w.dir, "origin.git"))
	w.check(err)
	t.Cleanup(func() { w.repo.Close() })
	identity, recipient, err := sopsfile.NewIdentity()
	w.check(err)
	w.age = recipient
	w.check(os.WriteFile(filepath.Join(w.dir, "age.txt"), identity, 0o600))
	all := map[string]string{
		"lcm.yaml":   settings,
		".sops.yaml": "creation_rules:\n  - {path_regex: '^namespaces/.*$', encrypted_regex: '^(data|previous)$', age: " + recipient + "}\n",
		".lcm/trust.yaml": "apiVersion: lcm/v1\nkind: TrustPolicy\nrepository: test-config\nbranch: main\nversion: 1\nprincipals:\n  alice: {roles: [global-admin], keys: [{ssh: \"" +
			strings.TrimSpace(string(ssh.MarshalAuthorizedKey(w.signer.PublicKey()))) + "\"}]}\nrules:\n  - {paths: [\"**\"], roles: [\"*\"], approvals: 1}\n",
	}
	for path, text := range files {
		all[path] = text
	}
	w.commit("first", all)
	w.intro = w.head
	w.start()
	return w
}

// start wires a reconciler anew, as a restart does.
func (w *world) start() {
	w.Helper()
	mirror, err := gitrepo.OpenMirror(gitrepo.Config{URL: filepath.Join(w.dir, "origin.git"), Branch: "main", Dir: filepath.Join(w.dir, "mirror.git"), Elsewhere: w.elsewhere})
	w.check(err)
	st, err := state.Open(state.Config{Path: filepath.Join(w.dir, "state.db"), Repository: "test-config", Key: w.key.Derive(masterkey.State)})
	w.check(err)
	opener, err := sopsfile.NewOpener(sopsfile.Config{IdentityFile: filepath.Join(w.dir, "age.txt")})
	w.check(err)
	targets := map[string]Target{}
	for _, name := range []string{"secrets", "runtime"} {
		b, err := bolt.New(bolt.Config{Path: filepath.Join(w.dir, name+".db"), SealKey: w.key.Derive(masterkey.SealBolt)})
		w.check(err)
		w.faults[name] = &faulty{Target: b}
		targets[name] = Target{Target: w.faults[name], MaxClassification: lcm.Restricted}
	}
	share, err := ParseShare("10%")
	w.check(err)
	var verdicts *kept.Values
	if w.keeps {
		verdicts, err = kept.OpenSealed(filepath.Join(w.dir, "verdicts"), "test-config", w.key.Derive(masterkey.Verdicts))
		w.check(err)
	}
	w.r, err = New(Config{Verdicts: verdicts, Program: "test", Repository: "test-config", Branch: "main", Tenants: []string{"*"}, Introduction: w.intro, Repo: mirror, State: st, Opener: opener,
		Targets: targets, Key: w.key, MaxDeletes: share, Freshness: w.fresh, Now: func() time.Time { return w.now }})
	w.check(err)
	w.Cleanup(w.stop)
}

func (w *world) stop() {
	if w.r == nil {
		return
	}
	_ = w.r.Repo.Close()
	_ = w.r.State.Close()
	for _, t := range w.r.Targets {
		_ = t.Close()
	}
	w.r = nil
}

func (w *world) check(err error) {
	if err != nil {
		w.Helper()
		w.Fatal(err)
	}
}

// commit changes files on the branch; an empty text deletes one.
func (w *world) commit(message string, files map[string]string) {
	w.Helper()
	e := gitrepo.Edit{Files: map[string][]byte{}, Message: message + "\n", Sign: gitrepo.SSHSigner(w.signer), Author: gitrepo.Ident{Name: "a", Email: "a@example.org", When: w.now}}
	if w.head != "" {
		e.Parents = []lcm.Revision{w.head}
	}
	for path, text := range files {
		e.Files[path] = []byte(text)
		if text == "" {
			e.Files[path] = nil
		}
	}
	var err error
	w.head, err = w.repo.Write(e)
	w.check(err)
	w.check(w.repo.SetBranch("main", w.head))
}

func (w *world) pass(o Options) *Report {
	w.Helper()
	r, err := w.r.Pass(w.Context(), o)
	w.check(err)
	return r
}

// changes writes what a pass changed as "action address vVersion".
func (w *world) changes(r *Report) string {
	var out []string
	for _, n := range r.Plan.Namespaces {
		if len(n.Held) > 0 {
			out = append(out, "held "+n.Namespace.String()+" "+n.Held[0].Rule)
			continue
		}
		for _, c := range n.Changes {
			v := ""
			if _, meta, err := w.r.Targets[c.Target].Get(w.Context(), c.Address); err == nil {
				v = fmt.Sprintf(" v%d", meta.Version)
			}
			out = append(out, string(c.Action)+" "+c.Address.String()+v)
		}
	}
	return strings.Join(out, "; ")
}

func (w *world) expect(r *Report, want string) {
	w.Helper()
	if got := w.changes(r); got != want {
		w.Errorf("changes %q, want %q\nheld: %+v\nfailed: %+v\nrefusal: %v\nfindings: %v", got, want, r.Held, r.Failed, r.Refusal, r.Findings)
	}
}

func config(value string) string {
	return "apiVersion: lcm/v1\nkind: Config\nmetadata: {owner: platform, description: d}\nspec:\n  value: " + value + "\n"
}

// sshSigner is the key of a person, always the same for a name.
func sshSigner(t *testing.T, name string) ssh.Signer {
	t.Helper()
	seed := []byte(strings.Repeat(name, ed25519.SeedSize))[:ed25519.SeedSize]
	s, err := ssh.NewSignerFromKey(ed25519.NewKeyFromSeed(seed))
	if err != nil {
		t.Fatal(err)
	}
	return s
}
