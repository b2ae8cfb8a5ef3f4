package main

import (
	"bytes"
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/llm-config-manager/lcm/schemas/cue"
)

//go:embed rules
var rules embed.FS

// commands does with git, cue, conftest and sops what the reconciler does up to the plan: each tool in
// its best invocation, one run over all files where it can.
type commands struct {
	*world
	tools  string              // where scripts/bench built them
	byKind map[string][]string // files of the work tree by CUE definition
	yaml   []string
	sealed []string
}

// part is one tool's share of a pass.
type part struct {
	tool string
	cost
}

// parts is a pass done with command lines.
type parts []part

func (p parts) took() (sum time.Duration) {
	for _, x := range p {
		sum += x.took
	}
	return sum
}

func (p parts) cpu() (sum time.Duration) {
	for _, x := range p {
		sum += x.cpu
	}
	return sum
}

// atLeast stands before a ratio to what is not whole, for want of a tool.
func (p parts) atLeast() string {
	if slices.ContainsFunc(p, func(x part) bool { return x.took == 0 }) {
		return "≥"
	}
	return ""
}

func (p parts) String() string {
	var out []string
	for _, x := range p {
		s := fmt.Sprintf("%s %s", x.tool, short(x.took))
		if x.took == 0 {
			s = x.tool + " not installed"
		}
		out = append(out, s)
	}
	return strings.Join(out, ", ")
}

func newCommands(w *world, tools string) (*commands, error) {
	c := &commands{world: w, tools: tools, byKind: map[string][]string{}}
	own, err := fs.Sub(rules, "rules")
	if err != nil {
		return nil, err
	}
	return c, errors.Join(os.CopyFS(w.path("rules"), own), os.CopyFS(w.path("rules"), lcmcue.Files()))
}

// run runs one tool. One that is not installed costs nothing, by which the table knows it.
func (c *commands) run(ctx context.Context, p *parts, label, tool string, args ...string) (cost, error) {
	program, err := find(c.tools, tool)
	if err != nil {
		*p = append(*p, part{tool: label})
		return cost{}, nil
	}
	got, err := run(ctx, c.dir, program, args...)
	*p = append(*p, part{label, got})
	return got, err
}

var kindLine = regexp.MustCompile(`(?m)^kind: (\w+)$`)

// sort finds out what kind each file is, which the reconciler does within its pass.
func (c *commands) sort() error {
	return filepath.WalkDir(c.path("work/namespaces"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) != ".yaml" {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(c.dir, path)
		if err != nil {
			return err
		}
		definition := "#" + string(kindLine.FindSubmatch(data)[1])
		if bytes.HasSuffix([]byte(path), []byte(".sops.yaml")) {
			definition = "#SealedFile"
			c.sealed = append(c.sealed, rel)
		}
		c.byKind[definition] = append(c.byKind[definition], rel)
		c.yaml = append(c.yaml, rel)
		return nil
	})
}

func (c *commands) git(args ...string) []string {
	return append([]string{"-c", "gpg.ssh.allowedSignersFile=" + c.path("allowed-signers"), "-C", "work"}, args...)
}

// cold clones, verifies every commit, and checks every file.
func (c *commands) cold(ctx context.Context) (parts, error) {
	var p parts
	c.byKind, c.yaml, c.sealed = map[string][]string{}, nil, nil
	if err := os.RemoveAll(c.path("work")); err != nil {
		return p, err
	}
	if _, err := c.run(ctx, &p, "git clone", "git", "clone", "-q", "file://"+c.path("origin.git"), "work"); err != nil || p[0].took == 0 {
		return p, err
	}
	if err := c.sort(); err != nil {
		return p, err
	}
	program, err := find(c.tools, "git")
	if err != nil {
		return p, err
	}
	all, err := run(ctx, c.dir, program, c.git("rev-list", "--first-parent", string(c.introduction)+"..HEAD")...)
	if err != nil {
		return p, err
	}
	if _, err := c.run(ctx, &p, "git verify-commit", "git", c.git(append([]string{"verify-commit"}, strings.Fields(string(all.out))...)...)...); err != nil {
		return p, err
	}
	vet, err := c.vet(ctx, c.byKind)
	if err != nil {
		return p, err
	}
	p = append(p, vet)
	if _, err := c.run(ctx, &p, "conftest test", "conftest", append([]string{"test", "--no-color", "-p", "rules/rules.rego"}, c.yaml...)...); err != nil {
		return p, err
	}
	open, err := c.open(ctx)
	return append(p, open), err
}

// vet runs cue once for each kind: choosing the definition by a disjunction of all would take longer.
func (c *commands) vet(ctx context.Context, byKind map[string][]string) (part, error) {
	sum := part{tool: "cue vet"}
	schemas, err := filepath.Glob(c.path("rules/*.cue"))
	if err != nil {
		return sum, err
	}
	for definition, files := range byKind {
		var p parts
		args := append([]string{"vet", "-d", definition}, schemas...)
		got, err := c.run(ctx, &p, "cue vet", "cue", append(args, files...)...)
		if err != nil {
			return sum, err
		}
		sum.took += got.took
		sum.cpu += got.cpu
		sum.peak = max(sum.peak, got.peak)
	}
	return sum, nil
}

// open runs sops once for each file, since it takes only one, and on all processors.
func (c *commands) open(ctx context.Context) (part, error) {
	sum := part{tool: fmt.Sprintf("%d × sops -d", len(c.sealed))}
	program, err := find(c.tools, "sops")
	if err != nil {
		return part{tool: "sops -d"}, nil
	}
	start := time.Now()
	var cpu atomic.Int64
	var g errgroup.Group
	g.SetLimit(runtime.GOMAXPROCS(0))
	for _, file := range c.sealed {
		g.Go(func() error {
			got, err := run(ctx, c.dir, program, "-d", file)
			cpu.Add(int64(got.cpu))
			return err
		})
	}
	err = g.Wait()
	sum.took, sum.cpu = time.Since(start), time.Duration(cpu.Load())
	return sum, err
}

// idle asks whether there is anything new.
func (c *commands) idle(ctx context.Context) (parts, error) {
	var p parts
	_, err := c.run(ctx, &p, "git fetch", "git", c.git("fetch", "-q")...)
	return p, err
}

// follow takes up one new commit that changed one file: the pipeline that such scripts are.
func (c *commands) follow(ctx context.Context, file string) (parts, error) {
	var p parts
	for _, args := range [][]string{{"fetch", "-q"}, {"verify-commit", "FETCH_HEAD"}, {"diff", "--name-only", "HEAD", "FETCH_HEAD"}, {"merge", "-q", "--ff-only", "FETCH_HEAD"}} {
		if _, err := c.run(ctx, &p, "git "+args[0], "git", c.git(args...)...); err != nil {
			return p, err
		}
	}
	file = filepath.Join("work", file)
	vet, err := c.vet(ctx, map[string][]string{"#Config": {file}})
	if err != nil {
		return p, err
	}
	p = append(p, vet)
	_, err = c.run(ctx, &p, "conftest test", "conftest", "test", "--no-color", "-p", "rules/rules.rego", file)
	return p, err
}
