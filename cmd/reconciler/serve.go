package main

import (
	"context"
	"log/slog"

	"golang.org/x/sync/errgroup"

	"github.com/llm-config-manager/lcm/internal/health"
	"github.com/llm-config-manager/lcm/internal/reconcile"
)

// watched makes the passes, each repository its own, and answers those who watch, until ctx ends. whole is that of the
// daemon, which goes on where there is only a reload.
func (a *app) watched(ctx, whole context.Context, c *daemonConfig, log *slog.Logger) error {
	group, ctx := errgroup.WithContext(ctx)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if a.hook != nil {
		group.Go(func() error { return a.hook.serve(ctx) })
	}
	if l := a.metrics; l != nil {
		log.Info("listening", "for", "metrics", "address", l.Addr().String())
		watched := a.health(log)
		group.Go(func() error { return watched.Serve(ctx, l) })
	}
	group.Go(func() error { a.reports.run(ctx, whole, a.alive); return nil })
	schedule := reconcile.Schedule{Passes: c.Schedule, Drift: c.DriftSchedule}
	group.Go(func() error {
		defer cancel()
		return a.inOffice(ctx, log, func(ctx context.Context) error { return a.passing(ctx, schedule, log) })
	})
	return group.Wait()
}

// passing makes the passes of all repositories until ctx ends.
func (a *app) passing(ctx context.Context, schedule reconcile.Schedule, log *slog.Logger) error {
	group, ctx := errgroup.WithContext(ctx)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	for _, s := range a.repositories {
		tell := logReport(a.logOf(s, log))
		group.Go(func() error {
			defer cancel()
			return s.run(ctx, schedule, func(r *reconcile.Report, err error) {
				tell(r, err)
				a.reports.passed(s.Name, r, err)
			})
		})
	}
	return group.Wait()
}

// logOf is a log in which the repository is named, where there are several.
func (a *app) logOf(s *served, log *slog.Logger) *slog.Logger {
	if len(a.repositories) == 1 {
		return log
	}
	return log.With("repository", s.Name)
}

func (a *app) health(log *slog.Logger) *health.Server {
	cfg := health.Config{Log: log}
	a.reports.measured(&cfg)
	for _, s := range a.repositories {
		cfg.Repositories = append(cfg.Repositories, health.Repository{Name: s.Name, Status: s.Status, Active: s.Active, Passing: s.Passing})
	}
	if last := a.repositories[0].reloaded; last != nil {
		cfg.Reloaded = last
	}
	if hook := a.hook; hook != nil {
		cfg.Collectors = append(cfg.Collectors, health.Counted("reconcile_webhooks_total", "Webhooks, by what became of them.", "result", hook.Counts))
	}
	return health.New(cfg)
}
