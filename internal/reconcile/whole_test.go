package reconcile

import (
	"strings"
	"testing"
)

// What only the whole repository shows is told when all of it is judged, and holds nothing.
func TestWholeIsToldWhenAllIsJudged(t *testing.T) {
	w := newWorld(t, map[string]string{base + "a.yaml": config("one"), dev + "a.yaml": config("two"), prod + "a.yaml": config("three"),
		"lcm.yaml": settings + "  - {match: {namespaces: [\"acme/**\"], kinds: [Config]}, target: runtime}\n"})
	told := func(o Options) string {
		var rules []string
		for _, f := range w.pass(o).Findings {
			rules = append(rules, f.Rule)
		}
		return strings.Join(rules, " ")
	}
	if got, want := told(Options{}), "route/shadowed inherit/hidden"; got != want {
		t.Errorf("the first pass tells %q, want %q", got, want)
	}
	w.commit("a copy", map[string]string{prod + "a.yaml": config("one")})
	if got, want := told(Options{}), "inherit/redundant"; got != want {
		t.Errorf("a pass over one namespace tells %q, want %q", got, want)
	}
	if got, want := told(Options{Everything: true}), "route/shadowed inherit/hidden inherit/redundant"; got != want {
		t.Errorf("a pass over all tells %q, want %q", got, want)
	}
}
