package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/llm-config-manager/lcm/internal/reconcile"
	"github.com/llm-config-manager/lcm/internal/state"
)

func (c *cli) reconcileCommand() *cobra.Command {
	var o reconcile.Options
	var wait bool
	var despite despiting
	cmd := &cobra.Command{
		Use: "reconcile", Short: "Have the running daemon make a pass now", Args: cobra.NoArgs,
		Long: "reconcile asks the daemon for a pass that fetches after now. With --wait it prints what became of it, as once does, and ends\n" +
			"as that does. Where no daemon runs, use once.",
		Example: "  reconciler reconcile\n" +
			"  reconciler reconcile --wait --drift\n" +
			"  reconciler reconcile --wait --despite-windows 'acme-corp/payments/*/production' --reason 'leaked key'",
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if o.Despite, err = despite.exceptions(userName(os.Getuid())); err != nil {
				return err
			}
			return c.request(cmd.Context(), o, wait)
		},
	}
	c.configFlag(cmd)
	c.repositoryFlag(cmd)
	c.formatFlag(cmd)
	driftFlag(cmd, &o)
	despite.flags(cmd)
	cmd.Flags().BoolVar(&wait, "wait", false, "until the pass is made, and print it")
	return cmd
}

// despiting is what takes no notice of maintenance windows, on the command line.
type despiting struct {
	patterns []string
	reason   string
}

func (d *despiting) flags(cmd *cobra.Command) {
	cmd.Flags().StringArrayVar(&d.patterns, "despite-windows", nil, "carry out changes of the namespaces that match, although their windows are closed; may be repeated")
	cmd.Flags().StringVar(&d.reason, "reason", "", "why windows are taken no notice of; recorded")
}

// foreseen are the exceptions of a plan, which needs no reason: nothing is carried out.
func (d *despiting) foreseen() (out []state.Exception, err error) {
	for _, p := range d.patterns {
		out = append(out, state.Exception{Namespaces: p})
	}
	return out, checkPatterns(d.patterns)
}

// exceptions are what is recorded of it.
func (d *despiting) exceptions(by string) (out []state.Exception, err error) {
	if len(d.patterns) == 0 {
		return nil, nil
	}
	if err := checkPatterns(d.patterns); err != nil {
		return nil, err
	}
	reason, err := checkReason(d.reason)
	for _, p := range d.patterns {
		out = append(out, state.Exception{Namespaces: p, Reason: reason, By: by})
	}
	return out, err
}

func (c *cli) request(ctx context.Context, o reconcile.Options, wait bool) error {
	if err := c.checkFormat(); err != nil {
		return err
	}
	cfg, err := c.load()
	if err != nil {
		return err
	}
	form := url.Values{"format": {c.format}, "repository": {c.repository}, "colour": {strconv.FormatBool(c.colour)},
		"drift": {strconv.FormatBool(o.Everything)}, "wait": {strconv.FormatBool(wait)}}
	for _, e := range o.Despite {
		form.Add("despite", e.Namespaces)
		form.Set("reason", e.Reason)
	}
	err = c.asked(ctx, cfg, http.MethodPost, "reconcile", form)
	if errors.Is(err, errNoDaemon) {
		return errors.New("no daemon answers: start it with reconciler run, or make a pass with reconciler once")
	}
	return err
}

func (a *app) answerReconcile(w http.ResponseWriter, r *http.Request) {
	var out, errs bytes.Buffer
	c := &cli{stdout: &out, stderr: &errs, format: r.FormValue("format"), colour: isTrue(r, "colour")}
	o := reconcile.Options{Everything: isTrue(r, "drift")}
	despite := despiting{r.Form["despite"], r.FormValue("reason")}
	exceptions, err := despite.exceptions(peerOf(r))
	repositories, unknown := a.chosen(r.FormValue("repository"))
	if err = errors.Join(c.checkFormat(), err, unknown); err == nil {
		o.Despite = exceptions
		err = c.requestOf(r.Context(), repositories, o, isTrue(r, "wait"))
	}
	code := c.end(err)
	writeAnswer(w, answer{code, out.String(), errs.String()})
}

func isTrue(r *http.Request, field string) bool {
	yes, _ := strconv.ParseBool(r.FormValue(field))
	return yes
}

// requestOf asks the loops of repositories for a pass.
func (c *cli) requestOf(ctx context.Context, repositories []*served, o reconcile.Options, wait bool) error {
	if wait {
		return c.reports(ctx, repositories, o, func(s *served) (*reconcile.Report, error) {
			r, err := s.reconciler()
			if err != nil {
				return nil, err
			}
			return r.Request(ctx, o)
		})
	}
	for _, s := range repositories {
		r, err := s.reconciler()
		if err != nil {
			return err
		}
		r.Ask(o)
	}
	if c.format == "json" {
		return printJSON(c.stdout, map[string]any{"schema": "lcm.asked/v1", "asked": true})
	}
	_, err := fmt.Fprintln(c.stdout, "asked: the pass is made as soon as one that runs has ended; --wait shows it")
	return err
}
