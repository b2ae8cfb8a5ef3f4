package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/llm-config-manager/lcm/internal/rule"
)

const (
	project = "../.."
	bad     = "namespaces/acme/shop/chat/base/budget.yaml"
	badText = "apiVersion: lcm/v1\nkind: Budget\nspec: {scope: planet}\n"
)

// tool demands a program, in CI; at a desk the test is left out without it.
func tool(t *testing.T, name string) {
	t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("there is no %s here; make test installs it", name)
		}
		t.Skipf("there is no %s here; make test installs it, or says how", name)
	}
}

// shell runs a command in a folder and returns what it printed.
func shell(t *testing.T, dir string, env []string, name string, args ...string) (string, error) {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	cmd.Env = append(append(os.Environ(), "XDG_CACHE_HOME="+userCache), env...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func must(t *testing.T, out string, err error) string {
	t.Helper()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return out
}

// configuration makes a Git repository with a valid configuration.
func configuration(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := rule.Base().Write(dir); err != nil {
		t.Fatal(err)
	}
	git(t, dir, "init", "-q", "-b", "main")
	git(t, dir, "add", "-A")
	git(t, dir, "commit", "-q", "-m", "start")
	return dir
}

func git(t *testing.T, dir string, args ...string) string {
	t.Helper()
	args = append([]string{"-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false"}, args...)
	out, err := shell(t, dir, nil, "git", args...)
	return must(t, out, err)
}

// TestPreCommit commits through the hook that .pre-commit-hooks.yaml describes.
func TestPreCommit(t *testing.T) {
	tool(t, "pre-commit")
	hooks := t.TempDir()
	text, err := os.ReadFile(project + "/.pre-commit-hooks.yaml")
	if err != nil {
		t.Fatal(err)
	}
	write(t, hooks, ".pre-commit-hooks.yaml", string(text))
	git(t, hooks, "init", "-q", "-b", "main")
	git(t, hooks, "add", "-A")
	git(t, hooks, "commit", "-q", "-m", "hooks")
	revision := strings.TrimSpace(git(t, hooks, "rev-parse", "HEAD"))

	dir, env := configuration(t), []string{"PRE_COMMIT_HOME=" + t.TempDir()} // lcm-lint is on the PATH of tests
	write(t, dir, ".pre-commit-config.yaml", fmt.Sprintf("repos:\n- repo: %s\n  rev: %s\n  hooks: [{id: lcm-lint-installed}]\n", hooks, revision))
	out, err := shell(t, dir, env, "pre-commit", "install")
	must(t, out, err)
	commit := func() (string, error) {
		git(t, dir, "add", "-A")
		return shell(t, dir, env, "git", "-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false", "commit", "-m", "change")
	}
	out, err = commit()
	must(t, out, err)
	if err := os.Rename(filepath.Join(dir, "namespaces/acme/shop/chat/base/greeting.yaml"), filepath.Join(dir, "namespaces/acme/shop/chat/base/welcome.yaml")); err != nil {
		t.Fatal(err)
	}
	out, err = commit()
	must(t, out, err)
	if !strings.Contains(out, "Passed") {
		t.Errorf("the hook did not run:\n%s", out)
	}
	before := git(t, dir, "rev-parse", "HEAD")
	write(t, dir, bad, badText)
	if out, err = commit(); err == nil || !strings.Contains(out, "schema/enum") {
		t.Errorf("a bad change was committed, %v:\n%s", err, out)
	}
	if git(t, dir, "rev-parse", "HEAD") != before {
		t.Error("there is a new commit")
	}
}

func write(t *testing.T, dir, name, text string) {
	t.Helper()
	file := filepath.Join(dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// action is what of an action's metadata its runner needs.
type action struct {
	Inputs map[string]struct{ Default string }
	Runs   struct {
		Steps []struct {
			Run, Shell string
			Env        map[string]string
		}
	}
}

var inputExpr = regexp.MustCompile(`\$\{\{ inputs\.([a-z]+) \}\}`)

// runAction runs the steps of the action that are scripts, as a runner does. It returns what they printed, and what they
// left in GITHUB_OUTPUT and GITHUB_STEP_SUMMARY.
func runAction(t *testing.T, dir string, inputs map[string]string, env ...string) (printed, output, summary string, err error) {
	t.Helper()
	folder, _ := filepath.Abs(project + "/.github/actions/lcm-lint")
	text, err := os.ReadFile(filepath.Join(folder, "action.yml"))
	if err != nil {
		t.Fatal(err)
	}
	var a action
	if err := yaml.Unmarshal(text, &a); err != nil {
		t.Fatal(err)
	}
	temp := t.TempDir()
	outputFile, summaryFile := filepath.Join(temp, "output"), filepath.Join(temp, "summary")
	env = append(env, "GITHUB_ACTION_PATH="+folder, "RUNNER_TEMP="+temp, "GITHUB_OUTPUT="+outputFile, "GITHUB_STEP_SUMMARY="+summaryFile)
	for _, step := range a.Runs.Steps {
		if step.Run == "" {
			continue
		}
		script := filepath.Join(temp, "script.sh")
		write(t, temp, "script.sh", step.Run)
		with := env
		for name, value := range step.Env {
			with = append(with, name+"="+inputExpr.ReplaceAllStringFunc(value, func(m string) string {
				key := inputExpr.FindStringSubmatch(m)[1]
				if v, ok := inputs[key]; ok {
					return v
				}
				return a.Inputs[key].Default
			}))
		}
		var out string
		if out, err = shell(t, dir, with, "bash", "--noprofile", "--norc", "-eo", "pipefail", script); err != nil {
			printed += out
			break
		}
		printed += out
	}
	o, _ := os.ReadFile(outputFile)
	s, _ := os.ReadFile(summaryFile)
	return printed, string(o), string(s), err
}

func TestAction(t *testing.T) {
	dir := configuration(t)
	printed, output, _, err := runAction(t, dir, nil)
	must(t, printed, err)
	if output != "errors=false\n" {
		t.Errorf("of a good repository: %q", output)
	}
	git(t, dir, "update-ref", "refs/remotes/origin/main", "HEAD")
	git(t, dir, "checkout", "-q", "-b", "change")
	write(t, dir, bad, badText)
	git(t, dir, "add", "-A")
	git(t, dir, "commit", "-q", "-m", "change")
	printed, output, summary, err := runAction(t, dir, map[string]string{"sarif": "out.sarif"}, "GITHUB_BASE_REF=main")
	if err == nil || output != "errors=true\n" {
		t.Errorf("a bad change: %v, %q", err, output)
	}
	if !strings.Contains(printed, "::error file="+bad+",line=3,") {
		t.Errorf("no annotation at its place:\n%s", printed)
	}
	if !strings.Contains(printed, "skipped") {
		t.Errorf("not only what changed was checked:\n%s", printed)
	}
	if !strings.Contains(summary, bad+":3:") {
		t.Errorf("the summary: %s", summary)
	}
	if sarif, err := os.ReadFile(filepath.Join(dir, "out.sarif")); err != nil || !strings.Contains(string(sarif), `"ruleId": "schema/enum"`) && !strings.Contains(string(sarif), `"ruleId":"schema/enum"`) {
		t.Errorf("%v, %s", err, sarif)
	}
}

// TestWorkflows holds our workflows, and the one that users copy, to actionlint.
func TestWorkflows(t *testing.T) {
	files, err := filepath.Glob(project + "/.github/workflows/*.yml")
	if err != nil || len(files) == 0 {
		t.Fatal(err)
	}
	more, err := filepath.Glob(project + "/examples/workflows/*.yml")
	if err != nil || len(more) == 0 {
		t.Fatal(err)
	}
	out, err := shell(t, ".", nil, "go", append([]string{"tool", "-modfile=" + project + "/tools/go.mod", "actionlint", "-shellcheck="}, append(files, more...)...)...)
	must(t, out, err)
}
