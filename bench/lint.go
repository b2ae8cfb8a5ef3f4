package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// lint measures the linter over the work tree, beside cue vet and conftest test over the same documents; theirs are left
// out if c is nil.
func (b *bench) lint(ctx context.Context, w *world, c *commands) error {
	program, err := absolute(b.linter)
	if err != nil {
		return err
	}
	if err := w.checkOut(ctx, b.tools); errors.Is(err, errNotInstalled) {
		return nil // there is no work tree without git
	} else if err != nil {
		return err
	}
	return b.lintTree(ctx, w, c, program)
}

func (b *bench) lintTree(ctx context.Context, w *world, c *commands, program string) error {
	b.table.group(fmt.Sprintf("a work tree of %d documents", w.documents()), "lcm-lint")
	theirs, err := b.lintCold(ctx, w, c, program)
	if err != nil {
		return err
	}
	if err := b.lintKept(ctx, w, program, theirs); err != nil {
		return err
	}
	return b.lintChange(ctx, w, program)
}

// checkOut makes a work tree.
func (w *world) checkOut(ctx context.Context, tools string) error {
	git, err := find(tools, "git")
	if err != nil {
		return err
	}
	if err := os.RemoveAll(w.path("work")); err != nil {
		return err
	}
	_, err = run(ctx, w.dir, git, "clone", "-q", "file://"+w.path("origin.git"), "work")
	return err
}

// lintCold measures runs that know nothing; of two the faster counts, ours and theirs.
func (b *bench) lintCold(ctx context.Context, w *world, c *commands, program string) (theirs parts, err error) {
	var ours cost
	rounds := coldRounds
	if c == nil {
		rounds = 1 // its memory counts
	}
	for i := range rounds {
		got, err := run(ctx, w.path("work"), program, "--no-cache")
		if err != nil {
			return nil, err
		}
		if i == 0 || got.took < ours.took {
			ours = got
		}
		if c == nil {
			continue
		}
		p, err := c.check(ctx)
		if err != nil {
			return nil, err
		}
		if i == 0 || p.took() < theirs.took() {
			theirs = p
		}
	}
	b.table.add("all documents", ours.took, theirs)
	b.table.cpu("its processor time", ours, theirs)
	b.table.memory("peak memory", ours.peak, theirs)
	return theirs, nil
}

// check has cue and conftest check every file.
func (c *commands) check(ctx context.Context) (p parts, err error) {
	c.byKind, c.yaml, c.sealed = map[string][]string{}, nil, nil
	if err := c.sort(); err != nil {
		return p, err
	}
	vet, err := c.vet(ctx, c.byKind)
	if err != nil {
		return p, err
	}
	p = append(p, vet)
	_, err = c.run(ctx, &p, "conftest test", "conftest", append([]string{"test", "--no-color", "-p", "rules/rules.rego"}, c.yaml...)...)
	return p, err
}

// lintKept measures runs over what an earlier one judged.
func (b *bench) lintKept(ctx context.Context, w *world, program string, theirs parts) error {
	kept := w.path("kept")
	costs, err := b.lintRounds(ctx, w, program, func(int) error { return nil }, "--cache", kept)
	if err != nil {
		return err
	}
	ours := costs[len(costs)/2]
	b.table.add("with verdicts kept", ours.took, theirs)
	b.table.cpu("its processor time", ours, theirs)
	return nil
}

// lintChange measures runs over one changed file.
func (b *bench) lintChange(ctx context.Context, w *world, program string) error {
	costs, err := b.lintRounds(ctx, w, program, func(i int) error {
		s := w.services[i*7919%len(w.services)]
		file := filepath.Join(w.path("work"), s.path("production", "setting-01.yaml"))
		if err := w.restore(); err != nil {
			return err
		}
		old, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		w.changed, w.was = file, old
		return os.WriteFile(file, []byte(s.config(0, "internal", fmt.Sprint(2_000_000+i))), 0o644)
	}, "--base", "HEAD")
	if err != nil {
		return err
	}
	for _, c := range costs {
		if !strings.Contains(string(c.out), " 1 file changed: ") {
			return fmt.Errorf("the linter did not see the one change: %.300s", c.out)
		}
	}
	ours := costs[len(costs)/2]
	b.table.add("one changed file, --base", ours.took, nil)
	b.table.cpu("its processor time", ours, nil)
	b.table.note("slowest of %d", costs[len(costs)-1].took, len(costs))
	return w.restore()
}

// restore puts back what was changed in the work tree.
func (w *world) restore() error {
	if w.changed == "" {
		return nil
	}
	return os.WriteFile(w.changed, w.was, 0o644)
}

// lintRounds runs once to warm up, then so often that the median means something, and sorts the runs by time.
func (b *bench) lintRounds(ctx context.Context, w *world, program string, before func(i int) error, args ...string) (costs []cost, err error) {
	for i := range 1 + b.rounds {
		if err := before(i); err != nil {
			return nil, err
		}
		got, err := run(ctx, w.path("work"), program, args...)
		if err != nil {
			return nil, err
		}
		if i > 0 {
			costs = append(costs, got)
		}
	}
	sortCosts(costs)
	return costs, nil
}

// lintAlone measures the linter over a repository of a size that only it is measured on, by itself.
func (b *bench) lintAlone(ctx context.Context, dir string, documents int) error {
	program, err := absolute(b.linter)
	if err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "making a work tree of %d documents for the linter alone ...\n", documents)
	w, err := b.newWorkTree(ctx, dir, documents)
	if errors.Is(err, errNotInstalled) {
		return nil
	} else if err != nil {
		return err
	}
	fmt.Fprintln(os.Stderr, "measuring it ...")
	return b.lintTree(ctx, w, nil, program)
}
