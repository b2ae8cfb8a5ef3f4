package tree

import (
	"io/fs"
	"iter"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/llm-config-manager/lcm/internal/lcm"
)

// Standing is what an address resolves to at one revision, references not followed.
type Standing struct {
	Entry  *Entry // nil: nothing
	Broken bool   // something stands there and cannot be read or resolved
}

// Same reports whether two standings are of one value: the same kind and spec, whatever the metadata say. A Secret is
// compared as it is sealed.
func (s Standing) Same(o Standing) bool {
	if s.Entry == nil || o.Entry == nil {
		return s.Entry == o.Entry && s.Broken == o.Broken
	}
	return s.Entry.Kind == o.Entry.Kind && reflect.DeepEqual(s.Entry.Spec, o.Entry.Spec)
}

func (r resolution) standing() Standing {
	if r.state != found {
		return Standing{Broken: r.state == broken}
	}
	return Standing{Entry: r.entry}
}

// Turn is that an address resolves to another value than before.
type Turn struct {
	Address lcm.Address
	Was, Is Standing
}

// At tells what an address resolves to in a tree that has these settings. It reads only what resolves with it, and of
// that only what k has not.
func (s *Settings) At(fsys fs.FS, a lcm.Address, k *Kept) Standing {
	t := s.over(fsys)
	t.partly = &part{keys: map[string]bool{a.Key: true}, kept: k}
	return t.view().at(a).standing()
}

// Turned finds the addresses that some changed files give another value, in whatever environments, in their order.
// The environments are the same on both sides. It reads as little as Between does.
func (s *Settings) Turned(old, new fs.FS, changed []string, k *Kept) iter.Seq[Turn] {
	changed = slices.DeleteFunc(slices.Clone(changed), func(p string) bool { _, _, ok := layerPath(p); return !ok })
	some := newPart(changed, k)
	before, after := s.over(old), s.over(new)
	before.partly, after.partly = some, some
	return Turned(before, after, changed)
}

// Turned does the same where lcm.yaml may give environments another chain: then every key of theirs counts.
func Turned(old, new *Tree, changed []string) iter.Seq[Turn] {
	c := comparison{old.view(), new.view()}
	touched := map[lcm.Address]bool{}
	for _, p := range changed {
		if p == SettingsFile {
			c.rechained(touched)
		} else if layer, base, ok := layerPath(p); ok {
			c.touched(layer, base, touched)
		}
	}
	return func(yield func(Turn) bool) {
		for _, a := range sortedAddresses(touched) {
			if was, is := c.old.at(a).standing(), c.new.at(a).standing(); !was.Same(is) && !yield(Turn{a, was, is}) {
				return
			}
		}
	}
}

// touched adds the addresses in whose value one file of a layer may have a say.
func (c comparison) touched(layer lcm.Namespace, base string, into map[lcm.Address]bool) {
	n, _, _ := parseName(base)
	if n.key == "" {
		return // no key can come from such a name
	}
	for _, env := range c.environments() {
		ns := layer.Service.In(env)
		if !c.old.inherits(ns, layer.Environment) && !c.new.inherits(ns, layer.Environment) {
			continue
		}
		if !n.partial {
			into[ns.Key(n.key)] = true
			continue
		}
		for _, v := range [...]*view{c.old, c.new} {
			for _, key := range v.prompts(ns) {
				into[ns.Key(key)] = true
			}
		}
	}
}

// rechained adds every address of the environments whose chain, or being abstract, differs.
func (c comparison) rechained(into map[lcm.Address]bool) {
	for _, env := range c.environments() {
		if c.sameChain(env) {
			continue
		}
		for _, s := range c.services() {
			for _, v := range [...]*view{c.old, c.new} {
				for _, key := range v.files(s.In(env)) {
					into[s.In(env).Key(key)] = true
				}
			}
		}
	}
}

func (c comparison) sameChain(env string) bool {
	return slices.Equal(c.old.chains[env], c.new.chains[env]) && c.old.settings.Environments[env] == c.new.settings.Environments[env]
}

func sortedAddresses(set map[lcm.Address]bool) []lcm.Address {
	return slices.SortedFunc(maps.Keys(set), func(a, b lcm.Address) int {
		if c := compareNamespaces(a.Namespace, b.Namespace); c != 0 {
			return c
		}
		return strings.Compare(a.Key, b.Key)
	})
}
