package lcm

import (
	"math/rand/v2"
	"strings"
	"testing"
)

func patterns(texts ...string) (out []Pattern) {
	for _, s := range texts {
		out = append(out, MustPattern(s))
	}
	return out
}

func TestWithin(t *testing.T) {
	for _, c := range []struct {
		p      string
		others string
		want   bool
	}{
		{"a/b", "a/b", true},
		{"a/b", "a/*", true},
		{"a/*", "a/b", false},
		{"a/**", "**", true},
		{"**", "a/** *", false},
		{"a/**", "a/*/**", false}, // a itself
		{"a/*/**", "a/**", true},
		{"a/*", "a/b a/c", false},
		{"a/*/c", "a/b/c a/*/c", true},
		{"**", "** a", true},
		{"**/a/**", "a/** **/a/**", true},
		{"**", "* */*/**", true},
		{"**", "* */*/*/**", false},
		{"**/a", "a */**/a", true},
		{"a/**/b", "a/b a/*/b a/*/*/**/b", true},
		{"a/**/b", "a/b a/*/*/**/b", false},
		{"a", "", false},
	} {
		if got := MustPattern(c.p).Within(patterns(strings.Fields(c.others)...)); got != c.want {
			t.Errorf("%s within %s: %v", c.p, c.others, got)
		}
	}
}

// What is within must match whatever the pattern matches; what is not must miss a path of those tried here,
// or a longer one.
func TestWithinHoldsForPaths(t *testing.T) {
	words := []string{"a", "b", "*", "**"}
	random := func() Pattern {
		s := make([]string, 1+rand.IntN(4))
		for i := range s {
			s[i] = words[rand.IntN(len(words))]
		}
		return MustPattern(strings.Join(s, "/"))
	}
	paths := []string{"a", "b", "c"}
	for i := 0; i < len(paths) && len(paths) < 1092; i++ {
		for _, name := range []string{"a", "b", "c"} {
			paths = append(paths, paths[i]+"/"+name)
		}
	}
	for range 3000 {
		p, others := random(), []Pattern{random(), random()}
		within, missed := p.Within(others), ""
		for _, path := range paths {
			if p.Match(path) && !others[0].Match(path) && !others[1].Match(path) {
				missed = path
				break
			}
		}
		if within != (missed == "") {
			t.Fatalf("%v within %v: %v; missed: %q", p, others, within, missed)
		}
	}
}
