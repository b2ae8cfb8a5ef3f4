package dotprompt

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/llm-config-manager/lcm/internal/strictyaml"
)

func FuzzFrontMatter(f *testing.F) {
	for _, s := range []string{"", "text", "---\n---\n", "---\na: 1\n---\n\n x \n", "# c\n\n---\r\na: 1\r\n---\r\nx", "---", "---\na", "--- \n---\t\nx", "#\n---\n---", "x\n---\n---\n"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		p := Split(data)
		if p.Front < 0 || p.End < 0 || p.Begin < 0 || p.Finish > len(data) || p.Begin > p.Finish || p.Front > len(data) || p.End > p.Begin {
			t.Fatalf("%+v of %d bytes", p, len(data))
		}
		text := data[p.Begin:p.Finish]
		switch {
		case p.Found && p.Unclosed:
			t.Fatal("both found and unclosed")
		case p.Unclosed && !bytes.HasPrefix(data[p.Front:], []byte("---")):
			t.Fatal("it does not begin where it should")
		case !p.Found && !bytes.Equal(text, data):
			t.Fatal("without front matter all is the template")
		}
		if !p.Found {
			return
		}
		again := append([]byte("---\n"), data[p.Front:p.End]...)
		again = append(append(again, "---\n"...), text...)
		q := Split(again)
		if !q.Found || !bytes.Equal(again[q.Front:q.End], data[p.Front:p.End]) || !bytes.Equal(again[q.Begin:q.Finish], text) {
			t.Fatalf("written and read again: %q", again)
		}
	})
}

func FuzzPicoschema(f *testing.F) {
	for _, s := range []string{
		"string, what", "{a: string, b?: number, c(array, list): {d: any}}", "{a?(enum, x): [1, two, null]}", "{(*): integer}", "{type: object, properties: {a: {type: [string, 'null']}}, required: [a]}",
		"{properties: {a: {enum: [1]}, b: {anyOf: [{type: string}, true]}}}", "{a(object): string}", "{a(: x}", "{type: array, items: {type: number, minimum: 0}, minItems: 1}", "[a]", "7", "{a: {type: string}}",
		"{type: any}", "{type: string, pattern: x}", "{a(array): Foo}",
	} {
		f.Add(s, `{"a": 1, "b": [null, {"c": "x"}]}`)
	}
	f.Fuzz(func(t *testing.T, text, value string) {
		doc, _ := strictyaml.Parse("f", []byte(text))
		if doc == nil {
			return
		}
		before, _ := json.Marshal(doc.Value)
		schema, problems := Schema(doc.Value, map[string]any{"Foo": map[string]any{"type": "string"}})
		if after, _ := json.Marshal(doc.Value); !bytes.Equal(before, after) {
			t.Fatal("what was handed in changed")
		}
		wrong := false
		for _, p := range problems {
			wrong = wrong || !p.Warning
			doc.KeyPosition(p.Path...)
		}
		if (schema == nil) != wrong {
			t.Fatalf("%v with %v", schema, problems)
		}
		if schema == nil {
			return
		}
		var v any
		if json.Unmarshal([]byte(value), &v) == nil {
			Validate(schema, v)
		}
		if !jsonSchema(schema) {
			return
		}
		again, problems := Schema(schema, nil)
		for _, p := range problems {
			if !p.Warning {
				t.Fatalf("the schema %v is refused: %v", schema, p)
			}
		}
		if !reflect.DeepEqual(schema, again) {
			t.Fatalf("%v, read again %v", schema, again)
		}
	})
}

func FuzzRender(f *testing.F) {
	for _, text := range templates {
		f.Add(text, "{{a}} {{> p}}", `{"a": [{"b": 1}, 2], "b": {"c": "x"}}`)
	}
	f.Add("{{#each a}}{{#each ..}}{{> p this x=@key}}{{/each}}{{/each}}", "  {{> p}}\n{{role x}}", `{"a": [1, 2, 3]}`)
	f.Fuzz(func(t *testing.T, text, partial, input string) {
		template, _ := Parse(text)
		inner, _ := Parse(partial)
		var in map[string]any
		if template == nil || inner == nil || json.Unmarshal([]byte(input), &in) != nil {
			return
		}
		s := Set{Template: template, Partials: map[string]*Template{"p": inner}}
		out, err := s.Render(t.Context(), Input{Values: in})
		again, _ := s.Render(t.Context(), Input{Values: in})
		if !reflect.DeepEqual(out, again) {
			t.Fatal("it renders to this and that")
		}
		if wrong := new(RenderError); errors.As(err, &wrong) {
			if whole := map[string]string{"": text, "p": partial}[wrong.Partial]; wrong.At < 0 || wrong.At > len(whole) || strings.Contains(wrong.Message, "\n") {
				t.Fatalf("%+v", wrong)
			}
		} else if err != nil && !errors.Is(err, ErrLimit) {
			t.Fatal(err)
		}
		for _, m := range out {
			if len(m.Content) == 0 {
				t.Fatal("a message without content")
			}
		}
		for _, v := range []Variables{{}, {Schema: map[string]any{"type": "object", "properties": map[string]any{"a": map[string]any{"type": "array"}}}}} {
			for _, p := range s.Check(v).Problems {
				if p.At < 0 || p.At > len(text) {
					t.Fatalf("%+v of %d bytes", p, len(text))
				}
			}
		}
	})
}
