package main

import (
	"bytes"
	"errors"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/llm-config-manager/lcm/internal/gitrepo"
	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/masterkey"
	"github.com/llm-config-manager/lcm/internal/sopsfile"
)

// desk is what a script has, for tests in Go: an origin, an age key, a daemon's key and the settings of testdata/base.
type desk struct {
	t         *testing.T
	dir       string
	repo      *gitrepo.Repo
	recipient string
	intro     lcm.Revision
	head      lcm.Revision
}

// newDesk makes a desk whose introduction holds the settings, and no documents.
func newDesk(t *testing.T, settings string) *desk {
	t.Helper()
	return newDeskOf(t, settings, "test-config")
}

// newDeskOf makes a desk of a repository of another name.
func newDeskOf(t *testing.T, settings, repository string) *desk {
	t.Helper()
	d := &desk{t: t, dir: t.TempDir()}
	repo, err := gitrepo.Init(filepath.Join(d.dir, "origin.git"))
	d.check(err)
	t.Cleanup(func() { _ = repo.Close() })
	d.repo = repo
	identity, recipient, err := sopsfile.NewIdentity()
	d.check(err)
	d.recipient = recipient
	d.write("age.txt", string(identity))
	_, err = masterkey.Generate(d.path("lcm.key"))
	d.check(err)
	files := map[string]string{}
	for name, from := range map[string]string{"lcm.yaml": settings, ".sops.yaml": "testdata/base", ".lcm/trust.yaml": "testdata/base"} {
		data, err := os.ReadFile(filepath.Join(from, "repo", name))
		d.check(err)
		files[name] = strings.ReplaceAll(d.expand(string(data)), "test-config", repository)
	}
	d.intro = d.commit("alice", files)
	return d
}

func (d *desk) check(err error) {
	d.t.Helper()
	if err != nil {
		d.t.Fatal(err)
	}
}

func (d *desk) path(name string) string { return filepath.Join(d.dir, filepath.FromSlash(name)) }

func (d *desk) write(name, text string) {
	d.t.Helper()
	d.check(os.MkdirAll(filepath.Dir(d.path(name)), 0o700))
	d.check(os.WriteFile(d.path(name), []byte(text), 0o600))
}

// expand replaces ${NAME} of the people's keys and the recipient, as in scripts.
func (d *desk) expand(text string) string {
	pairs := []string{"${recipient}", d.recipient}
	for _, name := range people {
		pairs = append(pairs, "${"+name+"}", publicKey(name))
	}
	return strings.NewReplacer(pairs...).Replace(text)
}

// commit puts files on the branch, signed; by nobody: unsigned. An empty text deletes.
func (d *desk) commit(who string, files map[string]string) lcm.Revision {
	d.t.Helper()
	var parents []lcm.Revision
	if d.head != "" {
		parents = []lcm.Revision{d.head}
	}
	return d.advance(who, parents, files)
}

func (d *desk) advance(who string, parents []lcm.Revision, files map[string]string) lcm.Revision {
	d.t.Helper()
	d.head = d.object(who, parents, files)
	d.check(d.repo.SetBranch("main", d.head))
	return d.head
}

func (d *desk) object(who string, parents []lcm.Revision, files map[string]string) lcm.Revision {
	d.t.Helper()
	e := gitrepo.Edit{Parents: parents, Files: map[string][]byte{}, Message: "a change\n", Author: gitrepo.Ident{Name: who, Email: who + "@example.org", When: time.Now()}}
	for name, text := range files {
		e.Files[name] = nil
		if text != "" {
			e.Files[name] = []byte(text)
		}
	}
	if who != "nobody" {
		e.Sign = gitrepo.SSHSigner(signerOf(who))
	}
	rev, err := d.repo.Write(e)
	d.check(err)
	return rev
}

// secret seals a Secret for an address and returns its path and its sealed text.
func (d *desk) secret(address, kind string, data map[string]any) (path, sealed string) {
	d.t.Helper()
	path = "namespaces/" + address + ".sops.yaml"
	plain := map[string]any{"apiVersion": "lcm/v1", "kind": "Secret",
		"metadata": map[string]any{"description": "A secret", "owner": "platform", "classification": "restricted", "address": address},
		"spec":     map[string]any{"type": kind, "data": data}}
	text, err := sopsfile.Seal(path, plain, []string{d.recipient})
	d.check(err)
	return path, string(text)
}

func config(value string) string {
	return "apiVersion: lcm/v1\nkind: Config\nmetadata: {description: A value, owner: platform}\nspec:\n  value: " + value + "\n"
}

// daemon writes a configuration with its own state folder, and returns its path.
func (d *desk) daemon(name string, targets map[string]string) string {
	d.t.Helper()
	var b strings.Builder
	b.WriteString("repository: {name: test-config, url: ../origin.git, branch: main, introduction: " + string(d.intro) + ", tenants: [\"*\"]}\n")
	b.WriteString("key: {file: ../lcm.key}\nstate: {type: bolt, path: state/lcm.db}\nsecrets: {age: {identityFile: ../age.txt}}\ntargets:\n")
	for target := range maps.Keys(targets) {
		b.WriteString("  " + target + ": " + targets[target] + "\n")
	}
	d.write(name+"/reconciler.yaml", b.String())
	return d.path(name + "/reconciler.yaml")
}

// result is what became of a program.
type result struct {
	code           int // -1: killed
	stdout, stderr string
}

// start starts a program that is found on PATH, where TestMain puts reconciler; end waits for it.
func (d *desk) start(name string, args ...string) (cmd *exec.Cmd, end func() result) {
	d.t.Helper()
	var stdout, stderr bytes.Buffer
	cmd = exec.Command(name, args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = d.dir, &stdout, &stderr
	d.check(cmd.Start())
	return cmd, func() result {
		err := cmd.Wait()
		if exit := new(exec.ExitError); err != nil && !errors.As(err, &exit) {
			d.t.Fatal(err)
		}
		return result{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()}
	}
}

func (d *desk) run(name string, args ...string) result {
	d.t.Helper()
	_, end := d.start(name, args...)
	r := end()
	if crashed(r.stderr) {
		d.t.Fatalf("%s %q crashed:\n%s", name, args, r.stderr)
	}
	return r
}

// must runs the reconciler and demands its exit code.
func (d *desk) must(code int, args ...string) result {
	d.t.Helper()
	r := d.run("reconciler", args...)
	if r.code != code {
		d.t.Fatalf("reconciler %q: exit code %d, want %d\n%s%s", args, r.code, code, r.stdout, r.stderr)
	}
	return r
}
