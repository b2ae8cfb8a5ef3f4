package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"time"

	"github.com/spf13/cobra"

	"github.com/llm-config-manager/lcm/internal/reconcile"
)

// A reload reads the configuration anew. All that can fail is done before anything of the running daemon is touched: the
// file is checked, what can't change underway is compared, targets are opened, addresses are listened at. Then one takes the
// other's place. If anything fails, the daemon goes on as it was.

// handover is a daemon that is open and takes the place of the one that runs.
type handover struct {
	app    *app
	config *daemonConfig
	done   chan struct{} // closed once it has
}

// reload returns once the new configuration is in force, or why it is not.
func (d *running) reload(ctx context.Context) (err error) {
	d.reloading.Lock()
	defer d.reloading.Unlock()
	a, config := d.current()
	a.reports.systemd.Reloading()
	defer func() {
		d.noteReload(err)
		if err != nil {
			a.reports.systemd.Ready() // as it was
			d.log.Error("the configuration can't be reloaded: the daemon goes on with the old one", "error", err)
			if err := a.reports.events.Reopen(); err != nil { // whoever moved it away sent the signal
				d.log.Error("the file of events can't be opened anew", "error", err)
			}
		}
	}()
	next, err := d.c.load()
	if err != nil {
		return err
	}
	next.log = d.log
	if err := unchangeable(config, next); err != nil {
		return err
	}
	resume, err := a.quiet(ctx)
	if err != nil {
		return err
	}
	defer resume()
	return d.handOver(ctx, a, config, next)
}

// handOver opens the new daemon while no pass is made, and has it take the place of the old one.
func (d *running) handOver(ctx context.Context, a *app, config, next *daemonConfig) error {
	if err := a.introductions(next); err != nil {
		return err
	}
	h := handover{config: next, done: make(chan struct{})}
	var err error
	if h.app, err = a.successor(ctx, next, &d.listeners); err != nil {
		return errors.Join(err, d.listeners.keep(config.addresses()...))
	}
	select {
	case d.next <- h:
		<-h.done
		d.log.Info("the configuration was reloaded", "repository", next.names(), "schedule", next.Schedule, "driftSchedule", next.DriftSchedule)
		return d.listeners.keep(next.addresses()...)
	case <-d.stopped:
		return errors.Join(errors.New("the daemon stops"), h.app.close())
	}
}

// unchangeable says what of a configuration a running daemon can't take over.
func unchangeable(old, next *daemonConfig) error {
	if !reflect.DeepEqual(old.State, next.State) || old.Replica != next.Replica {
		return configErrorf("state and replica can't change while the daemon runs: put the old values back, or restart it")
	}
	if old.Key.File != next.Key.File {
		return configErrorf("key.file can't change while the daemon runs: put the old one back, or restart it")
	}
	for _, r := range old.Repositories {
		n := next.repositoryNamed(r.Name)
		switch {
		case n == nil:
			return configErrorf("repository %s can't be renamed or removed while the daemon runs: put it back, or restart the daemon", r.Name)
		case n.Branch != r.Branch:
			return configErrorf("repository %s: the branch can't change, it is %s", r.Name, r.Branch)
		}
	}
	if old.State.shared() && len(next.Repositories) > len(old.Repositories) {
		return configErrorf("with state in etcd no repository can be added while the daemon runs: restart all replicas, one after the other")
	}
	return nil
}

func (c *daemonConfig) repositoryNamed(name string) *repositoryConfig {
	for i := range c.Repositories {
		if c.Repositories[i].Name == name {
			return &c.Repositories[i]
		}
	}
	return nil
}

// quiet waits until no pass is made, and has none begun until it is resumed.
func (a *app) quiet(ctx context.Context) (resume func(), err error) {
	var all []func()
	resume = func() {
		for _, r := range all {
			r()
		}
	}
	for _, s := range a.repositories {
		r, failed := s.reconciler()
		if failed != nil {
			continue
		}
		release, err := r.Quiet(ctx)
		if err != nil {
			resume()
			return nil, fmt.Errorf("waiting for a pass to end: %w", err)
		}
		all = append(all, release)
	}
	return resume, nil
}

// introductions makes sure that none goes back. No pass is made meanwhile.
func (a *app) introductions(next *daemonConfig) error {
	for _, s := range a.repositories {
		r, err := s.reconciler()
		if n := next.repositoryNamed(s.Name); err == nil && n.Introduction != s.Introduction {
			if err := r.Introduces(n.Introduction); err != nil {
				return configErrorf("repository %s: introduction: %v", s.Name, err)
			}
		}
	}
	return nil
}

// successor opens a daemon of another configuration. It goes on with the state, and with what one process can have open but
// once; the rest is its own. Every repository that the old one has open must open.
func (a *app) successor(ctx context.Context, c *daemonConfig, l *listeners) (next *app, err error) {
	next = &app{before: a, shared: shared{key: a.key, state: a.state, replica: a.replica, states: a.states, office: a.office, windows: c.windows}}
	defer func() {
		if err != nil {
			err = errors.Join(err, next.close())
			next = nil
		}
	}()
	if err := next.openRest(ctx, c, false, c.log); err != nil {
		return next, err
	}
	for _, s := range next.repositories {
		if _, err := s.reconciler(); err != nil {
			return next, err
		}
	}
	return next, next.bind(ctx, c, l)
}

// succeed takes over what the one before it had open and goes on to be used. That one may then be closed.
func (a *app) succeed() {
	old := a.before
	old.mu.Lock()
	defer old.mu.Unlock()
	a.mu.Lock()
	defer a.mu.Unlock()
	for name, t := range a.borrowed {
		a.opened[name] = t
		delete(old.opened, name)
	}
	a.closers = append(append([]func() error{}, old.closers[:old.lasting]...), a.closers...)
	a.lasting, old.closers, old.lasting = old.lasting, old.closers[old.lasting:], 0
	a.before, a.borrowed = nil, nil
}

// noteReload keeps how the last reload went, for those who watch.
func (d *running) noteReload(err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.reloaded = reconcile.StatusReload{At: time.Now().UTC(), Success: err == nil}
	if err != nil {
		d.reloaded.Error = err.Error()
	}
}

func (d *running) lastReload() *reconcile.StatusReload {
	d.mu.Lock()
	defer d.mu.Unlock()
	last := d.reloaded
	return &last
}

func (d *running) answerReload(w http.ResponseWriter, r *http.Request) {
	var out, errs bytes.Buffer
	c := &cli{stdout: &out, stderr: &errs}
	d.log.Info("reload is asked for", "by", peerOf(r))
	err := d.reload(context.WithoutCancel(r.Context())) // whoever goes away does not leave it half done
	if err == nil {
		fmt.Fprintln(&out, "reloaded: the new configuration is in force")
	} else {
		fmt.Fprintln(&errs, "not reloaded: the daemon goes on with the old configuration")
	}
	code := c.end(err)
	writeAnswer(w, answer{code, out.String(), errs.String()})
}

func (c *cli) reloadCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "reload", Short: "Have the running daemon read its configuration anew", Args: cobra.NoArgs,
		Long: "reload waits for the pass that is being made, and until the new configuration is in force. If anything is wrong with it,\n" +
			"the daemon goes on with the old one, and reload ends with 2. SIGHUP does the same, and tells it in log, status and metrics.\n\n" +
			"State, key, and the name and branch of a repository can't change underway; the introduction may move forward.",
		Example: "  reconciler config check && reconciler reload",
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := c.load()
			if err != nil {
				return err
			}
			err = c.asked(cmd.Context(), cfg, http.MethodPost, "reload", nil)
			if errors.Is(err, errNoDaemon) {
				return errors.New("no daemon answers: start it with reconciler run")
			}
			return err
		},
	}
	c.configFlag(cmd)
	return cmd
}
