package tree

import (
	"strings"

	"github.com/llm-config-manager/lcm/internal/diag"
	"github.com/llm-config-manager/lcm/internal/lcm"
)

const lookalikeRule = "layout/look-alike"

var oneForm = strings.NewReplacer("1", "l", "0", "o")

// appearance is the same for names that the eye takes for each other: it does not tell 1 from l and 0
// from o, and overlooks a hyphen, but not between two digits: v1-1 is not v11.
func appearance(name string) string {
	var b strings.Builder
	for i := range len(name) {
		if name[i] != '-' || i > 0 && i+1 < len(name) && digit(name[i-1]) && digit(name[i+1]) {
			b.WriteByte(name[i])
		}
	}
	return oneForm.Replace(b.String())
}

func digit(c byte) bool { return '0' <= c && c <= '9' }

// lookalikes calls found for each of the sorted names that looks like one before it.
func lookalikes(names []string, found func(name, other string)) {
	first := map[string]string{}
	for _, name := range names {
		seen := appearance(name)
		if other, ok := first[seen]; ok {
			found(name, other)
		} else {
			first[seen] = name
		}
	}
}

func (f *form) lookalikes(field string, names []string) {
	lookalikes(names, func(name, other string) {
		f.warnKey([]string{field, name}, lookalikeRule, "%s is easily taken for %s: rename one of the two", name, other)
	})
}

// lookalikeFolders compares orgs, the projects of an org, and the services of a project.
func (t *Tree) lookalikeFolders() (findings []diag.Finding) {
	beside := map[string][]string{} // by folder; sorted, since services are
	add := func(dir, name string) {
		if names := beside[dir]; len(names) == 0 || names[len(names)-1] != name {
			beside[dir] = append(names, name)
		}
	}
	for _, s := range t.services {
		add(namespacesDir, s.Org)
		add(namespacesDir+"/"+s.Org, s.Project)
		add(namespacesDir+"/"+s.Org+"/"+s.Project, s.Name)
	}
	for _, dir := range sortedKeys(beside) {
		lookalikes(beside[dir], func(name, other string) {
			findings = append(findings, diag.Warnf(start(dir+"/"+name), lookalikeRule,
				"the folder is easily taken for %s beside it: rename one of the two", other))
		})
	}
	return findings
}

// lookalikeKeys compares the keys of a layer with each other and with those that it inherits.
func (v *view) lookalikeKeys(ns lcm.Namespace) (findings []diag.Finding) {
	first := map[string]string{}
	chain := v.chains[ns.Environment]
	for i := len(chain) - 1; i >= 0; i-- {
		files := v.layer(ns.Service, chain[i]).keys()
		for _, key := range sortedKeys(files) {
			seen := appearance(key)
			other, ok := first[seen]
			switch {
			case !ok:
				first[seen] = key
			case other != key && i == 0:
				findings = append(findings, diag.Warnf(start(files[key]), lookalikeRule,
					"the key %s is easily taken for %s, which is another one: rename one of the two, or give them the same name if this is to override that", key, other))
			}
		}
	}
	return findings
}

// keys returns the file of each key of the layer that could be read.
func (l *layer) keys() map[string]string {
	files := make(map[string]string, len(l.docs)+len(l.prompts))
	for key, d := range l.docs {
		files[key] = d.File
	}
	for key, set := range l.prompts {
		files[key] = set.main.File
	}
	return files
}
