package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/llm-config-manager/lcm/internal/forge"
	"github.com/llm-config-manager/lcm/internal/gitrepo"
	"github.com/llm-config-manager/lcm/internal/kept"
	"github.com/llm-config-manager/lcm/internal/leader"
	"github.com/llm-config-manager/lcm/internal/masterkey"
	"github.com/llm-config-manager/lcm/internal/reconcile"
	"github.com/llm-config-manager/lcm/internal/sopsfile"
	"github.com/llm-config-manager/lcm/internal/state"
	"github.com/llm-config-manager/lcm/internal/store"
	"github.com/llm-config-manager/lcm/internal/store/bolt"
	"github.com/llm-config-manager/lcm/internal/store/breaker"
	"github.com/llm-config-manager/lcm/internal/store/file"
)

// app is the daemon, wired. close undoes what open did, in reverse.
type app struct {
	repositories []*served
	shared
	hook    *hook        // nil: none
	metrics net.Listener // nil: none

	before   *app                    // the one whose place this is to take; nil: none
	borrowed map[string]openedTarget // of that one

	mu      sync.Mutex // guards what follows
	opened  map[string]openedTarget
	closers []func() error
	lasting int // so many of the first outlive a reload
}

// openedTarget is a target by what it was opened with.
type openedTarget struct {
	config targetConfig
	store.Target
}

// shared is what all repositories of a daemon use.
type shared struct {
	key     masterkey.Key
	state   *state.File          // nil: it is shared with other replicas
	replica *leader.Replica      // nil: there are no others
	states  map[string]*state.DB // of each repository, if there are
	office  *reconcile.Office    // nil: nothing is written, or there are no others
	opener  *sopsfile.Opener
	targets map[string]reconcile.Target
	reports *reports
	windows []reconcile.Window
}

func (a *app) onClose(f func() error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.closers = append(a.closers, f)
}

func (a *app) close() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	var errs []error
	for _, t := range a.opened {
		errs = append(errs, t.Close())
	}
	a.opened = nil
	for i := len(a.closers) - 1; i >= 0; i-- {
		errs = append(errs, a.closers[i]())
	}
	a.closers = nil
	return errors.Join(errs...)
}

// open builds the daemon from its configuration. With dryRun nothing is made. Each repository is opened by itself: that one
// can't be is told by it.
func open(ctx context.Context, c *daemonConfig, dryRun bool, log *slog.Logger, stderr io.Writer) (_ *app, err error) {
	a := &app{}
	defer func() {
		if err != nil {
			err = errors.Join(err, a.close())
		}
	}()
	if err := a.openState(c, dryRun, stderr); err != nil {
		return nil, err
	}
	a.lasting = len(a.closers)
	return a, a.openRest(ctx, c, dryRun, log)
}

// openRest opens what a reload opens anew.
func (a *app) openRest(ctx context.Context, c *daemonConfig, dryRun bool, log *slog.Logger) (err error) {
	if file := c.Secrets.Age.IdentityFile; file != "" { // none: the daemon opens no secrets, and holds what has any
		if a.opener, err = sopsfile.NewOpener(sopsfile.Config{IdentityFile: file}); err != nil {
			return configError{err.Error()}
		}
	}
	if err := a.openReports(c, dryRun, log); err != nil {
		return err
	}
	if len(c.Repositories) == 1 && a.state != nil { // a state that does not authenticate is told before any target is asked
		if _, err := a.stateNamed(c.Repositories[0].Name); err != nil {
			return err
		}
	}
	a.targets, a.opened, a.borrowed = map[string]reconcile.Target{}, map[string]openedTarget{}, map[string]openedTarget{}
	for name, t := range c.Targets {
		s, err := a.takeTarget(ctx, name, t, dryRun)
		if err != nil {
			return fmt.Errorf("target %s: %w", name, targetError{err})
		}
		a.targets[name] = reconcile.Target{Target: breaker.New(name, s, log), MaxClassification: t.MaxClassification, Place: t.place(),
			Adopt: t.adopt(), ReportDrift: t.Drift == "report", IgnoreDrift: t.ignoreDrift}
	}
	for _, r := range c.Repositories {
		s := &served{repositoryConfig: r}
		s.open = func() (reconcile.Config, *reconcile.Reconciler, error) {
			return a.openRepository(c, &s.repositoryConfig, dryRun, log)
		}
		s.reopen() // whoever needs it is told if it is not
		a.repositories = append(a.repositories, s)
	}
	return nil
}

// takeTarget opens a target, or takes over one that a process can have open but once.
func (a *app) takeTarget(ctx context.Context, name string, t targetConfig, dryRun bool) (store.Target, error) {
	if a.before != nil && t.Type == "bolt" {
		if o, there := a.before.opened[name]; there && o.config.Type == t.Type && o.config.Path == t.Path {
			a.borrowed[name] = openedTarget{t, o.Target}
			return o.Target, nil
		}
	}
	s, err := a.openTarget(ctx, name, t, dryRun)
	if err == nil {
		a.opened[name] = openedTarget{t, s}
	}
	return s, err
}

// openRepository opens one repository. The configuration that it returns has the state even if nothing else could be opened.
func (a *app) openRepository(c *daemonConfig, r *repositoryConfig, dryRun bool, log *slog.Logger) (rc reconcile.Config, _ *reconcile.Reconciler, err error) {
	if rc, err = a.openTrust(c, r, dryRun); err != nil {
		return rc, nil, err
	}
	rc.Opener, rc.Targets, rc.MaxDeletes, rc.Grace, rc.Log = a.opener, a.targets, c.maxDeletes, c.shutdownTimeout, log
	if log != nil && len(c.Repositories) > 1 {
		rc.Log = log.With("repository", r.Name)
	}
	if !dryRun {
		keepVerdicts(&rc, c.beside("verdicts"))
		a.reports.listen(&rc, r)
	}
	reconciler, err := reconcile.New(rc)
	return rc, reconciler, err
}

// keepVerdicts has what was judged good kept beside the state, so that a restart need not judge it again. Nobody else
// can write there what is believed: it is authenticated with the daemon's key. Without it the daemon only takes longer.
func keepVerdicts(rc *reconcile.Config, dir string) {
	program, err := kept.Program()
	if err != nil {
		return
	}
	values, err := kept.OpenSealed(dir, rc.Repository, rc.Key.Derive(masterkey.Verdicts))
	if err != nil {
		return
	}
	rc.Verdicts, rc.Program = values, program
}

// openTrust opens what it takes to judge the commits of a repository: its state and its mirror, no target.
func (a *app) openTrust(c *daemonConfig, r *repositoryConfig, dryRun bool) (rc reconcile.Config, err error) {
	rc, err = a.stateOf(r)
	if err != nil {
		return rc, err
	}
	if rc.Forges, err = openForges(r); err != nil {
		return rc, err
	}
	if rc.Repo, err = a.openMirror(c, r, dryRun); err != nil {
		return rc, err
	}
	a.onClose(rc.Repo.Close)
	return rc, nil
}

// openState opens what it takes to say where repositories stand.
func (a *app) openState(c *daemonConfig, readOnly bool, stderr io.Writer) (err error) {
	a.windows = c.windows
	if a.key, err = loadKey(c, readOnly, stderr); err != nil {
		return err
	}
	if c.State.shared() {
		return a.openReplica(c, readOnly)
	}
	if a.state, err = state.OpenFile(c.State.Path, readOnly); err != nil {
		return err
	}
	a.onClose(a.state.Close)
	return nil
}

// stateOf opens where one repository stands.
func (a *app) stateOf(r *repositoryConfig) (reconcile.Config, error) {
	st, err := a.stateNamed(r.Name)
	return reconcile.Config{Repository: r.Name, Branch: r.Branch, Tenants: r.Tenants, Introduction: r.Introduction,
		State: st, Key: a.key, Windows: a.windows, Receipt: r.receipt(), Freshness: r.freshness, Now: time.Now, Office: a.office}, err
}

// stateNamed is the state of a repository, which is one as long as the process runs.
func (a *app) stateNamed(name string) (st *state.DB, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if st = a.states[name]; st != nil || a.replica != nil {
		return st, nil
	}
	if st, err = a.state.Repository(name, a.key.Derive(masterkey.State)); err != nil {
		return nil, err
	}
	if a.states == nil {
		a.states = map[string]*state.DB{}
	}
	a.states[name] = st
	return st, nil
}

// loadKey reads the daemon's key. On the first start it makes one, and says so.
func loadKey(c *daemonConfig, dryRun bool, stderr io.Writer) (masterkey.Key, error) {
	key, err := masterkey.Load(c.Key.File)
	switch {
	case err == nil:
		return key, nil
	case !masterkey.Missing(err):
		return key, configError{err.Error()}
	case c.State.shared():
		return key, configErrorf("the key %s is missing: all replicas need the same one: copy it from another, or from your backup, or make the first by reconciler keygen", c.Key.File)
	case exists(c.State.Path):
		return key, configErrorf("the key %s is missing, and the state %s was written with it: put the key back from your backup", c.Key.File, c.State.Path)
	case dryRun:
		return masterkey.Random(), nil // nothing is written with it
	}
	if key, err = masterkey.Generate(c.Key.File); err != nil {
		return key, err
	}
	fmt.Fprintf(stderr, "NEW KEY: %s was made on this first start. Back it up: without it the state and sealed values can't be read.\n", c.Key.File)
	return key, nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return !errors.Is(err, os.ErrNotExist)
}

// openMirror opens the daemon's own copy of the repository, beside the state. A dry run that finds none
// works on a copy that it throws away.
func (a *app) openMirror(c *daemonConfig, r *repositoryConfig, dryRun bool) (*gitrepo.Repo, error) {
	dir := r.mirror()
	if dryRun && !exists(dir) {
		var err error
		if dir, err = a.scratch(); err != nil {
			return nil, err
		}
	}
	return a.mirrorIn(dir, c, r)
}

// scratch gives a folder for a mirror that is thrown away.
func (a *app) scratch() (string, error) {
	tmp, err := os.MkdirTemp("", "lcm-mirror-")
	a.onClose(func() error { return os.RemoveAll(tmp) })
	return filepath.Join(tmp, "mirror.git"), err
}

func (a *app) mirrorIn(dir string, c *daemonConfig, r *repositoryConfig) (*gitrepo.Repo, error) {
	bundle, err := a.bundleFile(c, gitrepo.Limits{MaxFetchBytes: c.maxFetchBytes}.WithDefaults().MaxFetchBytes)
	if err != nil {
		return nil, err
	}
	return gitrepo.OpenMirror(gitrepo.Config{URL: r.URL, Branch: r.Branch, Dir: dir, Bundle: bundle, Auth: r.Auth.login(), Elsewhere: r.elsewhere(),
		Limits: gitrepo.Limits{MaxFetchBytes: c.maxFetchBytes}})
}

func (a gitAuth) login() gitrepo.Auth {
	return gitrepo.Auth{SSHKeyFile: a.SSHKeyFile, SSHKnownHostsFile: a.KnownHostsFile, Username: a.Username, PasswordFile: a.PasswordFile}
}

// openForges makes the clients of forges. Nothing is asked yet.
func openForges(r *repositoryConfig) (map[string]reconcile.Forge, error) {
	forges := map[string]reconcile.Forge{}
	for name, f := range r.Forges {
		client, err := forge.NewGitHub(forge.Config{URL: f.URL, Repository: f.Repository, TokenFile: f.TokenFile})
		if err != nil {
			return nil, configErrorf("forge %s: %v", name, err)
		}
		forges[name] = client
	}
	return forges, nil
}

func (a *app) openTarget(ctx context.Context, name string, t targetConfig, dryRun bool) (store.Target, error) {
	if dryRun && t.Path != "" && !exists(t.Path) {
		return store.Absent{Can: store.Capabilities{Secrets: t.Type == "bolt"}}, nil
	}
	switch t.Type {
	case "bolt":
		return bolt.New(bolt.Config{Path: t.Path, SealKey: a.key.Derive(masterkey.SealBolt)})
	case "file":
		return file.New(file.Config{Path: t.Path})
	case "etcd":
		return openEtcd(t)
	case "redis":
		return openRedis(t)
	case "vault":
		return openVault(ctx, t, a.reports.measures.Vault(name))
	}
	return nil, configErrorf("unknown type %q", t.Type)
}
