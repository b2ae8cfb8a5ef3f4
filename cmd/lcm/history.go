package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/spf13/cobra"

	"github.com/llm-config-manager/lcm/internal/gitrepo"
	"github.com/llm-config-manager/lcm/internal/history"
	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/tree"
)

// historyJSON is lcm history as JSON.
type historyJSON struct {
	Schema       string        `json:"schema"` // lcm.history/v1
	Address      lcm.Address   `json:"address"`
	Revision     lcm.Revision  `json:"revision"`               // the newest commit that was looked at
	Introduction lcm.Revision  `json:"introduction,omitempty"` // from where it is counted and was verified; absent: from the first commit, each judged by the policy before it
	Total        int           `json:"total"`                  // versions there are
	Versions     []versionJSON `json:"versions"`               // newest first, as many as were asked for
}

type versionJSON struct {
	Version  uint64         `json:"version"`
	Revision lcm.Revision   `json:"revision"`
	At       time.Time      `json:"at"`     // as its committer claims
	Change   history.Change `json:"change"` // created, changed, deleted or broken
	Restores uint64         `json:"restores,omitempty"`
	Kind     lcm.Kind       `json:"kind,omitempty"`
	Origin   *tree.Origin   `json:"origin,omitempty"` // absent where it resolves to nothing
	Author   string         `json:"author"`           // as the commit claims
	Subject  string         `json:"subject"`
	Trust    attribution    `json:"trust"`
}

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
	out := historyJSON{Schema: "lcm.history/v1", Address: a, Revision: rev, Versions: []versionJSON{}}
	if introduction != "" {
		if out.Introduction, err = repo.Resolve(introduction); err != nil {
			return usagef("%v", err)
		}
	}
	versions, err := history.Of(ctx, repo, a, out.Introduction, rev)
	if err != nil {
		return err
	}
	if len(versions) == 0 {
		return fmt.Errorf("%s: there never was such a key up to %s: lcm list shows those there are", a, rev.Short())
	}
	out.Total = len(versions)
	if limit > 0 {
		versions = versions[max(0, len(versions)-limit):]
	}
	if err := c.attribute(ctx, repo, &out, versions); err != nil {
		return err
	}
	if c.format == "json" {
		return c.json(out)
	}
	return tellHistory(c.stdout, &out)
}

// attribute adds who is behind each version, newest first.
func (c *cli) attribute(ctx context.Context, repo *gitrepo.Repo, out *historyJSON, versions []history.Version) error {
	j := jury{repo: repo, address: out.Address, introduction: out.Introduction}
	if err := j.verify(ctx, out.Revision, versions); err != nil {
		return err
	}
	for _, v := range slices.Backward(versions) {
		commit, err := repo.Commit(v.Revision)
		if err != nil {
			return err
		}
		subject, _, _ := strings.Cut(strings.TrimSpace(commit.Message), "\n")
		one := versionJSON{Version: v.Number, Revision: v.Revision, At: commit.Committer.When.UTC(), Change: v.Change, Restores: v.Restores, Kind: v.Kind,
			Author: commit.Author.Name, Subject: subject}
		if v.Kind != "" {
			one.Origin = &v.Origin
		}
		if one.Trust, err = j.on(ctx, commit, v.Kind); err != nil {
			return err
		}
		out.Versions = append(out.Versions, one)
	}
	return nil
}

func tellHistory(w io.Writer, h *historyJSON) error {
	var b strings.Builder
	for _, v := range h.Versions {
		fmt.Fprintf(&b, "v%-4d %s  %s  %s\n", v.Version, v.Revision.Short(), v.At.Format("2006-01-02 15:04 UTC"), v.Trust.text(v.Author))
		fmt.Fprintf(&b, "      %s\n", printable(v.Subject))
		fmt.Fprintf(&b, "      %s\n", changeText(h.Address, v))
	}
	if more := h.Total - len(h.Versions); more > 0 {
		fmt.Fprintf(&b, "and %d older: --limit 0 shows all\n", more)
	}
	if h.Introduction != "" {
		fmt.Fprintf(&b, "\nVerified from the introduction %s on, and counted from there.\n", h.Introduction.Short())
	} else {
		b.WriteString("\nEach commit was judged by the policy of the one before it. To verify the whole way, as the daemon does, name\nthe commit that it trusts: --introduction REV\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// changeText says what became of the address, and through which file.
func changeText(a lcm.Address, v versionJSON) string {
	switch {
	case v.Change == history.Deleted:
		return "deleted"
	case v.Change == history.Broken:
		return "broken: what stands there cannot be resolved, and targets keep what they had"
	}
	text := string(v.Change)
	if v.Restores > 0 {
		text = fmt.Sprintf("%s: again what v%d was", text, v.Restores)
	}
	text += ", from " + v.Origin.File
	if v.Origin.Environment != a.Environment {
		text += " (inherited)"
	}
	return text
}

// printable leaves nothing in a text that would move the cursor, and no more than fits a line.
func printable(text string) string {
	all := []rune(strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return unicode.ReplacementChar
		}
		return r
	}, text))
	if len(all) > 100 {
		all = append(all[:99:99], '…')
	}
	return string(all)
}
