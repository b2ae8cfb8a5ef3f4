package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/llm-config-manager/lcm/internal/rule"
)

// Each rule's bad example gives exactly the finding that the catalogue tells, and the good one gives none.
func TestRules(t *testing.T) {
	rules, err := rule.All()
	if err != nil {
		t.Fatal(err)
	}
	formats := 0
	for _, r := range rules {
		if r.Bad == nil {
			continue
		}
		if r.Format {
			formats++
		}
		good := !r.Format || formats == 1 // they share it
		t.Run(r.ID, func(t *testing.T) {
			t.Parallel()
			judge(t, r.Before, r.Bad, r.Finding, "catalogue/"+r.ID)
			if good {
				judge(t, r.Before, r.Good, "", "")
			}
		})
	}
}

// So does each further case.
func TestCases(t *testing.T) {
	for _, c := range cases(t) {
		t.Run(c.Name, func(t *testing.T) {
			t.Parallel()
			judge(t, c.Before, c.Bad, c.Finding, "testdata/cases/"+c.Name)
		})
	}
}

func cases(t *testing.T) []rule.Case {
	t.Helper()
	all, err := rule.Cases(os.DirFS("../../internal/rule/testdata/cases"))
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// judge lints an example as a person does, through the program's own entry; if there is something before it, with --base.
// file is where the finding is told.
func judge(t *testing.T, before, e *rule.Example, want, file string) {
	t.Helper()
	repository, err := e.Repository()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	args := []string{dir}
	if before != nil {
		commit(t, dir, before)
		args = []string{"--base", "HEAD", dir}
	}
	if err := repository.Write(dir); err != nil {
		t.Fatal(err)
	}
	var stdout, stderr bytes.Buffer
	code := run(args, &stdout, &stderr)
	got := strings.TrimSuffix(strings.ReplaceAll(stdout.String(), filepath.ToSlash(dir)+"/", ""), "\n")
	if os.Getenv("LCM_UPDATE_SCRIPTS") != "" && file != "" {
		update(t, file, got)
		return
	}
	wantCode := exitClean
	if strings.Contains(want, ": error: ") {
		wantCode = exitFindings
	}
	if got != want || code != wantCode {
		t.Errorf("exits %d and says\n%s\nwant %d and\n%s\n%s", code, got, wantCode, want, &stderr)
	}
	if e.Leaks(stdout.String() + stderr.String()) {
		t.Error("a credential is repeated")
	}
}

// commit makes a Git repository with one commit, of the example.
func commit(t *testing.T, dir string, e *rule.Example) {
	t.Helper()
	if _, err := exec.LookPath("git"); err != nil && os.Getenv("CI") == "" {
		t.Skip("git is not here")
	}
	repository, err := e.Repository()
	if err == nil {
		err = repository.Write(dir)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"init", "-q"}, {"add", "-A"}, {"commit", "-q", "-m", "before"}} {
		cmd := exec.Command("git", args...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1", "GIT_AUTHOR_NAME=A", "GIT_AUTHOR_EMAIL=a@example.org", "GIT_COMMITTER_NAME=A", "GIT_COMMITTER_EMAIL=a@example.org")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("git %v: %s", args, out)
		}
	}
}

const findingMark = "-- finding --\n"

// update writes what was found into a file of the catalogue.
func update(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("../../internal/rule", filepath.FromSlash(name)+".txtar")
	data, err := os.ReadFile(file)
	if before, _, ok := strings.Cut(string(data), findingMark); ok && err == nil {
		err = os.WriteFile(file, []byte(before+findingMark+got+"\n"), 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
}
