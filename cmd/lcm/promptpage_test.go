package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/llm-config-manager/lcm/internal/check"
	"github.com/llm-config-manager/lcm/internal/rule"
)

var pageFile = regexp.MustCompile("(?ms)^<!-- file: (\\S+) -->\n```[a-z]*\n(.*?)^```$")

// TestPromptsPage writes the files of docs/prompts.md beside a valid repository, which stays valid, and types its
// commands. … is anything in a line, and a line of it any lines.
func TestPromptsPage(t *testing.T) {
	if _, err := exec.LookPath("bash"); err != nil && os.Getenv("CI") == "" {
		t.Skip("no bash here")
	}
	text, err := os.ReadFile("../../docs/prompts.md")
	if err != nil {
		t.Fatal(err)
	}
	dir := pageRepository(t, string(text))
	bin := t.TempDir()
	if out, err := exec.Command("go", "build", "-o", bin+"/lcm", ".").CombinedOutput(); err != nil {
		t.Fatalf("building lcm: %v\n%s", err, out)
	}
	commands, code := pageCommands(string(text)), "0"
	if len(commands) < 7 {
		t.Fatalf("%d commands in the page", len(commands))
	}
	for i, c := range commands {
		cmd := exec.Command("bash", "-c", "(exit "+code+"); "+c.text)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"), "LC_ALL=C.UTF-8")
		out, err := cmd.CombinedOutput()
		if code = "0"; err != nil {
			code = "1"
		}
		if err != nil && (i+1 == len(commands) || commands[i+1].text != "echo $?") {
			t.Errorf("$ %s: %v", c.text, err)
		}
		if !c.shown().Match(out) {
			t.Errorf("$ %s\nshows\n%s\nbut it is\n%s", c.text, c.output, out)
		}
	}
}

func pageRepository(t *testing.T, text string) string {
	t.Helper()
	dir := t.TempDir()
	if err := rule.Base().Write(dir); err != nil {
		t.Fatal(err)
	}
	files := pageFile.FindAllStringSubmatch(text, -1)
	if len(files) < 4 {
		t.Fatalf("%d files in the page", len(files))
	}
	for _, f := range files {
		name := filepath.Join(dir, filepath.FromSlash(f[1]))
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(f[2]), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	findings, err := check.Repository(t.Context(), os.DirFS(dir))
	if err != nil || len(findings) > 0 {
		t.Errorf("the files of the page: %v, %v", findings, err)
	}
	return dir
}

// pageCommand is a command of the page with the output that it shows.
type pageCommand struct{ text, output string }

func pageCommands(text string) (all []pageCommand) {
	inside := false
	for line := range strings.Lines(text) {
		command, isCommand := strings.CutPrefix(line, "$ ")
		switch {
		case strings.HasPrefix(line, "```"):
			inside = line == "```console\n"
		case inside && isCommand:
			all = append(all, pageCommand{text: strings.TrimSpace(command)})
		case inside:
			all[len(all)-1].output += line
		}
	}
	return all
}

func (c pageCommand) shown() *regexp.Regexp {
	var b strings.Builder
	for line := range strings.Lines(c.output) {
		if line == "…\n" {
			b.WriteString(`(?:.*\n)*?`)
		} else {
			b.WriteString(strings.ReplaceAll(regexp.QuoteMeta(line), "…", ".*"))
		}
	}
	return regexp.MustCompile(`\A` + b.String() + `\z`)
}
