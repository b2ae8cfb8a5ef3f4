package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/llm-config-manager/lcm/internal/gitrepo"
	"github.com/llm-config-manager/lcm/internal/masterkey"
	"github.com/llm-config-manager/lcm/internal/reconcile"
)

func (c *cli) receiptCommand() *cobra.Command {
	var other string
	cmd := &cobra.Command{
		Use: "receipt", Short: "Print what this daemon accepted, or compare it with another daemon's receipt", Args: cobra.NoArgs,
		Long: "receipt prints, as JSON, which revision this daemon accepted last. With --compare it compares that with the receipt of\n" +
			"another daemon for the same branch. If neither revision is built on the other, or the server does not show this daemon\n" +
			"what the other one accepted, it ends with 3: the server shows different histories to different daemons. It needs\n" +
			"neither the state nor the targets, and may be called while the daemon runs.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if other == "" {
				return c.receipt()
			}
			return c.compare(cmd.Context(), other)
		},
	}
	c.configFlag(cmd)
	c.repositoryFlag(cmd)
	c.formatFlag(cmd)
	cmd.Flags().StringVar(&other, "compare", "", "the file with the other daemon's receipt; - for standard input")
	_ = cmd.MarkFlagFilename("compare", "json")
	return cmd
}

func (c *cli) receipt() error {
	cfg, one, err := c.loadOne()
	if err != nil {
		return err
	}
	rc, _, err := ownReceipt(cfg, one)
	if err != nil {
		return err
	}
	return printJSON(c.stdout, rc)
}

var errReceipt = errors.New("the receipt is not this daemon's, or was changed")

// ownReceipt reads this daemon's receipt and checks that it is this daemon's.
func ownReceipt(c *daemonConfig, r *repositoryConfig) (rc reconcile.Receipt, key masterkey.Key, err error) {
	if !exists(r.receipt()) {
		return rc, key, errors.New("there is no receipt: this daemon has accepted nothing yet, or was never run with this configuration; make a pass first")
	}
	if key, err = masterkey.Load(c.Key.File); err != nil {
		return rc, key, configError{err.Error()}
	}
	if rc, err = readReceipt(r.receipt()); err != nil {
		return rc, key, err
	}
	if !rc.MadeWith(key) || rc.Repository != r.Name || rc.Branch != r.Branch {
		return rc, key, fmt.Errorf("%w: %s; make a pass, which writes it anew", errReceipt, r.receipt())
	}
	return rc, key, nil
}

func readReceipt(file string) (reconcile.Receipt, error) {
	if file == "-" {
		return reconcile.ReadReceipt(os.Stdin)
	}
	f, err := os.Open(file)
	if err != nil {
		return reconcile.Receipt{}, configErrorf("reading a receipt: %v", err)
	}
	defer f.Close()
	return reconcile.ReadReceipt(f)
}

// comparison is lcm.comparison/v1.
type comparison struct {
	Schema        string             `json:"schema"`
	Relation      reconcile.Relation `json:"relation"`
	Commits       int                `json:"commits"`       // by how many we are behind or ahead
	Authenticated bool               `json:"authenticated"` // the other receipt was made with this daemon's key
	Ours          reconcile.Receipt  `json:"ours"`
	Theirs        reconcile.Receipt  `json:"theirs"`
}

func (c *cli) compare(ctx context.Context, file string) error {
	if err := c.checkFormat(); err != nil {
		return err
	}
	cfg, one, err := c.loadOne()
	if err != nil {
		return err
	}
	ours, key, err := ownReceipt(cfg, one)
	if err != nil {
		return err
	}
	theirs, err := readReceipt(file)
	switch {
	case err != nil:
		return err
	case theirs.MAC == ours.MAC:
		return configErrorf("that is this daemon's own receipt: compare it with another daemon's")
	case theirs.Repository != ours.Repository || theirs.Branch != ours.Branch:
		return configErrorf("the other receipt is for branch %q of repository %q, this daemon follows %q of %q: they cannot be compared",
			theirs.Branch, theirs.Repository, ours.Branch, ours.Repository)
	}
	out := comparison{Schema: "lcm.comparison/v1", Authenticated: theirs.MadeWith(key), Ours: ours, Theirs: theirs}
	if out.Relation, out.Commits, err = relate(ctx, cfg, one, ours, theirs); err != nil {
		return err
	}
	return c.printComparison(out)
}

// relate looks into the mirror. What the other one accepted and the mirror does not have, the server must
// show us now: the receipt was made before.
func relate(ctx context.Context, cfg *daemonConfig, one *repositoryConfig, ours, theirs reconcile.Receipt) (_ reconcile.Relation, n int, err error) {
	mirror, err := gitrepo.Open(one.mirror(), gitrepo.Limits{})
	if err != nil {
		return "", 0, fmt.Errorf("opening the mirror: %w", err)
	}
	how, n, err := reconcile.Compare(mirror, ours, theirs)
	if err = errors.Join(err, mirror.Close()); err != nil || how != reconcile.Unknown {
		return how, n, err
	}
	a := &app{}
	defer func() { err = errors.Join(err, a.close()) }()
	dir, err := a.scratch() // the daemon's own may be in use
	if err != nil {
		return "", 0, err
	}
	fresh, err := a.mirrorIn(dir, cfg, one)
	if err != nil {
		return "", 0, err
	}
	a.onClose(fresh.Close)
	ctx, cancel := context.WithTimeout(ctx, 15*time.Minute)
	defer cancel()
	if _, err := fresh.Fetch(ctx); err != nil {
		return "", 0, fmt.Errorf("asking the server for %s, which the other daemon accepted: %w", theirs.Accepted.Short(), err)
	}
	return reconcile.Compare(fresh, ours, theirs)
}

func (c *cli) printComparison(out comparison) error {
	var err error
	if c.format == "json" {
		err = printJSON(c.stdout, out)
	} else {
		_, err = io.WriteString(c.stdout, out.text())
	}
	if err == nil && out.alarm() {
		return outcome{exitRefused}
	}
	return err
}

func (o comparison) alarm() bool {
	return o.Relation == reconcile.Diverged || o.Relation == reconcile.Unknown
}

func (o comparison) text() string {
	text := o.sentence() + "\n"
	if o.alarm() {
		text += describe("this daemon", o.Ours) + describe("the other one", o.Theirs) +
			"  Either the server shows them different histories, or the branch was rewritten between. Stop both daemons, and compare both\n" +
			"  revisions with a checkout that you trust before either goes on.\n"
	}
	if !o.Authenticated {
		text += "note: the other receipt was not made with this daemon's key; it is as good as the way it came\n"
	}
	return text
}

func (o comparison) sentence() string {
	by := plural(o.Commits, "commit")
	switch o.Relation {
	case reconcile.Same:
		return fmt.Sprintf("same: both accepted %s", o.Ours.Accepted.Short())
	case reconcile.Behind:
		return fmt.Sprintf("behind: this daemon accepted %s, the other one is %s ahead, at %s", o.Ours.Accepted.Short(), by, o.Theirs.Accepted.Short())
	case reconcile.Ahead:
		return fmt.Sprintf("ahead: this daemon accepted %s, the other one is %s behind, at %s", o.Ours.Accepted.Short(), by, o.Theirs.Accepted.Short())
	case reconcile.Unknown:
		return "DIVERGED: the server does not show this daemon what the other one accepted"
	}
	return "DIVERGED: neither revision is built on the other"
}

func describe(who string, rc reconcile.Receipt) string {
	return fmt.Sprintf("  %-14s accepted %s at %s\n", who, rc.Accepted, rc.AcceptedAt.UTC().Format(time.RFC3339))
}
