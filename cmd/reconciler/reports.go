package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/llm-config-manager/lcm/internal/commitstatus"
	"github.com/llm-config-manager/lcm/internal/forge"
	"github.com/llm-config-manager/lcm/internal/health"
	"github.com/llm-config-manager/lcm/internal/reconcile"
	"github.com/llm-config-manager/lcm/internal/sdnotify"
	"github.com/llm-config-manager/lcm/internal/tracing"
)

// reports is how the daemon tells others of itself. Nothing in it makes a pass wait for anybody.
type reports struct {
	log      *slog.Logger // nil: this is no daemon, but one command
	measures *health.Measures
	events   *eventFile
	tracing  *tracing.Tracing // nil: passes are not traced
	systemd  *sdnotify.Notifier
	statuses map[string]*commitstatus.Queue // by repository, of those that have them
	lines    lines
}

// measures are those of the daemon before a reload: what is counted goes on.
func (a *app) measures(c *daemonConfig) *health.Measures {
	if a.before != nil {
		return a.before.reports.measures
	}
	return health.NewMeasures(c.repositoryNames()...)
}

// openReports opens what tells of the daemon. Without a log there is no daemon: then only events are written.
func (a *app) openReports(c *daemonConfig, dryRun bool, log *slog.Logger) (err error) {
	a.reports = &reports{log: log, measures: a.measures(c), statuses: map[string]*commitstatus.Queue{}}
	if dryRun {
		return nil
	}
	if a.reports.events, err = openEvents(c.Events.File); err != nil {
		return err
	}
	a.onClose(a.reports.events.Close)
	if log == nil {
		return nil
	}
	if a.reports.tracing, err = c.Tracing.open(log); err != nil {
		return err
	}
	if a.reports.tracing != nil {
		a.onClose(a.reports.tracing.Close)
	}
	if a.reports.systemd, err = sdnotify.Open(os.Getenv); err != nil {
		return err
	}
	a.onClose(a.reports.systemd.Close)
	for _, repository := range c.Repositories {
		if err := a.reports.queue(repository); err != nil {
			return err
		}
	}
	return nil
}

// listen has a repository tell of itself.
func (r *reports) listen(rc *reconcile.Config, repository *repositoryConfig) {
	rc.Events, rc.Evaluated = r.happened, r.measures.Evaluated(repository.Name)
	if r.tracing != nil {
		rc.Tracer = r.tracing.Tracer()
	}
	if q := r.statuses[repository.Name]; q != nil {
		rc.Seen = q.Seen
	}
}

// queue makes the way to GitHub of a repository that has one.
func (r *reports) queue(repository repositoryConfig) error {
	to := repository.Reports.GitHub
	if to == nil {
		return nil
	}
	github, err := forge.NewGitHub(forge.Config{URL: to.URL, Repository: to.Repository, TokenFile: to.TokenFile})
	if err != nil {
		return configErrorf("reports.github: %v", err)
	}
	r.statuses[repository.Name] = commitstatus.NewQueue(github.Statuses(to.Context, to.TargetURL), r.log.With("repository", repository.Name))
	return nil
}

// measured adds the metrics.
func (r *reports) measured(cfg *health.Config) {
	cfg.Measures, cfg.Version = r.measures, version()
	if r.tracing != nil {
		cfg.Collectors = append(cfg.Collectors, health.Counted("reconcile_spans_total", "Spans of traces that were to be sent to the collector.", "result", r.tracing.Counts))
	}
}

// happened tells of an event.
func (r *reports) happened(e reconcile.Event) {
	r.measures.Happened(e)
	if err := r.events.write(e); err != nil && r.log != nil {
		r.log.Error("an event can't be written", "file", r.events.path, "error", err)
	}
	if r.log != nil {
		logEvent(r.log, e)
	}
}

// passed tells how a pass went; the report is nil if it could not be made.
func (r *reports) passed(repository string, report *reconcile.Report, err error) {
	if err != nil {
		report = nil
	}
	r.measures.Passed(repository, report)
	if q := r.statuses[repository]; q != nil && report != nil {
		for _, s := range statusesOf(report) {
			q.Put(s)
		}
	}
	r.systemd.Status(r.lines.set(repository, lineOf(report, err)))
}

// longestPass is how long a pass may take before systemd is told no more that the daemon lives.
const longestPass = 2 * time.Hour

// alive reports whether no pass hangs.
func (a *app) alive() bool {
	for _, s := range a.repositories {
		if s.Passing() > longestPass {
			return false
		}
	}
	return true
}

// run sends what waits to be sent, until ctx ends. whole is that of the daemon.
func (r *reports) run(ctx, whole context.Context, alive func() bool) {
	var group sync.WaitGroup
	for _, q := range r.statuses {
		group.Go(func() { q.Run(ctx) })
	}
	group.Go(func() { r.systemd.Watch(ctx, alive) })
	r.systemd.Ready()
	<-ctx.Done()
	if whole.Err() != nil {
		r.systemd.Stopping()
	}
	group.Wait()
}

// lines are what `systemctl status` shows: the last of each repository.
type lines struct {
	mu    sync.Mutex // guards what follows
	names []string
	last  map[string]string
}

// set takes the line of a repository, and returns that of all.
func (l *lines) set(repository, line string) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.last == nil {
		l.last = map[string]string{}
	}
	if _, known := l.last[repository]; !known {
		l.names = append(l.names, repository)
	}
	l.last[repository] = line
	var all []string
	for _, name := range l.names {
		all = append(all, name+": "+l.last[name])
	}
	return strings.Join(all, "; ")
}

// lineOf tells of a pass in one line.
func lineOf(r *reconcile.Report, err error) string {
	if err != nil {
		return "the last pass failed: " + err.Error()
	}
	switch r.Result() {
	case reconcile.ResultRefused:
		return fmt.Sprintf("refused %s; at %s", r.Refusal.Commit.Short(), r.Revision.Short())
	case reconcile.ResultHeld:
		return fmt.Sprintf("at %s; %s held", r.Revision.Short(), plural(len(r.Held), "namespace"))
	case reconcile.ResultTargetFailed:
		return fmt.Sprintf("at %s; %s failed", r.Revision.Short(), plural(len(r.Failed), "write"))
	}
	return "at " + r.Revision.Short()
}
