package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/llm-config-manager/lcm/internal/reconcile"
)

// What is told of one repository is told of several one after the other, as text, or in one lcm.repositories/v1. One of which
// nothing can be told takes no other away.

// worst is the exit code for several: 3 before 4, before 5, before 2, before 1.
func worst(a, b int) int {
	order := []int{exitDone, exitFailed, exitUsage, exitTarget, exitHeld, exitRefused}
	return order[max(slices.Index(order, a), slices.Index(order, b))]
}

// severalPasses has a pass made of each repository, in turn, and prints them.
func (c *cli) severalPasses(ctx context.Context, repositories []*served, o reconcile.Options, pass func(*served) (*reconcile.Report, error)) error {
	all, code := reconcile.NewDocuments(), exitDone
	for i, s := range repositories {
		report, err := pass(s)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err := c.heading(i, s.Name); err != nil {
			return err
		}
		if code = worst(code, exitCode(err)); err != nil {
			all.Add(s.Name, nil, err)
			c.end(fmt.Errorf("repository %s: %w", s.Name, err))
			continue
		}
		code = worst(code, passCode(report))
		if err := c.printOneOf(all, s.Name, report, o); err != nil {
			return err
		}
	}
	if c.format == "json" {
		if err := printJSON(c.stdout, all); err != nil {
			return err
		}
	}
	return ended(code)
}

// printOneOf prints a pass as text, or adds it to the documents of all.
func (c *cli) printOneOf(all *reconcile.Documents, name string, report *reconcile.Report, o reconcile.Options) error {
	switch {
	case c.format == "text":
		return c.printText(report, o)
	case o.DryRun:
		_, err := io.WriteString(c.stderr, troubles(report)) // the form of a plan has no place for them
		all.Add(name, report.Plan, nil)
		return err
	}
	all.Add(name, passJSON(report), nil)
	return nil
}

// heading stands before what is told of one of several repositories in text.
func (c *cli) heading(i int, name string) error {
	if c.format == "json" {
		return nil
	}
	if i > 0 {
		name = "\n" + name
	}
	_, err := fmt.Fprintf(c.stdout, "%s:\n", name)
	return err
}

// severalStatuses shows where each repository stands.
func (c *cli) severalStatuses(ctx context.Context, cfg *daemonConfig, t telling) error {
	all, code := reconcile.NewDocuments(), exitDone
	for i := range cfg.Repositories {
		r := &cfg.Repositories[i]
		s, err := findStatus(ctx, cfg, r, t, c.stderr)
		all.Add(r.Name, s, err)
		if err != nil {
			code = worst(code, c.end(fmt.Errorf("repository %s: %w", r.Name, err)))
			continue
		}
		if !s.Ready {
			code = worst(code, exitFailed)
		}
		if c.format == "text" {
			err = errors.Join(c.heading(i, r.Name), c.printStatus(s, t))
		}
		if err != nil {
			return err
		}
	}
	if c.format == "json" {
		if err := printJSON(c.stdout, all); err != nil {
			return err
		}
	}
	return ended(code)
}
