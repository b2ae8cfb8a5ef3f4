package tree

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

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
	switch {
	case e.Kind == lcm.KindPromptTemplate && namesText(path):
		return d.text
	case d.YAML == nil:
		return start(d.File)
	}
	return d.YAML.Position(p...)
}

// Template returns the text of a prompt, a variant or a partial, and where it begins.
func (d *Document) Template() (text string, at diag.Position) {
	if d.Kind == lcm.KindPromptTemplate {
		text, _ = d.Spec["template"].(string)
	}
	return text, d.text
}

// PositionIn is where a byte offset of the text of a prompt, a variant or a partial stands in its file.
func (d *Document) PositionIn(offset int) diag.Position {
	text, at := d.Template()
	before := text[:offset]
	at.Line += strings.Count(before, "\n")
	if i := strings.LastIndexByte(before, '\n'); i >= 0 {
		before, at.Column = before[i+1:], 1
	}
	at.Column += utf8.RuneCountInString(before)
	return at
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
	if len(path) == 0 || path[0] != "spec" {
		return e.Documents[0], path
	}
	return e.locateMerged(path[1:]), path
}

// locateMerged finds the document that a path of the merged spec comes from: the nearest that has all of
// it. What none has is missing where its surroundings were first written, and not in what is merged onto
// them, so that it is the same mistake in every environment that inherits it.
func (e *Entry) locateMerged(path []string) *Document {
	from, best := e.Documents[0], -1
	for _, d := range e.Documents {
		n, mappings := depth(d.Spec, path)
		if mappings <= best {
			break // a nearer mapping took the place of what stands here
		}
		if n > best || n == best && n < len(path) {
			from, best = d, n
		}
		if mappings <= n {
			break // this takes the place of all that is further away
		}
	}
	return from
}

// depth counts how many steps of a path exist, and how many of the values on the way, the first and the
// last included, are mappings before one is not: only mappings are merged.
func depth(v any, path []string) (n, mappings int) {
	for {
		c, ok := v.(map[string]any)
		if ok && mappings == n {
			mappings++
		}
		if n == len(path) {
			return n, mappings
		}
		if ok {
			v, ok = c[path[n]]
		} else {
			v, ok = element(v, path[n])
		}
		if !ok {
			return n, mappings
		}
		n++
	}
}

func element(v any, step string) (any, bool) {
	list, _ := v.([]any)
	i, err := strconv.Atoi(step)
	if err != nil || i < 0 || i >= len(list) {
		return nil, false
	}
	return list[i], true
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

// namesText reports whether a path leads to the text of a prompt, a variant or a partial.
func namesText(path []string) bool {
	switch {
	case len(path) < 2 || path[0] != "spec":
		return false
	case path[1] == "partials":
		return len(path) == 3
	case path[1] == "variants":
		return len(path) == 4 && path[3] == "template"
	}
	return len(path) == 2 && path[1] == "template"
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
