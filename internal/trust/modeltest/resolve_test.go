package modeltest

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// What a document means in the environments that inherit it: DESIGN.md, section 2.

const tombstone = "Tombstone"

// published are the environments that are not abstract.
var published = []string{"development", "production", "staging"}

func (t tree) settings() *settings { return t[settingsFile].means.(*settings) }

// chain is an environment and what it inherits from, nearest first.
func (t tree) chain(env string) (all []string) {
	for env != "" {
		all = append(all, env)
		env = t.settings().inherits[env]
	}
	return all
}

// resolved is what a key is in an environment; nil: nothing.
type resolved struct {
	kind, metadata string
	value          map[string]int
	text           string // of a Secret, as it is sealed; of a prompt, with its variant and partial
	unreadable     bool
}

// same is false if either side cannot be read: then nobody knows.
func (r *resolved) same(o *resolved) bool {
	if r == nil || o == nil {
		return r == o
	}
	return !r.unreadable && !o.unreadable && r.kind == o.kind && r.metadata == o.metadata && r.text == o.text && maps.Equal(r.value, o.value)
}

// resolve looks a file up in the layers of an environment.
func (t tree) resolve(service, env, file string) *resolved {
	if strings.HasSuffix(file, ".prompt") {
		return t.prompt(service, env)
	}
	return t.lookUp(service, env, t.chain(env), file)
}

// The files of the one prompt that there is: the main file and its variant come from one layer, the partial from the nearest.
const (
	mainFile    = "ask.prompt"
	variantFile = "ask.short.prompt"
	partialFile = "_tone.prompt"
)

func (t tree) prompt(service, env string) *resolved {
	in := func(file string) func(string) bool {
		return func(layer string) bool { return t[service+"/"+layer+"/"+file] != nil }
	}
	chain := t.chain(env)
	set, tone := slices.IndexFunc(chain, in(mainFile)), slices.IndexFunc(chain, in(partialFile))
	if set < 0 {
		return nil
	}
	if tone < 0 {
		return &resolved{unreadable: true}
	}
	within := service + "/" + chain[set] + "/"
	return &resolved{kind: "PromptTemplate", text: t.text(within+mainFile) + t.text(within+variantFile) + t.text(service+"/"+chain[tone]+"/"+partialFile)}
}

func (t tree) lookUp(service, env string, layers []string, file string) *resolved {
	if len(layers) == 0 {
		return nil
	}
	further := func() *resolved { return t.lookUp(service, env, layers[1:], file) }
	f := t[service+"/"+layers[0]+"/"+file]
	if f == nil {
		return further()
	}
	if s, ok := f.means.(*secret); ok {
		if layers[0] != env && !s.shared {
			return further()
		}
		return &resolved{kind: "Secret", text: f.text}
	}
	d := f.means.(*document)
	switch {
	case d.kind == broken:
		return &resolved{unreadable: true}
	case d.private && layers[0] != env:
		return further()
	case d.kind == tombstone:
		return nil
	}
	r := &resolved{kind: d.kind, metadata: d.metadata(), value: maps.Clone(d.value)}
	if !d.deep {
		return r
	}
	parent := further()
	if parent == nil || parent.unreadable || parent.kind != r.kind {
		return &resolved{unreadable: true} // there is nothing to merge onto
	}
	for k, v := range parent.value {
		if _, own := d.value[k]; !own {
			r.value[k] = v
		}
	}
	return r
}

// splitPath takes the path of a document apart.
func splitPath(path string) (service, env, file string, ok bool) {
	s := strings.Split(path, "/")
	if len(s) != 6 || s[0] != "namespaces" {
		return "", "", "", false
	}
	return strings.Join(s[:4], "/"), s[4], s[5], true
}

// serviceOf is the folder of a document's service.
func serviceOf(path string) string {
	service, _, _, _ := splitPath(path)
	return service + "/"
}

// effects lists what a change of a path changes in other environments, as the paths there. Where the settings cannot be
// used, nobody knows: then a change of a document is one of the settings.
func effects(before, after tree, path string) (as []string) {
	if before.settings().unusable || after.settings().unusable {
		if strings.HasPrefix(path, "namespaces/") {
			return []string{settingsFile}
		}
		return nil
	}
	if path == settingsFile {
		return settingsEffects(before, after)
	}
	service, env, file, ok := splitPath(path)
	if !ok {
		return nil
	}
	for _, other := range published {
		inherits := slices.Contains(before.chain(other), env) || slices.Contains(after.chain(other), env)
		if other != env && inherits && !before.resolve(service, other, file).same(after.resolve(service, other, file)) {
			as = append(as, fmt.Sprintf("%s/%s/%s", service, other, file))
		}
	}
	return as
}

// settingsEffects lists what another chain of some environment changes there.
func settingsEffects(before, after tree) (as []string) {
	for _, env := range published {
		if slices.Equal(before.chain(env), after.chain(env)) {
			continue
		}
		keys := map[string]bool{}
		for path := range before.with(after) {
			service, _, file, ok := splitPath(path)
			if strings.HasSuffix(file, ".prompt") {
				file = mainFile
			}
			if ok && !before.resolve(service, env, file).same(after.resolve(service, env, file)) {
				keys[fmt.Sprintf("%s/%s/%s", service, env, file)] = true
			}
		}
		as = append(as, slices.Sorted(maps.Keys(keys))...)
	}
	return as
}
