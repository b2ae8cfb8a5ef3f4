package dotprompt

import (
	"reflect"
	"strings"
	"testing"
)

func TestFill(t *testing.T) {
	v := declare(t, `{"q": "string", "n?": "integer", "xs?(array)": {"a": "number"}, "tone?(enum)": ["kind"]}`)
	v.Default = map[string]any{"tone": "kind"}
	for _, c := range []struct {
		given string
		want  string
	}{
		{`{"q": "x", "n": 7, "xs": [{"a": 1.5}]}`, ""},
		{`{"q": "x", "n": null}`, ""},
		{`{}`, "q is required"},
		{`{"q": 7}`, "q must be a string"},
		{`{"q": "x", "n": 1.5, "xs": [{"b": 1}], "tone": "rude", "z": 1}`,
			"n must be an integer or null; tone must be one of the values of its enum; xs.0.a is required; xs.0.b is not known to the schema; z is not known to the schema"},
	} {
		given, err := ReadJSON([]byte(c.given))
		if err != nil {
			t.Fatal(err)
		}
		all, invalid := v.Fill(given.(map[string]any))
		var got []string
		for _, i := range invalid {
			got = append(got, i.String())
		}
		if s := strings.Join(got, "; "); s != c.want || all["tone"] == nil {
			t.Errorf("%s: %q, want %q", c.given, s, c.want)
		}
	}
}

// The part of JSON Schema that is checked.
func TestValidate(t *testing.T) {
	for _, c := range []struct{ schema, value, want string }{
		{`{"type": "object", "properties": {"v": {"minLength": 2, "maxLength": 3}}}`, `{"v": "é"}`, "v must be at least 2 characters"},
		{`{"type": "object", "properties": {"v": {"minLength": 2, "maxLength": 3}}}`, `{"v": "éàü"}`, ""},
		{`{"type": "object", "properties": {"v": {"minimum": 1, "exclusiveMaximum": 2}}}`, `{"v": 2}`, "v must be below 2"},
		{`{"type": "object", "properties": {"v": {"exclusiveMinimum": 1, "maximum": 2}}}`, `{"v": 1}`, "v must be above 1"},
		{`{"type": "object", "properties": {"v": {"type": "array", "minItems": 1, "maxItems": 1}}}`, `{"v": [1, 2]}`, "v must be at most 1 items"},
		{`{"type": "object", "properties": {"v": {"anyOf": [{"type": "string"}, {"type": "null"}]}}}`, `{"v": 1}`, "v fits none of the schemas of anyOf"},
		{`{"type": "object", "properties": {"v": {"oneOf": [{"type": "number"}, {"type": "integer"}]}}}`, `{"v": 1}`, "v must fit exactly one of the schemas of oneOf"},
		{`{"type": "object", "properties": {"v": {"allOf": [{"type": "number"}, {"minimum": 3}]}}}`, `{"v": 1}`, "v must be at least 3"},
		{`{"type": "object", "properties": {"v": {"const": {"a": [1.0]}}}}`, `{"v": {"a": [1]}}`, ""},
		{`{"type": "object", "properties": {"v": {"const": 1}}}`, `{"v": "1"}`, "v must be the constant of the schema"},
		{`{"type": "object", "properties": {"v": false}}`, `{"v": 1}`, "v is not known to the schema"},
		{`{"type": "object", "properties": {"v": true}, "additionalProperties": {"type": "string"}}`, `{"v": 1, "w": 2}`, "w must be a string"},
	} {
		schema, problems := Schema(values(t, c.schema), nil)
		if len(problems) > 0 {
			t.Fatal(problems)
		}
		got := ""
		for _, i := range Validate(schema, values(t, c.value)) {
			got += i.String()
		}
		if got != c.want {
			t.Errorf("%s, %s: %q, want %q", c.schema, c.value, got, c.want)
		}
	}
}

// What is too large to be checked does not pass.
func TestValidateBounded(t *testing.T) {
	var enum, list []any
	for i := range 1000 {
		enum = append(enum, int64(i))
		list = append(list, int64(999))
	}
	schema := map[string]any{"type": "array", "items": map[string]any{"enum": enum}}
	if got := Validate(schema, list[:900]); got != nil {
		t.Error(got)
	}
	if got := Validate(schema, append(list, list...)); len(got) != 1 || got[0].String() != "the input is too large to be checked" {
		t.Error(got)
	}
}

func TestReadJSON(t *testing.T) {
	got, err := ReadJSON([]byte(`{"a": [1, 1.5, 9007199254740993, "x", null]}`))
	if want := map[string]any{"a": []any{int64(1), 1.5, float64(9007199254740993), "x", nil}}; err != nil || !reflect.DeepEqual(got, want) {
		t.Error(got, err)
	}
	for _, bad := range []string{"", "{", "{} {}", "nope"} {
		if v, err := ReadJSON([]byte(bad)); err == nil {
			t.Errorf("%q: %v", bad, v)
		}
	}
}

func TestMessages(t *testing.T) {
	v, _ := ReadJSON([]byte(`[{"role": "user", "text": "hi"}, {"role": "model", "content": [{"text": "ho"}, {"media": {"url": "u", "contentType": "c"}}, {"metadata": {"purpose": "p", "pending": true}}, {"data": {"x": 1}}]}]`))
	got, err := Messages(v)
	if want := "[user]\nhi\n\n[model]\nho\n<media u c>\n<section p>\n{\"data\":{\"x\":1}}\n"; err != nil || Text(got) != want {
		t.Errorf("%q, %v", Text(got), err)
	}
	for _, bad := range []string{`{}`, `[1]`, `[{"role": "user"}]`, `[{"text": "x"}]`, `[{"role": "user", "content": [1]}]`} {
		v, _ := ReadJSON([]byte(bad))
		if m, err := Messages(v); err == nil {
			t.Errorf("%s: %v", bad, m)
		}
	}
}

// Picoschema, beyond what the specification's cases show.
func TestSchemaProblems(t *testing.T) {
	for _, c := range []struct{ schema, want string }{
		{`{"a": "str"}`, "a: there is no type str here: write string"},
		{`{"a": "Foo"}`, "a: there is no type of this name: write string, number, integer, boolean, null or any, and after a comma what it is for"},
		{`{"a": 7}`, "a: a schema is the name of a type, or a mapping of names to types"},
		{`{"a(list)": "string"}`, "a(list): in parentheses stands array, object or enum, and after a comma what it is for"},
		{`{"a(array": "string"}`, "a(array: the parenthesis of this name is never closed"},
		{`{"?": "string"}`, "?: a name should stand here, or (*) for all others"},
		{`{"a": "string", "a?": "string"}`, "a?: this name stands twice in the schema"},
		{`{"a(enum)": "x"}`, "a(enum): an enum is a list of its values"},
		{`{"a(enum)": ["x", "x"]}`, "a(enum): a value of this enum stands twice"},
		{`{"a(object)": "x"}`, "a(object): the fields of the object should stand here, as a mapping"},
		{`{"type": "object", "properties": {"a": {"type": "str"}}}`, "properties.a.type: a type is string, number, integer, boolean, null, object or array, or a list of those"},
		{`{"type": "object", "properties": {"a": {}}, "required": ["b"]}`, `required: "b" is required, and no property has this name`},
		{`{"type": "object", "properties": {"a": {"minimum": "x"}}}`, "properties.a.minimum: minimum is a number"},
		{`{"type": "object", "properties": {"a": {"pattern": "x"}}}`, `properties.a.pattern: no check of ours knows the keyword "pattern" of JSON Schema; with a type at its top the schema is not Picoschema`},
	} {
		_, problems := Schema(values(t, c.schema), nil)
		got := ""
		for _, p := range problems {
			got += strings.Join(p.Path, ".") + ": " + p.Message
			if p.Warning != strings.Contains(p.Message, "no check of ours") {
				t.Errorf("severity of %v", p)
			}
		}
		if got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.schema, got, c.want)
		}
	}
	deep := any("string")
	for range 100 {
		deep = map[string]any{"a": deep}
	}
	if _, problems := Schema(deep, nil); len(problems) != 1 {
		t.Error(problems)
	}
}
