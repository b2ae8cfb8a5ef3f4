package check

import (
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"go.yaml.in/yaml/v3"

	"github.com/llm-config-manager/lcm/internal/dotprompt"
	"github.com/llm-config-manager/lcm/internal/rule"
)

// unsupported lists the cases of the public specification that a repository does not take, though internal/dotprompt
// renders all of them as they should be, with the rules that tell so and why.
var unsupported = map[string]struct{ rules, why string }{
	"metadata.yaml: raw":                                 {"prompt/unknown-field", "fields without a namespace are those of the specification"},
	"metadata.yaml: ext":                                 {"prompt/template", "a prompt without a text is a mistake"},
	"partials.yaml: partial_with_context":                {"layout/name prompt/partial", "partials are files, whose names have small letters alone"},
	"partials.yaml: nested_resolved_partial":             {"layout/name prompt/partial", "the same"},
	"partials.yaml: partial_with_license_header":         {"layout/name prompt/partial", "the same"},
	"partials.yaml: partial_with_hash_comment":           {"layout/name prompt/partial", "the same"},
	"picoschema.yaml: input_and_output":                  {"prompt/schema", "the input names variables: it is a mapping"},
	"picoschema.yaml: line_endings_crlf":                 {"prompt/schema", "the same"},
	"picoschema.yaml: named_schema_override_description": {"prompt/schema", "named schemas are the application's: nothing in a repository holds them"},
	"picoschema.yaml: nested_named_schema":               {"prompt/schema", "the same"},
}

// The linter says nothing of the specification's prompts, but for those that are listed above.
func TestSpecificationPrompts(t *testing.T) {
	dir, set := os.LookupEnv("LCM_DOTPROMPT_SPEC")
	if !set {
		dir = "../../../shared/dotprompt-spec"
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.yaml"))
	more, _ := filepath.Glob(filepath.Join(dir, "helpers", "*.yaml"))
	if len(files) == 0 && err == nil {
		err = fs.ErrNotExist
	}
	if errors.Is(err, fs.ErrNotExist) && !set {
		t.Skip("the specification's cases are not here: say in LCM_DOTPROMPT_SPEC where its folder spec/ lies")
	} else if err != nil {
		t.Fatal(err)
	}
	var packs Packs
	seen := map[string]bool{}
	for _, file := range append(files, more...) {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var suites []struct {
			Name, Template   string
			Partials         map[string]string
			ResolverPartials map[string]string `yaml:"resolverPartials"`
		}
		if err := yaml.Unmarshal(data, &suites); err != nil {
			t.Fatal(err)
		}
		name, _ := filepath.Rel(dir, file)
		for _, s := range suites {
			partials := map[string]string{}
			maps.Copy(partials, s.Partials)
			maps.Copy(partials, s.ResolverPartials)
			at := filepath.ToSlash(name) + ": " + s.Name
			seen[at] = true
			got := rulesOf(t, &packs, promptRepository(s.Template, partials, at != "metadata.yaml: ext"))
			if want := unsupported[at].rules; got != want {
				t.Errorf("%s: %q, want %q (%s)", at, got, want, unsupported[at].why)
			}
		}
	}
	for at := range unsupported {
		if !seen[at] {
			t.Errorf("there is no %s", at)
		}
	}
}

// promptRepository puts a prompt of the specification into a repository, with the version that we require. One without
// front matter declares all variables. Where only the front matter matters, the template is a word.
func promptRepository(text string, partials map[string]string, filled bool) fstest.MapFS {
	const dir, front = "namespaces/acme/shop/chat/base/", "---\nlcm.version: 1.0.0\nlcm.owner: team-chat\n"
	m := mapFS(rule.Base())
	if p := dotprompt.Split([]byte(text)); p.Found {
		template := text[p.Begin:p.Finish]
		if template == "" && filled {
			template = "text"
		}
		text = front + text[p.Front:p.End] + "---\n" + template
	} else {
		text = front + "input: {schema: {(*): any}}\n---\n" + text
	}
	m[dir+"spec.prompt"] = &fstest.MapFile{Data: []byte(text), Mode: 0o644}
	for name, partial := range partials {
		m[dir+"_"+name+".prompt"] = &fstest.MapFile{Data: []byte(partial), Mode: 0o644}
	}
	return m
}

// rulesOf lists the rules of which there is a finding, each with a message.
func rulesOf(t *testing.T, packs *Packs, m fstest.MapFS) string {
	t.Helper()
	findings, _, err := packs.Since(t.Context(), m, nil)
	if err != nil {
		t.Fatal(err)
	}
	rules := map[string]bool{}
	for _, f := range findings {
		rules[f.Rule] = true
		if len(f.Message) < 20 {
			t.Error(f)
		}
	}
	return strings.Join(slices.Sorted(maps.Keys(rules)), " ")
}
