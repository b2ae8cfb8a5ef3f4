package tree

import (
	"maps"
	"strings"

	"github.com/llm-config-manager/lcm/internal/diag"
	"github.com/llm-config-manager/lcm/internal/dotprompt"
	"github.com/llm-config-manager/lcm/internal/lcm"
)

// resolvePrompt makes one entry of a prompt's set of files and of the partials that they name, which
// are looked up from the resolving environment, not from the set's.
func (v *view) resolvePrompt(a lcm.Address, set *promptSet, environment string) resolution {
	e := plainEntry(a, set.main, environment)
	e.Spec = maps.Clone(set.main.Spec)
	variants := map[string]any{}
	for _, name := range sortedKeys(set.variants) {
		d := set.variants[name]
		variants[name] = d.Spec
		e.Documents = append(e.Documents, d)
	}
	e.Spec["variants"] = variants
	p := partials{tree: v, address: a, texts: map[string]any{}, path: map[string]bool{}}
	for _, d := range e.Documents {
		p.collect(d)
	}
	for _, name := range sortedKeys(p.texts) {
		if d, _ := p.find(name); d != nil {
			p.texts[name] = d.Spec["template"]
			e.Documents = append(e.Documents, d)
		}
	}
	e.Spec["partials"] = p.texts
	for _, d := range e.Documents {
		e.Metadata.Classification = lcm.Strictest(e.Metadata.Classification, d.Metadata.Classification)
	}
	if p.broken || len(p.findings) > 0 {
		return resolution{state: broken, findings: p.findings}
	}
	return resolution{state: found, entry: e}
}

// partials collects the partials of one prompt.
type partials struct {
	tree     *view
	address  lcm.Address
	texts    map[string]any  // by name, all that were met
	path     map[string]bool // those that are being looked into
	broken   bool
	findings []diag.Finding
}

// collect notes the partials that a document names, and those that they name.
func (p *partials) collect(d *Document) {
	for _, u := range d.template.Uses {
		if p.path[u.Name] {
			p.findings = append(p.findings, diag.Errorf(d.PositionIn(u.At), "prompt/partial", "the partial %.80q contains itself by way of this", u.Name))
			continue
		}
		if _, met := p.texts[u.Name]; met {
			continue
		}
		p.texts[u.Name] = nil
		inner := p.lookup(d, u)
		if inner == nil {
			continue
		}
		p.path[u.Name] = true
		p.collect(inner)
		delete(p.path, u.Name)
	}
}

// lookup finds the partial, or notes why not. A broken one has its own finding.
func (p *partials) lookup(by *Document, u dotprompt.Use) *Document {
	d, state := p.find(u.Name)
	switch state {
	case broken:
		p.broken = true
	case absent:
		if !lcm.ValidName(u.Name) {
			p.findings = append(p.findings, diag.Errorf(by.PositionIn(u.At), "prompt/partial",
				"no partial can be named %.80q: the name of its file is small letters, digits and inner hyphens", u.Name))
			break
		}
		p.findings = append(p.findings, diag.Errorf(by.PositionIn(u.At), "prompt/partial",
			"there is no partial _%.80s.prompt in this environment or those it inherits from", u.Name))
	}
	return d
}

// find looks up the chain of the resolving environment.
func (p *partials) find(name string) (*Document, state) {
	for _, env := range p.tree.chains[p.address.Environment] {
		l := p.tree.layer(p.address.Service, env)
		if l.brokenPartials[name] {
			return nil, broken
		}
		if d, ok := l.partials[name]; ok {
			return d, found
		}
	}
	return nil, absent
}

// Prompt is one text that a prompt's entry can be rendered to: its main file's or a variant's.
type Prompt struct {
	Variant  string // "" for the main file
	Document *Document
	Set      dotprompt.Set
	// Input and Output are those of the front matter, of a variant that says nothing the main file's. Declared is
	// the document that says it.
	Input, Output map[string]any
	Declared      *Document
}

// Prompts takes a prompt's entry apart, the main file first; nil for other kinds.
func (e *Entry) Prompts() (out []Prompt) {
	if e.Kind != lcm.KindPromptTemplate {
		return nil
	}
	main, partials := e.Documents[0], map[string]*dotprompt.Template{}
	for _, d := range e.Documents {
		if name, ok := strings.CutPrefix(d.Address.Key, "_"); ok {
			partials[name] = d.template
		}
	}
	for _, d := range e.Documents {
		if strings.HasPrefix(d.Address.Key, "_") {
			continue
		}
		p := Prompt{Variant: d.variant, Document: d, Declared: d, Set: dotprompt.Set{Template: d.template, Partials: partials}}
		if _, own := d.Spec["input"]; !own {
			p.Declared = main
		}
		p.Input, _ = p.Declared.Spec["input"].(map[string]any)
		if p.Output, _ = d.Spec["output"].(map[string]any); p.Output == nil {
			p.Output, _ = main.Spec["output"].(map[string]any)
		}
		out = append(out, p)
	}
	return out
}
