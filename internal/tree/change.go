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

// Fed returns the namespaces that some layers feed, whether they are published or not, sorted. The layers are the
// environments by service.
func (t *Tree) Fed(layers map[lcm.Service]map[string]bool) []lcm.Namespace {
	var out []lcm.Namespace
	for s, changed := range layers {
		for env, chain := range t.chains {
			if !t.settings.Environments[env].Abstract && slices.ContainsFunc(chain, func(l string) bool { return changed[l] }) {
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
