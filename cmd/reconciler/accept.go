package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/reconcile"
)

func (c *cli) acceptCommand() *cobra.Command {
	var o accepting
	cmd := &cobra.Command{
		Use: "accept (--head ID | --deletes N)", Short: "Accept a revision, or deletions that are held, by hand, on the daemon's host", Args: cobra.NoArgs,
		Long: "accept is for what the daemon must not decide by itself.\n\n" +
			"With --head: the state is lost while the targets hold what this repository put there: then the head must be built\n" +
			"on all that they were given. Or trust refuses a revision and nothing else helps, because keys are lost, say: then\n" +
			"a --reason is needed. It is recorded, and each pass shows it until the next regular commit.\n\n" +
			"With --deletes: namespaces are held since more would be deleted than may be. N is the number of entries in all of\n" +
			"them, or in those given by --namespace. Exactly these may then be deleted, within seven days.\n\n" +
			"Stop the daemon first.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			o.reason = strings.TrimSpace(o.reason)
			switch {
			case cmd.Flags().Changed("deletes") == (o.head != ""):
				return configErrorf("give one of --head and --deletes")
			case o.head == "":
				return c.acceptDeletes(o)
			case !lcm.ValidRevision(o.head):
				return configErrorf("--head is a whole commit id (40 or 64 hexadecimal digits), not %q", o.head)
			case len(o.namespaces) > 0:
				return configErrorf("--namespace goes with --deletes only")
			}
			return c.accept(cmd.Context(), lcm.Revision(o.head), o.reason)
		},
	}
	c.configFlag(cmd)
	c.repositoryFlag(cmd)
	c.bundleFlag(cmd)
	cmd.Flags().StringVar(&o.head, "head", "", "the commit to accept; it must be on the branch")
	cmd.Flags().IntVar(&o.deletes, "deletes", 0, "how many deletions to accept: as many as are held")
	cmd.Flags().StringArrayVar(&o.namespaces, "namespace", nil, "with --deletes: only those of this namespace; may be repeated")
	cmd.Flags().StringVar(&o.reason, "reason", "", "why; needed where trust refuses the head")
	return cmd
}

// accepting is what accept is asked for.
type accepting struct {
	head, reason string
	deletes      int
	namespaces   []string
}

// acceptDeletes needs the state alone: what is accepted is what the last pass found, not what there may be by now.
func (c *cli) acceptDeletes(o accepting) (err error) {
	var namespaces []lcm.Namespace
	for _, text := range o.namespaces {
		ns, err := lcm.ParseNamespace(text)
		if err != nil {
			return configErrorf("--namespace: %v", err)
		}
		namespaces = append(namespaces, ns)
	}
	cfg, one, err := c.loadOne()
	if err != nil {
		return err
	}
	a := &app{}
	defer func() { err = errors.Join(err, a.close()) }()
	if err := a.openState(cfg, false, c.stderr); err != nil {
		return err
	}
	rc, err := a.stateOf(one)
	if err != nil {
		return err
	}
	held, err := reconcile.AcceptDeletes(rc, o.deletes, namespaces, o.reason)
	if errors.Is(err, reconcile.ErrNotAcceptable) {
		return configError{err.Error()}
	}
	if err != nil {
		return err
	}
	for _, h := range held {
		for _, target := range slices.Sorted(maps.Keys(h.Entries)) {
			fmt.Fprintf(c.stdout, "%s on target %s: %s\n", h.Namespace, target, strings.Join(h.Entries[target], ", "))
		}
	}
	fmt.Fprintf(c.stdout, "%s accepted: the next pass carries them out\n", plural(o.deletes, "deletion"))
	return nil
}

func (c *cli) accept(ctx context.Context, head lcm.Revision, reason string) (err error) {
	cfg, _, err := c.loadOne()
	if err != nil {
		return err
	}
	a, err := open(ctx, cfg, false, nil, c.stderr)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, a.close()) }()
	r, err := a.repositories[0].reconciler()
	if err != nil {
		return err
	}
	o, err := r.Accept(ctx, head, reason)
	if err != nil {
		return err
	}
	fmt.Fprintf(c.stdout, "%s is accepted by hand\n", head.Short())
	if o.Refused != "" {
		fmt.Fprintf(c.stdout, "  although trust refuses it: %s\n", o.Refused)
	}
	return nil
}
