package tree

import (
	"reflect"
	"slices"

	"github.com/llm-config-manager/lcm/internal/diag"
	"github.com/llm-config-manager/lcm/internal/lcm"
)

// Idle warns of documents of one layer that change nothing where they stand: what equals that which would be
// inherited without it, a Tombstone over nothing, and keys that are easily taken for others. It depends on
// the layer and on those that it inherits from.
func (t *Tree) Idle(ns lcm.Namespace) (findings []diag.Finding) {
	v := t.view()
	chain := v.chains[ns.Environment]
	if len(chain) == 0 {
		return nil
	}
	l := v.layer(ns.Service, ns.Environment)
	for key := range l.keys() {
		if f := v.idle(ns.Key(key), l, chain[1:]); f != nil {
			findings = append(findings, *f)
		}
	}
	return append(findings, v.lookalikeKeys(ns)...)
}

// idle compares what a key is with what it would be without the document of the nearest layer.
func (v *view) idle(a lcm.Address, l *layer, rest []string) *diag.Finding {
	above := v.resolveFrom(a, rest)
	d := l.docs[a.Key]
	switch {
	case above.state == broken:
		return nil
	case d != nil && d.Kind == lcm.KindTombstone:
		if above.state == absent {
			return warning(d.YAML.Position("kind"), "inherit/tombstone", "there is nothing here for this Tombstone to hide: nothing further up has the key, or it may not be inherited; remove the file")
		}
		return nil
	case above.state == absent:
		return nil
	}
	here := v.resolveKey(a)
	switch {
	case here.state != found:
		return nil
	case d != nil && d.Metadata.Merge == mergeDeep:
		if unchanged(here.entry, above.entry) {
			return warning(d.YAML.Position("metadata", "merge"), "merge/no-effect", "merging this changes nothing: everything in it is inherited already; remove the file, or what it was meant to change is missing")
		}
	case same(here, above):
		why := ", or say in its description why it is to stay as it is"
		if d == nil {
			why = "" // a prompt has none
		}
		return warning(start(here.entry.Origin.File), "inherit/redundant", "this is a copy of %s, which would be inherited anyway: remove it%s", above.entry.Origin.File, why)
	}
	return nil
}

func warning(at diag.Position, rule, format string, args ...any) *diag.Finding {
	f := diag.Warnf(at, rule, format, args...)
	return &f
}

// unchanged reports whether a merge gave what it was merged onto. That it has no description of its own is
// no change.
func unchanged(merged, onto *Entry) bool {
	m := merged.Metadata
	m.Merge = onto.Metadata.Merge
	if m.Description == "" {
		m.Description = onto.Metadata.Description
	}
	return reflect.DeepEqual(m, onto.Metadata) && reflect.DeepEqual(merged.Spec, onto.Spec)
}

// Hidden warns of documents of one layer that count nowhere: in every environment that inherits the layer
// another one stands in their place; and of partials that no prompt names. It depends on all layers of
// the service. Where one of them is broken, nothing is said of what that concerns.
func (t *Tree) Hidden(ns lcm.Namespace) (findings []diag.Finding) {
	v := t.view()
	heirs := v.heirs(ns.Environment)
	if len(heirs) == 0 {
		return nil // nothing in the layer is published: that is a matter of the settings
	}
	l := v.layer(ns.Service, ns.Environment)
	if !slices.Contains(heirs, ns.Environment) {
		findings = append(l.locked(), v.hidden(ns, l, heirs)...)
	}
	named, known := v.named(ns.Service)
	for name, d := range l.partials {
		if known && !named[name] {
			findings = append(findings, diag.Warnf(start(d.File), "prompt/unused-partial", "no prompt of this service uses this partial: remove it, or name it as {{>%s}}", name))
		}
	}
	return diag.Sort(findings)
}

// heirs returns the published environments with a layer in their chain.
func (v *view) heirs(layer string) (out []string) {
	for env, chain := range v.chains {
		if !v.settings.Environments[env].Abstract && slices.Contains(chain, layer) {
			out = append(out, env)
		}
	}
	return out
}

// locked finds what may not be inherited, in a layer that only is.
func (l *layer) locked() (findings []diag.Finding) {
	for _, d := range l.docs {
		if d.Metadata.Inheritable {
			continue
		}
		at, why := d.YAML.Position("metadata", "inheritable"), "set inheritable: true, or move it to the environments that need it"
		if d.Kind == lcm.KindSecret {
			why = "a Secret is not inheritable unless it says so: " + why
		}
		findings = append(findings, diag.Warnf(at, "inherit/hidden", "this counts nowhere: it may not be inherited, and its own environment is never published; %s", why))
	}
	return findings
}

// hidden finds what has another in its place in each environment that inherits the layer.
func (v *view) hidden(ns lcm.Namespace, l *layer, heirs []string) (findings []diag.Finding) {
	report := func(file string, covers func(nearer *layer, own bool) bool) {
		if !slices.ContainsFunc(heirs, func(env string) bool { return !v.covered(ns, env, covers) }) {
			findings = append(findings, diag.Warnf(start(file), "inherit/hidden", "this counts nowhere: each environment that inherits it has another in its place; remove it"))
		}
	}
	for key, file := range l.keys() {
		if d := l.docs[key]; d == nil || d.Metadata.Inheritable {
			report(file, func(nearer *layer, own bool) bool { return nearer.covers(key, own) })
		}
	}
	for name, d := range l.partials {
		report(d.File, func(nearer *layer, _ bool) bool { return nearer.partials[name] != nil })
	}
	return findings
}

// covered reports whether a layer that is nearer to an environment than ns takes the place of what is there.
func (v *view) covered(ns lcm.Namespace, env string, by func(nearer *layer, own bool) bool) bool {
	for _, name := range v.chains[env] {
		if name == ns.Environment {
			return false
		}
		if by(v.layer(ns.Service, name), name == env) {
			return true
		}
	}
	return false
}

// covers reports whether the layer, an environment's own or one that it inherits, ends the search for a key.
// What is merged does not, nor what can't be read: nobody knows what it was meant to be.
func (l *layer) covers(key string, own bool) bool {
	if l.prompts[key] != nil {
		return true
	}
	d := l.docs[key]
	return d != nil && (own || d.Metadata.Inheritable) && d.Metadata.Merge != mergeDeep
}

// named returns the partials that any prompt file of the service uses; not known if one can't be read.
func (v *view) named(s lcm.Service) (names map[string]bool, known bool) {
	names = map[string]bool{}
	for env := range v.layers[s] {
		l := v.layer(s, env)
		if len(l.broken) > 0 || len(l.brokenPartials) > 0 {
			return nil, false
		}
		for d := range l.all() {
			if d.template == nil {
				continue
			}
			for _, u := range d.template.Uses {
				names[u.Name] = true
			}
		}
	}
	return names, true
}
