package policy

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/format"
	"github.com/open-policy-agent/opa/v1/tester"

	base "github.com/llm-config-manager/lcm/policies/rego"
)

const packDir = "../../policies/rego"

// parsePack reads the base pack with its tests, as copies that a test may change.
func parsePack(t *testing.T) map[string]*ast.Module {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(packDir, "*.rego"))
	if err != nil || len(files) < 10 {
		t.Fatal(files, err)
	}
	modules := map[string]*ast.Module{}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		name := filepath.Base(file)
		if modules[name], err = ast.ParseModuleWithOpts(name, string(data), ast.ParserOptions{RegoVersion: ast.RegoV1}); err != nil {
			t.Fatal(err)
		}
	}
	return modules
}

// failures runs the pack's own tests and names those that fail.
func failures(t *testing.T, modules map[string]*ast.Module) (failed []string, total int) {
	t.Helper()
	copies := make(map[string]*ast.Module, len(modules))
	for file, m := range modules {
		copies[file] = m.Copy()
	}
	results, err := tester.NewRunner().RaiseBuiltinErrors(true).SetModules(copies).SetTimeout(maxTime).RunTests(context.Background(), nil)
	if err != nil {
		t.Fatal(err)
	}
	for r := range results {
		total++
		if !r.Pass() {
			failed = append(failed, fmt.Sprintf("%s.%s %v", r.Package, r.Name, r.Error))
		}
	}
	return failed, total
}

func TestPack(t *testing.T) {
	modules := parsePack(t)
	failed, total := failures(t, modules)
	if total < 30 || len(failed) > 0 {
		t.Errorf("%d tests, failed: %s", total, strings.Join(failed, "\n"))
	}
}

// TestEveryRuleIsTested takes one rule away at a time: some test must notice.
func TestEveryRuleIsTested(t *testing.T) {
	modules := parsePack(t)
	n := 0
	for file, m := range modules {
		if strings.HasSuffix(file, "_test.rego") {
			continue
		}
		if failed, _ := failures(t, only(modules, file)); len(failed) > 0 {
			t.Fatalf("%s: %v", file, failed) // else every mutant below would seem to be noticed
		}
		for i, r := range m.Rules {
			if _, ok := severityOf(r); !ok {
				continue
			}
			n++
			without := m.Copy()
			without.Rules = slices.Delete(without.Rules, i, i+1)
			// A set must not vanish with its last rule: that would be a mistake in the tests' references.
			without.Rules = append(without.Rules, ast.MustParseRule(r.Head.Name.String()+" contains 1 if false"))
			without.Rules[len(without.Rules)-1].Module = without
			mutant := only(modules, file)
			mutant[file] = without
			if failed, _ := failures(t, mutant); len(failed) == 0 {
				t.Errorf("%s:%d: no test notices when this rule is gone", file, r.Location.Row)
			}
		}
	}
	if n < 20 {
		t.Errorf("only %d rules", n)
	}
}

// only keeps what the tests of one file need.
func only(modules map[string]*ast.Module, file string) map[string]*ast.Module {
	kept := maps.Clone(modules)
	maps.DeleteFunc(kept, func(name string, _ *ast.Module) bool {
		return !strings.HasPrefix(name, "facts") && !strings.HasPrefix(name, strings.TrimSuffix(file, ".rego"))
	})
	return kept
}

func TestPackIsWhole(t *testing.T) {
	entries, err := os.ReadDir(packDir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		name := e.Name()
		if !strings.HasSuffix(name, ".rego") {
			continue
		}
		_, err := base.Pack.Open(name)
		if test := strings.HasSuffix(name, "_test.rego"); test && err == nil {
			t.Errorf("%s is a test and built into the programs", name)
		} else if !test && err != nil {
			t.Errorf("%s is not built into the programs: add it to embed.go", name)
		} else if !test {
			if _, err := os.Stat(filepath.Join(packDir, strings.TrimSuffix(name, ".rego")+"_test.rego")); err != nil {
				t.Errorf("%s has no tests", name)
			}
		}
	}
}

func TestPackIsFormatted(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(packDir, "*.rego"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		want, err := format.SourceWithOpts(file, data, format.Opts{RegoVersion: ast.RegoV1})
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(string(want), string(data)); d != "" {
			t.Errorf("%s is not as opa fmt writes it:\n%s", filepath.Base(file), d)
		}
	}
}
