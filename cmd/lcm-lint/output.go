package main

import (
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"github.com/llm-config-manager/lcm/internal/check"
	"github.com/llm-config-manager/lcm/internal/diag"
)

var (
	formats = []string{"text", "json", "sarif", "github", "junit"}
	colors  = []string{"auto", "always", "never"}
)

func (o options) check() error {
	if !slices.Contains(formats, o.format) {
		return fmt.Errorf("--format is %s, not %q", orWords(formats), o.format)
	}
	if !slices.Contains(colors, o.color) {
		return fmt.Errorf("--color is %s, not %q", orWords(colors), o.color)
	}
	return nil
}

func orWords(words []string) string {
	last := len(words) - 1
	return strings.Join(words[:last], ", ") + " or " + words[last]
}

// write prints findings. Their files are named as they are found from here; in SARIF from the root of the
// repository, which is where code scanning looks for them.
func (o options) write(w io.Writer, fsys overlay, dir string, findings []diag.Finding, scope *diag.Scope) error {
	tool := diag.Tool{Name: "lcm-lint", Version: version(), URL: "https://github.com/llm-config-manager/lcm", Rule: aboutRule(fsys)}
	if o.format == "sarif" {
		return diag.SARIF(w, tool, findings)
	}
	named := make([]diag.Finding, len(findings))
	inside := map[string]string{}
	for i, f := range findings {
		named[i] = f
		named[i].File = fsys.path(filepath.ToSlash(dir), f.File)
		inside[named[i].File] = f.File
	}
	switch o.format {
	case "json":
		return diag.JSON(w, tool, named, scope)
	case "github":
		return diag.GitHub(w, named)
	case "junit":
		return diag.JUnit(w, tool, named)
	}
	if o.color == "always" || o.color == "auto" && diag.Colourful(w) {
		lines := source{fsys: fsys}
		return diag.Terminal(w, named, true, func(file string, n int) (string, bool) { return lines.line(inside[file], n) })
	}
	return diag.Text(w, named)
}

// source reads lines for people to look at, one file at a time: findings come sorted by file.
type source struct {
	fsys  fs.FS
	file  string
	lines []string
}

// maxShown bounds what is read of a file to show lines of it, in bytes.
const maxShown = 4 << 20

func (s *source) line(file string, n int) (string, bool) {
	if file != s.file {
		s.file, s.lines = file, nil
		if info, err := fs.Stat(s.fsys, file); err == nil && info.Mode().IsRegular() && info.Size() <= maxShown {
			data, _ := fs.ReadFile(s.fsys, file)
			s.lines = strings.Split(string(data), "\n")
		}
	}
	if n < 1 || n > len(s.lines) || !check.Showable(file, s.lines[n-1]) {
		return "", false
	}
	return s.lines[n-1], true
}

func tally(fs []diag.Finding) string {
	errs := 0
	for _, f := range fs {
		if f.Severity == diag.Error {
			errs++
		}
	}
	return count(errs, "error") + ", " + count(len(fs)-errs, "warning")
}

func count(n int, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return fmt.Sprint(n, " ", noun)
}
