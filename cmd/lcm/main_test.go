package main

import (
	"context"
	"os"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/llm-config-manager/lcm/internal/check"
	"github.com/llm-config-manager/lcm/internal/diag"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"lcm": main})
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(env *testscript.Env) error {
			return os.CopyFS(env.WorkDir+"/example", os.DirFS("../../examples/repo-layout"))
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"lint": cmdLint},
	})
}

// lint DIR: checks a repository as lcm-lint does; it must have no errors.
func cmdLint(ts *testscript.TestScript, neg bool, args []string) {
	findings, err := check.Repository(context.Background(), os.DirFS(ts.MkAbs(args[0])))
	ts.Check(err)
	if diag.Failed(findings) != neg {
		ts.Fatalf("%v", findings)
	}
}
