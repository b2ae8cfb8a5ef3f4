package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/reconcile"
	"github.com/llm-config-manager/lcm/internal/state"
)

// suspending is what suspend and resume are asked for.
type suspending struct {
	resume     bool
	all        bool // everything: the whole repository, or whatever is suspended
	namespaces []string
	reason     string
	until      time.Time
	by         string
}

func (c *cli) suspendCommand() *cobra.Command {
	var s scope
	var reason, lasts, until string
	cmd := &cobra.Command{
		Use: "suspend [PATTERN]…", Short: "Have nothing written for some namespaces, until they are resumed",
		Args: cobra.ArbitraryArgs,
		Long: "suspend stops all writing to the targets for the namespaces that match: no change, no deletion, no correction of drift.\n" +
			"Commits are believed and judged as ever, and what they change waits. Once suspend has returned, nothing is written there\n" +
			"any more. While the daemon runs it is the daemon that is asked; else it is written down for when it does.\n\n" +
			"A namespace is org/project/service/environment; in a pattern * stands for one segment and ** for any number.",
		Example: "  reconciler suspend --environment production --reason 'release freeze' --for 12h\n" +
			"  reconciler suspend 'acme-corp/payments/**' --reason 'incident 4711'\n" +
			"  reconciler suspend --all --reason 'Vault is being migrated' --until 2027-01-31T18:00:00Z",
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			o := suspending{}
			s.patterns = args
			if o.namespaces, err = s.texts(); err != nil {
				return err
			}
			if s.all {
				o.namespaces = []string{"**"}
			}
			if o.reason, err = checkReason(reason); err != nil {
				return err
			}
			if o.until, err = untilOf(lasts, until, time.Now()); err != nil {
				return err
			}
			return c.suspend(cmd.Context(), o)
		},
	}
	s.flags(cmd, "the whole repository")
	cmd.Flags().StringVar(&reason, "reason", "", "why, on one line; needed")
	cmd.Flags().StringVar(&lasts, "for", "", "how long, such as 90m, 12h or 3d; until it is resumed unless given")
	cmd.Flags().StringVar(&until, "until", "", "until when, such as 2027-01-31T18:00:00Z")
	return c.suspensionCommand(cmd)
}

func (c *cli) resumeCommand() *cobra.Command {
	var s scope
	cmd := &cobra.Command{
		Use: "resume [PATTERN]…", Short: "End suspensions, and have done what waited for that",
		Args: cobra.ArbitraryArgs,
		Long: "resume ends the suspensions of exactly these patterns, as status lists them. What waited is carried out by the next pass,\n" +
			"which is made at once while the daemon runs. What lcm.yaml suspends ends by a commit.",
		Example: "  reconciler resume --environment production\n" +
			"  reconciler resume 'acme-corp/payments/**'\n" +
			"  reconciler resume --all",
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			s.patterns = args
			o := suspending{resume: true, all: s.all}
			if o.namespaces, err = s.texts(); err != nil {
				return err
			}
			return c.suspend(cmd.Context(), o)
		},
	}
	s.flags(cmd, "whatever an operator suspended")
	return c.suspensionCommand(cmd)
}

func (c *cli) suspensionCommand(cmd *cobra.Command) *cobra.Command {
	c.configFlag(cmd)
	c.repositoryFlag(cmd)
	c.formatFlag(cmd)
	cmd.ValidArgsFunction = cobra.NoFileCompletions
	return cmd
}

// untilOf says when a suspension ends; the zero time: it does not.
func untilOf(lasts, until string, now time.Time) (at time.Time, err error) {
	switch {
	case lasts != "" && until != "":
		return at, configErrorf("--for and --until exclude each other")
	case lasts != "":
		d, err := lcm.ParseDuration(lasts)
		if err != nil || d <= 0 {
			return at, configErrorf("--for is a duration of more than nothing, such as 90m, 12h or 3d, not %q", lasts)
		}
		at = now.Add(d)
	case until != "":
		if at, err = time.Parse(time.RFC3339, until); err != nil {
			return at, configErrorf("--until is a time such as 2027-01-31T18:00:00Z, not %q", until)
		}
	}
	if !at.IsZero() && !at.After(now) {
		return at, configErrorf("--until %s is past", until)
	}
	return at.UTC().Truncate(time.Second), nil
}

// suspend asks the daemon, or without one writes it down itself.
func (c *cli) suspend(ctx context.Context, o suspending) (err error) {
	if err := c.checkFormat(); err != nil {
		return err
	}
	cfg, err := c.load()
	if err != nil {
		return err
	}
	if err := c.asked(ctx, cfg, http.MethodPost, "suspend", o.form(c)); !errors.Is(err, errNoDaemon) {
		return err
	}
	a := &app{}
	defer func() { err = errors.Join(err, a.close()) }()
	if err := a.openState(cfg, false, c.stderr); err != nil {
		return err
	}
	for _, r := range cfg.Repositories {
		s := &served{repositoryConfig: r, err: errors.New("it is not opened")}
		if s.config, err = a.stateOf(&s.repositoryConfig); err != nil {
			return err
		}
		a.repositories = append(a.repositories, s)
	}
	o.by = userName(os.Getuid())
	return c.suspendIn(ctx, a.repositories, o)
}

func (o suspending) form(c *cli) url.Values {
	form := url.Values{"format": {c.format}, "repository": {c.repository}, "namespaces": o.namespaces, "reason": {o.reason}}
	if o.resume {
		form.Set("resume", "true")
	}
	if o.all {
		form.Set("all", "true")
	}
	if !o.until.IsZero() {
		form.Set("until", o.until.Format(time.RFC3339))
	}
	return form
}

// readSuspending reads what form wrote.
func readSuspending(r *http.Request) (o suspending, err error) {
	o = suspending{resume: r.FormValue("resume") != "", all: r.FormValue("all") != "", namespaces: r.Form["namespaces"], by: peerOf(r)}
	if err = checkPatterns(o.namespaces); err == nil && !o.resume {
		if o.reason, err = checkReason(r.FormValue("reason")); err == nil {
			o.until, err = untilOf("", r.FormValue("until"), time.Now())
		}
	}
	return o, err
}

func (a *app) answerSuspend(w http.ResponseWriter, r *http.Request) {
	var out, errs bytes.Buffer
	c := &cli{stdout: &out, stderr: &errs, format: r.FormValue("format")}
	o, err := readSuspending(r)
	repositories, unknown := a.chosen(r.FormValue("repository"))
	if err = errors.Join(c.checkFormat(), err, unknown); err == nil {
		err = c.suspendIn(r.Context(), repositories, o)
	}
	code := c.end(err)
	writeAnswer(w, answer{code, out.String(), errs.String()})
}

// suspensionJSON is what suspend and resume did, and how it stands after that.
type suspensionJSON struct {
	Schema    string          `json:"schema"` // lcm.suspensions/v1
	Suspended []suspendedJSON `json:"suspended"`
	Resumed   []suspendedJSON `json:"resumed"`
}

type suspendedJSON struct {
	Repository string `json:"repository"`
	state.Suspension
	Matches int `json:"matches"` // namespaces of which something is in a target
}

// suspendIn suspends or resumes in each of the repositories, and tells it.
func (c *cli) suspendIn(ctx context.Context, repositories []*served, o suspending) error {
	out := suspensionJSON{Schema: "lcm.suspensions/v1", Suspended: []suspendedJSON{}, Resumed: []suspendedJSON{}}
	for _, s := range repositories {
		if err := s.suspend(ctx, o, &out); err != nil {
			return err
		}
	}
	if o.resume && len(out.Resumed) == 0 {
		return notSuspended(repositories, o)
	}
	if c.format == "json" {
		return printJSON(c.stdout, out)
	}
	for _, s := range out.Suspended {
		fmt.Fprintf(c.stdout, "%s (%s)\n", pauseText(&reconcile.Pause{Suspension: s.Suspension}), plural(s.Matches, "namespace"))
	}
	for _, s := range out.Resumed {
		fmt.Fprintf(c.stdout, "RESUMED %s, suspended by %s since %s (%s)\n", s.Namespaces, s.By, stampText(s.Since), plural(s.Matches, "namespace"))
	}
	return c.stillSuspended(repositories, out.Resumed)
}

// suspend suspends or resumes in one repository.
func (s *served) suspend(ctx context.Context, o suspending, out *suspensionJSON) error {
	r, db := s.control()
	if db == nil {
		return fmt.Errorf("the state of %s can't be read: %w", s.Name, s.err)
	}
	if o.resume {
		ended, err := r.Resume(func(x state.Suspension) bool { return o.all || slices.Contains(o.namespaces, x.Namespaces) }, o.by)
		for _, x := range ended {
			out.Resumed = append(out.Resumed, suspendedJSON{s.Name, x, matching(db, x.Namespaces)})
		}
		r.Poke()
		return err
	}
	for _, pattern := range o.namespaces {
		x := state.Suspension{Namespaces: pattern, Reason: o.reason, By: o.by, Since: time.Now().UTC().Truncate(time.Second), Until: o.until}
		if err := r.Suspend(ctx, x); err != nil {
			return err
		}
		out.Suspended = append(out.Suspended, suspendedJSON{s.Name, x, matching(db, pattern)})
	}
	r.Poke()
	return nil
}

// matching counts the namespaces that a pattern matches and that something was put anywhere of.
func matching(db *state.DB, pattern string) (n int) {
	p, err := lcm.ParsePattern(pattern)
	all, failed := db.Inhabited("")
	if err != nil || failed != nil {
		return 0
	}
	for _, ns := range all {
		if p.Match(ns.String()) {
			n++
		}
	}
	return n
}

// notSuspended says that there is nothing to resume, and what there is.
func notSuspended(repositories []*served, o suspending) error {
	var inForce []string
	for _, s := range repositories {
		_, db := s.control()
		all, err := db.Suspensions()
		if err != nil {
			return err
		}
		for _, x := range slices.Concat(all.Operator, all.Repository) {
			by := "by " + x.By
			if x.Commit != "" {
				by = "by lcm.yaml, which a commit changes"
			}
			inForce = append(inForce, x.Namespaces+" "+by)
		}
	}
	what := strings.Join(o.namespaces, ", ")
	switch {
	case len(inForce) == 0:
		return configErrorf("nothing is suspended")
	case o.all:
		what = "anything"
	}
	return configErrorf("no operator suspended %s: suspended are %s", what, strings.Join(inForce, "; "))
}

// stillSuspended tells of suspensions that go on for what was resumed.
func (c *cli) stillSuspended(repositories []*served, resumed []suspendedJSON) error {
	if len(resumed) == 0 {
		return nil
	}
	ended := make([]lcm.Pattern, len(resumed))
	for i, x := range resumed {
		ended[i], _ = lcm.ParsePattern(x.Namespaces)
	}
	for _, s := range repositories {
		st, err := s.StatusOf(reconcile.Which{Pattern: ended})
		if err != nil {
			return err
		}
		told := map[string]bool{}
		for _, n := range st.Namespaces {
			if n.Pause == nil || told[n.Pause.Namespaces] {
				continue
			}
			told[n.Pause.Namespaces] = true
			fmt.Fprintf(c.stdout, "  still: %s\n", pauseText(n.Pause))
		}
	}
	return nil
}
