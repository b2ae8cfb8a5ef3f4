package main

import (
	"errors"
	"fmt"
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

func TestMain(m *testing.M) {
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
			"lint": lintCommand, "edit": editCommand, "write": writeCommand,
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

// edit FILE OLD NEW replaces the one occurrence of OLD. Both may hold Go's escapes.
func editCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: edit FILE OLD NEW")
	}
	text, old := ts.ReadFile(args[0]), unescape(ts, args[1])
	if n := strings.Count(text, old); n != 1 {
		ts.Fatalf("%s holds %q %d times, not once", args[0], old, n)
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(strings.Replace(text, old, unescape(ts, args[2]), 1)), 0o644))
}

// write FILE TEXT… makes a file of texts with Go's escapes. N*TEXT stands for N times TEXT.
func writeCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: write FILE TEXT…")
	}
	var b strings.Builder
	for _, text := range args[1:] {
		times := 1
		if n, rest, ok := strings.Cut(text, "*"); ok {
			if i, err := strconv.Atoi(n); err == nil {
				times, text = i, rest
			}
		}
		fmt.Fprint(&b, strings.Repeat(unescape(ts, text), times))
	}
	ts.Check(os.MkdirAll(filepath.Dir(ts.MkAbs(args[0])), 0o755))
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(b.String()), 0o644))
}

func unescape(ts *testscript.TestScript, text string) string {
	s, err := strconv.Unquote(`"` + strings.ReplaceAll(text, `"`, `\"`) + `"`)
	ts.Check(err)
	return s
}
