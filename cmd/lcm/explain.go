package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/tree"
)

// explanation is lcm explain as JSON.
type explanation struct {
	Address        lcm.Address        `json:"address"`
	Kind           lcm.Kind           `json:"kind"`
	Chain          []string           `json:"chain"`
	Documents      []string           `json:"documents"` // all that went into it, nearest first
	Merge          string             `json:"merge"`
	Classification lcm.Classification `json:"classification"`
	Owner          string             `json:"owner"`
	Target         string             `json:"target"`
	Route          string             `json:"route"`
	References     []lcm.Address      `json:"references"`
	Recipients     []string           `json:"recipients,omitempty"` // Secret: who can open it
}

func (c *cli) explainCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "explain ADDRESS", Short: "Tell where the value of an address comes from, and where it goes", Args: cobra.ExactArgs(1),
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
			x := explain(t, e)
			if c.format == "json" {
				return c.json(x)
			}
			return c.tell(x)
		},
	}
	c.formatFlag(cmd)
	return cmd
}

func explain(t *tree.Tree, e *tree.Entry) explanation {
	x := explanation{Address: e.Address, Kind: e.Kind, Chain: t.Chain(e.Address.Environment), Merge: e.Metadata.Merge,
		Classification: e.Metadata.Classification, Owner: e.Metadata.Owner, Target: e.Target, References: []lcm.Address{}}
	for _, d := range e.Documents {
		x.Documents = append(x.Documents, d.File)
	}
	if r, ok := t.Route(e.Address.Namespace, e.Kind); ok {
		x.Route = r.Position.String()
	}
	refs := map[lcm.Address]bool{}
	for _, r := range e.References {
		refs[r.To] = true
	}
	x.References = slices.SortedFunc(maps.Keys(refs), func(a, b lcm.Address) int { return strings.Compare(a.String(), b.String()) })
	if rules := t.SealRules(); e.Kind == lcm.KindSecret && rules != nil {
		x.Recipients, _ = rules.Recipients(e.Origin.File)
	}
	return x
}

func (c *cli) tell(x explanation) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s is a %s, %s, of %s\n", x.Address, x.Kind, x.Classification, orNobody(x.Owner))
	fmt.Fprintf(&b, "  looked up in %s\n", strings.Join(x.Chain, " → "))
	fmt.Fprintf(&b, "  found in     %s\n", x.Documents[0])
	for _, d := range x.Documents[1:] {
		if x.Merge == "deep" {
			fmt.Fprintf(&b, "  merged onto  %s\n", d)
		} else {
			fmt.Fprintf(&b, "  with         %s\n", d)
		}
	}
	for _, r := range x.References {
		fmt.Fprintf(&b, "  refers to    %s\n", r)
	}
	fmt.Fprintf(&b, "  goes to      %s, by the route at %s\n", x.Target, x.Route)
	for _, r := range x.Recipients {
		fmt.Fprintf(&b, "  sealed to    %s\n", r)
	}
	_, err := fmt.Fprint(c.stdout, b.String())
	return err
}

func orNobody(owner string) string {
	if owner == "" {
		return "nobody (it has no owner)"
	}
	return owner
}
