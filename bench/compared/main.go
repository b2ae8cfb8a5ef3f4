// Command compared puts typical mistakes before lcm-lint, cue vet and conftest, and writes what each prints as
// docs/lint-compared.md. cue and conftest get the definitions and rules of this project as far as they can take them: the
// schemas as they are, and bench/rules. make compared runs it.
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/llm-config-manager/lcm/internal/rule"
	lcmcue "github.com/llm-config-manager/lcm/schemas/cue"
)

// mistakes are rules whose bad example people make, in the words of somebody who did.
var mistakes = []struct{ rule, title string }{
	{"schema/unknown-field", "A field is misspelt"},
	{"schema/required", "A field is missing"},
	{"schema/type", "A text is written where a number is asked for"},
	{"schema/enum", "A word that is none of those there are"},
	{"schema/bounds", "A number is out of bounds"},
	{"schema/pattern", "A duration, or an amount, of a wrong form"},
	{"schema/unknown-kind", "A kind that does not exist"},
	{"document/api-version", "Another version of the format"},
	{"yaml/duplicate-key", "A key stands twice"},
	{"yaml/anchor", "An anchor"},
	{"yaml/ambiguous-number", "A number with a leading zero"},
	{"yaml/syntax", "A bracket is not closed"},
	{"layout/name", "Capital letters in a name"},
	{"layout/two-files", "Two files for one key"},
	{"layout/environment", "A folder for an environment that is not declared"},
	{"ref/dangling", "A reference to a key that is not there"},
	{"ref/cycle", "Fallbacks in a circle"},
	{"ref/tenant", "A reference to another tenant's service"},
	{"merge/kind", "A merge onto another kind"},
	{"route/none", "A document that no route takes"},
	{"document/secret-unsealed", "A Secret that was not sealed"},
	{"secret/openai-key", "A key pasted into a document"},
	{"sops/recipients", "A Secret sealed for the wrong recipients"},
	{"policy/credentials/by-reference", "A credential instead of a reference"},
	{"policy/sampling/production-temperature", "An experiment's temperature in production"},
	{"policy/ownership/required", "Nobody is named who answers for it"},
	{"policy/budget/soft-above-max", "A warning that comes after the end"},
	{"policy/endpoint/https", "An endpoint over plain http"},
	{"prompt/undeclared", "A prompt uses a variable that it does not declare"},
	{"prompt/partial", "A prompt uses a partial that is gone"},
	{"prompt/version", "A version that is none"},
	{"settings/environment", "Environments that inherit in a circle"},
}

const timeout = time.Minute

func main() {
	lint := flag.String("lint", "bin/lcm-lint", "the linter")
	tools := flag.String("tools", ".cache/bench-tools", "where cue and conftest are")
	rules := flag.String("rules", "bench/rules/rules.rego", "the rules for conftest")
	flag.Parse()
	page, err := compare(*lint, *tools, *rules)
	if err != nil {
		fmt.Fprintln(os.Stderr, "compared:", err)
		os.Exit(1)
	}
	fmt.Print(page)
}

type bench struct{ dir, lint, cue, conftest string }

func compare(lint, tools, rules string) (string, error) {
	dir, err := os.MkdirTemp("", "lcm-compared-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(dir)
	b := bench{dir: dir}
	for name, at := range map[string]*string{lint: &b.lint, filepath.Join(tools, "cue"): &b.cue, filepath.Join(tools, "conftest"): &b.conftest} {
		if *at, err = filepath.Abs(name); err != nil {
			return "", err
		}
		if _, err := os.Stat(*at); err != nil {
			return "", fmt.Errorf("%w: make compared builds it", err)
		}
	}
	text, err := os.ReadFile(rules)
	if err != nil {
		return "", err
	}
	if err := errors.Join(os.CopyFS(filepath.Join(dir, "schemas"), lcmcue.Files()), os.WriteFile(filepath.Join(dir, "rules.rego"), text, 0o644)); err != nil {
		return "", err
	}
	var out strings.Builder
	out.WriteString(head)
	for n, m := range mistakes {
		if err := b.show(&out, n+1, m.rule, m.title); err != nil {
			return "", fmt.Errorf("%s: %w", m.rule, err)
		}
	}
	return out.String(), nil
}

const head = `# Messages compared

Typical mistakes, and what ` + "`lcm-lint`" + ` prints, beside ` + "`cue vet`" + ` and ` + "`conftest test`" + ` on the same file: ` + "`cue`" + ` with the definitions of this project
(` + "`schemas/cue/`" + `, by the kind of the document), ` + "`conftest`" + ` with those of its rules that one file can be judged by (` + "`bench/rules/`" + `). "Nothing" means that the tool is
content: much of this spans files, which neither sees. Written by ` + "`make compared`" + ` from the examples in the [catalogue of rules](rules.md).
`

func (b bench) show(out *strings.Builder, n int, id, title string) error {
	r, ok := rule.Find(id)
	if !ok || r.Bad == nil {
		return errors.New("there is no such rule, or no example of it")
	}
	repository, err := r.Bad.Repository()
	if err != nil {
		return err
	}
	name := fmt.Sprintf("acme-%d", n)
	if err := repository.Write(filepath.Join(b.dir, name)); err != nil {
		return err
	}
	bad, _, err := r.Panes()
	if err != nil {
		return err
	}
	findings, err := b.run(name, b.lint, "--color", "never", ".")
	if err != nil {
		return err
	}
	if !strings.Contains(findings, id+":") {
		return fmt.Errorf("lcm-lint says %s", findings)
	}
	file, _, _ := strings.Cut(findings, ":")
	fmt.Fprintf(out, "\n## %d. %s\n", n, title)
	for _, p := range bad {
		note := p.File
		if p.Note != "" {
			note += " (" + p.Note + ")"
		}
		fmt.Fprintf(out, "\n`%s`\n", note)
		if p.Text != "" {
			fmt.Fprintf(out, "\n```yaml\n%s\n```\n", strings.TrimRight(p.Text, "\n"))
		}
	}
	lines := strings.Split(strings.TrimSpace(findings), "\n")
	printed(out, "lcm-lint", strings.Join(lines[:len(lines)-min(2, len(lines)-1)], "\n"), name)
	if filepath.Ext(file) == ".yaml" {
		vet, err := b.run(name, b.cue, append([]string{"vet", "-c", "-d", definition(repository[file].Data, file)}, append(b.schemas(), file)...)...)
		if err != nil {
			return err
		}
		printed(out, "cue vet", vet, name)
		test, err := b.run(name, b.conftest, "test", "--no-color", "-p", "../rules.rego", file)
		if err != nil {
			return err
		}
		printed(out, "conftest", test, name)
	} else {
		out.WriteString("\n**cue vet**, **conftest**: they do not read such files.\n")
	}
	return nil
}

func (b bench) schemas() []string {
	files, _ := filepath.Glob(filepath.Join(b.dir, "schemas", "*.cue"))
	for i, f := range files {
		files[i] = "../schemas/" + filepath.Base(f)
	}
	return files
}

var kindLine = regexp.MustCompile(`(?m)^kind: *(\w+)`)

// definition is the one that a person would choose for a file.
func definition(text []byte, file string) string {
	if m := kindLine.FindSubmatch(text); m != nil && file != ".sops.yaml" {
		return "#" + string(m[1])
	}
	return map[string]string{"lcm.yaml": "#Repository", ".sops.yaml": "#SealRules"}[file] + ""
}

// run runs a program in a folder; that it finds something is no error.
func (b bench) run(folder, program string, args ...string) (string, error) {
	ctx, stop := context.WithTimeout(context.Background(), timeout)
	defer stop()
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir = filepath.Join(b.dir, folder)
	cmd.Env = append(os.Environ(), "NO_COLOR=1")
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	if errors.As(err, new(*exec.ExitError)) {
		err = nil
	}
	return strings.ReplaceAll(out.String(), b.dir+"/", ""), err
}

// most is how many lines of an answer are shown.
const most = 12

var contentWith = regexp.MustCompile(`(?m)^\d+ tests?, \d+ passed, 0 warnings, 0 failures, 0 exceptions$`)

func printed(out *strings.Builder, who, text, folder string) {
	text = strings.TrimSpace(strings.ReplaceAll(text, folder+"/", ""))
	if contentWith.MatchString(text) && !strings.Contains(text, "FAIL") {
		text = ""
	}
	if text == "" {
		fmt.Fprintf(out, "\n**%s**: nothing.\n", who)
		return
	}
	lines := strings.Split(text, "\n")
	if len(lines) > most {
		lines = append(lines[:most], fmt.Sprintf("… and %d lines more", len(lines)-most))
	}
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " \t")
	}
	fmt.Fprintf(out, "\n**%s**\n\n```\n%s\n```\n", who, strings.Join(lines, "\n"))
}
