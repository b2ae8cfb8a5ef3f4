package schema

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	validator "github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/llm-config-manager/lcm/internal/jsonschema"
	"github.com/llm-config-manager/lcm/internal/lcm"
	lcmcue "github.com/llm-config-manager/lcm/schemas/cue"
)

// The JSON Schema that editors are given says of every document what CUE says: of valid ones, of each mistake
// of the table, and of a document with any one of its fields taken away, replaced, or joined by another.
func TestJSONSchemaAgrees(t *testing.T) {
	s, findings := New(nil)
	if len(findings) > 0 {
		t.Fatal(findings)
	}
	cases := 0
	agree := func(t *testing.T, v *validator.Schema, of string, doc map[string]any, what string) {
		t.Helper()
		cases++
		var cue []Violation
		if _, ok := full[of]; ok {
			cue = s.Check(lcm.Kind(of), doc)
		} else {
			cue = s.CheckSettings(of, doc)
		}
		err := v.Validate(plainJSON(t, doc))
		if (err == nil) != (len(cue) == 0) {
			t.Errorf("%s, %s: CUE says %+v, JSON Schema %v", of, what, cue, err)
		}
	}
	all := maps.Clone(full)
	maps.Copy(all, fullSettings)
	for _, of := range sortedKeys(all) {
		t.Run(of, func(t *testing.T) {
			v, doc := validatorOf(t, of), parse(t, all[of])
			agree(t, v, of, doc, "as it is")
			if n := len(s.Check(lcm.Kind(of), doc)); n > 0 && full[of] != "" {
				t.Fatal("the full document is not valid")
			}
			for _, m := range mistakes {
				if m.of == of {
					agree(t, v, of, change(t, doc, m.edit), m.edit)
				}
			}
			mutations(doc, func(what string, changed map[string]any) { agree(t, v, of, changed, what) })
		})
	}
	t.Logf("%d documents", cases)
}

// The examples of the reference pages are valid, in both.
func TestExamplesOfPagesAreValid(t *testing.T) {
	s, _ := New(nil)
	files, err := filepath.Glob("../jsonschema/pages/examples/*.yaml")
	if err != nil || len(files) < 15 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		of, doc := strings.TrimSuffix(filepath.Base(file), ".yaml"), parse(t, string(text))
		var cue []Violation
		if _, ok := full[of]; ok {
			cue = s.Check(lcm.Kind(of), doc)
		} else {
			cue = s.CheckSettings(of, doc)
		}
		if err := validatorOf(t, of).Validate(plainJSON(t, doc)); err != nil || len(cue) > 0 {
			t.Errorf("%s: %+v, %v", file, cue, err)
		}
	}
}

func validatorOf(t *testing.T, of string) *validator.Schema {
	t.Helper()
	d, err := jsonschema.Read(lcmcue.Files())
	if err != nil {
		t.Fatal(err)
	}
	text, err := d.Schema("#" + of)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := validator.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	c := validator.NewCompiler()
	if err := c.AddResource("schema.json", raw); err != nil {
		t.Fatal(err)
	}
	v, err := c.Compile("schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func plainJSON(t *testing.T, doc map[string]any) any {
	t.Helper()
	text, err := json.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	v, err := validator.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// mutations tells every document that differs from one in one place.
func mutations(doc map[string]any, tell func(what string, changed map[string]any)) {
	visit(doc, nil, func(path []string, value any) {
		name := strings.Join(path, ".")
		tell("without "+name, edited(doc, path, func(parent map[string]any, key string) { delete(parent, key) }))
		for _, other := range []any{int64(7), int64(-3), 0.5, "zz zz", "", true, map[string]any{}, []any{}, []any{map[string]any{}}, nil} {
			tell(fmt.Sprintf("%s = %v", name, other), edited(doc, path, func(parent map[string]any, key string) { parent[key] = other }))
		}
		if _, ok := value.(map[string]any); ok {
			tell("more in "+name, edited(doc, append(slices.Clone(path), "Un Known"), func(parent map[string]any, key string) { parent[key] = "x" }))
		}
	})
}

// visit calls f for what stands in mappings, however deep.
func visit(v any, path []string, f func([]string, any)) {
	switch v := v.(type) {
	case map[string]any:
		for _, k := range sortedKeys(v) {
			below := append(slices.Clone(path), k)
			f(below, v[k])
			visit(v[k], below, f)
		}
	case []any:
		for i := range v {
			visit(v[i], append(slices.Clone(path), fmt.Sprint(i)), f)
		}
	}
}

func edited(doc map[string]any, path []string, edit func(map[string]any, string)) map[string]any {
	out := clone(doc).(map[string]any)
	parent, _ := at(out, path[:len(path)-1])
	edit(parent.(map[string]any), path[len(path)-1])
	return out
}
