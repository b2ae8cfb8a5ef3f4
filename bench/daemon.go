package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/llm-config-manager/lcm/internal/gitrepo"
	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/masterkey"
	"github.com/llm-config-manager/lcm/internal/reconcile"
	"github.com/llm-config-manager/lcm/internal/sopsfile"
	"github.com/llm-config-manager/lcm/internal/state"
	"github.com/llm-config-manager/lcm/internal/store"
	"github.com/llm-config-manager/lcm/internal/store/bolt"
)

// running is a daemon inside this process, on the same files as the command's: to measure single passes
// without waiting for a schedule.
type running struct {
	*reconcile.Reconciler
	closers []func() error
}

func (r *running) close() error {
	var errs []error
	for i := len(r.closers) - 1; i >= 0; i-- {
		errs = append(errs, r.closers[i]())
	}
	return errors.Join(errs...)
}

func (w *world) start() (*running, error) {
	return w.startWith(func(t store.Target) store.Target { return t })
}

// startWith starts a daemon whose targets are put behind something.
func (w *world) startWith(behind func(store.Target) store.Target) (r *running, err error) {
	r = &running{}
	defer func() {
		if err != nil {
			err = errors.Join(err, r.close())
		}
	}()
	key, err := masterkey.Load(w.path("state/lcm.key"))
	if err != nil {
		return r, err
	}
	st, err := state.Open(state.Config{Path: w.path("state/lcm.db"), Repository: repositoryName, Key: key.Derive(masterkey.State)})
	if err != nil {
		return r, err
	}
	r.closers = append(r.closers, st.Close)
	repo, err := gitrepo.OpenMirror(gitrepo.Config{URL: w.path("origin.git"), Branch: "main", Dir: w.path("state/mirror-" + repositoryName + ".git")})
	if err != nil {
		return r, err
	}
	r.closers = append(r.closers, repo.Close)
	opener, err := sopsfile.NewOpener(sopsfile.Config{IdentityFile: w.path("age.txt")})
	if err != nil {
		return r, err
	}
	targets := map[string]reconcile.Target{}
	for _, name := range []string{"secrets", "runtime"} {
		b, err := bolt.New(bolt.Config{Path: w.path("targets/" + name + ".db"), SealKey: key.Derive(masterkey.SealBolt)})
		if err != nil {
			return r, err
		}
		r.closers = append(r.closers, b.Close)
		targets[name] = reconcile.Target{Target: behind(b), MaxClassification: lcm.Restricted}
	}
	r.Reconciler, err = reconcile.New(reconcile.Config{Repository: repositoryName, Branch: "main", Tenants: []string{"*"}, Introduction: w.introduction,
		Repo: repo, State: st, Opener: opener, Targets: targets, Key: key})
	return r, err
}

// pass makes one pass and demands that it went well and changed so many entries.
func (r *running) pass(ctx context.Context, changes int) (time.Duration, error) {
	start := time.Now()
	report, err := r.Pass(ctx, reconcile.Options{})
	took := time.Since(start)
	if err != nil {
		return 0, err
	}
	n := 0
	for _, ns := range report.Plan.Namespaces {
		n += len(ns.Changes)
	}
	if report.Refusal != nil || len(report.Held) > 0 || len(report.Failed) > 0 || n != changes {
		return 0, fmt.Errorf("the pass went wrong: %d changes instead of %d, %d namespaces held, %d failed, refusal: %v", n, changes, len(report.Held), len(report.Failed), report.Refusal)
	}
	return took, nil
}

// written is a digest of the names, sizes and times of all that the daemon may write: its state, its
// mirror and its targets.
func (w *world) written() (string, error) {
	h := sha256.New()
	for _, root := range []string{"state", "targets"} {
		err := filepath.WalkDir(w.path(root), func(path string, _ fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			info, err := os.Lstat(path)
			if err != nil {
				return err
			}
			fmt.Fprintln(h, path, info.Mode(), info.Size(), info.ModTime().UnixNano())
			return nil
		})
		if err != nil {
			return "", err
		}
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
