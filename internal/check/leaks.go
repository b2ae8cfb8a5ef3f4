package check

import (
	"io/fs"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/llm-config-manager/lcm/internal/diag"
	"github.com/llm-config-manager/lcm/internal/leak"
	"github.com/llm-config-manager/lcm/internal/strictyaml"
	"github.com/llm-config-manager/lcm/internal/tree"
)

// exceptions is what lcm.yaml says to be no secret. Trust decides who may say so there; nobody can in a
// document itself.
func exceptions(t *tree.Tree) leak.Exceptions {
	if t == nil {
		return nil
	}
	e := leak.Exceptions{}
	for _, n := range t.Settings().NotSecrets {
		e[n.SHA256] = true
	}
	return e
}

// leaked finds credentials in the clear, in a file as it was written.
func (r *Rules) leaked(d *tree.Document) []diag.Finding {
	return r.once("leaks\x00"+d.File, func() []diag.Finding {
		var out []diag.Finding
		if d.YAML != nil {
			out = leaksOf(d.YAML, r.except)
		}
		text, at := d.Template()
		return append(out, leaksIn(text, at, r.except)...)
	})
}

// leaksOf finds credentials in the values, names and comments of a file. Comments are not told apart from
// texts that look like one, so a kind of credential that a value has is not told of a comment too.
func leaksOf(doc *strictyaml.Document, except leak.Exceptions) []diag.Finding {
	var out []diag.Finding
	for _, hit := range leak.Scan(doc.Value, except) {
		out = append(out, leakAt(doc.Position(hit.Path...), hit))
	}
	comments := make([]any, len(doc.Comments))
	for i, c := range doc.Comments {
		comments[i] = c.Text
	}
	for _, hit := range leak.Scan(comments, except) {
		if slices.ContainsFunc(out, func(f diag.Finding) bool { return f.Rule == hit.Rule }) || len(hit.Path) == 0 {
			continue
		}
		c := doc.Comments[line(hit)]
		c.Column += utf8.RuneCountInString(c.Text[:hit.At])
		out = append(out, leakAt(c.Position, hit))
	}
	return out
}

// leaksIn finds credentials in a text that begins at a place.
func leaksIn(text string, at diag.Position, except leak.Exceptions) []diag.Finding {
	hits := leak.Lines(text, except)
	if len(hits) == 0 {
		return nil
	}
	lines := strings.Split(text, "\n")
	var out []diag.Finding
	for _, hit := range hits {
		p, n := at, line(hit)
		if n > 0 {
			p.Line, p.Column = p.Line+n, 1
		}
		p.Column += utf8.RuneCountInString(lines[n][:hit.At])
		out = append(out, leakAt(p, hit))
	}
	return out
}

// line is which of a list of lines a hit is in; the first, if it is in none of them alone.
func line(hit leak.Hit) int {
	if len(hit.Path) == 0 {
		return 0
	}
	n, _ := strconv.Atoi(hit.Path[0])
	return n
}

func leakAt(at diag.Position, hit leak.Hit) diag.Finding {
	if hit.Unsure {
		return diag.Warnf(at, hit.Rule, "%s", hit.Message)
	}
	return diag.Errorf(at, hit.Rule, "%s", hit.Message)
}

// leaksOutside finds credentials in the settings and in the repository's own schemas and policies, which are
// no documents.
func leaksOutside(fsys fs.FS, except leak.Exceptions, own ...map[string][]byte) []diag.Finding {
	var out []diag.Finding
	look := func(file string, data []byte) {
		if utf8.Valid(data) {
			out = append(out, leaksIn(string(data), diag.Position{File: file, Line: 1, Column: 1}, except)...)
		}
	}
	for _, file := range settingsFiles(fsys) {
		if data, err := readFile(fsys, file); err == nil {
			look(file, data)
		}
	}
	for _, set := range own {
		for _, name := range slices.Sorted(maps.Keys(set)) {
			look(name, set[name])
		}
	}
	return out
}
