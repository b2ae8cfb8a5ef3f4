package dotprompt

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"github.com/llm-config-manager/lcm/internal/strictyaml"
)

// specDirVariable says where the folder spec/ of the public specification lies. Where it is set, as in CI, the
// cases must be there. TestRender holds the same facts in cases of our own, which are always there.
const specDirVariable = "LCM_DOTPROMPT_SPEC"

// specFiles are the files of the specification, as of commit aa4bf021.
var specFiles = []string{"metadata.yaml", "partials.yaml", "picoschema.yaml", "unicode.yaml", "variables.yaml", "whitespace.yaml", "helpers/history.yaml",
	"helpers/ifEquals.yaml", "helpers/json.yaml", "helpers/media.yaml", "helpers/role.yaml", "helpers/section.yaml", "helpers/unlessEquals.yaml"}

// suite is one entry of the specification's files.
type suite struct {
	Name             string
	Template         string
	Schemas          map[string]any
	ResolverSchemas  map[string]any `yaml:"resolverSchemas"`
	Partials         map[string]string
	ResolverPartials map[string]string `yaml:"resolverPartials"`
	Data             specData
	Tests            []struct {
		Desc    string
		Data    specData
		Options map[string]any
		Expect  map[string]any
	}
}

type specData struct {
	Input    map[string]any
	Context  map[string]any
	Messages []any
}

// specSuites reads the specification's cases, by file and name.
func specSuites(t *testing.T) map[string]suite {
	t.Helper()
	dir := os.Getenv(specDirVariable)
	if dir == "" {
		dir = "../../../shared/dotprompt-spec"
	}
	all := map[string]suite{}
	for _, name := range specFiles {
		data, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(name)))
		if errors.Is(err, fs.ErrNotExist) && os.Getenv(specDirVariable) == "" {
			t.Skipf("the specification's cases are not here: say in %s where its folder spec/ lies", specDirVariable)
		} else if err != nil {
			t.Fatal(err)
		}
		var suites []suite
		if err := yaml.Unmarshal(data, &suites); err != nil {
			t.Fatal(err)
		}
		for _, s := range suites {
			all[name+": "+s.Name] = s
		}
	}
	return all
}

// Every case of the specification renders as it says.
func TestSpecification(t *testing.T) {
	n := 0
	for name, s := range specSuites(t) {
		for _, c := range s.Tests {
			n++
			t.Run(name+": "+c.Desc, func(t *testing.T) { s.run(t, c.Data, c.Options, c.Expect) })
		}
	}
	if n != 117 {
		t.Errorf("%d cases, not 117", n)
	}
}

func (s suite) run(t *testing.T, data specData, options, expect map[string]any) {
	text := []byte(s.Template)
	front, parts := map[string]any{}, Split(text)
	if parts.Found {
		doc, findings := strictyaml.Parse("prompt", text[parts.Front:parts.End])
		if doc == nil {
			t.Fatal(findings)
		}
		front = doc.Map()
	}
	template, problems := parse(string(text[parts.Begin:parts.Finish]))
	if template == nil {
		t.Fatal(problems)
	}
	got := map[string]any{}
	for _, k := range []string{"model", "config"} {
		if v, ok := front[k]; ok && expect[k] != nil {
			got[k] = v
		}
	}
	if expect["raw"] != nil {
		got["raw"] = front
	}
	if expect["ext"] != nil {
		got["ext"] = Extensions(front)
	}
	for _, k := range []string{"input", "output"} {
		if m, ok := front[k].(map[string]any); ok {
			schema, problems := Schema(m["schema"], merged(s.Schemas, s.ResolverSchemas))
			if schema == nil {
				t.Fatal(problems)
			}
			got[k] = map[string]any{"schema": schema}
		}
	}
	values := map[string]any{}
	if in, ok := plain(options)["input"].(map[string]any); ok {
		got["input"] = in
		values = merged(values, in["default"].(map[string]any))
	}
	set := Set{Template: template, Partials: map[string]*Template{}}
	for _, from := range []map[string]string{s.Partials, s.ResolverPartials} {
		for name, text := range from {
			if set.Partials[name], problems = Parse(text); problems != nil {
				t.Fatal(problems)
			}
		}
	}
	in := Input{Values: merged(values, plain(data.Input)), Context: plain(data.Context)}
	for _, m := range append(s.Data.Messages, data.Messages...) {
		in.History = append(in.History, history(m.(map[string]any)))
	}
	out, err := set.Render(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	got["messages"] = out
	if diff := cmp.Diff(plain(expect), plain(got)); diff != "" {
		t.Error(diff)
	}
}

func history(m map[string]any) Message {
	out := Message{Role: m["role"].(string)}
	for _, p := range m["content"].([]any) {
		out.Content = append(out.Content, Part(p.(map[string]any)))
	}
	return out
}

// plain is a value as JSON has it.
func plain(v map[string]any) map[string]any {
	var out map[string]any
	if err := roundTrip(v, &out); err != nil {
		panic(err)
	}
	return out
}

func merged(a, b map[string]any) map[string]any {
	out := map[string]any{}
	for _, m := range []map[string]any{a, b} {
		for k, v := range m {
			out[k] = v
		}
	}
	return out
}

func roundTrip(v, out any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return json.Unmarshal(b, out)
}
