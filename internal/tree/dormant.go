package tree

import (
	"slices"
	"strconv"
	"strings"

	"github.com/llm-config-manager/lcm/internal/diag"
	"github.com/llm-config-manager/lcm/internal/lcm"
)

// Dormant warns of what the settings say to no effect, and of names above the keys that are easily taken
// for each other. It depends on lcm.yaml and .sops.yaml, on which folders there are, and on the names of
// sealed files, but on no document.
func (t *Tree) Dormant() []diag.Finding {
	f := &form{doc: t.settings.YAML}
	var names []string
	for _, ns := range t.Namespaces() {
		names = append(names, ns.String())
	}
	t.dormantRoutes(f, names)
	t.unusedTargets(f)
	t.unusedEnvironments(f)
	t.idleSuspensions(f, names)
	f.lookalikes("environments", sortedKeys(t.settings.Environments))
	f.lookalikes("targets", sortedKeys(t.settings.Targets))
	f.findings = append(f.findings, t.lookalikeFolders()...)
	return append(f.findings, t.unusedSealRules()...)
}

func (f *form) warn(path []string, rule, format string, args ...any) {
	f.findings = append(f.findings, diag.Warnf(f.doc.Position(path...), rule, format, args...))
}

func (f *form) warnKey(path []string, rule, format string, args ...any) {
	f.findings = append(f.findings, diag.Warnf(f.doc.KeyPosition(path...), rule, format, args...))
}

// What is compared at most, so that a hostile file does not take long. Beyond it nothing is said.
const (
	maxPatternPairs   = 50_000
	maxPatternMatches = 2_000_000
	maxUnited         = 32 // patterns that are looked at together
)

// dormantRoutes finds routes that can't be reached, and patterns that match nothing. Without any
// namespace a repository is just being set up.
func (t *Tree) dormantRoutes(f *form, names []string) {
	pairs, matches := maxPatternPairs, maxPatternMatches
	for i, r := range t.settings.Routes {
		at := []string{"routes", strconv.Itoa(i), "match"}
		if r.shadowed(t.settings.Routes[:i], &pairs) {
			f.warn(at, "route/shadowed", "whatever this route matches, an earlier one takes: move it up, or remove it")
			continue
		}
		for j, p := range r.Namespaces {
			if len(names) > 0 && !matchesAny(p, names, &matches) {
				f.warn(join(at, "namespaces", strconv.Itoa(j)), "route/no-namespace", "no namespace of this repository matches this pattern: correct it, or remove it")
			}
		}
	}
}

func matchesAny(p lcm.Pattern, names []string, left *int) bool {
	return slices.ContainsFunc(names, func(name string) bool {
		*left--
		return *left < 0 || p.Match(name)
	})
}

// shadowed reports whether each kind and each namespace that a route names is matched by earlier routes.
func (r Route) shadowed(earlier []Route, left *int) bool {
	for _, kind := range r.Kinds {
		var taken []lcm.Pattern
		for _, e := range earlier {
			if slices.Contains(e.Kinds, "*") || slices.Contains(e.Kinds, kind) {
				taken = append(taken, e.Namespaces...)
			}
		}
		for _, p := range r.Namespaces {
			if !covered(p, taken, left) {
				return false
			}
		}
	}
	return true
}

func covered(p lcm.Pattern, by []lcm.Pattern, left *int) bool {
	if len(by) <= maxUnited {
		*left -= len(by)
		return *left >= 0 && len(by) > 0 && p.Within(by)
	}
	return slices.ContainsFunc(by, func(o lcm.Pattern) bool {
		*left--
		return *left >= 0 && p.Within([]lcm.Pattern{o})
	})
}

func (t *Tree) unusedTargets(f *form) {
	for _, name := range sortedKeys(t.settings.Targets) {
		if !slices.ContainsFunc(t.settings.Routes, func(r Route) bool { return r.Target == name }) {
			f.warnKey([]string{"targets", name}, "settings/unused-target", "no route leads to this target: add one, or remove the target")
		}
	}
}

// unusedEnvironments finds environments of which nothing is ever published.
func (t *Tree) unusedEnvironments(f *form) {
	serves := map[string]bool{} // is in the chain of a published environment
	for name, chain := range t.chains {
		for _, layer := range chain {
			serves[layer] = serves[layer] || !t.settings.Environments[name].Abstract
		}
	}
	filled := map[string]bool{}
	for _, layers := range t.layers {
		for name := range layers {
			filled[name] = true
		}
	}
	for _, name := range sortedKeys(t.settings.Environments) {
		at := []string{"environments", name}
		switch {
		case !serves[name]:
			f.warnKey(at, "settings/unused-environment", "this environment is abstract and none inherits from it, so that nothing in it is ever published: let one inherit from it, or remove it")
		case len(filled) > 0 && !t.inheritedFrom(name) && !slices.ContainsFunc(t.chains[name], func(layer string) bool { return filled[layer] }):
			f.warnKey(at, "settings/unused-environment", "no service has a folder for this environment or one that it inherits from: let it inherit from another, or remove it")
		}
	}
}

func (t *Tree) inheritedFrom(environment string) bool {
	for _, e := range t.settings.Environments {
		if e.Inherits == environment {
			return true
		}
	}
	return false
}

// unusedSealRules finds rules that match no sealed file, once there is one. The folders are searched only
// until each rule has matched.
func (t *Tree) unusedSealRules() []diag.Finding {
	idle := slices.Clone(t.seals.rules)
	if len(idle) == 0 || len(t.seals.rules) > maxUnited {
		return nil
	}
	for _, s := range t.services {
		for _, env := range sortedKeys(t.layers[s]) {
			if idle = t.unmatched(idle, layerDir(s, env)); len(idle) == 0 {
				return nil
			}
		}
	}
	if len(idle) == len(t.seals.rules) {
		return nil
	}
	var out []diag.Finding
	for _, r := range idle {
		out = append(out, diag.Warnf(r.at, "sops/unused-rule", "no sealed file of this repository matches this path_regex: correct it, or remove the rule"))
	}
	return out
}

// unmatched returns the rules that match none of a folder's sealed files.
func (t *Tree) unmatched(rules []sealRule, dir string) []sealRule {
	rules = slices.Clone(rules)
	if !slices.ContainsFunc(rules, func(r sealRule) bool { return r.may(dir) }) {
		return rules
	}
	entries, _ := list(t.fsys, dir)
	for _, e := range entries {
		if path := dir + "/" + e.Name(); strings.HasSuffix(path, string(formSealed)) {
			rules = slices.DeleteFunc(rules, func(r sealRule) bool { return r.path.MatchString(path) })
		}
	}
	return rules
}

// may tells by the beginning of a rule's path whether it can match anything in a folder.
func (r sealRule) may(dir string) bool {
	prefix, _ := r.path.LiteralPrefix()
	return strings.HasPrefix(dir+"/", prefix) || strings.HasPrefix(prefix, dir+"/")
}
