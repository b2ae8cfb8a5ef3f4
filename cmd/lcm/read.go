package main

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/llm-config-manager/lcm/internal/diag"
	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/tree"
)

// load reads the checkout.
func (c *cli) load() (*tree.Tree, error) {
	root, err := os.OpenRoot(c.repo)
	if err != nil {
		return nil, usagef("opening the repository: %v", err)
	}
	t, findings := tree.Load(root.FS())
	if t == nil {
		return nil, c.refuse(findings)
	}
	return t, nil
}

// refuse prints findings and returns the error that goes with them.
func (c *cli) refuse(findings []diag.Finding) error {
	_ = diag.Text(c.stderr, findings)
	return fmt.Errorf("%s has errors: lcm-lint %s shows them all", c.repo, c.repo)
}

// entry resolves one address.
func (c *cli) entry(t *tree.Tree, address string) (*tree.Entry, error) {
	a, err := lcm.ParseAddress(address)
	if err != nil {
		return nil, usagef("%v", err)
	}
	if env, ok := t.Settings().Environments[a.Environment]; ok && env.Abstract {
		return nil, fmt.Errorf("%s: %s is abstract: a layer that others inherit from, and never published", a, a.Environment)
	}
	res := t.Resolve(a.Namespace)
	for _, e := range res.Entries {
		if e.Address == a {
			return e, nil
		}
	}
	if len(res.Findings) > 0 {
		return nil, c.refuse(res.Findings)
	}
	if _, ok := t.Service(a.Service); !ok {
		return nil, fmt.Errorf("%s: there is no service %s: lcm list shows what there is", a, a.Service)
	}
	return nil, fmt.Errorf("%s: no such key: lcm list %s shows those there are", a, a.Namespace)
}

// value is what a target would hold, but for secrets: of those only the names of the fields are shown.
func value(e *tree.Entry) any {
	switch e.Kind {
	case lcm.KindConfig:
		return e.Spec["value"]
	case lcm.KindSecret:
		sealed := map[string]any{}
		data, _ := e.Spec["data"].(map[string]any)
		for field := range data {
			sealed[field] = "[sealed]"
		}
		return sealed
	}
	return e.Spec
}

func (c *cli) getCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "get ADDRESS", Short: "Print what an address resolves to", Args: cobra.ExactArgs(1),
		Long:              "get prints, as JSON, the value that targets hold for org/project/service/environment/key.\nOf a Secret it prints the names of the fields: the values are sealed.",
		ValidArgsFunction: c.completeAddresses,
		RunE: func(_ *cobra.Command, args []string) error {
			if err := c.checkFormat(); err != nil {
				return err
			}
			t, err := c.load()
			if err != nil {
				return err
			}
			e, err := c.entry(t, args[0])
			if err != nil {
				return err
			}
			if s, ok := value(e).(string); ok && c.format == "text" {
				_, err = fmt.Fprintln(c.stdout, s)
				return err
			}
			return c.json(value(e))
		},
	}
	c.formatFlag(cmd)
	return cmd
}

func (c *cli) json(v any) error {
	enc := json.NewEncoder(c.stdout)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

// row is one line of lcm list.
type row struct {
	Address        lcm.Address        `json:"address"`
	Kind           lcm.Kind           `json:"kind"`
	Classification lcm.Classification `json:"classification"`
	Target         string             `json:"target"`
	Origin         tree.Origin        `json:"origin"`
}

func (c *cli) listCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "list [PREFIX]", Short: "List addresses, with kind, target and origin", Args: cobra.MaximumNArgs(1),
		Long:              "list prints every address that is published, or those below PREFIX: org, org/project, org/project/service\nor a namespace.",
		ValidArgsFunction: c.completeNamespaces,
		RunE: func(_ *cobra.Command, args []string) error {
			if err := c.checkFormat(); err != nil {
				return err
			}
			prefix := ""
			if len(args) == 1 {
				prefix = strings.Trim(args[0], "/")
			}
			return c.list(prefix)
		},
	}
	c.formatFlag(cmd)
	return cmd
}

func (c *cli) list(prefix string) error {
	t, err := c.load()
	if err != nil {
		return err
	}
	rows := []row{}
	var findings []diag.Finding
	for _, ns := range t.Namespaces() {
		if s := ns.String(); prefix != "" && s != prefix && !strings.HasPrefix(s, prefix+"/") {
			continue
		}
		res := t.Resolve(ns)
		findings = append(findings, res.Findings...)
		for _, e := range res.Entries {
			rows = append(rows, row{e.Address, e.Kind, e.Metadata.Classification, e.Target, e.Origin})
		}
	}
	if c.format == "json" {
		err = c.json(rows)
	} else {
		w := tabwriter.NewWriter(c.stdout, 0, 0, 2, ' ', 0)
		for _, r := range rows {
			fmt.Fprintf(w, "%s\t%s\t%s\t→ %s\t%s\n", r.Address, r.Kind, r.Classification, r.Target, r.Origin.File)
		}
		err = w.Flush()
	}
	if err == nil && len(rows) == 0 && prefix != "" && len(findings) == 0 {
		return fmt.Errorf("nothing is published below %s", prefix)
	}
	if diag.Failed(findings) {
		return c.refuse(diag.Sort(findings))
	}
	return err
}

func (c *cli) completeNamespaces(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	t, err := c.load()
	if err != nil || len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var out []string
	for _, ns := range t.Namespaces() {
		out = append(out, ns.String())
	}
	return out, cobra.ShellCompDirectiveNoFileComp
}

func (c *cli) completeAddresses(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
	namespaces, _ := c.completeNamespaces(cmd, args, typed)
	i := slices.IndexFunc(namespaces, func(ns string) bool { return strings.HasPrefix(typed, ns+"/") })
	if i < 0 {
		for i := range namespaces {
			namespaces[i] += "/"
		}
		return namespaces, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
	}
	t, err := c.load()
	ns, nsErr := lcm.ParseNamespace(namespaces[i])
	if err != nil || nsErr != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var out []string
	for _, e := range t.Resolve(ns).Entries {
		out = append(out, e.Address.String())
	}
	return out, cobra.ShellCompDirectiveNoFileComp
}
