// Command bench measures passes on made-up signed repositories, beside the same work done with command
// lines, and prints one table. Everything is measured in one run on one machine, so that the ratios mean
// something. Run it by "make bench".
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/llm-config-manager/lcm/internal/masterkey"
	"github.com/llm-config-manager/lcm/internal/reconcile"
)

func main() { os.Exit(mainCode()) }

func mainCode() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	var b bench
	sizes := flag.String("documents", "1000,10000", "sizes of the repositories, in documents")
	flag.StringVar(&b.reconciler, "reconciler", "bin/reconciler", "the program under measurement")
	flag.StringVar(&b.tools, "tools", ".cache/bench-tools", "where cue, conftest and sops are, before the PATH")
	flag.StringVar(&b.linter, "linter", "bin/lcm-lint", "the linter under measurement")
	lint := flag.String("lint", "100000", "sizes of the repositories that only the linter is measured on")
	flag.IntVar(&b.steps, "steps", 100, "signed commits after the introduction, verified by the cold pass")
	flag.IntVar(&b.rounds, "rounds", 15, "repetitions of the short passes; the median counts")
	flag.StringVar(&b.dir, "dir", "", "keep the repositories in this folder; by default they are thrown away")
	flag.BoolVar(&b.alone, "alone", false, "leave out the command lines")
	flag.StringVar(&b.profile, "cpuprofile", "", "write CPU profiles of passes in this process to FILE.cold, FILE.noop and FILE.one")
	flag.IntVar(&b.commits, "commits", 100_000, "signed commits of the long history; 0: leave it out")
	flag.IntVar(&b.hooks, "webhooks", 1000, "changed keys that a webhook tells of, for each size")
	hooked := flag.String("webhook-documents", "1000,10000,100000", "sizes of the repositories that webhooks are measured on")
	walk := flag.String("walk", "", "verify the long history in this folder, print what it took, and nothing else")
	flag.Parse()
	if *walk != "" {
		if err := b.walkHistory(ctx, os.Stdout, *walk); err != nil {
			fmt.Fprintf(os.Stderr, "bench: %v\n", err)
			return 1
		}
		return 0
	}
	if err := b.run(ctx, *sizes, *lint, *hooked); err != nil {
		fmt.Fprintf(os.Stderr, "bench: %v\n", err)
		return 1
	}
	return 0
}

type bench struct {
	reconciler, linter, tools, dir, profile string
	steps, rounds, commits, hooks           int
	alone                                   bool
	table                                   table
}

func (b *bench) run(ctx context.Context, sizes, lintSizes, hookSizes string) error {
	dir := b.dir
	if dir == "" {
		tmp, err := os.MkdirTemp("", "lcm-bench-")
		if err != nil {
			return err
		}
		defer os.RemoveAll(tmp)
		dir = tmp
	}
	err := each("documents", sizes, func(n int) error { return b.size(ctx, fmt.Sprintf("%s/%d", dir, n), n) })
	if err == nil {
		err = each("lint", lintSizes, func(n int) error { return b.lintAlone(ctx, fmt.Sprintf("%s/lint-%d", dir, n), n) })
	}
	if err == nil {
		err = each("webhook-documents", hookSizes, func(n int) error { return b.webhooks(ctx, fmt.Sprintf("%s/webhooks-%d", dir, n), n) })
	}
	if err != nil {
		return err
	}
	if b.commits > 0 {
		if err := b.history(ctx, dir+"/history"); err != nil {
			return fmt.Errorf("%d commits: %w", b.commits, err)
		}
	}
	fmt.Printf("\n%s, %d processors, %s/%s\n\n", runtime.Version(), runtime.GOMAXPROCS(0), runtime.GOOS, runtime.GOARCH)
	b.table.print(os.Stdout)
	return nil
}

// each measures for each size of a list, which may be empty.
func each(name, sizes string, measure func(n int) error) error {
	for size := range strings.SplitSeq(sizes, ",") {
		if sizes == "" {
			break
		}
		n, err := strconv.Atoi(size)
		if err != nil || n < 1 {
			return fmt.Errorf("-%s is a list such as 1000,10000, not %q", name, sizes)
		}
		if err := measure(n); err != nil {
			return fmt.Errorf("%d documents: %w", n, err)
		}
	}
	return nil
}

// size measures one repository.
func (b *bench) size(ctx context.Context, dir string, documents int) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "making a signed repository of %d documents ...\n", documents)
	w, err := newWorld(dir, documents, b.steps)
	if err != nil {
		return err
	}
	defer w.repo.Close()
	var c *commands
	if !b.alone {
		if c, err = newCommands(w, b.tools); err != nil {
			return err
		}
	}
	name := fmt.Sprintf("%d documents, %d of them sealed, %d commits", w.documents(), w.secrets, w.commits)
	fmt.Fprintf(os.Stderr, "measuring %s ...\n", name)
	b.table.group(name, "reconciler")
	if err := b.whole(ctx, w, c); err != nil {
		return err
	}
	if err := b.single(ctx, w, c); err != nil {
		return err
	}
	return b.lint(ctx, w, c)
}

// whole measures passes as processes, from start to end.
func (b *bench) whole(ctx context.Context, w *world, c *commands) error {
	program, err := absolute(b.reconciler)
	if err != nil {
		return err
	}
	if b.profile != "" {
		if err := b.profileCold(ctx, w); err != nil {
			return err
		}
	}
	ours, theirs, err := b.cold(ctx, w, c, program)
	if err != nil {
		return err
	}
	b.table.add("cold pass, a process", ours.took, theirs)
	b.table.cpu("its processor time", ours, theirs)
	again, err := run(ctx, w.dir, program, "once", "--config", "reconciler.yaml")
	if err != nil {
		return err
	}
	b.table.add("restart, nothing changed", again.took, nil)
	b.table.memory("peak memory of the cold pass", ours.peak, theirs)
	return nil
}

// coldRounds is how often the cold pass is made; the fastest counts, ours and theirs.
const coldRounds = 2

func (b *bench) cold(ctx context.Context, w *world, c *commands, program string) (ours cost, theirs parts, err error) {
	for i := range coldRounds {
		if err := errors.Join(os.RemoveAll(w.path("state")), os.RemoveAll(w.path("targets"))); err != nil {
			return ours, theirs, err
		}
		got, err := run(ctx, w.dir, program, "once", "--config", "reconciler.yaml")
		if err != nil {
			return ours, theirs, err
		}
		if i == 0 || got.took < ours.took {
			ours = got
		}
		if c == nil {
			continue
		}
		p, err := c.cold(ctx)
		if err != nil {
			return ours, theirs, err
		}
		if i == 0 || p.took() < theirs.took() {
			theirs = p
		}
	}
	return ours, theirs, nil
}

// profileCold makes a cold pass in this process, for its profile alone, and removes what it made.
func (b *bench) profileCold(ctx context.Context, w *world) error {
	if _, err := masterkey.Generate(w.path("state/lcm.key")); err != nil {
		return err
	}
	r, err := w.start()
	if err != nil {
		return err
	}
	stop, err := b.profiled("cold")
	if err != nil {
		return errors.Join(err, r.close())
	}
	_, err = r.Pass(ctx, reconcile.Options{})
	stop()
	return errors.Join(err, r.close(), os.RemoveAll(w.path("state")), os.RemoveAll(w.path("targets")))
}

// single measures passes of a daemon that runs already.
func (b *bench) single(ctx context.Context, w *world, c *commands) (err error) {
	r, err := w.start()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.close()) }()
	if _, err := r.pass(ctx, 0); err != nil { // compiles the packs, as the first pass after a start does
		return err
	}
	if err := b.idle(ctx, w, r, c); err != nil {
		return err
	}
	return b.follow(ctx, w, r, c)
}

// idle measures passes with nothing to do, and makes sure that they wrote nothing.
func (b *bench) idle(ctx context.Context, w *world, r *running, c *commands) error {
	if _, err := r.pass(ctx, 0); err != nil { // writes when it fetched, as one pass a minute does
		return err
	}
	before, err := w.written()
	if err != nil {
		return err
	}
	var ours []time.Duration
	var theirs []parts
	stop, err := b.profiled("noop")
	if err != nil {
		return err
	}
	for range b.rounds {
		took, err := r.pass(ctx, 0)
		if err != nil {
			return err
		}
		ours = append(ours, took)
	}
	stop()
	after, err := w.written()
	if err != nil {
		return err
	}
	if before != after {
		return errors.New("a pass without changes wrote to the state, the mirror or a target")
	}
	if c != nil {
		for range b.rounds {
			p, err := c.idle(ctx)
			if err != nil {
				return err
			}
			theirs = append(theirs, p)
		}
	}
	b.table.add("no-op pass (it wrote nothing)", median(ours), medianParts(theirs))
	return nil
}

// follow measures passes over one commit that changed one key.
func (b *bench) follow(ctx context.Context, w *world, r *running, c *commands) error {
	var ours []time.Duration
	var theirs []parts
	stop, err := b.profiled("one")
	if err != nil {
		return err
	}
	defer stop()
	for range b.rounds {
		file, err := w.change()
		if err != nil {
			return err
		}
		took, err := r.pass(ctx, 1)
		if err != nil {
			return err
		}
		ours = append(ours, took)
		if c != nil {
			p, err := c.follow(ctx, file)
			if err != nil {
				return err
			}
			theirs = append(theirs, p)
		}
	}
	b.table.add("one changed key", median(ours), medianParts(theirs))
	b.table.note("slowest of %d", slices.Max(ours), len(ours))
	return nil
}

func sortCosts(costs []cost) {
	slices.SortFunc(costs, func(a, b cost) int { return cmp.Compare(a.took, b.took) })
}

func median(d []time.Duration) time.Duration {
	slices.Sort(d)
	return d[len(d)/2]
}

func medianParts(all []parts) parts {
	if len(all) == 0 {
		return nil
	}
	slices.SortFunc(all, func(a, b parts) int { return int(a.took() - b.took()) })
	return all[len(all)/2]
}
