// Command lcm-lint judges a configuration repository, as the reconciler will after the merge.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"strconv"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/llm-config-manager/lcm/internal/check"
	"github.com/llm-config-manager/lcm/internal/diag"
)

func main() {
	roomy()
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

// The exit codes, as CI relies on them.
const (
	exitClean    = 0 // no errors; warnings alone are none
	exitFindings = 1
	exitUsage    = 2 // wrong usage, or the repository could not be read
)

var errFindings = errors.New("there are findings")

// roomy lets the garbage lie while there is room: a run is short, and what it holds on to is bounded. Who set GOGC or
// GOMEMLIMIT has their way.
func roomy() {
	if os.Getenv("GOGC") == "" && os.Getenv("GOMEMLIMIT") == "" {
		debug.SetGCPercent(-1)
		debug.SetMemoryLimit(192 << 20)
	}
}

func run(args []string, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	cmd := command(stdout, stderr)
	cmd.SetArgs(args)
	cmd.SetOut(stdout)
	cmd.SetErr(stderr)
	switch err := cmd.ExecuteContext(ctx); {
	case err == nil:
		return exitClean
	case errors.Is(err, errFindings):
		return exitFindings
	default:
		fmt.Fprintf(stderr, "lcm-lint: %v (see lcm-lint --help)\n", err)
		return exitUsage
	}
}

type options struct {
	format, color, policies, schemas, base, explain, cache string
	fix, test, noCache                                     bool
}

func command(stdout, stderr io.Writer) *cobra.Command {
	var o options
	cmd := &cobra.Command{
		Use:   "lcm-lint [flags] [DIR]",
		Short: "Check a repository of LLM configuration and sealed secrets",
		Long: "lcm-lint checks the repository in DIR (the current folder by default) against the schemas of\n" +
			"its kinds, the built-in and the repository's own policies, references, routes and the envelopes\n" +
			"of its secrets, which it can't and needn't open.\n\n" +
			"Exit codes: 0 no errors (there may be warnings); 1 findings; 2 wrong usage.",
		Args:          cobra.MaximumNArgs(1),
		SilenceErrors: true,
		SilenceUsage:  true,
		Version:       version(),
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return nil, cobra.ShellCompDirectiveFilterDirs
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if o.explain != "" {
				if o.base != "" {
					return errExplainBase
				}
				return explain(stdout, o, append(args, ".")[0])
			}
			dir := "."
			if len(args) == 1 {
				dir = args[0]
			}
			if o.test {
				if o.fix || o.base != "" {
					return errors.New("--test stands alone: it judges no documents")
				}
				return ownTests(cmd.Context(), dir, o, stdout, stderr)
			}
			return lint(cmd.Context(), dir, o, stdout, stderr)
		},
	}
	cmd.Flags().StringVar(&o.format, "format", "text", orWords(formats))
	cmd.Flags().StringVar(&o.color, "color", "auto", "auto (on a terminal, with the line concerned), always or never")
	cmd.Flags().StringVar(&o.policies, "policy", "", "take the repository's own policies from `DIR` instead of policies/rego")
	cmd.Flags().StringVar(&o.schemas, "schema", "", "take the repository's own schemas from `DIR` instead of schemas/cue")
	cmd.Flags().BoolVar(&o.test, "test", false, "run the tests of the repository's own policies (policies/rego/*_test.rego) instead")
	cmd.Flags().BoolVar(&o.fix, "fix", false, "first mend what leaves no choice: layout, order of keys, quotes, apiVersion; not in sealed files")
	cmd.Flags().StringVar(&o.base, "base", "", "check only what the changes since the branch left `REV` (a branch, tag or commit) can affect")
	cmd.Flags().StringVar(&o.cache, "cache", "", "keep verdicts in `DIR`, so that what is the same the next time is not judged again, instead of the user's cache folder")
	cmd.Flags().BoolVar(&o.noCache, "no-cache", false, "keep no verdicts and use none")
	_ = cmd.MarkFlagDirname("cache")
	_ = cmd.RegisterFlagCompletionFunc("format", cobra.FixedCompletions(formats, cobra.ShellCompDirectiveNoFileComp))
	cmd.Flags().StringVar(&o.explain, "explain", "", "tell what `RULE` demands, why and what to do; of all, or a group such as schema, the list")
	_ = cmd.RegisterFlagCompletionFunc("explain", completeRules)
	_ = cmd.RegisterFlagCompletionFunc("color", cobra.FixedCompletions(colors, cobra.ShellCompDirectiveNoFileComp))
	_ = cmd.MarkFlagDirname("policy")
	_ = cmd.MarkFlagDirname("schema")
	return cmd
}

func lint(ctx context.Context, dir string, o options, stdout, stderr io.Writer) error {
	if err := o.check(); err != nil {
		return err
	}
	fsys, err := repository(dir, o)
	if err != nil {
		return err
	}
	if o.fix {
		if err := mend(dir, o, stderr); err != nil {
			return err
		}
	}
	packs := &check.Packs{}
	go packs.Prepare(ctx, fsys)
	var c *change
	if o.base != "" {
		if c, err = o.since(ctx, dir); err != nil {
			return err
		}
		defer c.work.Close()
		fsys.FS = c.work
	}
	if c == nil {
		if fsys.FS, err = o.keep(ctx, dir, packs); err != nil {
			return err
		}
	}
	if packs.Now, err = clock(); err != nil {
		return err
	}
	findings, looked, err := packs.Since(ctx, fsys, c.difference())
	if err != nil {
		return err
	}
	if packs.Kept != nil {
		_ = packs.Kept.Close() // what can't be kept is found again
	}
	scope := c.scope(looked)
	if scope != nil {
		tell(stderr, scope)
	}
	if err := o.write(stdout, fsys, dir, findings, scope); err != nil {
		return err
	}
	if o.format == "text" && len(findings) > 0 {
		fmt.Fprintf(stderr, "%s\n%s", tally(findings), pointer(findings))
	}
	if diag.Failed(findings) {
		return errFindings
	}
	return nil
}

// clock is the time, or the one that SOURCE_DATE_EPOCH says it is (reproducible-builds.org/specs/source-date-epoch).
func clock() (func() time.Time, error) {
	text := os.Getenv("SOURCE_DATE_EPOCH")
	if text == "" {
		return time.Now, nil
	}
	seconds, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return nil, fmt.Errorf("SOURCE_DATE_EPOCH must be a number of seconds since 1970, not %.40q", text)
	}
	return func() time.Time { return time.Unix(seconds, 0) }, nil
}

// repository opens the folder; links that lead out of it are not followed.
func repository(dir string, o options) (overlay, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return overlay{}, fmt.Errorf("opening the repository: %w", err)
	}
	over := overlay{FS: root.FS()}
	for _, f := range []folder{{at: "policies/rego", dir: o.policies, ext: ".rego"}, {at: "schemas/cue", dir: o.schemas, ext: ".cue"}} {
		if f.dir == "" {
			continue
		}
		if err := f.open(); err != nil {
			return overlay{}, err
		}
		over.folders = append(over.folders, f)
	}
	return over, nil
}

// version is what the build says of itself.
func version() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(devel)"
}
