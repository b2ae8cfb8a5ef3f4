package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/llm-config-manager/lcm/internal/diag"
	"github.com/llm-config-manager/lcm/internal/dotprompt"
	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/strictyaml"
)

// promptSuite is one file of tests.
type promptSuite struct {
	doc     *strictyaml.Document
	prompt  string // as it is written
	address lcm.Address
	cases   []promptCase
}

type promptCase struct {
	name, variant string
	in            dotprompt.Input
	expect        expectation
}

// expectation is what must hold of a case; what is empty is not looked at.
type expectation struct {
	contains, excludes []string
	text               *string
	messages           []dotprompt.Message
	err                string
}

// suiteForm reads a file of tests and stops at the first thing wrong, with its place.
type suiteForm struct {
	doc *strictyaml.Document
	err error
}

func parsePromptSuite(file string, from io.Reader) (*promptSuite, error) {
	data, err := io.ReadAll(io.LimitReader(from, strictyaml.MaxBytes+1))
	if err != nil {
		return nil, usagef("%v", err)
	}
	doc, findings := strictyaml.Parse(file, data)
	if doc == nil {
		return nil, usagef("%s", findings[0])
	}
	f := &suiteForm{doc: doc}
	m := f.mapping(doc.Value, nil, "prompt", "cases")
	s := &promptSuite{doc: doc}
	s.prompt = f.text(m["prompt"], "prompt")
	s.address = f.address(s.prompt)
	list, _ := m["cases"].([]any)
	if len(list) == 0 {
		f.wrong([]string{"cases"}, "cases is a list of test cases")
	}
	for i, v := range list {
		s.cases = append(s.cases, f.testCase(v, fmt.Sprint(i)))
	}
	return s, f.err
}

func (f *suiteForm) wrong(path []string, format string, args ...any) {
	f.wrongAt(f.doc.Position(path...), format, args...)
}

func (f *suiteForm) wrongAt(at diag.Position, format string, args ...any) {
	if f.err == nil {
		f.err = usagef("%s: %s", at, fmt.Sprintf(format, args...))
	}
}

// address reads an address whose environment may be *.
func (f *suiteForm) address(text string) lcm.Address {
	parts := strings.Split(text, "/")
	every := len(parts) == 5 && parts[3] == "*"
	if every {
		parts[3] = "any"
	}
	a, err := lcm.ParseAddress(strings.Join(parts, "/"))
	if err != nil {
		f.wrong([]string{"prompt"}, "prompt is org/project/service/environment/key, or * for each environment")
	}
	if every {
		a.Environment = "*"
	}
	return a
}

func (f *suiteForm) mapping(v any, path []string, allowed ...string) map[string]any {
	m, ok := v.(map[string]any)
	if !ok {
		f.wrong(path, "a mapping of %s should stand here", strings.Join(allowed, ", "))
	}
	for _, k := range slices.Sorted(maps.Keys(m)) {
		if !slices.Contains(allowed, k) {
			f.wrongAt(f.doc.KeyPosition(append(slices.Clone(path), k)...), "%.40q is unknown here: there may be %s", k, strings.Join(allowed, ", "))
		}
	}
	return m
}

func (f *suiteForm) text(v any, path ...string) string {
	s, ok := v.(string)
	if !ok || s == "" {
		f.wrong(path, "%s is a text", path[len(path)-1])
	}
	return s
}

func (f *suiteForm) texts(v any, path ...string) (out []string) {
	list, ok := v.([]any)
	if !ok && v != nil {
		f.wrong(path, "%s is a list of texts", path[len(path)-1])
	}
	for i, e := range list {
		out = append(out, f.text(e, append(path, fmt.Sprint(i))...))
	}
	return out
}

func (f *suiteForm) object(v any, path ...string) map[string]any {
	m, ok := v.(map[string]any)
	if !ok && v != nil {
		f.wrong(path, "%s is a mapping", path[len(path)-1])
	}
	return m
}

func (f *suiteForm) messages(v any, path ...string) []dotprompt.Message {
	out, err := dotprompt.Messages(v)
	if err != nil {
		f.wrong(path, "%v", err)
	}
	return out
}

func (f *suiteForm) testCase(v any, i string) (p promptCase) {
	at := func(name string) []string { return []string{"cases", i, name} }
	m := f.mapping(v, []string{"cases", i}, "name", "variant", "input", "context", "history", "expect")
	p.name = f.text(m["name"], at("name")...)
	if v, some := m["variant"]; some {
		p.variant = f.text(v, at("variant")...)
	}
	p.in.Values = f.object(m["input"], at("input")...)
	p.in.Context = f.object(m["context"], at("context")...)
	p.in.History = f.messages(m["history"], at("history")...)
	p.expect = f.expect(m["expect"], at("expect"))
	return p
}

func (f *suiteForm) expect(v any, path []string) (x expectation) {
	at := func(name string) []string { return append(slices.Clone(path), name) }
	m := f.mapping(v, path, "contains", "excludes", "text", "messages", "error")
	if len(m) == 0 {
		f.wrong(path, "expect says what must hold: contains, excludes, text, messages or error")
	}
	x.contains, x.excludes = f.texts(m["contains"], at("contains")...), f.texts(m["excludes"], at("excludes")...)
	if v, some := m["text"]; some {
		text := f.text(v, at("text")...)
		x.text = &text
	}
	if v, some := m["messages"]; some {
		x.messages = f.messages(v, at("messages")...)
	}
	if v, some := m["error"]; some {
		x.err = f.text(v, at("error")...)
	}
	return x
}
