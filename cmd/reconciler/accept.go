package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/llm-config-manager/lcm/internal/lcm"
)

func (c *cli) acceptCommand() *cobra.Command {
	var head, reason string
	cmd := &cobra.Command{
		Use: "accept --head ID", Short: "Accept a revision by hand, on the daemon's host", Args: cobra.NoArgs,
		Long: "accept is for two cases in which the daemon must not decide by itself. The state is lost while the targets hold what\n" +
			"this repository put there: then the head must be built on all that they were given. Or trust refuses a revision\n" +
			"and nothing else helps, because keys are lost, say: then a --reason is needed. It is recorded, and each\n" +
			"pass shows it until the next regular commit. Stop the daemon first.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !lcm.ValidRevision(head) {
				return configErrorf("--head is a whole commit id (40 or 64 hexadecimal digits), not %q", head)
			}
			return c.accept(cmd.Context(), lcm.Revision(head), strings.TrimSpace(reason))
		},
	}
	c.configFlag(cmd)
	c.bundleFlag(cmd)
	cmd.Flags().StringVar(&head, "head", "", "the commit to accept; it must be on the branch")
	cmd.Flags().StringVar(&reason, "reason", "", "why, where trust refuses it")
	return cmd
}

func (c *cli) accept(ctx context.Context, head lcm.Revision, reason string) (err error) {
	cfg, err := c.load()
	if err != nil {
		return err
	}
	a, err := open(ctx, cfg, false, nil, c.stderr)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, a.close()) }()
	o, err := a.Accept(ctx, head, reason)
	if err != nil {
		return err
	}
	fmt.Fprintf(c.stdout, "%s is accepted by hand\n", head.Short())
	if o.Refused != "" {
		fmt.Fprintf(c.stdout, "  although trust refuses it: %s\n", o.Refused)
	}
	return nil
}
