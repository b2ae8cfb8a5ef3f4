package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/reconcile"
)

// running is a daemon that runs: an app, and another one in its place after each reload.
type running struct {
	c         *cli
	log       *slog.Logger
	listeners listeners
	next      chan handover
	stopped   chan struct{} // closed when nobody takes from next any more

	reloading sync.Mutex // one at a time

	mu       sync.Mutex // guards what follows
	app      *app
	config   *daemonConfig
	reloaded reconcile.StatusReload
}

// overtime is how much longer than shutdownTimeout the daemon may take to stop: for what does not heed that it has to.
const overtime = 5 * time.Second

// daemon runs until ctx ends, and then as long as what is being written takes, within bounds.
func (c *cli) daemon(ctx context.Context) (err error) {
	if err := c.checkFormat(); err != nil {
		return err
	}
	var handler slog.Handler = slog.NewTextHandler(c.stderr, nil)
	if c.format == "json" {
		handler = slog.NewJSONHandler(c.stderr, nil)
	}
	d := &running{c: c, log: slog.New(handler), next: make(chan handover), stopped: make(chan struct{})}
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP)
	defer signal.Stop(hangups)
	cfg, err := c.load()
	if err != nil {
		return err
	}
	cfg.log = d.log
	a, err := open(ctx, cfg, false, d.log, c.stderr)
	if err != nil {
		return err
	}
	if err := errors.Join(a.any(), a.bind(ctx, cfg, &d.listeners)); err != nil {
		return errors.Join(err, a.close())
	}
	d.noteReload(nil)
	d.put(a, cfg)
	d.log.Info("running", "version", version(), "repository", cfg.names(), "schedule", cfg.Schedule, "driftSchedule", cfg.DriftSchedule)
	go d.hangUp(ctx, hangups)
	return d.within(ctx)
}

// within serves, and gives up on what does not end in time after ctx has.
func (d *running) within(ctx context.Context) error {
	ended := make(chan error, 1)
	go func() {
		err := d.serve(ctx)
		a, _ := d.current()
		ended <- errors.Join(err, a.close(), d.listeners.keep())
	}()
	select {
	case err := <-ended:
		d.log.Info("stopped")
		return err
	case <-ctx.Done():
	}
	_, cfg := d.current()
	d.log.Info("stopping", "within", cfg.shutdownTimeout)
	select {
	case err := <-ended:
		d.log.Info("stopped")
		return err
	case <-time.After(cfg.shutdownTimeout + overtime):
		return errors.New("stopped by force: something did not end in time; the next start mends what it left")
	}
}

// serve makes passes and answers until ctx ends, and has successors take over.
func (d *running) serve(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer close(d.stopped)
	answering := make(chan error, 1)
	go func() { answering <- d.answering(ctx) }()
	defer func() { cancel(); <-answering }()
	for {
		a, cfg := d.current()
		serving, stop := context.WithCancel(ctx)
		ended := make(chan error, 1)
		go func() { ended <- a.watched(serving, ctx, cfg, d.log) }()
		select {
		case err := <-ended:
			stop()
			return err
		case h := <-d.next:
			stop()
			if err := <-ended; err != nil {
				d.log.Error("what was replaced ended with an error", "error", err)
			}
			h.app.succeed()
			d.put(h.app, h.config)
			if err := a.close(); err != nil {
				d.log.Warn("what was replaced can't be closed", "error", err)
			}
			close(h.done)
		}
	}
}

func (d *running) current() (*app, *daemonConfig) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.app, d.config
}

func (d *running) put(a *app, cfg *daemonConfig) {
	for _, s := range a.repositories {
		s.reloaded = d.lastReload
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.app, d.config = a, cfg
}

// hangUp reloads at each SIGHUP.
func (d *running) hangUp(ctx context.Context, hangups <-chan os.Signal) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-hangups:
			_ = d.reload(ctx) // it is told where it is known what to say
		}
	}
}

// on answers by the app that runs at the time.
func (d *running) on(answer func(*app, http.ResponseWriter, *http.Request)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		a, _ := d.current()
		answer(a, w, r)
	}
}

// completeShutdown reads how long the daemon may take to stop.
func (c *daemonConfig) completeShutdown() (err error) {
	if c.ShutdownTimeout == "" {
		c.shutdownTimeout = 30 * time.Second
		return nil
	}
	if c.shutdownTimeout, err = lcm.ParseDuration(c.ShutdownTimeout); err == nil && c.shutdownTimeout > time.Hour {
		err = fmt.Errorf("at most 1h: whoever stops the daemon would not wait longer")
	}
	return below(err, "shutdownTimeout")
}
