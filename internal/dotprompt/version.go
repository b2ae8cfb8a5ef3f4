package dotprompt

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Release is what a version of a prompt stands for.
type Release struct {
	Version   string
	Variables Variables
	Content   map[string]string // all that a version stands for, by what it is: "template", "partial tone", …
}

// Same reports whether two releases have the same content, whatever their versions.
func (r Release) Same(other Release) bool { return len(r.changed(other)) == 0 }

func (r Release) changed(before Release) (what []string) {
	for k, v := range r.Content {
		if old, ok := before.Content[k]; !ok || old != v {
			what = append(what, k)
		}
	}
	for k := range before.Content {
		if _, ok := r.Content[k]; !ok {
			what = append(what, k)
		}
	}
	slices.Sort(what)
	return what
}

// Rules of what is wrong with a version.
const (
	RuleVersionSame = "prompt/version-same" // other content under the same version
	RuleVersionStep = "prompt/version-step" // the change takes a larger step
	RuleVersionBack = "prompt/version-back" // a lower version, which did not have this content
)

// Compare holds a release against the one before it. known says whether the version had the same content at some
// time before, which is what going back is; it is asked only if it matters. There is no problem if the rule is "".
func Compare(before, now Release, known func() bool) (rule, message string) {
	what := now.changed(before)
	old, new := parseVersion(before.Version), parseVersion(now.Version)
	if len(what) == 0 || old == nil || new == nil {
		return "", ""
	}
	need, why := step(before.Variables, now.Variables)
	if why == "" {
		why = strings.Join(what, ", ") + " changed"
	}
	least := old.next(need)
	switch c := new.compare(old); {
	case c == 0:
		return RuleVersionSame, fmt.Sprintf("%s, and the version is still %s: write lcm.version: %s or higher", why, before.Version, least)
	case c < 0 && known():
		return "", ""
	case c < 0:
		return RuleVersionBack, fmt.Sprintf("%s is below %s, and never had this content, so it goes back to nothing: write lcm.version: %s or higher", now.Version, before.Version, least)
	case !old.allows(new, need):
		return RuleVersionStep, fmt.Sprintf("%s: from %s that takes %s at least, not %s", why, before.Version, least, now.Version)
	}
	return "", ""
}

// level is how large a change is for callers.
type level int

const (
	patch level = iota
	minor
	major
)

// step tells how large the change of variables is, and why; "" for none.
func step(before, now Variables) (level, string) {
	required, offered := now.Required(), before.Declared()
	for _, name := range offered {
		if !slices.Contains(now.Declared(), name) {
			return major, fmt.Sprintf("the variable %.80s was removed", name)
		}
		if was, is := fieldTypes(before, name), fieldTypes(now, name); !covers(is, was) {
			return major, fmt.Sprintf("the variable %.80s takes another type", name)
		}
	}
	for _, name := range required {
		if !slices.Contains(before.Required(), name) {
			return major, fmt.Sprintf("the variable %.80s is required now", name)
		}
	}
	for _, name := range now.Declared() {
		if !slices.Contains(offered, name) {
			return minor, fmt.Sprintf("the variable %.80s was added", name)
		}
	}
	return patch, ""
}

func fieldTypes(v Variables, name string) []string {
	properties, _ := v.Schema["properties"].(map[string]any)
	return schemaOf(properties[name]).types()
}

// covers reports whether all that had some type still has a type of these; none is any.
func covers(is, was []string) bool {
	if len(is) == 0 {
		return true
	}
	if len(was) == 0 {
		return false
	}
	return !slices.ContainsFunc(was, func(t string) bool {
		return !slices.Contains(is, t) && !(t == "integer" && slices.Contains(is, "number"))
	})
}

// version is a semantic version; build metadata have no say.
type version struct {
	core [3]uint64
	pre  []string
}

func parseVersion(s string) *version {
	s, _, _ = strings.Cut(s, "+")
	core, pre, some := strings.Cut(s, "-")
	parts := strings.Split(core, ".")
	if len(parts) != 3 {
		return nil
	}
	v := &version{}
	for i, p := range parts {
		n, err := strconv.ParseUint(p, 10, 64)
		if err != nil {
			return nil
		}
		v.core[i] = n
	}
	if some {
		v.pre = strings.Split(pre, ".")
	}
	return v
}

// compare is precedence, as in section 11 of semver.org.
func (v *version) compare(w *version) int {
	if c := slices.Compare(v.core[:], w.core[:]); c != 0 {
		return c
	}
	switch {
	case len(v.pre) == 0 || len(w.pre) == 0:
		return cmp.Compare(len(w.pre), len(v.pre))
	}
	return slices.CompareFunc(v.pre, w.pre, func(a, b string) int {
		m, errA := strconv.ParseUint(a, 10, 64)
		n, errB := strconv.ParseUint(b, 10, 64)
		switch {
		case errA == nil && errB == nil:
			return cmp.Compare(m, n)
		case errA == nil:
			return -1
		case errB == nil:
			return 1
		}
		return cmp.Compare(a, b)
	})
}

// allows reports whether the step to a higher version is large enough. Before 1.0.0 a minor version may break
// what was, as semver.org has it, and so may whatever follows a version that was not final yet.
func (v *version) allows(to *version, need level) bool {
	switch {
	case len(v.pre) > 0:
		return true
	case need == patch:
		return true
	case to.core[0] > v.core[0]:
		return true
	case need == minor || v.core[0] == 0:
		return to.core[1] > v.core[1]
	}
	return false
}

// next is the lowest version that is large enough.
func (v *version) next(need level) string {
	c := v.core
	switch {
	case len(v.pre) > 0: // it becomes final
	case need == patch:
		c[2]++
	case need == minor || c[0] == 0:
		c[1], c[2] = c[1]+1, 0
	default:
		c[0], c[1], c[2] = c[0]+1, 0, 0
	}
	return fmt.Sprintf("%d.%d.%d", c[0], c[1], c[2])
}

// Named lists the partials that the template names, directly or by way of others, sorted.
func (s Set) Named() []string {
	found := map[string]bool{}
	var add func(t *Template)
	add = func(t *Template) {
		for _, u := range t.Uses {
			if inner := s.Partials[u.Name]; inner != nil && !found[u.Name] {
				found[u.Name] = true
				add(inner)
			}
		}
	}
	add(s.Template)
	return slices.Sorted(maps.Keys(found))
}
