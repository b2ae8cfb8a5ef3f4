package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/plan"
	"github.com/llm-config-manager/lcm/internal/reconcile"
	"github.com/llm-config-manager/lcm/internal/trust"
)

func (c *cli) verifyCommand() *cobra.Command {
	var from, to string
	cmd := &cobra.Command{
		Use: "verify", Short: "Judge every commit of the protected branch, and say why", Args: cobra.NoArgs,
		Long: "verify fetches, and judges each commit from the introduction to the head of the branch by the policy of the commit\nbefore it: who signed, whose approval counted under which rule, and why the first bad one is refused. It writes\nnothing else, and ends with 3 if a commit is refused.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			for flag, rev := range map[string]string{"--from": from, "--to": to} {
				if rev != "" && !lcm.ValidRevision(rev) {
					return configErrorf("%s is a whole commit id (40 or 64 hexadecimal digits), not %q", flag, rev)
				}
			}
			return c.verify(cmd.Context(), lcm.Revision(from), lcm.Revision(to))
		},
	}
	c.configFlag(cmd)
	c.repositoryFlag(cmd)
	c.bundleFlag(cmd)
	c.formatFlag(cmd)
	cmd.Flags().StringVar(&from, "from", "", "begin after this commit, which must be built on the introduction (default: the introduction)")
	cmd.Flags().StringVar(&to, "to", "", "end with this commit (default: the head of the branch)")
	return cmd
}

func (c *cli) verify(ctx context.Context, from, to lcm.Revision) (err error) {
	if err := c.checkFormat(); err != nil {
		return err
	}
	cfg, one, err := c.loadOne()
	if err != nil {
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
	verdicts, err := reconcile.Verdicts(ctx, rc, from, to)
	if err != nil {
		return err
	}
	if c.format == "json" {
		err = printJSON(c.stdout, verdictsJSON(verdicts))
	} else {
		err = printVerdicts(c.stdout, verdicts)
	}
	if err == nil && slices.ContainsFunc(verdicts, func(v reconcile.Verdict) bool { return v.Refusal != nil }) {
		return outcome{exitRefused}
	}
	return err
}

type ruleJSON struct {
	Rule     string      `json:"rule"`
	Needed   int         `json:"needed"`
	Basis    trust.Basis `json:"basis"`
	Consents []string    `json:"consents"`
	Paths    []string    `json:"paths"`
	Count    int         `json:"count"`
}

type verdictJSON struct {
	Commit          lcm.Revision     `json:"commit"`
	Verdict         string           `json:"verdict"` // believed, refused or unjudged
	Signer          string           `json:"signer"`
	Approvers       []string         `json:"approvers"`
	SignedApprovers []string         `json:"signedApprovers"`
	Reviewers       []string         `json:"reviewers"` // of the approvers, those whom a review at a forge made count
	Forge           string           `json:"forge"`
	Squashed        lcm.Revision     `json:"squashed"`
	Adopted         bool             `json:"adopted"`
	FirstSeen       *time.Time       `json:"firstSeen"`
	Rules           []ruleJSON       `json:"rules"`
	Loosens         []plan.Loosening `json:"loosens"`
	Refusal         *refusalJSON     `json:"refusal"`
}

type verdictsDocument struct {
	Schema   string        `json:"schema"`
	Verdicts []verdictJSON `json:"verdicts"`
}

func verdictsJSON(all []reconcile.Verdict) verdictsDocument {
	out := verdictsDocument{Schema: "lcm.verdicts/v1", Verdicts: []verdictJSON{}}
	for _, v := range all {
		j := verdictJSON{Commit: v.Commit, Verdict: "unjudged", Approvers: []string{}, SignedApprovers: []string{}, Reviewers: []string{}, Rules: []ruleJSON{},
			Loosens: append([]plan.Loosening{}, v.Loosens...)}
		if s := v.Step; s != nil {
			j.Verdict, j.Signer, j.Adopted, j.FirstSeen = "believed", s.Signer, s.Adopted, &s.FirstSeen
			j.Approvers, j.SignedApprovers = append(j.Approvers, s.Approvers...), append(j.SignedApprovers, s.SignedApprovers...)
			j.Forge, j.Squashed, j.Reviewers = s.Forge, s.Squashed, append(j.Reviewers, s.Reviewers...)
			for _, r := range s.Judged {
				j.Rules = append(j.Rules, ruleJSON{r.Rule.String(), r.Needed, r.Basis, append([]string{}, r.Consents...), r.Paths, r.Count})
			}
		}
		if f := v.Refusal; f != nil {
			j.Verdict, j.Refusal = "refused", &refusalJSON{f.Commit, f.Path, f.Rule, f.Reason}
		}
		out.Verdicts = append(out.Verdicts, j)
	}
	return out
}

func printVerdicts(w io.Writer, all []reconcile.Verdict) error {
	var b strings.Builder
	for _, v := range all {
		switch {
		case v.Refusal != nil:
			writeRefusal(&b, v.Refusal)
		case v.Step == nil:
			fmt.Fprintf(&b, "%s not judged, since one before it is refused\n", v.Commit.Short())
		default:
			writeStep(&b, v.Step)
			writeLoosens(&b, v.Loosens)
		}
	}
	if len(all) == 0 {
		b.WriteString("no commits to judge\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func writeStep(b *strings.Builder, s *trust.Step) {
	fmt.Fprintf(b, "%s %s\n", s.Commit.Short(), s.By())
	for _, j := range s.Judged {
		first := j.Paths[0]
		if j.Count > 1 {
			first += fmt.Sprintf(" and %d more", j.Count-1)
		}
		fmt.Fprintf(b, "  %s: %d of %d by %s, rule %s\n", first, len(j.Consents), j.Needed, strings.Join(j.Consents, ", "), j.Rule)
	}
}
