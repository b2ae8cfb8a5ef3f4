package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/llm-config-manager/lcm/internal/diag"
	"github.com/llm-config-manager/lcm/internal/jsonschema"
	"github.com/llm-config-manager/lcm/internal/schema"
	"github.com/llm-config-manager/lcm/internal/strictyaml"
	lcmcue "github.com/llm-config-manager/lcm/schemas/cue"
)

// Files of the test: a configuration with every setting, others with those that exclude some of it, and wrong values with
// what is told of them.
const (
	settingsDir = "testdata/settings"
	wrongValues = settingsDir + "/wrong.txt"
)

// settingsBench has every setting of reconciler.yaml, and configurations in which they are right.
type settingsBench struct {
	t      *testing.T
	schema *schema.Schema
	all    []jsonschema.Setting
	base   map[string]any // by file; a path is looked for in each
}

func newSettingsBench(t *testing.T) *settingsBench {
	t.Helper()
	for _, name := range []string{"LCM_TEST_ROLE_ID", "LCM_TEST_PASSWORD", "LCM_TEST_TOKEN"} {
		t.Setenv(name, "canary")
	}
	d, err := jsonschema.Read(lcmcue.Files())
	if err != nil {
		t.Fatal(err)
	}
	s, findings := schema.New(nil)
	if s == nil {
		t.Fatal(findings)
	}
	b := &settingsBench{t: t, schema: s, base: map[string]any{}}
	all, _, err := d.Settings("#Daemon")
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range all {
		if !strings.HasPrefix(s.Path, "repositories[].") { // as of repository
			b.all = append(b.all, s)
		}
	}
	files, err := filepath.Glob(settingsDir + "/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		b.base[file] = b.parse(file, read(t, file)).Value
		if _, err := loadConfig(file); err != nil {
			t.Errorf("%s is to be right: %v", file, err)
		}
	}
	return b
}

func (b *settingsBench) parse(file, text string) *strictyaml.Document {
	b.t.Helper()
	doc, findings := strictyaml.Parse(file, []byte(text))
	if doc == nil {
		b.t.Fatal(findings)
	}
	return doc
}

// find returns a configuration that has a path, as words. Of the targets, which take the time, it has one.
func (b *settingsBench) find(path string) (any, []string) {
	words := strings.Split(path, ".")
	for _, file := range slices.Sorted(maps.Keys(b.base)) {
		if _, ok := at(b.base[file], words); !ok {
			continue
		}
		targets := b.base[file].(map[string]any)["targets"].(map[string]any)
		name := slices.Min(slices.Collect(maps.Keys(targets)))
		if words[0] == "targets" && len(words) > 1 {
			name = words[1]
		}
		return with(b.base[file], []string{"targets"}, map[string]any{name: targets[name]}, false), words
	}
	return nil, words
}

func at(v any, words []string) (any, bool) {
	for _, w := range words {
		switch x := v.(type) {
		case map[string]any:
			next, ok := x[w]
			if !ok {
				return nil, false
			}
			v = next
		case []any:
			i, err := strconv.Atoi(w)
			if err != nil || i >= len(x) {
				return nil, false
			}
			v = x[i]
		default:
			return nil, false
		}
	}
	return v, true
}

// with is a copy of a configuration with another value at a path; without is one that lacks it.
func with(v any, words []string, value any, without bool) any {
	if len(words) == 0 {
		return value
	}
	switch x := v.(type) {
	case map[string]any:
		out := maps.Clone(x)
		if len(words) == 1 && without {
			delete(out, words[0])
		} else {
			out[words[0]] = with(x[words[0]], words[1:], value, without)
		}
		return out
	case []any:
		out := slices.Clone(x)
		i, _ := strconv.Atoi(words[0])
		out[i] = with(x[i], words[1:], value, without)
		return out
	}
	return v
}

// findings are those of a configuration, and the configuration as it was read.
func (b *settingsBench) findings(config any) ([]diag.Finding, *strictyaml.Document) {
	b.t.Helper()
	text, err := json.MarshalIndent(config, "", " ")
	if err != nil {
		b.t.Fatal(err)
	}
	file := filepath.Join(b.t.TempDir(), "reconciler.yaml")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		b.t.Fatal(err)
	}
	_, findings, err := readConfigBy(b.schema, file)
	if err != nil {
		b.t.Error(err)
	}
	return findings, b.parse(file, string(text))
}

// concrete lists the paths in the configurations that are of a setting.
func (b *settingsBench) concrete(s jsonschema.Setting) (paths []string) {
	for _, file := range slices.Sorted(maps.Keys(b.base)) {
		for _, as := range []string{s.Path, strings.Replace(s.Path, "repository.", "repositories[].", 1)} {
			for _, path := range pathsOf(b.base[file], strings.Split(strings.ReplaceAll(as, "[].", ".[]."), "."), nil) {
				if b.applies(b.base[file], s, path) {
					paths = append(paths, strings.Join(path, "."))
				}
			}
		}
	}
	return paths
}

func pathsOf(v any, words, so []string) (out [][]string) {
	if len(words) == 0 {
		return [][]string{so}
	}
	switch x := v.(type) {
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(x)) {
			if key == words[0] || strings.HasPrefix(words[0], "<") {
				out = append(out, pathsOf(x[key], words[1:], append(slices.Clone(so), key))...)
			}
		}
	case []any:
		for i := range x {
			if words[0] == "[]" {
				out = append(out, pathsOf(x[i], words[1:], append(slices.Clone(so), strconv.Itoa(i)))...)
			}
		}
	}
	return out
}

var condition = regexp.MustCompile("`([^`]+)` is ((?:(?:, | or )?`[^`]+`)+)")

// applies reports whether the conditions of a setting hold where a path leads.
func (b *settingsBench) applies(config any, s jsonschema.Setting, path []string) bool {
	for _, c := range s.Under {
		for _, m := range condition.FindAllStringSubmatch(c, -1) {
			on := strings.Split(strings.ReplaceAll(m[1], "[].", ".[]."), ".")
			for i := range on {
				if strings.HasPrefix(on[i], "<") || on[i] == "[]" {
					on[i] = path[i]
				}
			}
			if v, _ := at(config, on); !strings.Contains(m[2], fmt.Sprintf("`%v`", v)) {
				return false
			}
		}
	}
	return true
}

// wrongValue is a line of wrong.txt with what follows it.
type wrongValue struct {
	path, value string
	told        []string // rule and message of each finding
}

func readWrongValues(t *testing.T) (comment string, all []*wrongValue) {
	t.Helper()
	for line := range strings.Lines(read(t, wrongValues)) {
		line = strings.TrimRight(line, "\n")
		path, value, ok := strings.Cut(line, " = ")
		switch {
		case strings.HasPrefix(line, "#"):
			comment += line + "\n"
		case line == "":
		case strings.HasPrefix(line, "  ") && len(all) > 0:
			all[len(all)-1].told = append(all[len(all)-1].told, strings.TrimPrefix(line, "  "))
		case ok:
			all = append(all, &wrongValue{path: path, value: value})
		default:
			t.Fatalf("%s: %q is neither `path = value` nor, indented, what is told of it", wrongValues, line)
		}
	}
	return comment, all
}

// TestWrongValues: each wrong value is told where it stands, with what would be right. CONTRIBUTING.md says how to add one.
func TestWrongValues(t *testing.T) {
	b := newSettingsBench(t)
	comment, all := readWrongValues(t)
	update := os.Getenv("LCM_UPDATE_SCRIPTS") != ""
	for _, w := range all {
		t.Run(w.path+"="+w.value, func(t *testing.T) {
			config, words := b.find(w.path)
			if config == nil {
				t.Fatalf("no file in %s has the setting %s", settingsDir, w.path)
			}
			value, _ := at(b.parse("wrong.txt", "value: "+w.value+"\n").Value, []string{"value"})
			findings, doc := b.findings(with(config, words, value, false))
			var told []string
			placed := false
			for _, f := range findings {
				told = append(told, f.Rule+": "+strings.ReplaceAll(f.Message, filepath.Dir(doc.File), "DIR"))
				placed = placed || within(doc, words, value, f.Position)
			}
			if !placed {
				t.Errorf("no finding is at %s, where the value stands: %v", doc.Position(words...), findings)
			}
			if !update && !slices.Equal(told, w.told) {
				t.Errorf("told\n  %s\nand not\n  %s", strings.Join(told, "\n  "), strings.Join(w.told, "\n  "))
			}
			w.told = told
		})
	}
	if update && !t.Failed() {
		for _, w := range all {
			comment += "\n" + w.path + " = " + w.value + "\n"
			for _, told := range w.told {
				comment += "  " + told + "\n"
			}
		}
		if err := os.WriteFile(wrongValues, []byte(comment), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// within reports whether a place is that of a value, of its key, or in it.
func within(doc *strictyaml.Document, words []string, value any, p diag.Position) bool {
	if p == doc.Position(words...) || p == doc.KeyPosition(words...) {
		return true
	}
	switch x := value.(type) {
	case []any:
		for i := range x {
			if within(doc, append(slices.Clone(words), strconv.Itoa(i)), x[i], p) {
				return true
			}
		}
	case map[string]any:
		for key := range x {
			if within(doc, append(slices.Clone(words), key), x[key], p) {
				return true
			}
		}
	}
	return false
}

// TestEverySetting: each setting that the schema knows is right somewhere in testdata/settings, has a wrong value in wrong.txt,
// is refused as the wrong type, and is missed where it is required.
func TestEverySetting(t *testing.T) {
	b := newSettingsBench(t)
	_, all := readWrongValues(t)
	for _, s := range b.all {
		name := s.Path
		if len(s.Under) > 0 {
			name += " where " + s.Under[len(s.Under)-1]
		}
		t.Run(name, func(t *testing.T) {
			paths := b.concrete(s)
			if len(paths) == 0 {
				t.Fatalf("no file in %s has the setting %s: add it there, with a value that is right", settingsDir, name)
			}
			if s.Leaf() && !slices.ContainsFunc(all, func(w *wrongValue) bool { return slices.Contains(paths, w.path) }) {
				t.Errorf("%s has no value for %s, as one of %v: add one that is wrong, and what is told of it", wrongValues, name, paths)
			}
			config, words := b.find(paths[0])
			var odd any = []any{map[string]any{}}
			findings, doc := b.findings(with(config, words, odd, false))
			if !slices.ContainsFunc(findings, func(f diag.Finding) bool { return within(doc, words, odd, f.Position) }) {
				t.Errorf("%s: a list of an empty mapping is not refused where it stands, at %s: %v", paths[0], doc.Position(words...), findings)
			}
			if !s.Required {
				return
			}
			findings, doc = b.findings(with(config, words, nil, true))
			last, around := words[len(words)-1], doc.Position(words[:len(words)-1]...)
			if !slices.ContainsFunc(findings, func(f diag.Finding) bool {
				return f.Line == around.Line && strings.HasPrefix(f.Message, last+" is missing")
			}) {
				t.Errorf("%s: that it is missing is not told at %s: %v", paths[0], around, findings)
			}
		})
	}
}
