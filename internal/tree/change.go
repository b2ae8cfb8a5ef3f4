package tree

import (
	"slices"
	"strings"

	"github.com/llm-config-manager/lcm/internal/lcm"
)

// FeedsAll reports whether a file, or folder, has a say in what every namespace resolves to or how it is judged.
func FeedsAll(path string) bool {
	top, _, _ := strings.Cut(path, "/")
	return path == SettingsFile || path == SealRulesFile || top == "schemas" || top == "policies"
}

// LayerOf returns the environment's folder that a path lies in, or is.
func LayerOf(path string) (layer lcm.Namespace, ok bool) {
	p := strings.Split(path, "/")
	if len(p) < 5 || p[0] != namespacesDir {
		return lcm.Namespace{}, false
	}
	return lcm.Service{Org: p[1], Project: p[2], Name: p[3]}.In(p[4]), true
}

// Of returns the namespaces of some services, whether they are published or not, sorted: a document has a say in those
// that inherit it, and whether it counts anywhere depends on all.
func (t *Tree) Of(services map[lcm.Service]bool) []lcm.Namespace {
	var out []lcm.Namespace
	for s := range services {
		for env, e := range t.settings.Environments {
			if !e.Abstract {
				out = append(out, s.In(env))
			}
		}
	}
	slices.SortFunc(out, compareNamespaces)
	return out
}

func compareNamespaces(a, b lcm.Namespace) int {
	if c := compareServices(a.Service, b.Service); c != 0 {
		return c
	}
	return strings.Compare(a.Environment, b.Environment)
}
