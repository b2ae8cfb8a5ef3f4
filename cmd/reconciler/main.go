// Command reconciler makes stores equal to a Git repository that it believes: the daemon of
// LLM-Config-Manager.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	_ "time/tzdata" // maintenance windows have time zones, and a host may have none

	"github.com/spf13/cobra"

	"github.com/llm-config-manager/lcm/internal/diag"
	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/masterkey"
	"github.com/llm-config-manager/lcm/internal/reconcile"
	"github.com/llm-config-manager/lcm/internal/state"
	"github.com/llm-config-manager/lcm/internal/trust"
)

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

// The exit codes, as scripts rely on them. Of several, 3 goes before 4, before 5, before 1.
const (
	exitDone    = 0
	exitFailed  = 1
	exitUsage   = 2
	exitRefused = 3
	exitHeld    = 4
	exitTarget  = 5
)

func run(args []string, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	cli := &cli{stdout: stdout, stderr: stderr, colour: diag.Colourful(stdout)}
	root := cli.root()
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	return cli.end(root.ExecuteContext(ctx))
}

// end tells an error that was not told yet, and gives its exit code.
func (c *cli) end(err error) int {
	if err != nil && !errors.As(err, new(outcome)) {
		fmt.Fprintf(c.stderr, "reconciler: %v\n", err)
	}
	return exitCode(err)
}

// outcome is a pass that was made and did not go well; its report has been printed.
type outcome struct{ code int }

func (o outcome) Error() string { return fmt.Sprintf("exit code %d", o.code) }

// exitCode is the one place that maps errors to exit codes.
func exitCode(err error) int {
	var o outcome
	switch {
	case err == nil:
		return exitDone
	case errors.As(err, &o):
		return o.code
	case errors.As(err, new(configError)):
		return exitUsage
	case errors.As(err, new(*trust.Refusal)), errors.Is(err, state.ErrTampered), errors.Is(err, errReceipt), errors.Is(err, reconcile.ErrNotAcceptable):
		return exitRefused
	case errors.As(err, new(targetError)), errors.As(err, new(*reconcile.UnknownError)):
		return exitTarget
	}
	return exitFailed
}

// targetError is a target that could not be opened at all.
type targetError struct{ error }

func (e targetError) Unwrap() error { return e.error }

// passCode is the exit code of a pass.
func passCode(r *reconcile.Report) int {
	switch r.Result() {
	case reconcile.ResultDone:
		return exitDone
	case reconcile.ResultRefused:
		return exitRefused
	case reconcile.ResultHeld:
		return exitHeld
	case reconcile.ResultTargetFailed:
		return exitTarget
	}
	return exitFailed
}

type cli struct {
	stdout, stderr io.Writer
	config         string
	format         string
	revision       string
	bundle         string
	repository     string // the name of the one that is meant, of several
	colour         bool   // somebody looks who can see colours
}

func (c *cli) root() *cobra.Command {
	root := &cobra.Command{
		Use:           "reconciler",
		Short:         "Make stores equal to a Git repository of signed and approved configuration",
		Long:          "reconciler fetches a repository, believes only commits that are signed and approved,\nchecks them, and pushes configuration and secrets to Vault and to runtime stores.\n\nExit codes: 0 done; 1 a pass failed; 2 wrong usage or configuration; 3 refused by trust;\n4 something held by checks; 5 a target failed.",
		SilenceErrors: true,
		SilenceUsage:  true,
		Version:       version(),
	}
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return configErrorf("%v\nSee '%s --help'.", err, cmd.CommandPath())
	})
	root.AddCommand(c.runCommand(), c.onceCommand(), c.planCommand(), c.verifyCommand(), c.statusCommand(), c.reconcileCommand(), c.reloadCommand(), c.suspendCommand(), c.resumeCommand(), c.historyCommand(), c.acceptCommand(), c.receiptCommand(), c.configCommand(), c.keygenCommand(), c.demoCommand())
	for _, cmd := range root.Commands() {
		cmd.Args = wrapArgs(cmd.Args)
	}
	root.Args = wrapArgs(cobra.NoArgs)
	root.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
	return root
}

// wrapArgs makes a wrong number of arguments wrong usage.
func wrapArgs(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if err := check(cmd, args); err != nil {
			return configErrorf("%v\nSee '%s --help'.", err, cmd.CommandPath())
		}
		return nil
	}
}

func (c *cli) configFlag(cmd *cobra.Command) {
	cmd.Flags().StringVar(&c.config, "config", "reconciler.yaml", "the daemon's configuration")
	_ = cmd.MarkFlagFilename("config", "yaml", "yml")
}

func (c *cli) formatFlag(cmd *cobra.Command) {
	cmd.Flags().StringVar(&c.format, "format", "text", "text or json")
	_ = cmd.RegisterFlagCompletionFunc("format", cobra.FixedCompletions([]string{"text", "json"}, cobra.ShellCompDirectiveNoFileComp))
}

func (c *cli) checkFormat() error {
	if c.format != "text" && c.format != "json" {
		return configErrorf("--format is text or json, not %q", c.format)
	}
	return nil
}

func (c *cli) onceCommand() *cobra.Command {
	var o reconcile.Options
	var despite despiting
	cmd := &cobra.Command{
		Use: "once", Short: "Make one pass, then exit", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if o.Despite, err = despite.exceptions(userName(os.Getuid())); err != nil {
				return err
			}
			return c.pass(cmd.Context(), o)
		},
	}
	driftFlag(cmd, &o)
	despite.flags(cmd)
	c.configFlag(cmd)
	c.repositoryFlag(cmd)
	c.formatFlag(cmd)
	c.bundleFlag(cmd)
	return cmd
}

func driftFlag(cmd *cobra.Command, o *reconcile.Options) {
	cmd.Flags().BoolVar(&o.Everything, "drift", false, "compare every value with what the targets hold, as run does by its driftSchedule")
}

func (c *cli) planCommand() *cobra.Command {
	o := reconcile.Options{DryRun: true}
	var despite despiting
	cmd := &cobra.Command{
		Use: "plan", Short: "Show what a pass would do; write nothing", Args: cobra.NoArgs,
		Long: "plan verifies, checks and compares as a pass does, and writes nothing: not to the targets, not to the state.\nIt never shows a value. While the daemon runs, it is the daemon that makes the plan.",
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if o.Despite, err = despite.foreseen(); err != nil {
				return err
			}
			if c.revision != "" {
				if !lcm.ValidRevision(c.revision) {
					return configErrorf("--revision is a whole commit id (40 or 64 hexadecimal digits), not %q", c.revision)
				}
				o.Revision = lcm.Revision(c.revision)
			}
			return c.pass(cmd.Context(), o)
		},
	}
	c.configFlag(cmd)
	c.repositoryFlag(cmd)
	c.formatFlag(cmd)
	c.bundleFlag(cmd)
	driftFlag(cmd, &o)
	cmd.Flags().StringArrayVar(&despite.patterns, "despite-windows", nil, "plan as if the windows of the namespaces that match were open; may be repeated")
	cmd.Flags().StringVar(&c.revision, "revision", "", "plan for this commit instead of the branch's head; it must be earned from the introduction as any other")
	return cmd
}

func (c *cli) keygenCommand() *cobra.Command {
	return &cobra.Command{
		Use: "keygen FILE", Short: "Make the daemon's key of 32 bytes", Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			if _, err := masterkey.Generate(args[0]); err != nil {
				return err
			}
			fmt.Fprintf(c.stdout, "%s: made. Give the same key to all replicas, and back it up.\n", args[0])
			return nil
		},
	}
}

// pass makes one pass and prints it.
func (c *cli) pass(ctx context.Context, o reconcile.Options) error {
	if err := c.checkFormat(); err != nil {
		return err
	}
	cfg, err := c.load()
	if err != nil {
		return err
	}
	if o.DryRun && c.bundle == "" {
		if err := c.planOfDaemon(ctx, cfg, o); !errors.Is(err, errNoDaemon) {
			return err
		}
	}
	return c.passWith(ctx, cfg, o)
}

func (c *cli) passWith(ctx context.Context, cfg *daemonConfig, o reconcile.Options) (err error) {
	if c.bundle != "" {
		if _, err := cfg.one(); err != nil {
			return err
		}
	}
	a, err := open(ctx, cfg, o.DryRun, nil, c.stderr)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, a.close()) }()
	return c.passes(ctx, a.repositories, o)
}

// passes makes a pass of each repository and prints it.
func (c *cli) passes(ctx context.Context, repositories []*served, o reconcile.Options) error {
	return c.reports(ctx, repositories, o, func(s *served) (*reconcile.Report, error) { return s.pass(ctx, o) })
}

// reports has a pass made of each repository and prints it.
func (c *cli) reports(ctx context.Context, repositories []*served, o reconcile.Options, pass func(*served) (*reconcile.Report, error)) error {
	if len(repositories) > 1 {
		return c.severalPasses(ctx, repositories, o, pass)
	}
	report, err := pass(repositories[0])
	if err != nil {
		return err
	}
	if err := c.print(report, o); err != nil {
		return err
	}
	return ended(passCode(report))
}

// ended is how a pass ended that has been told of.
func ended(code int) error {
	if code == exitDone {
		return nil
	}
	return outcome{code}
}

func (c *cli) runCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "run", Short: "Run the daemon: passes by the schedule, until it is told to stop", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return c.daemon(cmd.Context()) },
	}
	c.configFlag(cmd)
	cmd.Flags().StringVar(&c.format, "log-format", "text", "text or json")
	_ = cmd.RegisterFlagCompletionFunc("log-format", cobra.FixedCompletions([]string{"text", "json"}, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}
