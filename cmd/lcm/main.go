// Command lcm is the tool of those who work on a configuration repository.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/llm-config-manager/lcm/internal/gitrepo"
)

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

// The exit codes.
const (
	exitDone   = 0
	exitFailed = 1 // not found, or the repository has errors there
	exitUsage  = 2
)

// usageError is wrong usage: exit code 2.
type usageError struct{ text string }

func (e usageError) Error() string { return e.text }

func usagef(format string, args ...any) error { return usageError{fmt.Sprintf(format, args...)} }

func run(args []string, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	root := (&cli{stdin: os.Stdin, stdout: stdout, stderr: stderr}).root()
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitDone
	}
	fmt.Fprintf(stderr, "lcm: %v\n", err)
	if errors.Is(err, gitrepo.ErrMissing) {
		fmt.Fprintln(stderr, "If this clone is shallow, fetch its whole history: git fetch --unshallow, or fetch-depth: 0 in CI.")
	}
	if errors.As(err, new(usageError)) {
		return exitUsage
	}
	return exitFailed
}

type cli struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	repo           string
	format         string
	key            string // file of the key to sign with
	branch         string // the protected one; "" for what the policy says
	base           string // a revision of it; "" for its tip
	dryRun         bool
}

func (c *cli) root() *cobra.Command {
	root := &cobra.Command{
		Use:           "lcm",
		Short:         "Work on a repository of LLM configuration and secrets",
		SilenceErrors: true,
		SilenceUsage:  true,
		Version:       version(),
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usagef("%v\nSee '%s --help'.", err, cmd.CommandPath())
	})
	root.PersistentFlags().StringVar(&c.repo, "repo", ".", "the checkout to work on")
	_ = root.MarkPersistentFlagDirname("repo")
	root.AddCommand(c.initCommand(), c.getCommand(), c.listCommand(), c.explainCommand(), c.historyCommand(),
		c.promptCommand(), c.approveCommand(), c.mergeCommand(), c.heartbeatCommand(), c.trustCommand(), c.schemaCommand(), c.fmtCommand())
	root.Args = wrapArgs(cobra.NoArgs)
	wrapAll(root)
	return root
}

func wrapAll(parent *cobra.Command) {
	for _, cmd := range parent.Commands() {
		cmd.Args = wrapArgs(cmd.Args)
		wrapAll(cmd)
	}
}

// wrapArgs makes a wrong number of arguments wrong usage.
func wrapArgs(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if err := check(cmd, args); err != nil {
			return usagef("%v\nSee '%s --help'.", err, cmd.CommandPath())
		}
		return nil
	}
}

func (c *cli) formatFlag(cmd *cobra.Command) {
	cmd.Flags().StringVar(&c.format, "format", "text", "text or json")
	_ = cmd.RegisterFlagCompletionFunc("format", cobra.FixedCompletions([]string{"text", "json"}, cobra.ShellCompDirectiveNoFileComp))
}

func (c *cli) checkFormat() error {
	if c.format != "text" && c.format != "json" {
		return usagef("--format is text or json, not %q", c.format)
	}
	return nil
}

// version is what the build says of itself.
func version() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(devel)"
}
