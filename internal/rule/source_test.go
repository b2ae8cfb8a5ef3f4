package rule

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/llm-config-manager/lcm/internal/leak"
	"github.com/llm-config-manager/lcm/internal/policy"
)

// notRules are literals that look like ids and are none.
var notRules = map[string]bool{
	"secret/config": true, "secret/data": true, "secret/destroy": true, "secret/metadata": true, "secret/other": true, // paths in Vault
}

// emitted lists the ids that the code can emit, each with where it stands: literals in Go that begin with the name
// of a group, the built-in Rego, and the forms of credentials.
func emitted(t *testing.T) map[string]string {
	t.Helper()
	out := map[string]string{}
	for _, dir := range []string{"internal", "cmd"} {
		for _, file := range sources(t, dir) {
			for _, text := range literals(t, file) {
				if isID(text) && !notRules[text] {
					out[text] = file
				}
			}
		}
	}
	rules, err := policy.Rules()
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rules {
		out[r.ID] = "policies/rego"
	}
	for _, r := range leak.Rules() {
		out[r.ID] = "internal/leak"
	}
	return out
}

var id = regexp.MustCompile(`^([a-z]+)(/[a-z0-9-]+)+$`)

func isID(text string) bool {
	m := id.FindStringSubmatch(text)
	return m != nil && slices.ContainsFunc(Groups(), func(g Group) bool { return g.Name == m[1] })
}

// sources lists the Go files below a folder that are part of the programs.
func sources(t *testing.T, dir string) (files []string) {
	t.Helper()
	err := filepath.WalkDir(filepath.Join(root, dir), func(name string, d fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(name, ".go") && !strings.HasSuffix(name, "_test.go") && !strings.Contains(name, "testdata") {
			files = append(files, name)
		}
		return err
	})
	if err != nil || len(files) == 0 {
		t.Fatal(err, files)
	}
	return files
}

func literals(t *testing.T, file string) (out []string) {
	t.Helper()
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(parsed, func(n ast.Node) bool {
		if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
			if text, err := strconv.Unquote(lit.Value); err == nil {
				out = append(out, text)
			}
		}
		return true
	})
	return out
}

// shows reports what keeps a test from showing a rule: it does not exist, or its file does not name the rule, by its
// id or by the constant that stands for it.
func shows(t *testing.T, id, name string) error {
	dir, function, isGo := strings.Cut(name, " ")
	if !isGo {
		if text := read(t, name); !strings.Contains(text, id) && !strings.Contains(text, path.Base(id)) {
			return errors.New("does not name the rule")
		}
		return nil
	}
	files, _ := filepath.Glob(filepath.Join(root, dir, "*_test.go"))
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		if !strings.Contains(string(data), "\nfunc "+function+"(") {
			continue
		}
		if names := append(constants(t, dir, id), id); !slices.ContainsFunc(names, func(n string) bool { return strings.Contains(string(data), n) }) {
			return fmt.Errorf("%s names none of %s", file, names)
		}
		return nil
	}
	return errors.New("there is no such test")
}

// constants lists the names that a package gives to an id.
func constants(t *testing.T, dir, id string) (names []string) {
	t.Helper()
	files, _ := filepath.Glob(filepath.Join(root, dir, "*.go"))
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`(\w+)\s+= "`+regexp.QuoteMeta(id)+`"`).FindAllSubmatch(data, -1) {
			names = append(names, string(m[1]))
		}
	}
	return names
}
