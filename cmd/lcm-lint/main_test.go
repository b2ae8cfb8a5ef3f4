package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/llm-config-manager/lcm/internal/rule"
)

var userCache = os.Getenv("XDG_CACHE_HOME") // where go builds

// today is when these tests play, soon after the Secrets of the base were sealed.
const today = "1796083200" // 2026-12-01

func TestMain(m *testing.M) {
	if os.Getenv("SOURCE_DATE_EPOCH") == "" {
		os.Setenv("SOURCE_DATE_EPOCH", today)
	}
	_ = os.Setenv("XDG_CACHE_HOME", os.DevNull) // nothing is kept, unless a script says where
	testscript.Main(m, map[string]func(){"lcm-lint": main})
}

// The scripts in testdata/scripts show the rest: what is valid, the flags, the formats, the exit codes.
func TestScripts(t *testing.T) { testscript.Run(t, params("testdata/scripts")) }

func params(dir string) testscript.Params {
	return testscript.Params{
		Dir:   dir,
		Setup: setup,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"lint": lintCommand, "edit": changeCommand("edit"), "write": changeCommand("write"),
		},
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		UpdateScripts:       os.Getenv("LCM_UPDATE_SCRIPTS") != "",
	}
}

// setup lays the valid repository under what the script brings along, and starts the script in it.
func setup(env *testscript.Env) error {
	examples, err := filepath.Abs("../../examples")
	if err != nil {
		return err
	}
	env.Setenv("EXAMPLES", examples)
	env.Setenv("SOURCE_DATE_EPOCH", today)
	env.Cd = filepath.Join(env.WorkDir, "repo")
	base := rule.Base()
	for name := range base {
		if _, err := os.Lstat(filepath.Join(env.Cd, name)); err == nil {
			delete(base, name)
		}
	}
	return base.Write(env.Cd)
}

// lint CODE ARGS… runs lcm-lint, which must exit with CODE. All that stands for a credential in these
// scripts has the word canary in it, and must never be repeated.
func lintCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: lint CODE [ARGS]")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	code := 0
	if err := ts.Exec("lcm-lint", args[1:]...); err != nil {
		exit := new(exec.ExitError)
		if !errors.As(err, &exit) {
			ts.Fatalf("running lcm-lint: %v", err)
		}
		code = exit.ExitCode()
	}
	if code != want {
		ts.Fatalf("lcm-lint exits %d, not %d", code, want)
	}
	for _, out := range []string{"stdout", "stderr"} {
		if strings.Contains(strings.ToLower(ts.ReadFile(out)), "canary") {
			ts.Fatalf("%s repeats a credential", out)
		}
	}
}

// changeCommand is a command of the catalogue's scripts that changes one file: edit FILE OLD NEW, write FILE TEXT…
func changeCommand(command string) func(*testscript.TestScript, bool, []string) {
	return func(ts *testscript.TestScript, neg bool, args []string) {
		if neg || len(args) == 0 {
			ts.Fatalf("usage: %s FILE …", command)
		}
		file := rule.Repository{}
		if data, err := os.ReadFile(ts.MkAbs(args[0])); err == nil {
			file[args[0]] = rule.File{Data: data, Mode: 0o644}
		}
		ts.Check(file.Do(append([]string{command}, args...)...))
		ts.Check(file.Write(ts.MkAbs(".")))
	}
}
