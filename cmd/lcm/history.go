package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/llm-config-manager/lcm/internal/gitrepo"
	"github.com/llm-config-manager/lcm/internal/history"
	"github.com/llm-config-manager/lcm/internal/lcm"
)

func (c *cli) historyCommand() *cobra.Command {
	rev, introduction, limit := "HEAD", "", 20
	cmd := &cobra.Command{
		Use: "history ADDRESS", Short: "Tell who changed an address, when, and who approved it", Args: cobra.ExactArgs(1),
		Long: "history lists the commits that changed what org/project/service/environment/key resolves to, newest first, in whatever\n" +
			"environment or file the change was made. It reads committed history alone, and never shows a value.\n\n" +
			"Each commit is judged by the trust policy of the commit before it. With --introduction, all are verified from the\n" +
			"commit that the daemon trusts, as the daemon does, and versions are counted from there: they are the daemon's.",
		Example:           "  lcm history acme-corp/ml-platform/inference/production/model-endpoint\n  lcm history acme-corp/ml-platform/inference/production/model-endpoint --rev origin/main --format json",
		ValidArgsFunction: c.completeAddresses,
		RunE: func(cmd *cobra.Command, args []string) error {
			a, err := lcm.ParseAddress(args[0])
			if err := cmp.Or(err, c.checkFormat()); err != nil {
				return usagef("%v", err)
			}
			if limit < 0 {
				return usagef("--limit is a number of versions, or 0 for all, not %d", limit)
			}
			return c.history(cmd.Context(), a, rev, introduction, limit)
		},
	}
	c.formatFlag(cmd)
	cmd.Flags().StringVar(&rev, "rev", rev, "the `REV` up to which to look")
	cmd.Flags().StringVar(&introduction, "introduction", "", "the `REV` that the daemon trusts: verify and count from there")
	cmd.Flags().IntVar(&limit, "limit", limit, "how many versions to show; 0 for all")
	return cmd
}

func (c *cli) history(ctx context.Context, a lcm.Address, spec, introduction string, limit int) error {
	repo, err := gitrepo.Open(c.repo, gitrepo.Limits{})
	if err != nil {
		return usagef("%v", err)
	}
	defer repo.Close()
	rev, err := repo.Resolve(spec)
	if err != nil {
		return usagef("%v", err)
	}
	var from lcm.Revision
	if introduction != "" {
		if from, err = repo.Resolve(introduction); err != nil {
			return usagef("%v", err)
		}
	}
	all, err := history.Of(ctx, repo, a, from, rev)
	if err != nil {
		return err
	}
	if len(all) == 0 {
		return fmt.Errorf("%s: there never was such a key up to %s: lcm list shows those there are", a, rev.Short())
	}
	out := history.NewReport(a, rev, from)
	out.Total = len(all)
	if err := attribute(ctx, repo, out, history.Newest(all, limit)); err != nil {
		return err
	}
	if c.format == "json" {
		return c.json(out)
	}
	known := "Each commit was judged by the policy of the one before it. To verify the whole way, as the daemon does, name\nthe commit that it trusts: --introduction REV"
	if from != "" {
		known = fmt.Sprintf("Verified from the introduction %s on, and counted from there.", from.Short())
	}
	return out.Text(c.stdout, known)
}

// attribute adds the versions with who is behind each, newest first.
func attribute(ctx context.Context, repo *gitrepo.Repo, out *history.Report, versions []history.Version) error {
	j := jury{repo: repo, address: out.Address, introduction: out.Introduction}
	if err := j.verify(ctx, out.Revision, versions); err != nil {
		return err
	}
	for _, v := range slices.Backward(versions) {
		commit, err := repo.Commit(v.Revision)
		if err != nil {
			return err
		}
		told := v.Tell(commit)
		if told.Trust, err = j.on(ctx, commit, v.Kind); err != nil {
			return err
		}
		out.Versions = append(out.Versions, told)
	}
	return nil
}
