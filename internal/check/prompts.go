package check

import (
	"fmt"
	"slices"
	"strings"

	"github.com/llm-config-manager/lcm/internal/diag"
	"github.com/llm-config-manager/lcm/internal/dotprompt"
	"github.com/llm-config-manager/lcm/internal/tree"
)

// prompts checks what templates do with their variables, and the schemas of input and output. What a
// template is made of, and that its partials exist, a tree.Document has been held to already.
func prompts(e *tree.Entry) []diag.Finding {
	p := promptCheck{usages: map[*tree.Document][]dotprompt.Usage{}, variables: map[*tree.Document]dotprompt.Variables{}}
	all := e.Prompts()
	for _, one := range all {
		p.prompt(one)
	}
	for _, one := range all {
		if one.Declared == one.Document {
			p.unused(one.Document)
		}
		if one.Variant != "" {
			p.variant(all[0].Declared, one)
		}
	}
	return p.findings
}

type promptCheck struct {
	findings  []diag.Finding
	usages    map[*tree.Document][]dotprompt.Usage // by the document that declares the variables
	variables map[*tree.Document]dotprompt.Variables
}

func (p *promptCheck) at(d *tree.Document, key bool, path []string, severity diag.Severity, rule, format string, args ...any) {
	var at diag.Position
	switch {
	case d.YAML == nil:
		_, at = d.Template()
	case key:
		at = d.YAML.KeyPosition(path...)
	default:
		at = d.YAML.Position(path...)
	}
	p.findings = append(p.findings, diag.Finding{Position: at, Severity: severity, Rule: rule, Message: fmt.Sprintf(format, args...)})
}

func (p *promptCheck) prompt(one tree.Prompt) {
	v, ok := p.variables[one.Declared]
	if !ok {
		if v, ok = p.declared(one.Declared, one.Input); !ok {
			return
		}
		p.variables[one.Declared] = v
	}
	u := one.Set.Check(v)
	p.usages[one.Declared] = append(p.usages[one.Declared], u)
	for _, wrong := range u.Problems {
		severity := diag.Error
		if wrong.Warning {
			severity = diag.Warning
		}
		p.findings = append(p.findings, diag.Finding{Position: one.Document.PositionIn(wrong.At), Severity: severity, Rule: wrong.Rule, Message: wrong.Message})
	}
	if out, ok := one.Document.Spec["output"].(map[string]any); ok {
		p.output(one.Document, out)
	}
}

// declared reads input.schema and input.default.
func (p *promptCheck) declared(d *tree.Document, input map[string]any) (v dotprompt.Variables, ok bool) {
	v.Default, _ = input["default"].(map[string]any)
	raw, some := input["schema"]
	if !some {
		return v, true
	}
	if v.Schema, ok = p.schema(d, raw, "input"); !ok {
		return v, false
	}
	if t, typed := v.Schema["type"]; typed && t != "object" {
		p.at(d, false, []string{"input", "schema"}, diag.Error, dotprompt.RuleSchema, "input.schema names the variables: write a mapping of names to types")
		return v, false
	}
	optional := map[string]any{}
	for k, e := range v.Schema {
		if k != "required" {
			optional[k] = e
		}
	}
	for _, wrong := range dotprompt.Validate(optional, asObject(v.Default)) {
		p.at(d, len(wrong.Path) == 1 && !slices.Contains(v.Declared(), wrong.Path[0]), append([]string{"input", "default"}, wrong.Path...), diag.Error, "prompt/default",
			"the default of %s does not fit input.schema: it %s", strings.Join(wrong.Path, "."), wrong.Message)
	}
	return v, true
}

func asObject(m map[string]any) map[string]any {
	if m == nil {
		return map[string]any{}
	}
	return m
}

// schema reads the schema of input or output.
func (p *promptCheck) schema(d *tree.Document, raw any, of string) (map[string]any, bool) {
	schema, problems := dotprompt.Schema(raw, nil)
	for _, wrong := range problems {
		severity := diag.Error
		if wrong.Warning && of == "output" {
			continue // the model's provider reads it, and may know more
		} else if wrong.Warning {
			severity = diag.Warning
		}
		p.at(d, wrong.Key, append([]string{of, "schema"}, wrong.Path...), severity, dotprompt.RuleSchema, "%s", wrong.Message)
	}
	return schema, schema != nil
}

// output holds the schema of what the model answers against its format.
func (p *promptCheck) output(d *tree.Document, out map[string]any) {
	raw, some := out["schema"]
	format, _ := out["format"].(string)
	if !some {
		if format == "enum" {
			p.at(d, false, []string{"output", "format"}, diag.Error, "prompt/output", "the format enum needs a schema that lists the answers: write schema: {type: string, enum: [ONE, OTHER]}")
		}
		return
	}
	schema, ok := p.schema(d, raw, "output")
	if !ok {
		return
	}
	_, enum := schema["enum"].([]any)
	wrong := ""
	switch t, _ := schema["type"].(string); {
	case format == "text" || format == "media":
		wrong = "a schema describes JSON, and the format is " + format + ": write format: json, or remove the schema"
	case (format == "array" || format == "jsonl") && t != "array" && t != "":
		wrong = "the format " + format + " is a list, and the schema describes something else: write schema: {type: array, items: …}"
	case format == "enum" && !enum:
		wrong = "the format enum needs a schema that lists the answers: write schema: {type: string, enum: [ONE, OTHER]}"
	}
	if wrong != "" {
		p.at(d, false, []string{"output", "schema"}, diag.Error, "prompt/output", "%s", wrong)
	}
}

// unused warns of variables that are declared, and that no text with this declaration uses.
func (p *promptCheck) unused(d *tree.Document) {
	input, _ := d.Spec["input"].(map[string]any)
	for _, name := range p.variables[d].Declared() {
		if len(p.usages[d]) > 0 && !slices.ContainsFunc(p.usages[d], func(u dotprompt.Usage) bool { return u.Uses(name) }) {
			path := append([]string{"input", "schema"}, dotprompt.SchemaPath(input["schema"], name)...)
			p.at(d, true, path, diag.Warning, dotprompt.RuleUnused, "nothing uses the variable %.80s: remove it, which takes a new major version, or use it", name)
		}
	}
}

// variant refuses a variant that wants more than the main file: those who call a prompt don't know which of
// its variants they get.
func (p *promptCheck) variant(main *tree.Document, one tree.Prompt) {
	if one.Declared == main {
		return
	}
	offered, ok := p.variables[main]
	wanted, too := p.variables[one.Document]
	if !ok || !too || offered.Schema == nil {
		return
	}
	for _, name := range wanted.Required() {
		if !slices.Contains(offered.Declared(), name) {
			input := one.Document.Spec["input"].(map[string]any)
			path := append([]string{"input", "schema"}, dotprompt.SchemaPath(input["schema"], name)...)
			p.at(one.Document, true, path, diag.Error, "prompt/variant-input", "this variant requires %.80s, which the main file does not declare: callers can't know which variant they get", name)
		}
	}
}
