package main

import (
	"context"
	"fmt"
	"slices"

	"github.com/spf13/cobra"
	"golang.org/x/crypto/ssh"

	"github.com/llm-config-manager/lcm/internal/gitrepo"
	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/trust"
)

func (c *cli) approveCommand() *cobra.Command {
	var adopt bool
	cmd := &cobra.Command{
		Use: "approve [REV]", Short: "Sign that you consent to a change", Args: cobra.MaximumNArgs(1),
		Long: "approve signs that you consent to what REV (HEAD by default) changes since it forked from the protected\n" +
			"branch. The approval counts file by file, for that very change: whatever is pushed later, or changed on the\n" +
			"protected branch meanwhile, needs another. It is written to refs/lcm/approvals/ and must be pushed.\n\n" +
			"With --adopt, REV is a commit of the protected branch that lacks a valid signature, or brings in one that\n" +
			"does. It is believed once enough people have signed for it as for a change of the policy.",
		Example: "  git fetch origin && git diff origin/main...topic\n  lcm approve topic --key ~/.ssh/id_ed25519",
		RunE: func(cmd *cobra.Command, args []string) error {
			spec := "HEAD"
			if len(args) == 1 {
				spec = args[0]
			}
			return c.approve(cmd.Context(), spec, adopt)
		},
	}
	cmd.Flags().BoolVar(&adopt, "adopt", false, "consent that a commit of the protected branch is believed without a signature")
	c.keyFlag(cmd)
	c.branchFlags(cmd, true)
	return cmd
}

func (c *cli) approve(ctx context.Context, spec string, adopt bool) error {
	d, err := c.openDesk(spec, false)
	if err != nil {
		return err
	}
	defer d.repo.Close()
	head, err := d.repo.Resolve(spec)
	if err != nil {
		return usagef("%v", err)
	}
	a := trust.Approval{Repository: d.policy.Repository, Branch: d.policy.Branch, Head: head, Adopt: adopt}
	policy := d.policy
	if adopt {
		if a.Base, err = d.firstParent(head); err != nil {
			return err
		}
		if policy, err = d.policyOf(c, a.Base); err != nil {
			return err
		}
	} else if a.Base, err = d.fork(ctx, head); err != nil {
		return err
	}
	changes, err := d.changes(a.Base, head)
	if err != nil {
		return err
	}
	if len(changes) == 0 && !adopt {
		return fmt.Errorf("%s changes nothing since %s: there is nothing to approve", head.Short(), a.Base.Short())
	}
	key, done, err := c.signer()
	if err != nil {
		return err
	}
	defer done()
	who, err := owner(policy, key)
	if err != nil {
		return err
	}
	document, err := a.Sign(gitrepo.SSHSignerFor(trust.ApprovalNamespace, key))
	if err != nil {
		return err
	}
	ref, err := d.repo.SetApproval(head, who.Name, document)
	if err != nil {
		return err
	}
	return c.tellApproved(policy, who, a, changes, ref)
}

// owner finds who signs. Nothing is signed that would count for nobody.
func owner(p *trust.Policy, key ssh.Signer) (*trust.Principal, error) {
	who := p.SSHKeyOwner(key.PublicKey().Marshal())
	switch {
	case who == nil:
		return nil, fmt.Errorf("the key %s belongs to nobody in the policy of the protected branch", ssh.FingerprintSHA256(key.PublicKey()))
	case who.Bot:
		return nil, fmt.Errorf("the key %s belongs to %s, a bot: its consent does not count", ssh.FingerprintSHA256(key.PublicKey()), who.Name)
	}
	return who, nil
}

func (d *desk) changes(base, head lcm.Revision) ([]gitrepo.Change, error) {
	before, err := d.repo.Tree(base)
	if err != nil {
		return nil, err
	}
	after, err := d.repo.Tree(head)
	if err != nil {
		return nil, err
	}
	return d.repo.Diff(before, after)
}

// maxShown is how many files are listed.
const maxShown = 20

func (c *cli) tellApproved(p *trust.Policy, who *trust.Principal, a trust.Approval, changes []gitrepo.Change, ref string) error {
	what := "approved"
	if a.Adopt {
		what = "adopted"
	}
	fmt.Fprintf(c.stdout, "%s %s %s, as changed from %s:\n", who.Name, what, a.Head.Short(), a.Base.Short())
	for i, ch := range changes {
		if i == maxShown {
			fmt.Fprintf(c.stdout, "  and %d more\n", len(changes)-maxShown)
			break
		}
		fmt.Fprintf(c.stdout, "  %s%s\n", ch.Path, notCounted(p, who, ch.Path))
	}
	_, err := fmt.Fprintf(c.stdout, "Push it: git push origin %s\n", ref)
	return err
}

// notCounted tells somebody which rule of a path does not count their consent.
func notCounted(p *trust.Policy, who *trust.Principal, path string) string {
	for _, rule := range p.Matching(path) {
		if !slices.Contains(p.PersonsFor(rule, path), who.Name) {
			return fmt.Sprintf("   (your consent does not count for the rule %s)", rule)
		}
	}
	return ""
}
