package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/llm-config-manager/lcm/internal/gitrepo"
	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/sopsfile"
)

const (
	limitFile = "namespaces/acme/app/api/production/limit.yaml"
	keyFile   = "namespaces/acme/app/api/production/openai-key.sops.yaml"
	closedKey = "acme/app/api/production"
)

// closed is a daemon that served a good revision, and whose branch has a good one more to take. Each case breaks one
// input of it.
type closed struct {
	*desk
	good lcm.Revision // what is served; head is what would be
}

// newClosed makes the daemon that the cases copy.
func newClosed(t *testing.T) *closed {
	d := newDesk(t, "testdata/base")
	path, sealed := d.secret(closedKey+"/openai-key", "api-key", map[string]any{"key": "canary-value"})
	c := &closed{desk: d}
	c.approved(d.intro, map[string][]byte{limitFile: []byte(config("600")), path: []byte(sealed)})
	d.daemon("daemon", map[string]string{"secrets": "{type: bolt, path: ../targets/secrets.db}", "runtime": "{type: file, path: ../targets/runtime}"})
	d.must(exitDone, "once", "--config", d.path("daemon/reconciler.yaml"))
	c.good = d.head
	c.approved(c.good, map[string][]byte{limitFile: []byte(config("700"))})
	return c
}

// copy is the same daemon in another folder.
func (c *closed) copy(t *testing.T) *closed {
	t.Helper()
	d := *c.desk
	d.t, d.dir = t, t.TempDir()
	out := &closed{&d, c.good}
	d.check(os.CopyFS(d.dir, os.DirFS(c.dir)))
	for _, secret := range []string{"lcm.key", "age.txt"} {
		d.check(os.Chmod(d.path(secret), 0o600))
	}
	repo, err := gitrepo.Open(d.path("origin.git"), gitrepo.Limits{})
	d.check(err)
	t.Cleanup(func() { _ = repo.Close() })
	d.repo = repo
	return out
}

// approved has alice change files on a branch and carol merge it. With nil a file is gone.
func (c *closed) approved(on lcm.Revision, files map[string][]byte) {
	c.t.Helper()
	edit := func(who string, parents ...lcm.Revision) lcm.Revision {
		rev, err := c.repo.Write(gitrepo.Edit{Parents: parents, Files: files, Message: "a change\n", Sign: gitrepo.SSHSigner(signerOf(who)),
			Author: gitrepo.Ident{Name: who, Email: who + "@example.org", When: time.Now()}})
		c.check(err)
		return rev
	}
	c.head = edit("carol", on, edit("alice", on))
	c.check(c.repo.SetBranch("main", c.head))
}

// instead puts a commit in the place of the one that would be taken. It changes the limit as that one does, and another file.
func instead(file, text string) func(*closed) {
	return func(c *closed) {
		files := map[string][]byte{limitFile: []byte(config("700")), file: []byte(text)}
		if text == gone {
			files[file] = nil
		}
		c.approved(c.good, files)
	}
}

// gone stands for a file that is not there.
const gone = "\x00"

// edited replaces a text of the daemon's configuration.
func edited(old, now string) func(*closed) {
	return func(c *closed) { c.edit("daemon/reconciler.yaml", old, now) }
}

func (c *closed) edit(file, old, now string) {
	c.t.Helper()
	data, err := os.ReadFile(c.path(file))
	c.check(err)
	if !strings.Contains(string(data), old) {
		c.t.Fatalf("%s has no %q: %s", file, old, data)
	}
	c.write(file, strings.ReplaceAll(string(data), old, now))
}

// put puts a text into a file, or takes the file away.
func put(name, text string) func(*closed) {
	return func(c *closed) {
		if text != gone {
			c.write(name, text)
			return
		}
		c.check(os.RemoveAll(c.path(name)))
	}
}

// all does several things.
func all(do ...func(*closed)) func(*closed) {
	return func(c *closed) {
		for _, f := range do {
			f(c)
		}
	}
}

// cut cuts a file to a part of its length.
func cut(name string, tenths int) func(*closed) {
	return func(c *closed) {
		info, err := os.Stat(c.path(name))
		c.check(err)
		c.check(os.Truncate(c.path(name), info.Size()/10*int64(tenths)))
	}
}

// closedCases breaks each input in turn: it is missing, empty, malformed, or another one.
func closedCases(c *closed) []closedCase {
	const (
		stateFile = "daemon/state/lcm.db"
		policy    = ".lcm/trust.yaml"
		tenant    = ".lcm/tenants/acme.yaml"
		configs   = "daemon/reconciler.yaml"
		stranger  = "0123456789abcdef0123456789abcdef01234567"
	)
	other, _, err := sopsfile.NewIdentity()
	c.check(err)
	intro := "introduction: " + string(c.intro)
	fresh := all(put("daemon/state", gone), put("targets", gone))
	return []closedCase{
		{"trust policy", "missing", instead(policy, gone), exitRefused, policy},
		{"", "empty", instead(policy, ""), exitRefused, policy},
		{"", "malformed", instead(policy, "version: [\n"), exitRefused, policy},
		{"", "another kind", instead(policy, config("1")), exitRefused, policy},
		{"", "at the introduction, malformed", all(fresh, func(c *closed) {
			c.intro = c.object("alice", nil, map[string]string{policy: "x\n"})
			c.check(c.repo.SetBranch("main", c.intro))
			edited(intro, "introduction: "+string(c.intro))(c)
		}), exitRefused, policy},
		{"tenant's policy", "empty", instead(tenant, ""), exitRefused, tenant},
		{"", "malformed", instead(tenant, "{"), exitRefused, tenant},
		{"", "of a tenant that is none", instead(".lcm/tenants/ACME.yaml", "x: 1\n"), exitRefused, "ACME.yaml"},

		{"introduction", "missing", edited(intro, "branch_: x"), exitUsage, "introduction"},
		{"", "empty", edited(intro, `introduction: ""`), exitUsage, "a whole commit id"},
		{"", "a name", edited(intro, "introduction: main"), exitUsage, "a whole commit id"},
		{"", "cut short", edited(string(c.intro), string(c.intro)[:12]), exitUsage, "a whole commit id"},
		{"", "unknown", edited(string(c.intro), stranger), exitRefused, "set the introduction to"},
		{"", "unknown, at the first start", all(fresh, edited(string(c.intro), stranger)), exitRefused, "check its id"},
		{"", "not on the branch", func(c *closed) {
			edited(string(c.intro), string(c.object("alice", []lcm.Revision{c.intro}, map[string]string{"x": "y"})))(c)
		}, exitRefused, "set the introduction to"},

		{"state", "missing", put(stateFile, gone), exitRefused, "run `reconciler accept --head"},
		{"", "empty", put(stateFile, ""), exitRefused, "run `reconciler accept --head"},
		{"", "garbage", put(stateFile, strings.Repeat("garbage ", 8192)), exitRefused, "put back what belongs together from a backup"},
		{"", "a few bytes", put(stateFile, "x"), exitRefused, "put back what belongs together from a backup"},
		{"", "cut to 1 tenth", cut(stateFile, 1), exitRefused, "put back what belongs together from a backup"},
		{"", "cut to 3 tenths", cut(stateFile, 3), exitRefused, "put back what belongs together from a backup"},
		{"", "one record changed", func(c *closed) { c.edit(stateFile, `"accepted":"`+string(c.good)[:4], `"accepted":"ffff`) }, exitRefused, "put back what belongs together from a backup"},
		{"", "put back as it was, with an old head", func(c *closed) {
			old, err := os.ReadFile(c.path(stateFile))
			c.check(err)
			c.must(exitDone, "once", "--config", c.path(configs))
			c.write(stateFile, string(old))
			c.check(c.repo.SetBranch("main", c.good))
		}, exitRefused, "put the newest state back"},
		{"", "of another branch", func(c *closed) {
			c.check(c.repo.SetBranch("dev", c.head))
			edited("branch: main", "branch: dev")(c)
		}, exitFailed, "a branch is not changed underway"},
		{"", "a folder", all(put(stateFile, gone), put(stateFile+"/x", "")), exitFailed, "it is not a file"},

		{"key", "missing", put("lcm.key", gone), exitUsage, "put the key back"},
		{"", "empty", put("lcm.key", ""), exitUsage, "reconciler keygen"},
		{"", "too short", put("lcm.key", "c2hvcnQ=\n"), exitUsage, "reconciler keygen"},
		{"", "too long", put("lcm.key", strings.Repeat("YWFh", 20)), exitUsage, "reconciler keygen"},
		{"", "garbage", put("lcm.key", "!\n"), exitUsage, "reconciler keygen"},
		{"", "readable by all", func(c *closed) { c.check(os.Chmod(c.path("lcm.key"), 0o644)) }, exitUsage, "chmod 600"},
		{"", "another one", func(c *closed) {
			put("lcm.key", gone)(c)
			c.must(exitDone, "keygen", c.path("lcm.key"))
		}, exitRefused, "or the key is another one"},

		{"age identity", "missing", put("age.txt", gone), exitUsage, "age-keygen"},
		{"", "empty", put("age.txt", ""), exitUsage, "age-keygen"},
		{"", "malformed", put("age.txt", "AGE-SECRET-KEY-1X\n"), exitUsage, "line 1"},
		{"", "another one", put("age.txt", string(other)), exitHeld, "sops/no-key"},
		{"", "not configured", edited("secrets: {age: {identityFile: ../age.txt}}", ""), exitHeld, "secrets.age.identityFile"},

		{"lcm.yaml", "missing", instead("lcm.yaml", gone), exitHeld, "error: "},
		{"", "empty", instead("lcm.yaml", ""), exitHeld, "error: "},
		{"", "malformed", instead("lcm.yaml", "a: [\n"), exitHeld, "error: "},
		{".sops.yaml", "missing", instead(".sops.yaml", gone), exitHeld, "error: "},
		{"", "empty", instead(".sops.yaml", ""), exitHeld, "error: "},
		{"", "malformed", instead(".sops.yaml", "creation_rules: 1\n"), exitHeld, "error: "},
		{"schemas", "empty", instead("schemas/cue/own.cue", ""), exitHeld, "schemas/cue/own.cue"},
		{"", "malformed", instead("schemas/cue/own.cue", "package lcm\n#Config: {\n"), exitHeld, "schemas/cue/own.cue"},
		{"policies", "empty", instead("policies/rego/own.rego", ""), exitHeld, "policies/rego/own.rego"},
		{"", "malformed", instead("policies/rego/own.rego", "package lcm.own\ndeny contains {"), exitHeld, "policies/rego/own.rego"},
		{"document", "empty", instead(limitFile, ""), exitHeld, limitFile},
		{"", "malformed", instead(limitFile, "a: [\n"), exitHeld, limitFile},
		{"secret", "empty", instead(keyFile, ""), exitHeld, keyFile},
		{"", "not sealed", instead(keyFile, strings.Replace(config("x"), "Config", "Secret", 1)), exitHeld, keyFile},

		{"repository", "no URL", edited("url: ../origin.git, ", ""), exitUsage, "url"},
		{"", "empty URL", edited("url: ../origin.git", `url: ""`), exitUsage, "a path or a URL"},
		{"", "malformed URL", edited("url: ../origin.git", `url: "https://user:pw@host/x"`), exitUsage, "password"},
		{"", "missing", put("origin.git", gone), exitFailed, "is not a Git repository"},
		{"", "empty folder", all(put("origin.git", gone), put("origin.git/x", "")), exitFailed, "is not a Git repository"},
		{"", "without commits", func(c *closed) {
			put("origin.git", gone)(c)
			empty, err := gitrepo.Init(c.path("origin.git"))
			c.check(err)
			c.check(empty.Close())
		}, exitFailed, "no such branch"},
		{"", "another one", func(c *closed) {
			edited("name: test-config", "name: other")(c)
			put("daemon/state", gone)(c)
		}, exitRefused, "the policy is for repository"},
		{"branch", "not configured", edited("branch: main, ", ""), exitUsage, "branch"},
		{"", "empty", edited("branch: main", `branch: ""`), exitUsage, "branch"},
		{"", "missing", put("origin.git/refs/heads/main", gone), exitFailed, "no such branch"},
		{"", "empty reference", put("origin.git/refs/heads/main", ""), exitFailed, "no such branch"},
		{"", "malformed reference", put("origin.git/refs/heads/main", "garbage\n"), exitFailed, "is not an object id"},
		{"", "of an object that is not there", put("origin.git/refs/heads/main", stranger+"\n"), exitFailed, stranger},
		{"objects", "one missing", func(c *closed) { c.damage(c.head, gone) }, exitFailed, string(c.head)[:8]},
		{"", "one empty", func(c *closed) { c.damage(c.head, "") }, exitFailed, string(c.head)[:8]},
		{"", "one malformed", func(c *closed) { c.damage(c.head, "garbage") }, exitFailed, string(c.head)[:8]},
		{"mirror", "its branch garbage", put("daemon/state/mirror-test-config.git/refs/heads/main", "garbage\n"), exitFailed, "remove the mirror"},
		{"", "its packs cut", func(c *closed) {
			packs, err := filepath.Glob(c.path("daemon/state/mirror-test-config.git/objects/pack/*.pack"))
			c.check(err)
			for _, p := range packs {
				c.check(os.Chmod(p, 0o600))
				c.check(os.Truncate(p, 40))
			}
		}, exitFailed, "remove the mirror"},
		{"approvals", "junk for the one that is missing", func(c *closed) {
			rev := c.object("bob", []lcm.Revision{c.good}, map[string]string{limitFile: config("800")})
			c.check(c.repo.SetBranch("main", rev))
			for name, junk := range map[string]string{"alice": "", "carol": "garbage", "bob": "{}", "dave": strings.Repeat("0", gitrepo.MaxApprovalBytes)} {
				_, err := c.repo.SetApproval(rev, name, []byte(junk))
				c.check(err)
			}
			c.write("origin.git/refs/lcm/approvals/"+string(rev)+"/rotator", stranger+"\n")
		}, exitRefused, "needs 1 more approval"},

		{"reconciler.yaml", "missing", put(configs, gone), exitUsage, "no such file"},
		{"", "empty", put(configs, ""), exitUsage, configs},
		{"", "malformed", put(configs, "a: [\n"), exitUsage, configs},
		{"", "an unknown field", edited("key: {", "keys: {"), exitUsage, "keys"},
		{"targets", "not configured", func(c *closed) {
			data, err := os.ReadFile(c.path(configs))
			c.check(err)
			before, _, _ := bytes.Cut(data, []byte("targets:"))
			c.write(configs, string(before))
		}, exitUsage, "targets"},
		{"", "one less", edited("  runtime: {type: file, path: ../targets/runtime}\n", ""), exitHeld, "settings/target"},
		{"", "a file for a folder", edited("path: ../targets/runtime", "path: ../lcm.key"), exitTarget, "runtime"},
		{"", "a folder for a file", edited("path: ../targets/secrets.db", "path: ../daemon"), exitTarget, "secrets"},
		{"", "garbage for a database", func(c *closed) {
			c.write("bad.db", strings.Repeat("garbage ", 8192))
			edited("path: ../targets/secrets.db", "path: ../bad.db")(c)
		}, exitTarget, "secrets"},
	}
}

type closedCase struct {
	input, how string // an empty input is that of the case before
	spoil      func(*closed)
	code       int
	says       string
}

// damage takes an object out of the origin, or puts something else in its place.
func (c *closed) damage(rev lcm.Revision, text string) {
	name := "origin.git/objects/" + string(rev)[:2] + "/" + string(rev)[2:]
	c.check(os.Remove(c.path(name)))
	if text != gone {
		c.write(name, text)
	}
}

// Whatever input is missing, empty or malformed: the daemon refuses, says so by its exit code and in words, and the targets
// stay as they are to the byte.
func TestFailsClosed(t *testing.T) {
	c := newClosed(t)
	var table strings.Builder
	w := tabwriter.NewWriter(&table, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "input\tis\texit\tsays")
	input := ""
	for _, tt := range closedCases(c) {
		if tt.input != "" {
			input = tt.input
		}
		t.Run(input+"/"+tt.how, func(t *testing.T) {
			d := c.copy(t)
			tt.spoil(d)
			before, err := digestOf(d.path("targets"))
			hadTargets := err == nil
			if r := d.run("reconciler", "plan", "--config", d.path("daemon/reconciler.yaml")); r.code != tt.code {
				t.Errorf("a plan ends with %d, not %d:\n%s%s", r.code, tt.code, r.stderr, r.stdout)
			}
			r := d.run("reconciler", "once", "--config", d.path("daemon/reconciler.yaml"))
			said := strings.TrimSpace(r.stderr + r.stdout)
			fmt.Fprintf(w, "%s\t%s\t%d\t%s\n", input, tt.how, r.code, firstWords(said, d.dir, tt.says))
			if r.code != tt.code || !strings.Contains(said, tt.says) {
				t.Errorf("exit code %d, want %d with %q:\n%s", r.code, tt.code, tt.says, said)
			}
			if strings.Contains(said, "canary-value") {
				t.Error("a secret is told")
			}
			after, err := digestOf(d.path("targets"))
			if !hadTargets {
				d.served("")
			} else if after != before || err != nil {
				t.Errorf("what is served was changed: %v", err)
			}
		})
	}
	d := c.copy(t)
	d.must(exitDone, "once", "--config", d.path("daemon/reconciler.yaml"))
	d.served("700") // and with nothing broken, the pass would have changed it
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	t.Log("\n" + table.String())
}

// served demands what the target holds; nothing, where there was none before.
func (c *closed) served(want string) {
	c.t.Helper()
	data, err := os.ReadFile(c.path("targets/runtime/" + closedKey + "/limit.json"))
	if strings.TrimSpace(string(data)) != want || want != "" && err != nil {
		c.t.Errorf("the target holds %q, %v; want %q", data, err, want)
	}
}

// firstWords is the line that says what is wrong, without the test's folder.
func firstWords(said, dir, says string) string {
	said = strings.ReplaceAll(said, dir+"/", "")
	for line := range strings.Lines(said) {
		if strings.Contains(line, says) {
			said = line
			break
		}
	}
	line, _, _ := strings.Cut(strings.TrimSpace(strings.TrimPrefix(said, "reconciler: ")), "\n")
	if len(line) > 150 {
		line = line[:150] + "…"
	}
	return line
}
