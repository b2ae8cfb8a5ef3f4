package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/llm-config-manager/lcm/internal/trust"
)

func (c *cli) trustCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "trust", Short: "Who may change what, and what a change still needs", Args: cobra.NoArgs,
		Long: "trust answers from the repository at hand, by the policy of the protected branch as it was last fetched.\nThe daemon has the last word.",
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(c.trustShowCommand(), c.whoMayCommand(), c.trustExplainCommand(), c.trustCheckCommand())
	cmd.AddCommand(c.trustInitCommand(), c.trustAddCommand(), c.addKeyCommand(), c.rotateKeyCommand(), c.revokeCommand(),
		c.roleCommand(), c.approvalsCommand(), c.tenantCommand())
	return cmd
}

func (c *cli) trustShowCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "show", Short: "Show the policy in force: principals, keys and rules", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			if err := c.checkFormat(); err != nil {
				return err
			}
			d, err := c.openDesk("HEAD", false)
			if err != nil {
				return err
			}
			defer d.repo.Close()
			if c.format == "json" {
				return c.json(shownPolicy(d))
			}
			return showPolicy(c.stdout, d)
		},
	}
	c.formatFlag(cmd)
	c.branchFlags(cmd, true)
	return cmd
}

func showPolicy(w io.Writer, d *desk) error {
	p := d.policy
	fmt.Fprintf(w, "repository %s, branch %s, version %d of the policy, at %s\n\n", p.Repository, p.Branch, p.Version, d.tip.Short())
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "PRINCIPAL\tROLES\tKEYS")
	for _, who := range p.Principals() {
		var roles, keys []string
		for _, r := range who.Roles {
			roles = append(roles, r.String())
		}
		for _, k := range who.Keys {
			key := k.Fingerprint
			if !k.NotAfter.IsZero() {
				key += " until " + k.NotAfter.Format("2006-01-02")
			}
			keys = append(keys, key)
		}
		name := who.Name
		if who.Bot {
			name += " (bot)"
		}
		fmt.Fprintf(t, "%s\t%s\t%s\n", name, strings.Join(roles, " "), strings.Join(keys, ", "))
	}
	if all := p.Authorities(); len(all) > 0 {
		fmt.Fprintln(t, "\nAUTHORITY\tKEY")
		for _, a := range all {
			fmt.Fprintf(t, "%s\t%s\n", a.Name, a.Fingerprint)
		}
	}
	fmt.Fprintln(t, "\nRULE\tAPPROVALS\tROLES")
	for _, r := range p.Rules() {
		var roles []string
		for _, role := range r.Roles {
			roles = append(roles, role.String())
		}
		fmt.Fprintf(t, "%s\t%s\t%s\n", r, approvalsOf(r), strings.Join(roles, " "))
	}
	return t.Flush()
}

func approvalsOf(r *trust.Rule) string {
	text := fmt.Sprint(r.Approvals)
	if r.SignedConsent {
		text += " signed"
	}
	if r.RollbackApprovals > 0 {
		text += fmt.Sprintf(" (rollback %d)", r.RollbackApprovals)
	}
	return text
}

func (c *cli) whoMayCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "who-may PATH", Short: "Tell whose approval a change of a file needs", Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			if err := c.checkFormat(); err != nil {
				return err
			}
			d, err := c.openDesk("HEAD", false)
			if err != nil {
				return err
			}
			defer d.repo.Close()
			rules := d.policy.Matching(args[0])
			if len(rules) == 0 {
				return fmt.Errorf("nobody may change %s: no rule of the policy matches it", args[0])
			}
			if c.format == "json" {
				return c.json(whoMay{"lcm.who-may/v1", args[0], needsOf(d.policy, args[0])})
			}
			for _, r := range rules {
				who := strings.Join(d.policy.PersonsFor(r, args[0]), ", ")
				if who == "" {
					who = "nobody there is"
				}
				fmt.Fprintf(c.stdout, "%s of %s\n    by the rule %s\n", approvalsOf(r), who, r)
				if len(r.Rotation) > 0 {
					fmt.Fprintf(c.stdout, "    sealed values alone: %s\n", strings.Join(r.Rotation, ", "))
				}
			}
			return nil
		},
	}
	c.formatFlag(cmd)
	c.branchFlags(cmd, true)
	return cmd
}

func (c *cli) trustExplainCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "explain COMMIT", Short: "Tell why a commit of the protected branch is believed, or not", Args: cobra.ExactArgs(1),
		Long: "explain judges one step of the protected branch by the policy of the commit before it, as the daemon does. It\ntakes the commit's own date for the time at which it was first seen.",
		RunE: func(cmd *cobra.Command, args []string) error { return c.explainStep(cmd.Context(), args[0]) },
	}
	c.formatFlag(cmd)
	return cmd
}

func (c *cli) explainStep(ctx context.Context, spec string) error {
	if err := c.checkFormat(); err != nil {
		return err
	}
	d, err := c.openDesk(spec, false)
	if err != nil {
		return err
	}
	defer d.repo.Close()
	rev, err := d.repo.Resolve(spec)
	if err != nil {
		return usagef("%v", err)
	}
	parent, err := d.firstParent(rev)
	if err != nil {
		return err
	}
	first, err := firstOf(d.repo, parent)
	if err != nil {
		return err
	}
	v, err := judgeAlone(ctx, d.repo, d.config(parent, d.committed), first, parent, rev)
	if c.format == "json" {
		return c.jsonStep(rev, v, err)
	}
	if err != nil {
		return err
	}
	s := v.Steps()[0]
	fmt.Fprintf(c.stdout, "%s is believed: %s\n", rev.Short(), s.By())
	for _, j := range s.Judged {
		fmt.Fprintf(c.stdout, "  %s by %s, of %d, by the rule %s\n", j.Basis, strings.Join(j.Consents, ", "), j.Needed, j.Rule)
		for _, p := range j.Paths[:min(len(j.Paths), maxShown)] {
			fmt.Fprintf(c.stdout, "    %s\n", p)
		}
		if more := j.Count - maxShown; more > 0 {
			fmt.Fprintf(c.stdout, "    and %d more\n", more)
		}
	}
	return nil
}

func (c *cli) trustCheckCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "check [REV]", Short: "Tell what a change still needs before the daemon would believe its merge", Args: cobra.MaximumNArgs(1),
		Long:    "check merges REV (HEAD by default) into the protected branch, without keeping the merge, and tells whose approvals are\nmissing. It ends with 1 as long as no single person could complete it by signing the merge. On a pull request, check out\nthe branch itself with its whole history, and name the target: --base origin/main.",
		Example: "  lcm trust check\n  lcm trust check topic --base origin/main --format json",
		RunE: func(cmd *cobra.Command, args []string) error {
			spec := "HEAD"
			if len(args) == 1 {
				spec = args[0]
			}
			return c.trustCheck(cmd.Context(), spec)
		},
	}
	c.formatFlag(cmd)
	c.branchFlags(cmd, true)
	return cmd
}

// errNotYet is a change that nobody could merge alone yet; what is missing was printed.
var errNotYet = errors.New("more is needed before this can be merged")

func (c *cli) trustCheck(ctx context.Context, spec string) error {
	if err := c.checkFormat(); err != nil {
		return err
	}
	d, err := c.openDesk(spec, false)
	if err != nil {
		return err
	}
	defer d.repo.Close()
	head, err := d.repo.Resolve(spec)
	if err != nil {
		return usagef("%v", err)
	}
	p, _, err := d.preview(ctx, head)
	if c.format == "json" {
		return c.jsonCheck(d, head, p, err)
	}
	if err != nil {
		return err
	}
	for _, r := range p.Unsigned {
		fmt.Fprintf(c.stdout, "commit %s: %s: %s\n", r.Commit.Short(), r.Rule, r.Reason)
	}
	for _, want := range p.Wants {
		fmt.Fprintf(c.stdout, "%d more of %s, by the rule %s%s\n", want.Missing(), orNobodyOf(want.Able), want.Rule, sofar(want.Consents))
		for _, path := range want.Paths[:min(len(want.Paths), maxShown)] {
			fmt.Fprintf(c.stdout, "    %s\n", path)
		}
		if more := len(want.Paths) - maxShown; more > 0 {
			fmt.Fprintf(c.stdout, "    and %d more\n", more)
		}
	}
	writeLoosens(c.stdout, p.Loosens)
	if len(p.Mergers) > 0 {
		_, err := fmt.Fprintf(c.stdout, "can be merged by %s\n", strings.Join(p.Mergers, ", "))
		return err
	}
	if len(p.Changed) == 0 && len(p.Unsigned) == 0 {
		_, err := fmt.Fprintf(c.stdout, "%s changes nothing on %s\n", spec, d.branch)
		return err
	}
	return errNotYet
}

// writeLoosens says what a merge permits that is not permitted now, for those who are about to sign it.
func writeLoosens(w io.Writer, all []trust.Loosening) {
	if len(all) > 0 {
		fmt.Fprintln(w, "this loosens rules, or may:")
	}
	for _, l := range all {
		fmt.Fprintf(w, "    %s: %s\n", l.File, l.What)
	}
}

func orNobodyOf(names []string) string {
	if len(names) == 0 {
		return "nobody there is"
	}
	return strings.Join(names, ", ")
}

func sofar(consents []string) string {
	if len(consents) == 0 {
		return ""
	}
	return "; so far: " + strings.Join(consents, ", ")
}
