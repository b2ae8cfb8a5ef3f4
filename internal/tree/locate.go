package tree

import (
	"maps"
	"slices"
	"strconv"

	"github.com/llm-config-manager/lcm/internal/diag"
	"github.com/llm-config-manager/lcm/internal/lcm"
)

// Value is the entry as one whole document {apiVersion, kind, metadata, spec}: the nearest document
// as written, with the resolved spec. It shares memory with the Tree and must not be changed.
func (e *Entry) Value() map[string]any {
	v := maps.Clone(e.Documents[0].Value)
	delete(v, "sops")
	if _, ok := v["spec"]; ok {
		v["spec"] = e.Spec
	}
	return v
}

// Position is where the value at a path of Value stands, in whichever of the entry's files it comes
// from; or else where the nearest enclosing value does.
func (e *Entry) Position(path ...string) diag.Position {
	d, p := e.locate(path)
	if d.YAML == nil {
		return start(d.File)
	}
	return d.YAML.Position(p...)
}

// KeyPosition is Position for the key at a path.
func (e *Entry) KeyPosition(path ...string) diag.Position {
	d, p := e.locate(path)
	if d.YAML == nil {
		return start(d.File)
	}
	return d.YAML.KeyPosition(p...)
}

// locate finds the document that a path of Value comes from, and the path in its YAML.
func (e *Entry) locate(path []string) (*Document, []string) {
	if e.Kind == lcm.KindPromptTemplate {
		return e.locatePrompt(path)
	}
	nearest, best := e.Documents[0], -1
	if len(path) == 0 || path[0] != "spec" {
		return nearest, path
	}
	for _, d := range e.Documents {
		if n := depth(d.Spec, path[1:]); n > best {
			nearest, best = d, n
		}
	}
	return nearest, path
}

// depth counts how many steps of a path exist.
func depth(v any, path []string) int {
	for n, p := range path {
		switch c := v.(type) {
		case map[string]any:
			next, ok := c[p]
			if !ok {
				return n
			}
			v = next
		case []any:
			i, err := strconv.Atoi(p)
			if err != nil || i < 0 || i >= len(c) {
				return n
			}
			v = c[i]
		default:
			return n
		}
	}
	return len(path)
}

// locatePrompt also translates the names of the spec to those of the front matter.
func (e *Entry) locatePrompt(path []string) (*Document, []string) {
	main := e.Documents[0]
	file := func(is func(*Document) bool) *Document {
		if i := slices.IndexFunc(e.Documents, is); i >= 0 {
			return e.Documents[i]
		}
		return main
	}
	switch {
	case len(path) == 2 && path[0] == "metadata":
		return main, []string{"lcm." + path[1]}
	case len(path) < 2 || path[0] != "spec":
		return main, nil
	case path[1] == "variants" && len(path) > 3 && path[3] == "weight":
		return main, []string{promptVariants, path[2]}
	case path[1] == "variants" && len(path) > 2:
		return file(func(d *Document) bool { return d.variant == path[2] }), frontMatterPath(path[3:])
	case path[1] == "partials" && len(path) > 2:
		return file(func(d *Document) bool { return d.Address.Key == "_"+path[2] }), nil
	}
	return main, frontMatterPath(path[1:])
}

func frontMatterPath(spec []string) []string {
	if len(spec) == 0 {
		return nil
	}
	switch spec[0] {
	case "version", "metrics", "sticky_key":
		return join([]string{"lcm." + spec[0]}, spec[1:]...)
	case "template":
		return nil
	}
	return spec
}
