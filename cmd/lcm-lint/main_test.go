package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/rogpeppe/go-internal/txtar"
)

const brokenDir = "testdata/broken"

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"lcm-lint": main})
}

// Each script in testdata/broken is a repository with one mistake: what its archive holds under repo/
// stands over, or beside, the valid repository in testdata/base.
func TestBroken(t *testing.T) { testscript.Run(t, params(brokenDir)) }

// The scripts in testdata/scripts show the rest: what is valid, the flags, the formats, the exit codes.
func TestScripts(t *testing.T) { testscript.Run(t, params("testdata/scripts")) }

var oneFinding = regexp.MustCompile(`^[^:\n]+:[1-9][0-9]*:[1-9][0-9]*: error: ([a-z0-9-]+(?:/[a-z0-9_-]+)+): [^\n]+\n$`)

// TestBrokenWhole holds the scripts themselves to their form: each expects one finding, of the rule that
// the script is named for (what follows -- tells several of one rule apart).
func TestBrokenWhole(t *testing.T) {
	scripts, err := filepath.Glob(brokenDir + "/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	if len(scripts) < 40 {
		t.Errorf("%d broken repositories; there should be at least 40", len(scripts))
	}
	for _, file := range scripts {
		archive, err := txtar.ParseFile(file)
		if err != nil {
			t.Fatal(err)
		}
		name, _, _ := strings.Cut(strings.TrimSuffix(filepath.Base(file), ".txtar"), "--")
		var want string
		for _, f := range archive.Files {
			if f.Name == "want" {
				want = string(f.Data)
			}
		}
		m := oneFinding.FindStringSubmatch(want)
		switch {
		case m == nil:
			t.Errorf("%s: want must be one finding in full, but is %q", file, want)
		case strings.ReplaceAll(m[1], "/", "-") != name:
			t.Errorf("%s: expects the rule %s", file, m[1])
		}
		if script := string(archive.Comment); !strings.Contains(script, "\nlint 1\ncmp stdout ../want\n") {
			t.Errorf("%s: must hold the lines  lint 1  and  cmp stdout ../want", file)
		}
	}
}

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
	const base = "testdata/base"
	examples, err := filepath.Abs("../../examples")
	if err != nil {
		return err
	}
	env.Setenv("EXAMPLES", examples)
	env.Cd = filepath.Join(env.WorkDir, "repo")
	return filepath.WalkDir(base, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		to := filepath.Join(env.Cd, strings.TrimPrefix(path, filepath.FromSlash(base)))
		if d.IsDir() {
			return os.MkdirAll(to, 0o755)
		}
		if _, err := os.Lstat(to); err == nil {
			return nil
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(to, data, 0o644)
	})
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
