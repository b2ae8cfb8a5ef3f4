package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/llm-config-manager/lcm/internal/health"
	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/reconcile"
	"github.com/llm-config-manager/lcm/internal/trust"
)

func (c *cli) statusCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "status", Short: "Show what is believed, how fresh it is, and what is refused or held", Args: cobra.NoArgs,
		Long: "status asks the running daemon, where metrics.listen says, or else reads the state. It asks neither the\n" +
			"repository nor a target, and ends with 1 if the daemon is not ready: if its last fetch is too long ago, if\n" +
			"the heartbeat is stale, or if nothing was accepted yet.",
		RunE: func(cmd *cobra.Command, _ []string) error { return c.status(cmd.Context()) },
	}
	c.configFlag(cmd)
	c.repositoryFlag(cmd)
	c.formatFlag(cmd)
	return cmd
}

func (c *cli) status(ctx context.Context) error {
	if err := c.checkFormat(); err != nil {
		return err
	}
	cfg, err := c.load()
	if err != nil {
		return err
	}
	if len(cfg.Repositories) > 1 {
		return c.severalStatuses(ctx, cfg)
	}
	s, err := findStatus(ctx, cfg, &cfg.Repositories[0], c.stderr)
	if err != nil {
		return err
	}
	if c.format == "json" {
		err = printJSON(c.stdout, s)
	} else {
		err = printStatus(c.stdout, s)
	}
	if err == nil && !s.Ready {
		return outcome{exitFailed}
	}
	return err
}

// findStatus asks the daemon, which holds the state while it runs, and without one reads the state.
func findStatus(ctx context.Context, cfg *daemonConfig, r *repositoryConfig, stderr io.Writer) (*reconcile.Status, error) {
	var unasked error
	if at := cfg.Metrics.Listen; at != "" {
		s, err := health.Ask(ctx, at, r.Name)
		if err == nil {
			return s, nil
		}
		unasked = fmt.Errorf("asking the daemon: %w", err)
	}
	asked := new(reconcile.Status)
	if err := askDaemon(ctx, cfg, http.MethodGet, "status", url.Values{"repository": {r.Name}}, asked); err == nil && asked.Schema == reconcile.StatusSchema {
		return asked, nil
	}
	s, err := readStatus(cfg, r, stderr)
	switch {
	case err == nil:
		return s, nil
	case unasked == nil:
		return nil, fmt.Errorf("%w (a running daemon can be asked if metrics.listen is configured)", err)
	}
	return nil, errors.Join(err, unasked)
}

func readStatus(cfg *daemonConfig, r *repositoryConfig, stderr io.Writer) (s *reconcile.Status, err error) {
	a := &app{}
	defer func() { err = errors.Join(err, a.close()) }()
	if err := a.openState(cfg, true, stderr); err != nil {
		return nil, err
	}
	rc, err := a.stateOf(r)
	if err != nil {
		return nil, err
	}
	return reconcile.ReadStatus(rc)
}

func printStatus(w io.Writer, s *reconcile.Status) error {
	var b strings.Builder
	fmt.Fprintf(&b, "repository  %s, branch %s, introduced at %s\n", s.Repository, s.Branch, s.Introduction.Short())
	fmt.Fprintf(&b, "accepted    %s\n", acceptedText(s))
	fmt.Fprintf(&b, "branch      %s\n", fetchText(s))
	if h := s.Heartbeat; h != nil {
		fmt.Fprintf(&b, "heartbeat   %s\n", heartbeatText(h))
	}
	if f := s.Refusal; f != nil {
		writeRefusal(&b, &trust.Refusal{Commit: f.Commit, Path: f.Path, Rule: f.Rule, Reason: f.Reason})
	}
	writeByHand(&b, s.ByHand)
	var held []reconcile.Held
	for _, h := range s.Held {
		held = append(held, reconcile.Held(h))
	}
	writeHeld(&b, held)
	for _, t := range s.Targets {
		if t.Down {
			fmt.Fprintf(&b, "DOWN target %s since %s, tried again at %s, after %d failures: %s\n", t.Target, stampText(*t.Since), stampText(*t.NextTry), t.Failures, t.Error)
		}
	}
	for _, f := range s.Failed {
		fmt.Fprintf(&b, "FAILED %s on target %s\n", f.Namespace, strings.Join(f.Targets, ", "))
	}
	writeDrift(&b, s.Drift.Entries, s.Drift.Open)
	writeDrift(&b, s.Drift.Corrected, len(s.Drift.Corrected))
	for _, why := range s.NotReady {
		fmt.Fprintf(&b, "NOT READY: %s\n", why)
	}
	_, err := io.WriteString(w, b.String())
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
