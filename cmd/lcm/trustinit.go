package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/llm-config-manager/lcm/internal/diag"
	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/policyfile"
)

const policyPath = ".lcm/trust.yaml"

func (c *cli) trustInitCommand() *cobra.Command {
	var (
		n                             policyfile.NewPolicy
		admins, operators, developers []string
	)
	cmd := &cobra.Command{
		Use: "init --repository NAME", Short: "Write the first policy of a repository", Args: cobra.NoArgs,
		Long: "init writes .lcm/trust.yaml with the principals named and three rules: whoever has a role may change something, the\n" +
			"settings are for admins, and production is for admins, tenants' admins and operators. With two admins or more, the last two ask for two\n" +
			"persons. It overwrites nothing. The commit that adds the file is believed as the daemon's introduction, or by the policy before it.",
		Example: "  curl -fsS https://github.com/alice.keys | lcm trust init --repository acme-config --admin alice=- --admin carol=carol.pub --operator acme-corp:bob=bob.pub",
		RunE: func(*cobra.Command, []string) (err error) {
			if !lcm.ValidName(n.Repository) || !branchName.MatchString(n.Branch) {
				return usagef("--repository is the name that the daemon is given too (small letters, digits and inner hyphens), --branch the protected branch")
			}
			if n.Admins, err = c.readPeople(admins, ""); err != nil {
				return err
			}
			for word, pairs := range map[string][]string{"operator": operators, "developer": developers} {
				people, err := c.readPeople(pairs, word)
				if err != nil {
					return err
				}
				n.Others = append(n.Others, people...)
			}
			return c.trustInit(n)
		},
	}
	f := cmd.Flags()
	f.StringVar(&n.Repository, "repository", "", "the repository's name, which the daemon must be given too")
	f.StringVar(&n.Branch, "branch", "main", "the protected branch")
	f.StringArrayVar(&admins, "admin", nil, adminUsage)
	f.StringArrayVar(&operators, "operator", nil, "an operator of a tenant as `ORG:NAME=FILE`; repeatable")
	f.StringArrayVar(&developers, "developer", nil, "a developer of a tenant as `ORG:NAME=FILE`; repeatable")
	return cmd
}

func (c *cli) trustInit(n policyfile.NewPolicy) error {
	slices.SortFunc(n.Others, func(a, b policyfile.Person) int { return strings.Compare(a.Name, b.Name) })
	text, err := c.firstPolicy(n)
	if err != nil {
		return err
	}
	file := filepath.Join(c.repo, filepath.FromSlash(policyPath))
	if _, err := os.Lstat(file); !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("%s is there already: init overwrites nothing; lcm trust add adds to it", file)
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		return err
	}
	fmt.Fprintf(c.stdout, "%s\n", file)
	for _, p := range slices.Concat(n.Admins, n.Others) {
		for _, k := range p.Keys {
			fmt.Fprintf(c.stdout, "  %s: %s\n", p.Name, k.Fingerprint)
		}
	}
	_, err = fmt.Fprintf(c.stdout, "\nNext: compare the fingerprints with the persons, and commit the file with a signature (git commit -S).\n")
	return err
}

// firstPolicy writes a policy, and warns of one that hangs on a single person or key.
func (c *cli) firstPolicy(n policyfile.NewPolicy) (string, error) {
	text, err := n.Text()
	if unsound := new(policyfile.UnsoundError); errors.As(err, &unsound) {
		_ = diag.Text(c.stderr, unsound.Findings)
		return "", usagef("this would be no sound policy: a name and a key stand for one person each")
	}
	switch {
	case err != nil:
		return "", err
	case len(n.Admins) == 1:
		fmt.Fprintf(c.stderr, "warning: %s can change everything alone, and nobody can without this key. Get a second admin soon:\n"+
			"  lcm trust add NAME --role global-admin --key FILE.pub, and lcm trust approvals '.lcm/**' 2\n", n.Admins[0].Name)
	case len(n.Admins) == 2 && slices.ContainsFunc(n.Admins, func(p policyfile.Person) bool { return len(p.Keys) == 1 }):
		fmt.Fprintf(c.stderr, "warning: settings need both admins: if one of them loses the only key, nobody can replace it. Give each a second key, or add a third admin.\n")
	}
	return string(text), nil
}
