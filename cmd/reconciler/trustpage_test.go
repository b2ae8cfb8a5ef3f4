package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/llm-config-manager/lcm/internal/gitrepo"
)

// TestTrustPage types what docs/trust.md tells people to type: its blocks marked console, in their order, each line by whom
// its prompt names, in a home folder of their own. Output that the page shows must come, … being anything; a
// command may fail only if the page asks for its code next.
func TestTrustPage(t *testing.T) {
	requirePrograms(t, "git", "ssh-keygen", "bash")
	text, err := os.ReadFile("../../docs/trust.md")
	if err != nil {
		t.Fatal(err)
	}
	page := readPage(string(text))
	if len(page) < 50 {
		t.Fatalf("%d commands found in the page", len(page))
	}
	newVillage(t).follow("docs/trust.md", page)
}

// follow types the commands of a page, and holds what they print against what it shows.
func (v *village) follow(name string, page []typed) {
	v.t.Helper()
	for i, c := range page {
		out, code := v.run(c.who, c.text)
		if asks := i+1 < len(page) && page[i+1].text == "echo $?" && page[i+1].who == c.who; code != 0 && !asks {
			v.t.Fatalf("%s:%d: %s$ %s: exit code %d\n%s", name, c.line, c.who, c.text, code, out)
		}
		if c.output != nil && !shown(c.output).MatchString(out) {
			v.t.Fatalf("%s:%d: %s$ %s\nshows\n%s\nbut it is\n%s", name, c.line, c.who, c.text, strings.Join(c.output, "\n"), out)
		}
	}
}

func requirePrograms(t *testing.T, names ...string) {
	t.Helper()
	for _, name := range names {
		if _, err := exec.LookPath(name); err != nil {
			if os.Getenv("CI") != "" {
				t.Fatal(err)
			}
			t.Skipf("no %s here", name)
		}
	}
}

// typed is one command of the page, with the output that it shows; nil if it shows none.
type typed struct {
	who, text string
	output    []string
	line      int
}

var prompt = regexp.MustCompile(`^([a-z]+)\$ (.*)$`)

// readPage reads the blocks marked console. A line that begins with "> " goes on with the command above.
func readPage(text string) []typed {
	var all []typed
	inside := false
	for i, line := range strings.Split(text, "\n") {
		switch m := prompt.FindStringSubmatch(line); {
		case strings.HasPrefix(line, "```"):
			inside = line == "```console"
		case !inside:
		case m != nil:
			all = append(all, typed{who: m[1], text: m[2], line: i + 1})
		case strings.HasPrefix(line, "> "):
			all[len(all)-1].text += "\n" + line[2:]
		default:
			all[len(all)-1].output = append(all[len(all)-1].output, line)
		}
	}
	return all
}

// shown matches an output as the page shows it: … is anything in a line, and a line of it any lines.
func shown(lines []string) *regexp.Regexp {
	var b strings.Builder
	b.WriteString(`\A`)
	for _, line := range lines {
		if line == "…" {
			b.WriteString(`(?:.*\n)*?`)
			continue
		}
		b.WriteString(strings.ReplaceAll(regexp.QuoteMeta(strings.TrimRight(line, " ")), "…", ".*") + ` *\n`)
	}
	return regexp.MustCompile(b.String() + `\z`)
}

// village is where the people of the page live: an origin, and a home for each, where Git signs with
// their key, as the page says under "Signing with SSH".
type village struct {
	t    *testing.T
	dir  string
	env  []string
	code map[string]int // of the last command, by person
}

func newVillage(t *testing.T) *village {
	v := &village{t: t, dir: t.TempDir(), code: map[string]int{}}
	bin := filepath.Join(v.dir, "bin")
	if out, err := exec.Command("go", "build", "-o", bin+"/lcm", "../lcm").CombinedOutput(); err != nil {
		t.Fatalf("building lcm: %v\n%s", err, out)
	}
	repo, err := gitrepo.Init(v.dir + "/origin.git")
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(repo.Close(), os.Mkdir(v.dir+"/share", 0o755)); err != nil {
		t.Fatal(err)
	}
	v.env = []string{"PATH=" + bin + ":" + os.Getenv("PATH"), "ORIGIN=" + v.dir + "/origin.git", "SHARE=" + v.dir + "/share", "LC_ALL=C.UTF-8", "GIT_CONFIG_NOSYSTEM=1"}
	for _, name := range []string{"alice", "carol", "bob", "dave", "erin", "host"} {
		v.settle(name)
	}
	return v
}

func (v *village) home(who string) string { return filepath.Join(v.dir, who) }

func (v *village) settle(who string) {
	v.t.Helper()
	if err := os.MkdirAll(v.home(who)+"/.ssh", 0o700); err != nil {
		v.t.Fatal(err)
	}
	config := fmt.Sprintf("[user]\nname = %s\nemail = %[1]s@example.org\nsigningKey = ~/.ssh/id_ed25519.pub\n[gpg]\nformat = ssh\n[commit]\ngpgSign = true\n[init]\ndefaultBranch = main\n[advice]\ndetachedHead = false\n", who)
	if err := os.WriteFile(v.home(who)+"/.gitconfig", []byte(config), 0o644); err != nil {
		v.t.Fatal(err)
	}
	if out, code := v.run(who, "ssh-keygen -q -t ed25519 -N '' -f ~/.ssh/id_ed25519 -C "+who); code != 0 {
		v.t.Fatal(out)
	}
}

// run has somebody type a command where the one before left them. It returns what it printed, and its exit code.
func (v *village) run(who, command string) (string, int) {
	v.t.Helper()
	at := filepath.Join(v.home(who), ".at")
	script := fmt.Sprintf("cd \"$(cat %[1]s 2>/dev/null || echo ~)\"\n(exit %d)\n%s\ncode=$?\npwd > %[1]s\nexit $code\n", at, v.code[who], command)
	cmd := exec.Command("bash", "-c", script)
	cmd.Env = append(v.env, "HOME="+v.home(who))
	cmd.Dir, cmd.WaitDelay = v.dir, time.Minute
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	if exit := new(exec.ExitError); err != nil && !errors.As(err, &exit) {
		v.t.Fatal(err)
	}
	v.code[who] = cmd.ProcessState.ExitCode()
	return out.String(), v.code[who]
}
