package trust

import (
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/llm-config-manager/lcm/internal/gitrepo"
	"github.com/llm-config-manager/lcm/internal/tree"
)

// Loosening is one thing that a change of the settings permits and that was not permitted before, or that
// somebody has to look at, since it cannot be told from here.
type Loosening struct {
	File string `json:"file"`
	What string `json:"what"` // in plain words
}

// Loosened compares the settings of two trees: trust and tenants, sealing, routes and limits, access, and the
// repository's own schemas and policies, as far as they are among the changes. The order is that of the files.
func Loosened(before, after fs.FS, changed []gitrepo.Change) (out []Loosening) {
	trusts := false
	for _, ch := range changed {
		file := ch.Path
		if isTrust := file == policyFile || strings.HasPrefix(file, tenantsDir+"/"); isTrust && trusts {
			continue
		} else if isTrust {
			trusts = true
			file = policyFile
		}
		for _, what := range loosenedFile(before, after, file, ch) {
			out = append(out, Loosening{file, what})
		}
	}
	return out
}

// ChangesSettings reports whether Loosened could have anything to say.
func ChangesSettings(changed []gitrepo.Change) bool {
	return slices.ContainsFunc(changed, func(ch gitrepo.Change) bool { return isSettings(ch.Path) })
}

func loosenedFile(before, after fs.FS, file string, ch gitrepo.Change) []string {
	switch dir := path.Dir(file); {
	case file == policyFile:
		return loosenedTrust(before, after)
	case file == tree.SealRulesFile:
		return tree.SealRulesLoosen(before, after)
	case file == tree.SettingsFile:
		return tree.SettingsLoosen(before, after)
	case dir == "policies/rego" && strings.HasSuffix(file, "_test.rego"):
		return nil
	case dir == "policies/rego":
		return loosenedRego(before, after, file)
	case dir == "schemas/cue" && ch.New == (gitrepo.Blob{}):
		return []string{"it is gone: what it demanded is demanded no more"}
	case dir == "schemas/cue" && ch.Old == (gitrepo.Blob{}):
		return nil // constraints only ever add up
	case dir == "schemas/cue", isSettings(file) && ch.New != (gitrepo.Blob{}):
		return []string{look}
	}
	return nil
}

const look = "it changed, and nobody can tell here what that permits: look at it"

func loosenedTrust(before, after fs.FS) []string {
	was, _ := LoadPolicy(before)
	now, _ := LoadPolicy(after)
	if was == nil || now == nil {
		return []string{"it cannot be put in force before or after the change: look at it"}
	}
	return Loosens(was, now)
}

var (
	ruleName    = regexp.MustCompile(`"rule"\s*:\s*"([^"]+)"`)
	packageName = regexp.MustCompile(`(?m)^package\s+(\S+)`)
)

// loosenedRego tells of rules that are gone by name. What else may have changed has to be read.
func loosenedRego(before, after fs.FS, file string) (words []string) {
	was, errWas := fs.ReadFile(before, file)
	now, errNow := fs.ReadFile(after, file)
	if errWas != nil && !inPackage(before, packageOf(now)) {
		return nil // a package of its own only denies and warns more
	}
	have := ruleName.FindAllSubmatch(now, -1)
	for _, m := range ruleName.FindAllSubmatch(was, -1) {
		gone := !slices.ContainsFunc(have, func(h [][]byte) bool { return string(h[1]) == string(m[1]) })
		if word := "the rule " + string(m[1]) + " is gone"; gone && !slices.Contains(words, word) {
			words = append(words, word)
		}
	}
	if errNow != nil && len(words) == 0 {
		return []string{"it is gone: what it demanded is demanded no more"}
	}
	if errNow == nil {
		words = append(words, look)
	}
	return words
}

func packageOf(source []byte) string {
	if m := packageName.FindSubmatch(source); m != nil {
		return string(m[1])
	}
	return ""
}

func inPackage(fsys fs.FS, name string) bool {
	files, _ := fs.Glob(fsys, "policies/rego/*.rego")
	return slices.ContainsFunc(files, func(f string) bool {
		data, err := fs.ReadFile(fsys, f)
		return err == nil && packageOf(data) == name
	})
}
