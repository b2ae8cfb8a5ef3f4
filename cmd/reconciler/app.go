package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/llm-config-manager/lcm/internal/forge"
	"github.com/llm-config-manager/lcm/internal/gitrepo"
	"github.com/llm-config-manager/lcm/internal/kept"
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
	*reconcile.Reconciler
	closers []func() error
}

func (a *app) onClose(f func() error) { a.closers = append(a.closers, f) }

func (a *app) close() error {
	var errs []error
	for i := len(a.closers) - 1; i >= 0; i-- {
		errs = append(errs, a.closers[i]())
	}
	return errors.Join(errs...)
}

// open builds the daemon from its configuration. With dryRun nothing is made.
func open(ctx context.Context, c *daemonConfig, dryRun bool, log *slog.Logger, stderr io.Writer) (_ *app, err error) {
	a := &app{}
	defer func() {
		if err != nil {
			err = errors.Join(err, a.close())
		}
	}()
	rc, err := a.openTrust(c, dryRun, stderr)
	if err != nil {
		return nil, err
	}
	if file := c.Secrets.Age.IdentityFile; file != "" { // none: the daemon opens no secrets, and holds what has any
		if rc.Opener, err = sopsfile.NewOpener(sopsfile.Config{IdentityFile: file}); err != nil {
			return nil, configError{err.Error()}
		}
	}
	rc.Targets = map[string]reconcile.Target{}
	for name, t := range c.Targets {
		s, err := openTarget(ctx, t, rc.Key, dryRun)
		if err != nil {
			return nil, fmt.Errorf("target %s: %w", name, targetError{err})
		}
		a.onClose(s.Close)
		rc.Targets[name] = reconcile.Target{Target: breaker.New(name, s, log), MaxClassification: t.MaxClassification, Place: t.place(),
			Adopt: t.adopt(), ReportDrift: t.Drift == "report", IgnoreDrift: t.ignoreDrift}
	}
	rc.MaxDeletes, rc.Log = c.maxDeletes, log
	if !dryRun {
		keepVerdicts(&rc, c)
	}
	a.Reconciler, err = reconcile.New(rc)
	return a, err
}

// keepVerdicts has what was judged good kept beside the state, so that a restart need not judge it again. Nobody else
// can write there what is believed: it is authenticated with the daemon's key. Without it the daemon only takes longer.
func keepVerdicts(rc *reconcile.Config, c *daemonConfig) {
	program, err := kept.Program()
	if err != nil {
		return
	}
	values, err := kept.OpenSealed(c.beside("verdicts"), c.Repository.Name, rc.Key.Derive(masterkey.Verdicts))
	if err != nil {
		return
	}
	rc.Verdicts, rc.Program = values, program
}

// openTrust opens what it takes to judge commits: the state and the mirror, no target.
func (a *app) openTrust(c *daemonConfig, dryRun bool, stderr io.Writer) (rc reconcile.Config, err error) {
	rc, err = a.openState(c, dryRun, stderr)
	if err != nil {
		return rc, err
	}
	rc.Repo, err = a.openMirror(c, dryRun)
	if err != nil {
		return rc, err
	}
	a.onClose(rc.Repo.Close)
	rc.Forges, err = openForges(c)
	return rc, err
}

// openState opens what it takes to say where the repository stands.
func (a *app) openState(c *daemonConfig, readOnly bool, stderr io.Writer) (rc reconcile.Config, err error) {
	key, err := loadKey(c, readOnly, stderr)
	if err != nil {
		return rc, err
	}
	st, err := state.Open(state.Config{Path: c.State.Path, Repository: c.Repository.Name, Key: key.Derive(masterkey.State), ReadOnly: readOnly})
	if err != nil {
		return rc, err
	}
	a.onClose(st.Close)
	return reconcile.Config{Repository: c.Repository.Name, Branch: c.Repository.Branch, Tenants: c.Repository.Tenants,
		Introduction: c.Repository.Introduction, State: st, Key: key, Receipt: c.receipt(), Freshness: c.freshness, Now: time.Now}, nil
}

// loadKey reads the daemon's key. On the first start it makes one, and says so.
func loadKey(c *daemonConfig, dryRun bool, stderr io.Writer) (masterkey.Key, error) {
	key, err := masterkey.Load(c.Key.File)
	switch {
	case err == nil:
		return key, nil
	case !masterkey.Missing(err):
		return key, configError{err.Error()}
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
func (a *app) openMirror(c *daemonConfig, dryRun bool) (*gitrepo.Repo, error) {
	dir := c.mirror()
	if dryRun && !exists(dir) {
		var err error
		if dir, err = a.scratch(); err != nil {
			return nil, err
		}
	}
	return a.mirrorIn(dir, c)
}

// scratch gives a folder for a mirror that is thrown away.
func (a *app) scratch() (string, error) {
	tmp, err := os.MkdirTemp("", "lcm-mirror-")
	a.onClose(func() error { return os.RemoveAll(tmp) })
	return filepath.Join(tmp, "mirror.git"), err
}

func (a *app) mirrorIn(dir string, c *daemonConfig) (*gitrepo.Repo, error) {
	bundle, err := a.bundleFile(c, cmp.Or(c.maxFetchBytes, 1<<30))
	if err != nil {
		return nil, err
	}
	auth := c.Repository.Auth
	repo, err := gitrepo.OpenMirror(gitrepo.Config{URL: c.Repository.URL, Branch: c.Repository.Branch, Dir: dir, Bundle: bundle,
		Auth:   gitrepo.Auth{SSHKeyFile: auth.SSHKeyFile, SSHKnownHostsFile: auth.KnownHostsFile, Username: auth.Username, PasswordFile: auth.PasswordFile},
		Limits: gitrepo.Limits{MaxFetchBytes: c.maxFetchBytes}})
	if err != nil {
		return nil, configErrorf("repository: %v", err)
	}
	return repo, nil
}

// openForges makes the clients of forges. Nothing is asked yet.
func openForges(c *daemonConfig) (map[string]reconcile.Forge, error) {
	forges := map[string]reconcile.Forge{}
	for name, f := range c.Repository.Forges {
		client, err := forge.NewGitHub(forge.Config{URL: f.URL, Repository: f.Repository, TokenFile: f.TokenFile})
		if err != nil {
			return nil, configErrorf("forge %s: %v", name, err)
		}
		forges[name] = client
	}
	return forges, nil
}

func openTarget(ctx context.Context, t targetConfig, key masterkey.Key, dryRun bool) (store.Target, error) {
	if dryRun && t.Path != "" && !exists(t.Path) {
		return store.Absent{Can: store.Capabilities{Secrets: t.Type == "bolt"}}, nil
	}
	switch t.Type {
	case "bolt":
		return bolt.New(bolt.Config{Path: t.Path, SealKey: key.Derive(masterkey.SealBolt)})
	case "file":
		return file.New(file.Config{Path: t.Path})
	case "etcd":
		return openEtcd(t)
	case "redis":
		return openRedis(t)
	case "vault":
		return openVault(ctx, t)
	}
	return nil, configErrorf("unknown type %q", t.Type)
}
