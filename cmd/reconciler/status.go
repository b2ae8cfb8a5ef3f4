package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/llm-config-manager/lcm/internal/diag"
	"github.com/llm-config-manager/lcm/internal/health"
	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/reconcile"
	"github.com/llm-config-manager/lcm/internal/trust"
)

func (c *cli) statusCommand() *cobra.Command {
	var which telling
	cmd := &cobra.Command{
		Use: "status [PATTERN]…", Short: "Show what is believed, how fresh it is, and how each namespace stands",
		Args: cobra.ArbitraryArgs,
		Long: "status asks the running daemon, or else reads the state. It asks neither the repository nor a target, and ends with 1\n" +
			"if the daemon is not ready: if its last fetch is too long ago, if the heartbeat is stale, or if nothing was accepted yet.\n" +
			"It lists the namespaces that are not as they should be, and counts the others; with patterns those that match one.",
		Example: "  reconciler status\n" +
			"  reconciler status --all\n" +
			"  reconciler status 'acme-corp/*/*/production' --format json",
		RunE: func(cmd *cobra.Command, args []string) error {
			if which.patterns = args; which.all && len(args) > 0 {
				return configErrorf("patterns and --all exclude each other")
			}
			return errors.Join(checkPatterns(args), c.status(cmd.Context(), which))
		},
	}
	c.configFlag(cmd)
	c.repositoryFlag(cmd)
	c.formatFlag(cmd)
	cmd.Flags().BoolVar(&which.all, "all", false, "list every namespace")
	cmd.ValidArgsFunction = cobra.NoFileCompletions
	return cmd
}

// telling says which namespaces a status lists.
type telling struct {
	patterns []string
	all      bool
}

func (t telling) which() (reconcile.Which, error) {
	patterns, err := parsePatterns(t.patterns)
	return reconcile.Which{All: t.all, Pattern: patterns}, err
}

func (c *cli) status(ctx context.Context, t telling) error {
	if err := c.checkFormat(); err != nil {
		return err
	}
	cfg, err := c.load()
	if err != nil {
		return err
	}
	if len(cfg.Repositories) > 1 {
		return c.severalStatuses(ctx, cfg, t)
	}
	s, err := findStatus(ctx, cfg, &cfg.Repositories[0], t, c.stderr)
	if err != nil {
		return err
	}
	if c.format == "json" {
		err = printJSON(c.stdout, s)
	} else {
		err = c.printStatus(s, t)
	}
	if err == nil && !s.Ready {
		return outcome{exitFailed}
	}
	return err
}

// findStatus asks the daemon, which holds the state while it runs, and without one reads the state. Who may not ask on the
// socket learns what those may know who watch.
func findStatus(ctx context.Context, cfg *daemonConfig, r *repositoryConfig, t telling, stderr io.Writer) (*reconcile.Status, error) {
	s := new(reconcile.Status)
	form := url.Values{"repository": {r.Name}, "namespaces": t.patterns, "all": {strconv.FormatBool(t.all)}}
	unasked := askDaemon(ctx, cfg, http.MethodGet, "status", form, s)
	if unasked == nil && s.Schema == reconcile.StatusSchema {
		return completeStatus(cfg, r, t, s, stderr), nil
	}
	if at := cfg.Metrics.Listen; at != "" {
		s, err := health.Ask(ctx, at, r.Name)
		if err == nil {
			return completeStatus(cfg, r, t, s, stderr), nil
		}
		unasked = fmt.Errorf("asking the daemon: %w", err)
	}
	s, err := readStatus(cfg, r, t, stderr)
	if err == nil {
		return s, nil
	}
	if errors.Is(unasked, errNoDaemon) {
		return nil, err
	}
	return nil, errors.Join(err, unasked)
}

func readStatus(cfg *daemonConfig, r *repositoryConfig, t telling, stderr io.Writer) (s *reconcile.Status, err error) {
	a := &app{}
	defer func() { err = errors.Join(err, a.close()) }()
	if err := a.openState(cfg, true, stderr); err != nil {
		return nil, err
	}
	rc, err := a.stateOf(r)
	if err != nil {
		return nil, err
	}
	which, err := t.which()
	if err != nil {
		return nil, err
	}
	return reconcile.Closed(rc).StatusOf(which)
}

// statusFor is the status that somebody asks for.
func (s *served) statusFor(r *http.Request) (*reconcile.Status, error) {
	which, err := telling{patterns: r.Form["namespaces"], all: isTrue(r, "all")}.which()
	if err != nil {
		return nil, err
	}
	return s.StatusOf(which)
}

func (c *cli) printStatus(s *reconcile.Status, t telling) error {
	var b strings.Builder
	fmt.Fprintf(&b, "repository  %s, branch %s, introduced at %s\n", s.Repository, s.Branch, s.Introduction.Short())
	if s.Replica != nil {
		fmt.Fprintf(&b, "replica     %s\n", replicaText(s.Replica))
	}
	fmt.Fprintf(&b, "accepted    %s\n", acceptedText(s))
	fmt.Fprintf(&b, "branch      %s\n", fetchText(s))
	if h := s.Heartbeat; h != nil {
		fmt.Fprintf(&b, "heartbeat   %s\n", heartbeatText(h))
	}
	writeWindows(&b, s)
	if f := s.Refusal; f != nil {
		writeRefusal(&b, &trust.Refusal{Commit: f.Commit, Path: f.Path, Rule: f.Rule, Reason: f.Reason})
	}
	writeByHand(&b, s.ByHand)
	writeSuspensions(&b, s.Suspensions)
	for _, t := range s.Targets {
		if t.Down {
			fmt.Fprintf(&b, "DOWN target %s since %s, tried again at %s, after %d failures: %s\n", t.Target, stampText(*t.Since), stampText(*t.NextTry), t.Failures, t.Error)
		}
	}
	writeDrift(&b, s.Drift.Entries, s.Drift.Open)
	writeDrift(&b, s.Drift.Corrected, len(s.Drift.Corrected))
	for _, why := range s.NotReady {
		fmt.Fprintf(&b, "NOT READY: %s\n", why)
	}
	writeNamespaces(&b, s, t, diag.Paint(c.colour))
	_, err := io.WriteString(c.stdout, b.String())
	return err
}

func acceptedText(s *reconcile.Status) string {
	if s.Accepted == nil {
		return "nothing yet"
	}
	text := s.Accepted.Revision.Short()
	if !s.Accepted.Since.IsZero() {
		text += " since " + stampText(s.Accepted.Since)
	}
	if s.Processed != s.Accepted.Revision {
		text += ", not carried out yet: still at " + orNothing(s.Processed)
	}
	return text
}

func fetchText(s *reconcile.Status) string {
	text := "never fetched"
	if at := s.Fetch.At; at != nil {
		text = fmt.Sprintf("%s, fetched %s, %s ago", orNothing(s.Head), stampText(*at), ageText(*s.Fetch.Age))
	}
	if s.Fetch.Error != "" {
		text += "; since then: " + s.Fetch.Error
		if s.Failures > 0 && s.NextPass != nil {
			text += fmt.Sprintf("; tried again at %s, after %d failures", stampText(*s.NextPass), s.Failures)
		}
	}
	if m := s.Fetch.Mirror; m != nil {
		text += fmt.Sprintf("; commits come from the mirror %s, asked %s", m.URL, stampText(m.At))
	}
	return text
}

func heartbeatText(h *reconcile.StatusBeat) string {
	text := "none was ever seen"
	if h.At != nil {
		text = fmt.Sprintf("by %s: %s at %s, %s ago", h.By, h.Head.Short(), stampText(*h.At), ageText(*h.Age))
	}
	if h.Problem != "" {
		text += "; now: " + h.Problem
	}
	return text
}

func orNothing(r lcm.Revision) string {
	if r == "" {
		return "nothing"
	}
	return r.Short()
}

func stampText(t time.Time) string { return t.UTC().Format(time.RFC3339) }

func ageText(seconds float64) string {
	return time.Duration(seconds * float64(time.Second)).Round(time.Second).String()
}
