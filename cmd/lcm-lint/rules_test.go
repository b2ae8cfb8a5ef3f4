package main

import (
	"bytes"
	"os"
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
			judge(t, r.Bad, r.Finding, "catalogue/"+r.ID)
			if good {
				judge(t, r.Good, "", "")
			}
		})
	}
}

// So does each further case.
func TestCases(t *testing.T) {
	for _, c := range cases(t) {
		t.Run(c.Name, func(t *testing.T) {
			t.Parallel()
			judge(t, c.Bad, c.Finding, "testdata/cases/"+c.Name)
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

// judge lints an example as a person does, through the program's own entry. file is where the finding is told.
func judge(t *testing.T, e *rule.Example, want, file string) {
	t.Helper()
	repository, err := e.Repository()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := repository.Write(dir); err != nil {
		t.Fatal(err)
	}
	var stdout, stderr bytes.Buffer
	code := run([]string{dir}, &stdout, &stderr)
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
	for _, value := range e.Secrets() {
		if strings.Contains(stdout.String()+stderr.String(), value) {
			t.Error("a credential is repeated")
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
