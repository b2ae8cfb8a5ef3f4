package main

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/crypto/ssh"

	"github.com/llm-config-manager/lcm/internal/gitrepo"
	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/sopsfile"
	"github.com/llm-config-manager/lcm/internal/strictyaml"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"reconciler": main})
}

func TestScripts(t *testing.T) { testscript.Run(t, params("testdata/scripts")) }

func params(dir string) testscript.Params {
	return testscript.Params{
		Dir:                 dir,
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup:               setupScript,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"commit":   cmdCommit,
			"merge":    cmdMerge,
			"move":     cmdMove,
			"seal":     cmdSeal,
			"status":   cmdStatus,
			"replace":  cmdReplace,
			"digest":   cmdDigest,
			"same":     cmdSame,
			"canary":   cmdCanary,
			"beat":     cmdBeat,
			"port":     cmdPort,
			"ask":      cmdAsk,
			"audience": cmdAudience,
			"told":     cmdTold,
			"hook":     cmdHook,
		},
	}
}

// People of the scripts' trust policy. Their keys are made from their names, so that scripts are repeatable.
var people = []string{"alice", "carol", "bob", "dave", "rotator", "mallory"}

func privateKey(name string) ed25519.PrivateKey {
	seed := make([]byte, ed25519.SeedSize)
	copy(seed, name)
	return ed25519.NewKeyFromSeed(seed)
}

func signerOf(name string) ssh.Signer {
	s, err := ssh.NewSignerFromKey(privateKey(name))
	if err != nil {
		panic(err)
	}
	return s
}

func publicKey(name string) string {
	return strings.TrimSpace(string(ssh.MarshalAuthorizedKey(signerOf(name).PublicKey())))
}

// setupScript gives each script an empty origin, an age key, and the public keys as $alice, $bob, …
func setupScript(env *testscript.Env) error {
	work := env.WorkDir
	repo, err := gitrepo.Init(filepath.Join(work, "origin.git"))
	if err != nil {
		return err
	}
	identity, recipient, err := sopsfile.NewIdentity()
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(work, "age.txt"), identity, 0o600); err != nil {
		return err
	}
	for _, name := range people {
		env.Setenv(name, publicKey(name))
	}
	env.Setenv("recipient", recipient)
	if err := copyMissing("testdata/base", work); err != nil {
		return err
	}
	env.Values["repo"] = repo
	env.Defer(func() { _ = repo.Close() })
	return expandFiles(work, env)
}

// copyMissing copies the files that a script does not bring itself.
func copyMissing(from, to string) error {
	return filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		at := filepath.Join(to, rel)
		if d.IsDir() {
			return os.MkdirAll(at, 0o755)
		}
		if _, err := os.Lstat(at); err == nil {
			return nil
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(at, data, 0o644)
	})
}

// expandFiles replaces ${NAME} of the keys in the files of a script, which testscript does not do.
func expandFiles(dir string, env *testscript.Env) error {
	var pairs []string
	for _, name := range append([]string{"recipient", "VAULT", "vault_role", "mount", "REDIS", "ETCD"}, people...) {
		pairs = append(pairs, "${"+name+"}", env.Getenv(name))
	}
	r := strings.NewReplacer(pairs...)
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) != ".yaml" {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(path, []byte(r.Replace(string(data))), 0o644)
	})
}

func repoOf(ts *testscript.TestScript) *gitrepo.Repo { return ts.Value("repo").(*gitrepo.Repo) }

// snapshot makes the edit that turns the branch's tree into the folder repo/.
func snapshot(ts *testscript.TestScript, head lcm.Revision) map[string][]byte {
	files := map[string][]byte{}
	if head != "" {
		t, err := repoOf(ts).Tree(head)
		ts.Check(err)
		ts.Check(fs.WalkDir(t, ".", func(path string, d fs.DirEntry, err error) error {
			if err == nil && !d.IsDir() {
				files[path] = nil
			}
			return err
		}))
	}
	root := ts.MkAbs("repo")
	ts.Check(filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		files[filepath.ToSlash(rel)], err = os.ReadFile(path)
		return err
	}))
	return files
}

func write(ts *testscript.TestScript, who string, parents []lcm.Revision, files map[string][]byte, message string) lcm.Revision {
	e := gitrepo.Edit{Parents: parents, Files: files, Message: message + "\n", Author: gitrepo.Ident{Name: who, Email: who + "@example.org", When: time.Now()}}
	if who != "nobody" {
		e.Sign = gitrepo.SSHSigner(signerOf(who))
	}
	rev, err := repoOf(ts).Write(e)
	ts.Check(err)
	return rev
}

func branchHead(ts *testscript.TestScript) []lcm.Revision {
	head, err := repoOf(ts).Head("main")
	if err != nil {
		return nil
	}
	return []lcm.Revision{head}
}

func first(rs []lcm.Revision) lcm.Revision {
	if len(rs) == 0 {
		return ""
	}
	return rs[0]
}

// commit WHO MESSAGE: commits the folder repo/ to main, signed by WHO; by "nobody": unsigned. The first
// commit is the introduction: it replaces INTRODUCTION in reconciler.yaml. $head is the new revision.
func cmdCommit(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: commit WHO MESSAGE")
	}
	parents := branchHead(ts)
	rev := write(ts, args[0], parents, snapshot(ts, first(parents)), strings.ReplaceAll(args[1], `\n`, "\n"))
	advance(ts, rev, len(parents) == 0)
}

// merge AUTHOR MERGER MESSAGE: AUTHOR commits repo/ on a branch, MERGER merges it into main.
func cmdMerge(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: merge AUTHOR MERGER MESSAGE")
	}
	parents := branchHead(ts)
	files, message := snapshot(ts, first(parents)), strings.ReplaceAll(args[2], `\n`, "\n")
	side := write(ts, args[0], parents, files, message)
	advance(ts, write(ts, args[1], append(parents, side), files, message), false)
}

func advance(ts *testscript.TestScript, rev lcm.Revision, introduction bool) {
	ts.Check(repoOf(ts).SetBranch("main", rev))
	ts.Setenv("head", string(rev))
	if introduction {
		ts.Setenv("introduction", string(rev))
		file := ts.MkAbs("reconciler.yaml")
		ts.Check(os.WriteFile(file, []byte(strings.ReplaceAll(ts.ReadFile(file), "INTRODUCTION", string(rev))), 0o644))
	}
}

// move REVISION: moves the branch.
func cmdMove(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: move REVISION")
	}
	ts.Check(repoOf(ts).SetBranch("main", lcm.Revision(args[0])))
	ts.Setenv("head", args[0])
}

// seal FILE...: seals plain Secrets below repo/ in place.
func cmdSeal(ts *testscript.TestScript, neg bool, args []string) {
	for _, file := range args {
		path := ts.MkAbs(filepath.Join("repo", file))
		doc, findings := strictyaml.Parse(file, []byte(ts.ReadFile(path)))
		if doc == nil {
			ts.Fatalf("%v", findings)
		}
		sealed, err := sopsfile.Seal(file, doc.Map(), []string{ts.Getenv("recipient")})
		ts.Check(err)
		ts.Check(os.WriteFile(path, sealed, 0o644))
	}
}

// status CODE PROGRAM ARG...: runs a program and demands its exit code.
func cmdStatus(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: status CODE PROGRAM ARG...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec(args[1], args[2:]...)
	got := 0
	if exit := new(exec.ExitError); errors.As(err, &exit) {
		got = exit.ExitCode()
	} else if err != nil {
		ts.Fatalf("%v", err)
	}
	if got != want || crashed(ts.ReadFile("stderr")) {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

// crashed reports whether a program ended by a panic, which Go tells by exit code 2, as wrong usage is told.
func crashed(stderr string) bool { return strings.Contains(stderr, "\ngoroutine ") }

// replace OLD NEW FILE: replaces a text that must be there, once.
func cmdReplace(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: replace OLD NEW FILE")
	}
	text := ts.ReadFile(args[2])
	if !strings.Contains(text, args[0]) {
		ts.Fatalf("%s has no %q", args[2], args[0])
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[2]), []byte(strings.Replace(text, args[0], args[1], 1)), 0o644))
}

// digest NAME PATH...: sets $NAME to a digest of all names, sizes, times and bytes below the paths.
func cmdDigest(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: digest NAME PATH...")
	}
	var roots []string
	for _, root := range args[1:] {
		roots = append(roots, ts.MkAbs(root))
	}
	sum, err := digestOf(roots...)
	ts.Check(err)
	ts.Setenv(args[0], sum)
}

// digestOf digests all names, modes, sizes, times and bytes below some paths.
func digestOf(roots ...string) (string, error) {
	h := sha256.New()
	for _, root := range roots {
		err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			info, err := os.Lstat(path)
			if err != nil {
				return err
			}
			fmt.Fprintln(h, path, info.Mode())
			if !info.Mode().IsRegular() {
				return nil
			}
			data, err := os.ReadFile(path)
			fmt.Fprintln(h, info.Size(), info.ModTime())
			h.Write(data)
			return err
		})
		if err != nil {
			return "", err
		}
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// same A B: demands that two texts are equal.
func cmdSame(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 2 || (args[0] == args[1]) == neg {
		ts.Fatalf("same: %q", args)
	}
}

// canary TEXT PATH...: demands that no file below the paths holds TEXT, as it is, in base64 or in hexadecimal.
func cmdCanary(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) < 2 {
		ts.Fatalf("usage: canary TEXT PATH...")
	}
	found := ""
	for _, root := range args[1:] {
		ts.Check(filepath.WalkDir(ts.MkAbs(root), func(path string, d fs.DirEntry, err error) error {
			if err != nil || !d.Type().IsRegular() {
				return err
			}
			data, err := os.ReadFile(path)
			if err == nil && betrays(data, args[0]) {
				found = path
			}
			return err
		}))
	}
	if (found == "") == neg {
		ts.Fatalf("canary %q: found in %q", args[0], found)
	}
}

// betrays reports whether data holds a text in one of the forms in which values slip out.
func betrays(data []byte, text string) bool {
	forms := []string{text, hex.EncodeToString([]byte(text)), url.QueryEscape(text)}
	for shift := range 3 { // base64 of a text inside another depends on where it begins
		coded := base64.StdEncoding.EncodeToString([]byte(strings.Repeat("x", shift) + text))
		forms = append(forms, coded[4:len(coded)-4])
	}
	for _, form := range forms {
		if bytes.Contains(data, []byte(form)) {
			return true
		}
	}
	return false
}
