package tree

import (
	"maps"

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
