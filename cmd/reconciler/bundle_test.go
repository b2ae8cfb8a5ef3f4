package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/llm-config-manager/lcm/internal/lcm"
)

const anyKey = "namespaces/acme/app/api/development/tone.yaml"

// bundle makes one with the real git.
func (d *desk) bundle(name string, revs ...string) string {
	d.t.Helper()
	git := exec.Command("git", append([]string{"bundle", "create", "-q", d.path(name)}, revs...)...)
	git.Dir, git.Env = d.path("origin.git"), append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null")
	if out, err := git.CombinedOutput(); err != nil {
		d.t.Fatalf("git bundle create %q: %v\n%s", revs, err, out)
	}
	return d.path(name)
}

// The server is down. Commits come as bundles, and are judged as ever: signatures make the way of transport irrelevant.
func TestBundle(t *testing.T) {
	requirePrograms(t, "git")
	d := newDesk(t, "testdata/base")
	cfg := "--config=" + d.daemon("one", map[string]string{"secrets": "{type: bolt, path: secrets.db}", "runtime": "{type: file, path: runtime}"})
	fresh := "--config=" + d.daemon("two", map[string]string{"secrets": "{type: bolt, path: secrets.db}", "runtime": "{type: file, path: runtime}"})
	holds := func(daemon, value string) {
		t.Helper()
		data, err := os.ReadFile(d.path(daemon + "/runtime/acme/app/api/development/tone.json"))
		if err != nil || strings.TrimSpace(string(data)) != `"`+value+`"` {
			t.Errorf("%s holds %s, %v; want %s", daemon, data, err, value)
		}
	}
	commit := func(who, value string) lcm.Revision { return d.commit(who, map[string]string{anyKey: config(value)}) }
	first := commit("alice", "warm")
	d.must(exitDone, "once", cfg)
	second := commit("bob", "cool")
	third := commit("carol", "calm")
	full := d.bundle("full", "main")
	more := d.bundle("more", "main", "^"+string(first))
	last := d.bundle("last", "main", "^"+string(second))
	unsigned := commit("nobody", "harsh")
	bad := d.bundle("bad", "main", "^"+string(third))
	d.check(d.repo.SetBranch("main", second))
	behind := d.bundle("behind", "main")
	d.write("garbage", "hello\n")
	data, err := os.ReadFile(full)
	d.check(err)
	d.write("cut", string(data[:len(data)-20]))
	d.write("changed", string(bytes.Replace(data, []byte("PACK\x00\x00\x00\x02"), []byte("PACK\x00\x00\x00\x03"), 1)))

	d.check(os.Rename(d.path("origin.git"), d.path("away.git"))) // the server is down
	d.must(exitFailed, "once", cfg)
	program, err := exec.LookPath("reconciler")
	d.check(err)
	t.Setenv("PATH", filepath.Dir(program)) // and there is no git
	if r := d.must(exitDone, "plan", cfg, "--bundle", more); !strings.Contains(r.stdout, "tone") {
		t.Error(r.stdout)
	}
	holds("one", "warm")
	d.must(exitDone, "once", cfg, "--bundle", more)
	holds("one", "calm")
	if r := d.must(exitDone, "once", cfg, "--bundle", full); !strings.Contains(r.stdout, "nothing to change") {
		t.Error(r.stdout)
	}

	// What a bundle cannot do.
	before, err := digestOf(d.path("one/runtime"), d.path("one/secrets.db"))
	d.check(err)
	for _, tt := range []struct {
		bundle string
		code   int
		says   string
	}{
		{bad, exitRefused, "trust/unsigned"},
		{behind, exitRefused, "trust/rewritten"},
		{d.path("garbage"), exitFailed, "none that git makes"},
		{d.path("cut"), exitFailed, "receiving a pack"},
		{d.path("changed"), exitFailed, "receiving a pack"},
		{d.path("none"), exitUsage, "no such file"},
	} {
		daemon := cfg
		if tt.code == exitFailed { // who has the objects does not read the pack
			daemon = fresh
		}
		if r := d.must(tt.code, "once", daemon, "--bundle", tt.bundle); !strings.Contains(r.stdout+r.stderr, tt.says) {
			t.Errorf("%s: %s%s", tt.bundle, r.stdout, r.stderr)
		}
	}
	if r := d.must(exitFailed, "once", fresh, "--bundle", last); !strings.Contains(r.stderr, "builds on commit "+second.Short()) {
		t.Error(r.stderr)
	}
	d.must(exitRefused, "verify", cfg, "--bundle", bad)
	after, err := digestOf(d.path("one/runtime"), d.path("one/secrets.db"))
	d.check(err)
	if before != after {
		t.Error("a refused bundle changed what is served")
	}

	// A daemon that never saw the server; by standard input; and by hand, where trust refuses.
	stdin := exec.Command("reconciler", "once", fresh, "--bundle", "-")
	stdin.Stdin = bytes.NewReader(data)
	if out, err := stdin.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	holds("two", "calm")
	if r := d.must(exitFailed, "status", fresh); !strings.Contains(r.stdout, "NOT READY: the repository was never fetched") {
		t.Errorf("a bundle is taken for the server: %s", r.stdout)
	}
	d.must(exitDone, "accept", cfg, "--bundle", bad, "--head", string(unsigned), "--reason", "the forge burned down")
	d.must(exitDone, "once", cfg, "--bundle", bad)
	holds("one", "harsh")

	// The server is back with an old head: refused, until somebody pushes what was accepted meanwhile.
	d.check(os.Rename(d.path("away.git"), d.path("origin.git")))
	d.must(exitRefused, "once", fresh)
	d.check(d.repo.SetBranch("main", third))
	d.must(exitDone, "once", fresh)
}
