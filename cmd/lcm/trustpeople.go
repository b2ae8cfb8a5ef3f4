package main

import (
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/policyfile"
)

func (c *cli) trustAddCommand() *cobra.Command {
	var (
		p      policyfile.Person
		files  []string
		tenant string
	)
	cmd := &cobra.Command{
		Use: "add NAME --role ROLE --key FILE", Short: "Add a principal", Args: cobra.ExactArgs(1),
		Example: "  lcm trust add bob --role operator:acme-corp --key bob.pub\n  lcm trust add rotator --bot --role service-account:acme-corp --key rotator.pub",
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(p.Roles) == 0 || len(files) == 0 {
				return usagef("a principal needs a --role and a --key")
			}
			p.Name = args[0]
			for _, file := range files {
				keys, err := c.readKeys(file)
				if err != nil {
					return err
				}
				p.Keys = append(p.Keys, keys...)
			}
			return c.editPolicy(cmd.Context(), func(d *policyfile.Draft) error { return d.Add(p, tenant) })
		},
	}
	f := cmd.Flags()
	f.StringArrayVar(&p.Roles, "role", nil, "global-admin, or `ROLE:ORG`: tenant-admin, operator, developer, viewer, service-account; repeatable")
	f.StringArrayVar(&files, "key", nil, "a `FILE` of keys: a .pub file, a list, an armored OpenPGP key; - is standard input; repeatable")
	f.BoolVar(&p.Bot, "bot", false, "it is no person: its consent counts for nothing")
	f.StringVar(&tenant, "tenant", "", "add it to the file of this tenant (`ORG`), .lcm/tenants/<org>.yaml")
	_ = cmd.RegisterFlagCompletionFunc("role", cobra.FixedCompletions([]string{"global-admin", "tenant-admin:", "operator:", "developer:", "viewer:", "service-account:"}, cobra.ShellCompDirectiveNoSpace))
	_ = cmd.MarkFlagFilename("key")
	c.editFlags(cmd)
	return cmd
}

func (c *cli) roleCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "role NAME +ROLE|-ROLE...", Short: "Give a principal roles, or take them away", Args: cobra.MinimumNArgs(2),
		Example: "  lcm trust role bob +tenant-admin:acme-corp -- -operator:acme-corp",
		RunE: func(cmd *cobra.Command, args []string) error {
			var add, remove []string
			for _, a := range args[1:] {
				switch {
				case strings.HasPrefix(a, "+"):
					add = append(add, a[1:])
				case strings.HasPrefix(a, "-"):
					remove = append(remove, a[1:])
				default:
					return usagef("write +%s to give the role, -- -%[1]s to take it away", a)
				}
			}
			return c.editPolicy(cmd.Context(), func(d *policyfile.Draft) error { return d.SetRoles(args[0], add, remove) })
		},
	}
	c.editFlags(cmd)
	c.completeNames(cmd)
	return cmd
}

func (c *cli) approvalsCommand() *cobra.Command {
	var signed bool
	cmd := &cobra.Command{
		Use: "approvals PATTERN N", Short: "Say how many must consent to a change of what a rule matches", Args: cobra.ExactArgs(2),
		Long:    "approvals sets the approvals of each rule of .lcm/trust.yaml that has just this pattern among its paths.",
		Example: "  lcm trust approvals '.lcm/**' 2",
		RunE: func(cmd *cobra.Command, args []string) error {
			n, err := strconv.Atoi(args[1])
			if err != nil || n < 1 {
				return usagef("the number of approvals is a whole number from 1, not %q", args[1])
			}
			return c.editPolicy(cmd.Context(), func(d *policyfile.Draft) error { return d.SetApprovals(args[0], n, signed) })
		},
	}
	cmd.Flags().BoolVar(&signed, "signed", false, "count signed approvals and the signature on the merge only, not those on commits of a branch")
	c.editFlags(cmd)
	return cmd
}

func (c *cli) tenantCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "tenant", Short: "Give tenants a policy of their own", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	var pairs []string
	add := &cobra.Command{
		Use: "add ORG --admin NAME=FILE", Short: "Write the policy of a tenant", Args: cobra.ExactArgs(1),
		Long: "add writes .lcm/tenants/<org>.yaml with the tenant's first admins. The file can add principals with roles of the tenant, and\n" +
			"rules that must be met besides those of .lcm/trust.yaml; who may change it is for .lcm/trust.yaml to say. The daemon's\n" +
			"configuration must give the repository the tenant.",
		Example: "  lcm trust tenant add acme-corp --admin erin=erin.pub",
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(pairs) == 0 || !lcm.ValidName(args[0]) {
				return usagef("a tenant is named in small letters, digits and hyphens, and needs an --admin NAME=FILE")
			}
			admins, err := c.readPeople(pairs, "")
			if err != nil {
				return err
			}
			return c.editPolicy(cmd.Context(), func(d *policyfile.Draft) error { return d.AddTenant(args[0], admins) })
		},
	}
	add.Flags().StringArrayVar(&pairs, "admin", nil, "an admin of the tenant as `NAME=FILE`; repeatable")
	c.editFlags(add)
	cmd.AddCommand(add)
	return cmd
}

// completeNames completes the first argument with the names of the policy at hand, and the second of revoke with keys.
func (c *cli) completeNames(cmd *cobra.Command) {
	cmd.ValidArgsFunction = func(_ *cobra.Command, args []string, _ string) (words []string, _ cobra.ShellCompDirective) {
		d, err := c.openDesk("HEAD", false)
		if err != nil || len(args) > 0 && cmd.Name() != "revoke" {
			return nil, cobra.ShellCompDirectiveDefault
		}
		defer d.repo.Close()
		for _, p := range d.policy.Principals() {
			if len(args) == 0 {
				words = append(words, p.Name)
			} else if len(args) == 1 && p.Name == args[0] {
				words = d.keysOf(p.Name)
			}
		}
		return words, cobra.ShellCompDirectiveNoFileComp
	}
}
