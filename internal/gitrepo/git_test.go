package gitrepo

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/llm-config-manager/lcm/internal/lcm"
)

// git runs the real git, the measure of what this package does; only tests need it.
type git struct {
	t   *testing.T
	dir string
}

// missing skips a test at a desk and fails it in CI, where nothing may be skipped.
func missing(t *testing.T, what string) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatal(what)
	}
	t.Skip(what)
}

// newGit makes a work tree with a branch main.
func newGit(t *testing.T) *git {
	t.Helper()
	if _, err := exec.LookPath("git"); err != nil {
		missing(t, "git is not installed")
	}
	g := &git{t, t.TempDir()}
	g.run("init", "-q", "-b", "main")
	return g
}

func (g *git) run(args ...string) string {
	g.t.Helper()
	out, err := g.try("", args...)
	if err != nil {
		g.t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSuffix(out, "\n")
}

// feed runs git with something on its standard input.
func (g *git) feed(input string, args ...string) string {
	g.t.Helper()
	out, err := g.try(input, args...)
	if err != nil {
		g.t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSuffix(out, "\n")
}

func (g *git) try(input string, args ...string) (string, error) {
	cmd := exec.Command("git", args...)
	cmd.Dir = g.dir
	cmd.Stdin = strings.NewReader(input)
	cmd.Env = append(os.Environ(),
		"GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null", "LC_ALL=C",
		"GIT_AUTHOR_NAME=Alice Müller", "GIT_AUTHOR_EMAIL=alice@example.org", "GIT_AUTHOR_DATE=1700000000 +0130",
		"GIT_COMMITTER_NAME=Bob", "GIT_COMMITTER_EMAIL=bob@example.org", "GIT_COMMITTER_DATE=1700000001 -0800")
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// commit writes files (an empty content deletes) and commits them.
func (g *git) commit(files map[string]string, args ...string) lcm.Revision {
	g.t.Helper()
	for name, content := range files {
		path := filepath.Join(g.dir, name)
		if content == "" {
			g.run("rm", "-q", name)
			continue
		}
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			g.t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			g.t.Fatal(err)
		}
	}
	g.run("add", "-A")
	g.run(append([]string{"commit", "-q", "--allow-empty", "-m", "A change"}, args...)...)
	return g.head()
}

func (g *git) head() lcm.Revision { return lcm.Revision(g.run("rev-parse", "HEAD")) }

// raw gives an object as it is stored.
func (g *git) raw(kind string, id string) []byte {
	g.t.Helper()
	cmd := exec.Command("git", "cat-file", kind, id)
	cmd.Dir = g.dir
	out, err := cmd.Output()
	if err != nil {
		g.t.Fatal(err)
	}
	return out
}

// object stores an object that git itself would not write.
func (g *git) object(kind string, raw []byte) string {
	g.t.Helper()
	return g.feed(string(raw), "hash-object", "-t", kind, "-w", "--literally", "--stdin")
}

func (g *git) open(limits Limits) *Repo {
	g.t.Helper()
	r, err := Open(g.dir, limits)
	if err != nil {
		g.t.Fatal(err)
	}
	g.t.Cleanup(func() { r.Close() })
	return r
}

// signingKey makes an SSH key and tells git to sign with it.
func (g *git) signingKey() (private string) {
	g.t.Helper()
	if _, err := exec.LookPath("ssh-keygen"); err != nil {
		missing(g.t, "ssh-keygen is not installed")
	}
	file := filepath.Join(g.t.TempDir(), "key")
	if out, err := exec.Command("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", file).CombinedOutput(); err != nil {
		g.t.Fatalf("ssh-keygen: %v\n%s", err, out)
	}
	public, err := os.ReadFile(file + ".pub")
	if err != nil {
		g.t.Fatal(err)
	}
	allowed := filepath.Join(g.t.TempDir(), "allowed")
	if err := os.WriteFile(allowed, append([]byte("* "), public...), 0o644); err != nil {
		g.t.Fatal(err)
	}
	g.run("config", "gpg.format", "ssh")
	g.run("config", "user.signingkey", file)
	g.run("config", "gpg.ssh.allowedSignersFile", allowed)
	return file
}
