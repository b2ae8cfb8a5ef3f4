package tree

import (
	"fmt"
	"io/fs"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// SettingsLoosen says in plain words what lcm.yaml permits after a change that it did not before, and what
// has to be looked at, since nobody can tell here.
func SettingsLoosen(before, after fs.FS) []string {
	was, now := Glance(before), Glance(after)
	if was == nil || now == nil {
		return []string{"it cannot be used before or after the change: look at it"}
	}
	return was.settings.loosened(now.settings)
}

func (s *Settings) loosened(now *Settings) (words []string) {
	if more := loosenedDeletes(s.Limits.MaxDeletes, now.Limits.MaxDeletes); more != "" {
		words = append(words, more)
	}
	for _, name := range sortedKeys(now.Targets) {
		was, is := s.Targets[name], now.Targets[name]
		if _, known := s.Targets[name]; !known {
			words = append(words, fmt.Sprintf("target %s is new", name))
			continue
		}
		if is.MaxClassification.StricterThan(was.MaxClassification) {
			words = append(words, fmt.Sprintf("target %s is given what is %s, not only what is %s", name, is.MaxClassification, was.MaxClassification))
		}
		if is.Secrets && !was.Secrets {
			words = append(words, fmt.Sprintf("target %s is given Secrets", name))
		}
	}
	words = append(words, s.loosenedRegions(now)...)
	if !slices.EqualFunc(s.Routes, now.Routes, sameRoute) {
		words = append(words, "the routes changed: look at where documents go")
	}
	if !reflect.DeepEqual(s.Environments, now.Environments) {
		words = append(words, "the environments changed: look at what inherits from where")
	}
	for _, n := range now.NotSecrets {
		if !slices.ContainsFunc(s.NotSecrets, func(was NotSecret) bool { return was.SHA256 == n.SHA256 }) {
			words = append(words, fmt.Sprintf("a text (SHA-256 %x…) that looks like a credential is said to be none: %.80s", n.SHA256[:4], n.Why))
		}
	}
	if s.Rules != now.Rules {
		words = append(words, fmt.Sprintf("edition %s of the built-in checks judges, not %s", now.Rules, s.Rules))
	}
	return words
}

func sameRoute(a, b Route) bool {
	return a.Target == b.Target && reflect.DeepEqual(a.Kinds, b.Kinds) && reflect.DeepEqual(a.Namespaces, b.Namespaces)
}

// loosenedDeletes compares two values of maxDeletes. A share and a number are no match: that depends on how
// much there is.
func loosenedDeletes(was, now string) string {
	a, percent := strings.CutSuffix(was, "%")
	b, alike := strings.CutSuffix(now, "%")
	x, err1 := strconv.ParseFloat(a, 64)
	y, err2 := strconv.ParseFloat(b, 64)
	switch {
	case was == now || was == "":
		return "" // with none, only the daemon's own ceiling held
	case now == "":
		return fmt.Sprintf("limits.maxDeletes is gone, was %s: only the daemon's own ceiling holds", was)
	case percent == alike && err1 == nil && err2 == nil && y <= x:
		return ""
	}
	return fmt.Sprintf("limits.maxDeletes is %s, was %s", now, was)
}

// SealRulesLoosen says who can open what is sealed after a change of .sops.yaml and could not before. Rules are
// told apart by their path_regex.
func SealRulesLoosen(before, after fs.FS) []string {
	was, now := readSealRules(before), readSealRules(after)
	if len(now.wrong) > 0 {
		return []string{"it cannot be used after the change: look at it"}
	}
	var words []string
	for _, r := range now.rules {
		i := slices.IndexFunc(was.rules, func(w sealRule) bool { return w.path.String() == r.path.String() })
		if i < 0 {
			words = append(words, fmt.Sprintf("a rule for %s is new: %s can open what it seals", r.path, strings.Join(r.recipients, ", ")))
			continue
		}
		for _, recipient := range r.recipients {
			if !slices.Contains(was.rules[i].recipients, recipient) {
				words = append(words, fmt.Sprintf("%s: %s can open what is sealed from now on", r.path, recipient))
			}
		}
	}
	slices.Sort(words)
	return words
}

func readSealRules(fsys fs.FS) *SealRules {
	l := &layout{fsys: fsys}
	return l.sealRules(l.root())
}
