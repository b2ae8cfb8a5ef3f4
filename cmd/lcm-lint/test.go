package main

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"

	"github.com/llm-config-manager/lcm/internal/diag"
	"github.com/llm-config-manager/lcm/internal/policy"
)

// ownTests runs the tests of the repository's own policies. Those that fail are findings; the rest is counted on
// standard error.
func ownTests(ctx context.Context, dir string, o options, stdout, stderr io.Writer) error {
	if err := o.check(); err != nil {
		return err
	}
	fsys, err := repository(dir, o)
	if err != nil {
		return err
	}
	modules, err := ownModules(fsys)
	if err != nil {
		return err
	}
	results, findings := policy.Test(ctx, modules)
	passed, skipped := 0, 0
	for _, r := range results {
		switch {
		case r.Failed != "":
			findings = append(findings, diag.Errorf(r.Position, "policy/test", "%s fails: %s", r.Name, r.Failed))
		case r.Skipped:
			skipped++
		default:
			passed++
		}
	}
	if err := o.write(stdout, fsys, dir, diag.Sort(findings), nil); err != nil {
		return err
	}
	fmt.Fprintf(stderr, "%d of %d tests passed", passed, len(results)-skipped)
	if skipped > 0 {
		fmt.Fprintf(stderr, ", %d left out (todo_)", skipped)
	}
	if len(results) == 0 && len(findings) == 0 {
		fmt.Fprintf(stderr, ": policies/rego has none; write rules that begin with test_ into a file that ends with _test.rego")
	}
	fmt.Fprintln(stderr)
	if diag.Failed(findings) {
		return errFindings
	}
	return nil
}

// ownModules reads all *.rego of policies/rego; what is too large policy.Test refuses.
func ownModules(fsys fs.FS) (map[string][]byte, error) {
	const folder = "policies/rego"
	modules := map[string][]byte{}
	err := fs.WalkDir(fsys, folder, func(name string, e fs.DirEntry, err error) error {
		switch {
		case err != nil && name == folder:
			return fs.SkipAll // there is none
		case err != nil:
			return err
		case e.Type().IsRegular() && path.Ext(name) == ".rego" && !strings.HasPrefix(e.Name(), "."):
			modules[name], err = readLimited(fsys, name)
		}
		return err
	})
	return modules, err
}

// maxModule is above what policy.Test accepts, so that it can say what is wrong.
const maxModule = 1 << 20

func readLimited(fsys fs.FS, name string) ([]byte, error) {
	f, err := fsys.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, maxModule))
}
