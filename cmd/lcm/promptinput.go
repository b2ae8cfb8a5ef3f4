package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/llm-config-manager/lcm/internal/dotprompt"
	"github.com/llm-config-manager/lcm/internal/strictyaml"
	"github.com/llm-config-manager/lcm/internal/tree"
)

// input puts together what a prompt is rendered with, and holds it against the schema.
func (c *cli) input(p tree.Prompt, o promptOptions) (in dotprompt.Input, err error) {
	given := map[string]any{}
	v, err := variables(p)
	if err != nil {
		return in, err
	}
	for _, one := range o.input {
		if err := c.addInput(given, one, v); err != nil {
			return in, err
		}
	}
	if in.Context, err = c.object("--context", o.context); err != nil {
		return in, err
	}
	if o.history != "" {
		history, err := c.value("--history", o.history)
		if err != nil {
			return in, err
		}
		if in.History, err = dotprompt.Messages(history); err != nil {
			return in, usagef("--history: %v", err)
		}
	}
	in.Values, err = filled(v, given, p)
	return in, err
}

// filled is Variables.Fill with an error that names all that does not fit. No value is in it.
func filled(v dotprompt.Variables, given map[string]any, p tree.Prompt) (map[string]any, error) {
	values, invalid := v.Fill(given)
	if len(invalid) == 0 {
		return values, nil
	}
	var what []string
	for _, i := range invalid {
		what = append(what, i.String())
	}
	return nil, fmt.Errorf("the input does not fit input.schema of %s: %s", p.Declared.File, strings.Join(what, "; "))
}

// addInput adds a file, an object of JSON, or name=value.
func (c *cli) addInput(given map[string]any, one string, v dotprompt.Variables) error {
	name, text, pair := strings.Cut(one, "=")
	if pair && !strings.HasPrefix(one, "{") && !strings.ContainsAny(name, "/\\") {
		return addValue(given, strings.Split(name, "."), text, v)
	}
	m, err := c.object("--input", one)
	for k, value := range m {
		given[k] = value
	}
	return err
}

// addValue sets name=value or name.field=value. The value is text where the schema allows text, and JSON elsewhere.
func addValue(given map[string]any, path []string, text string, v dotprompt.Variables) error {
	for _, name := range path[:len(path)-1] {
		inner, ok := given[name].(map[string]any)
		if !ok {
			inner = map[string]any{}
			given[name] = inner
		}
		given = inner
	}
	last := path[len(path)-1]
	given[last] = text
	if is := v.Types(path); len(is) > 0 && !slices.Contains(is, "string") {
		value, err := dotprompt.ReadJSON([]byte(text))
		if err != nil {
			return usagef("--input %s=…: the variable takes JSON of type %s", strings.Join(path, "."), strings.Join(is, " or "))
		}
		given[last] = value
	}
	return nil
}

// object reads a mapping from a file or from the argument itself.
func (c *cli) object(flag, arg string) (map[string]any, error) {
	if arg == "" {
		return nil, nil
	}
	v, err := c.value(flag, arg)
	m, ok := v.(map[string]any)
	if err == nil && !ok {
		return nil, usagef("%s %s: a mapping is expected", flag, brief(arg))
	}
	return m, err
}

// maxInputFile bounds what is read of one file, or of standard input.
const maxInputFile = 4 << 20

// value reads JSON from the argument, or JSON or YAML from the file that it names.
func (c *cli) value(flag, arg string) (any, error) {
	if strings.HasPrefix(arg, "{") || strings.HasPrefix(arg, "[") {
		v, err := dotprompt.ReadJSON([]byte(arg))
		if err != nil {
			return nil, usagef("%s: %v", flag, err)
		}
		return v, nil
	}
	data, err := c.read(arg)
	if err != nil {
		return nil, usagef("%s: %v", flag, err)
	}
	if filepath.Ext(arg) == ".json" || strings.HasPrefix(strings.TrimSpace(string(data)), "{") {
		v, err := dotprompt.ReadJSON(data)
		if err != nil {
			return nil, usagef("%s %s: %v", flag, arg, err)
		}
		return v, nil
	}
	doc, findings := strictyaml.Parse(arg, data)
	if doc == nil {
		return nil, usagef("%s", findings[0])
	}
	return doc.Value, nil
}

// read reads a file, - being standard input.
func (c *cli) read(name string) ([]byte, error) {
	from := c.stdin
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return nil, fmt.Errorf("%w (name=value, an object of JSON, or a file)", err)
		}
		defer f.Close()
		from = f
	}
	data, err := io.ReadAll(io.LimitReader(from, maxInputFile+1))
	if err == nil && len(data) > maxInputFile {
		err = fmt.Errorf("%s is larger than %d MiB", name, maxInputFile>>20)
	}
	return data, err
}

func brief(s string) string {
	if r := []rune(s); len(r) > 40 {
		return string(r[:39]) + "…"
	}
	return s
}
