package trust

import (
	"path"
	"slices"
	"strings"

	"github.com/llm-config-manager/lcm/internal/lcm"
)

// Consented says which persons consented to some of the changes of a step.
type Consented struct {
	Persons []string // sorted; bots are none
	// Paths are the changes, as Judged writes them. Nil means every change of the step.
	Paths []string
}

// Consented returns who consented to what. Of a change, all count whom any of its rules counted. What is not
// listed is not known: a step of very many changes does not name them all.
func (s Step) Consented() []Consented {
	by := map[string][]string{} // path → persons
	whole := true
	for _, j := range s.Judged {
		whole = whole && j.Count == len(j.Paths)
		for _, p := range j.Paths {
			if j.Basis == ByRotation {
				by[p] = by[p][:len(by[p]):len(by[p])] // a bot's: nobody consented
				continue
			}
			by[p] = append(by[p], j.Consents...)
		}
	}
	paths := map[string][]string{} // persons → paths
	for p, persons := range by {
		slices.Sort(persons)
		together := strings.Join(slices.Compact(persons), " ")
		paths[together] = append(paths[together], p)
	}
	var out []Consented
	for persons, p := range paths {
		slices.Sort(p)
		out = append(out, Consented{strings.Fields(persons), p})
	}
	slices.SortFunc(out, func(a, b Consented) int { return slices.Compare(a.Paths, b.Paths) })
	if whole && len(out) == 1 {
		out[0].Paths = nil
	}
	return out
}

// Concerns reports whether a change, as Judged writes it, is one of an address: of a file by which its value can
// come to be, in the address's environment. Of a prompt, every partial counts.
func Concerns(change string, a lcm.Address, prompt bool) bool {
	if _, as, effect := strings.Cut(change, " → "); effect {
		change = as
	}
	dir, base := path.Split(change)
	key, _, _ := strings.Cut(base, ".")
	partial := prompt && strings.HasPrefix(base, "_")
	return dir == "namespaces/"+a.Namespace.String()+"/" && (key == a.Key || partial)
}

// Roles returns the roles that a principal had by the policy that the step was judged by.
func (s Step) Roles(name string) []string {
	if s.policy == nil || s.policy.principals[name] == nil {
		return nil
	}
	var roles []string
	for _, r := range s.policy.principals[name].Roles {
		roles = append(roles, r.String())
	}
	return roles
}
