package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"

	"golang.org/x/sync/errgroup"

	"github.com/llm-config-manager/lcm/internal/health"
	"github.com/llm-config-manager/lcm/internal/reconcile"
)

// serve makes passes by the schedule, and answers its operator and those who watch, until ctx ends.
func (a *app) serve(ctx context.Context, c *daemonConfig, log *slog.Logger) error {
	group, ctx := errgroup.WithContext(ctx)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	group.Go(func() error { return a.answering(ctx, c, log) })
	group.Go(func() error {
		defer cancel()
		return a.watched(ctx, c, log)
	})
	return group.Wait()
}

// watched makes the passes, and answers those who watch.
func (a *app) watched(ctx context.Context, c *daemonConfig, log *slog.Logger) error {
	schedule, done := reconcile.Schedule{Passes: c.Schedule, Drift: c.DriftSchedule}, logReport(log)
	if c.Metrics.Listen == "" {
		return a.Run(ctx, schedule, done)
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", c.Metrics.Listen)
	if err != nil {
		return fmt.Errorf("metrics.listen: %w", err)
	}
	log.Info("listening", "for", "metrics", "address", l.Addr().String())
	watched := health.New(health.Config{Repository: c.Repository.Name, Status: a.Status, Log: log})
	group, ctx := errgroup.WithContext(ctx)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	group.Go(func() error { return watched.Serve(ctx, l) })
	group.Go(func() error {
		defer cancel()
		return a.Run(ctx, schedule, func(r *reconcile.Report, err error) {
			done(r, err)
			if err != nil {
				watched.Passed(reconcile.ResultFailed, 0)
				return
			}
			watched.Passed(r.Result(), r.Took)
			watched.Drifted(r.Drifted)
		})
	})
	return group.Wait()
}
