package modeltest

import (
	"maps"
	"slices"
	"strings"
)

// inForce is who is believed at a commit: T(c) of the design.
type inForce struct {
	*policy
	people map[string]principal
	rules  []boundRule
}

// boundRule is a rule of trust.yaml, or of a tenant's file, which speaks of the tenant's paths only.
type boundRule struct {
	rule
	org string
}

// policyOf puts a commit's policy together; nil if it cannot be in force.
func policyOf(t tree) *inForce {
	f := t[policyFile]
	if f == nil || f.means == nil {
		return nil
	}
	p := f.means.(*policy)
	all := &inForce{policy: p, people: maps.Clone(p.principals)}
	for _, r := range p.rules {
		all.rules = append(all.rules, boundRule{r, ""})
	}
	for _, f := range t {
		if ten, ok := f.means.(*tenant); ok && !all.add(ten) {
			return nil
		}
	}
	if !all.sound() {
		return nil
	}
	return all
}

// add adds what a tenant's file says; false if it says more than it may.
func (all *inForce) add(ten *tenant) bool {
	if ten.version < 1 {
		return false
	}
	for name, p := range ten.principals {
		if _, twice := all.people[name]; twice {
			return false
		}
		for _, role := range p.roles {
			if !strings.HasSuffix(role, ":"+ten.org) {
				return false
			}
		}
		all.people[name] = p
	}
	for _, r := range ten.rules {
		for _, path := range r.paths {
			if !strings.HasPrefix(path, "namespaces/"+ten.org+"/") {
				return false
			}
		}
		all.rules = append(all.rules, boundRule{r, ten.org})
	}
	return true
}

// sound reports whether keys are different, counts are at least 1, and only principals of the file are named for rotation.
func (all *inForce) sound() bool {
	keys := map[string]bool{}
	for _, p := range all.people {
		for _, k := range p.keys {
			if keys[k.name] {
				return false
			}
			keys[k.name] = true
		}
	}
	for _, r := range all.rules {
		if r.approvals < 1 {
			return false
		}
		for _, name := range r.rotation {
			if _, ok := all.principals[name]; !ok {
				return false
			}
		}
	}
	return all.version >= 1
}

// satisfiable reports whether the persons with valid keys are enough for each rule of the settings, and there is one.
func (all *inForce) satisfiable(at int) bool {
	if len(all.matching(policyFile)) == 0 {
		return false
	}
	for _, path := range []string{policyFile, ".lcm/access.yaml", ".lcm/tenants/acme.yaml", ".sops.yaml", settingsFile, "schemas/cue/x.cue", "policies/rego/x.rego"} {
		for _, r := range all.matching(path) {
			able := 0
			for _, p := range all.people {
				if !p.bot && r.counts(p, path) && slices.ContainsFunc(p.keys, func(k key) bool { return k.valid(at) }) {
					able++
				}
			}
			if able < r.approvals {
				return false
			}
		}
	}
	return true
}

func (k key) valid(at int) bool { return k.notAfter == 0 || at <= k.notAfter }

// owner finds whose a key is.
func (all *inForce) owner(name string) (who string, k key, ok bool) {
	for who, p := range all.people {
		for _, k := range p.keys {
			if k.name == name {
				return who, k, true
			}
		}
	}
	return "", key{}, false
}

// matching lists the rules of a path; none if trust.yaml has none.
func (all *inForce) matching(path string) (rules []boundRule) {
	permitted := false
	for _, r := range all.rules {
		if r.org != "" && !strings.HasPrefix(path, "namespaces/"+r.org+"/") {
			continue
		}
		if slices.ContainsFunc(r.paths, func(p string) bool { return matches(strings.Split(p, "/"), strings.Split(path, "/")) }) {
			rules = append(rules, r)
			permitted = permitted || r.org == ""
		}
	}
	if !permitted {
		return nil
	}
	return rules
}

func matches(pattern, path []string) bool {
	if len(pattern) == 0 || len(path) == 0 {
		return len(path) == 0 && strings.Trim(strings.Join(pattern, ""), "*") == "" && !slices.Contains(pattern, "*")
	}
	switch pattern[0] {
	case "**":
		return matches(pattern[1:], path) || matches(pattern, path[1:])
	case "*", path[0]:
		return matches(pattern[1:], path[1:])
	}
	return false
}

// counts reports whether a rule counts a principal at a path, for a role that holds there.
func (r boundRule) counts(p principal, path string) bool {
	return slices.ContainsFunc(p.roles, func(role string) bool {
		word, org, _ := strings.Cut(role, ":")
		if org != "" && path != tenantFile(org) && !strings.HasPrefix(path, "namespaces/"+org+"/") {
			return false
		}
		return slices.Contains(r.roles, "*") || slices.Contains(r.roles, word) || slices.Contains(r.roles, role)
	})
}
