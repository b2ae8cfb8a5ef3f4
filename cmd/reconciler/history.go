package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/reconcile"
)

func (c *cli) historyCommand() *cobra.Command {
	limit := 20
	cmd := &cobra.Command{
		Use: "history ADDRESS", Short: "Tell who changed an address, when, and who approved it, as it was accepted", Args: cobra.ExactArgs(1),
		Long: "history lists the versions of org/project/service/environment/key up to the last accepted revision, newest first, with\n" +
			"what this daemon recorded when it accepted each: signer, approvers, and when it first saw the commit. It asks neither the\n" +
			"repository nor a target, and never shows a value. lcm history tells the same from a clone.",
		RunE: func(cmd *cobra.Command, args []string) error {
			a, err := lcm.ParseAddress(args[0])
			if err != nil {
				return configErrorf("%v", err)
			}
			if limit < 0 {
				return configErrorf("--limit is a number of versions, or 0 for all, not %d", limit)
			}
			return c.history(cmd.Context(), a, limit)
		},
	}
	c.configFlag(cmd)
	c.repositoryFlag(cmd)
	c.formatFlag(cmd)
	cmd.Flags().IntVar(&limit, "limit", limit, "how many versions to show; 0 for all")
	return cmd
}

func (c *cli) history(ctx context.Context, address lcm.Address, limit int) (err error) {
	if err := c.checkFormat(); err != nil {
		return err
	}
	cfg, one, err := c.loadOne()
	if err != nil {
		return err
	}
	form := url.Values{"format": {c.format}, "address": {address.String()}, "limit": {strconv.Itoa(limit)}, "repository": {one.Name}}
	if err := c.asked(ctx, cfg, http.MethodGet, "history", form); !errors.Is(err, errNoDaemon) {
		return err
	}
	a := &app{}
	defer func() { err = errors.Join(err, a.close()) }()
	if err := a.openState(cfg, true, c.stderr); err != nil {
		return err
	}
	rc, err := a.openTrust(cfg, one, true)
	if err != nil {
		return err
	}
	return c.tellHistory(ctx, rc, address, limit)
}

func (c *cli) tellHistory(ctx context.Context, rc reconcile.Config, address lcm.Address, limit int) error {
	h, err := reconcile.History(ctx, rc.State, rc.Repo, address, limit)
	if err != nil {
		return err
	}
	if h.Total == 0 {
		return fmt.Errorf("%s: there never was such a key, as far as commits were accepted here", address)
	}
	if c.format == "json" {
		return printJSON(c.stdout, h)
	}
	return h.Text(c.stdout, fmt.Sprintf("As recorded when each was accepted; counted from %s.", h.Introduction.Short()))
}

// historyOf tells the history of an address in a repository of a daemon.
func (c *cli) historyOf(ctx context.Context, a *app, repository string, address lcm.Address, limit int) error {
	s, err := a.named(repository)
	if err != nil {
		return err
	}
	r, err := s.reconciler()
	if err != nil {
		return err
	}
	return c.tellHistory(ctx, r.Config, address, limit)
}

func (a *app) answerHistory(w http.ResponseWriter, r *http.Request) {
	var out, errs bytes.Buffer
	c := &cli{stdout: &out, stderr: &errs, format: r.FormValue("format")}
	address, err := lcm.ParseAddress(r.FormValue("address"))
	limit, limitErr := strconv.Atoi(r.FormValue("limit"))
	if err = errors.Join(err, limitErr, c.checkFormat()); err == nil {
		err = c.historyOf(r.Context(), a, r.FormValue("repository"), address, max(limit, 0))
	}
	code := c.end(err)
	writeAnswer(w, answer{code, out.String(), errs.String()})
}
