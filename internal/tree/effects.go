package tree

import (
	"fmt"
	"maps"
	"path"
	"reflect"
	"slices"
	"strings"

	"github.com/llm-config-manager/lcm/internal/lcm"
)

// Effect says that changing a path is also a change of other paths, in environments that inherit.
type Effect struct {
	Path string
	As   []string // namespaces/…/<environment>/<file>, sorted
}

// Effects finds, among the changed paths, those that change what a key resolves to in environments
// other than their own: by inheritance, merging, tombstones, variants, partials, or by a change of
// the environments in lcm.yaml. Where a document cannot be read, on either side, it counts as
// changed. A nil Tree stands for a side without usable settings: all that the other side publishes
// counts as changed, by lcm.yaml. The cost is that of parsing the services concerned, on both sides;
// if the chain of an environment changed, of all services.
func Effects(old, new *Tree, changed []string) ([]Effect, error) {
	return effects(old, new, changed, maxEffects)
}

func effects(old, new *Tree, changed []string, most int) ([]Effect, error) {
	c := comparison{old.view(), new.view()}
	var out []Effect
	for _, p := range changed {
		var as map[string]bool
		if p == SettingsFile {
			as = c.settings()
		} else if ns, base, ok := layerPath(p); ok {
			as = c.file(ns, base)
		}
		if len(as) > 0 {
			out = append(out, Effect{p, sortedKeys(as)})
		}
		if len(as) > most {
			return nil, fmt.Errorf("%s changes what more than %d keys resolve to: change it in steps", p, most)
		}
	}
	slices.SortFunc(out, func(a, b Effect) int { return strings.Compare(a.Path, b.Path) })
	return out, nil
}

// maxEffects bounds the memory that one changed path can take.
const maxEffects = 1_000_000

// layerPath takes namespaces/<org>/<project>/<service>/<layer>/<file> apart.
func layerPath(p string) (layer lcm.Namespace, base string, ok bool) {
	rest, ok := strings.CutPrefix(p, namespacesDir+"/")
	if !ok {
		return lcm.Namespace{}, "", false
	}
	layer, err := lcm.ParseNamespace(path.Dir(rest))
	return layer, path.Base(rest), err == nil
}

// comparison holds two trees against each other.
type comparison struct{ old, new *view }

// file returns what changing one file of a layer is also a change of.
func (c comparison) file(layer lcm.Namespace, base string) map[string]bool {
	n, _, _ := parseName(base)
	if n.key == "" {
		return nil // no key can come from such a name
	}
	as := map[string]bool{}
	for _, env := range c.environments() {
		ns := layer.Service.In(env)
		if env == layer.Environment || !c.old.inherits(ns, layer.Environment) && !c.new.inherits(ns, layer.Environment) {
			continue
		}
		if c.differs(ns, n) {
			as[layerDir(ns.Service, env)+"/"+base] = true
		}
	}
	return as
}

// environments returns all that either side declares, sorted.
func (c comparison) environments() []string {
	all := map[string]bool{}
	for _, v := range [...]*view{c.old, c.new} {
		if v != nil {
			for env := range v.chains {
				all[env] = true
			}
		}
	}
	return sortedKeys(all)
}

// inherits reports whether a published namespace has a layer in its chain.
func (v *view) inherits(ns lcm.Namespace, layer string) bool {
	return v != nil && !v.settings.Environments[ns.Environment].Abstract && slices.Contains(v.chains[ns.Environment], layer)
}

// differs reports whether what a file's key, or the prompts that use a partial, resolve to differs.
func (c comparison) differs(ns lcm.Namespace, n name) bool {
	if !n.partial {
		return c.keyDiffers(ns.Key(n.key))
	}
	users := map[string]bool{}
	for _, v := range [...]*view{c.old, c.new} {
		for _, key := range v.prompts(ns) {
			users[key] = true
		}
	}
	for key := range users {
		if c.keyDiffers(ns.Key(key)) {
			return true
		}
	}
	return false
}

// prompts returns the keys of all prompts in a namespace's layers.
func (v *view) prompts(ns lcm.Namespace) []string {
	if v == nil {
		return nil
	}
	var out []string
	for _, env := range v.chains[ns.Environment] {
		l := v.layer(ns.Service, env)
		out = slices.AppendSeq(out, maps.Keys(l.prompts))
	}
	return out
}

func (c comparison) keyDiffers(a lcm.Address) bool {
	return !same(c.old.at(a), c.new.at(a))
}

// at is what is published at an address. A nil view publishes nobody knows what.
func (v *view) at(a lcm.Address) resolution {
	if v == nil {
		return resolution{state: broken}
	}
	if !v.published(a.Namespace) {
		return resolution{}
	}
	return v.resolveKey(a)
}

// same compares what two sides resolve to. A Secret is compared as it is sealed, MAC included.
func same(a, b resolution) bool {
	if a.state != b.state || a.state == broken {
		return false
	}
	if a.state == absent {
		return true
	}
	if a.entry.Kind == lcm.KindSecret && !reflect.DeepEqual(a.entry.Documents[0].Value, b.entry.Documents[0].Value) {
		return false
	}
	return a.entry.Kind == b.entry.Kind && reflect.DeepEqual(a.entry.Metadata, b.entry.Metadata) &&
		reflect.DeepEqual(a.entry.Spec, b.entry.Spec)
}

// settings returns what a change of lcm.yaml is also a change of: the keys that resolve to something
// else in the environments whose chain, or being abstract, changed.
func (c comparison) settings() map[string]bool {
	as := map[string]bool{}
	for _, env := range c.environments() {
		if c.old != nil && c.new != nil && c.sameChain(env) {
			continue
		}
		for _, s := range c.services() {
			c.namespace(s.In(env), as)
		}
	}
	return as
}

func (c comparison) services() []lcm.Service {
	all := map[lcm.Service]bool{}
	for _, v := range [...]*view{c.old, c.new} {
		if v != nil {
			for s := range v.layers {
				all[s] = true
			}
		}
	}
	return slices.SortedFunc(maps.Keys(all), compareServices)
}

// namespace adds every key of a namespace that differs, as the file that it comes from.
func (c comparison) namespace(ns lcm.Namespace, as map[string]bool) {
	for _, v := range [...]*view{c.old, c.new} {
		if v == nil || !v.published(ns) {
			continue
		}
		for base, key := range v.files(ns) {
			if c.keyDiffers(ns.Key(key)) {
				as[layerDir(ns.Service, ns.Environment)+"/"+base] = true
			}
		}
	}
}

// files returns the keys of a namespace, broken ones included, by the base name of their files.
func (v *view) files(ns lcm.Namespace) map[string]string {
	out := map[string]string{}
	for _, env := range v.chains[ns.Environment] {
		l := v.layer(ns.Service, env)
		for key, d := range l.docs {
			out[path.Base(d.File)] = key
		}
		for key, set := range l.prompts {
			out[path.Base(set.main.File)] = key
		}
		for key := range l.broken {
			out[key+string(formPlain)] = key
		}
	}
	return out
}
