package tree

import (
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/llm-config-manager/lcm/internal/diag"
	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/strictyaml"
)

// SettingsFile is where the settings of a repository stand.
const SettingsFile = "lcm.yaml"

// Edition is the one edition of the built-in checks that there is.
const Edition = "1"

const maxEnvironments = 64

// Settings are what lcm.yaml says, checked.
type Settings struct {
	Name         string
	Rules        string // edition of the built-in checks
	Environments map[string]Environment
	Targets      map[string]Target
	Routes       []Route
	Limits       Limits
	Tenants      map[string]Tenant // by org; those that nothing is said of are absent
	NotSecrets   []NotSecret
	Suspend      []Suspend
	YAML         *strictyaml.Document
}

// Environment is one layer of every service.
type Environment struct {
	Abstract bool   // only a layer, never published
	Inherits string // the next layer; empty: none
}

// Target is what the routes rely on; the daemon refuses a real target that offers less.
type Target struct {
	Secrets           bool
	MaxClassification lcm.Classification // internal unless said
}

// Limits are the repository's own; the daemon's ceiling also holds.
type Limits struct {
	MaxDeletes string // a number or a percentage; empty: the daemon's
}

// Tenant is what holds for all of an org.
type Tenant struct {
	Regions []string // the only ones that a ModelEndpoint's targets may be in, sorted; nil: any
}

// NotSecret is a text that looks like a credential and is none, as those say who may change lcm.yaml.
type NotSecret struct {
	SHA256 [sha256.Size]byte // of the text
	Why    string
}

// parseSettings returns nil settings if there is any finding: half-understood settings would send
// documents astray.
func parseSettings(doc *strictyaml.Document) (*Settings, []diag.Finding) {
	f := &form{doc: doc}
	m, ok := doc.Value.(map[string]any)
	if !ok {
		f.at(nil, "settings/missing", "lcm.yaml must be a mapping with apiVersion, kind, name, rules, environments, targets and routes")
		return nil, f.findings
	}
	f.only(m, nil, "settings/unknown-field", "apiVersion", "kind", "name", "rules", "environments", "targets", "routes", "limits", "tenants", "notSecrets", "suspend")
	s := &Settings{YAML: doc}
	for _, field := range []struct {
		name string
		read func(*form, any)
	}{
		{"apiVersion", func(f *form, v any) { f.equal("apiVersion", v, lcm.APIVersion, "document/api-version") }},
		{"kind", func(f *form, v any) { f.equal("kind", v, "Repository", "document/kind") }},
		{"name", s.name},
		{"rules", s.rules},
		{"environments", s.environments},
		{"targets", s.targets},
		{"routes", s.routes},
	} {
		if v, ok := m[field.name]; ok {
			field.read(f, v)
		} else {
			f.at(nil, "settings/missing", "the field %s is missing", field.name)
		}
	}
	if v, ok := m["limits"]; ok {
		s.limits(f, v)
	}
	if v, ok := m["tenants"]; ok {
		s.tenants(f, v)
	}
	if v, ok := m["notSecrets"]; ok {
		s.notSecrets(f, v)
	}
	if v, ok := m["suspend"]; ok {
		s.suspends(f, v)
	}
	if len(f.findings) > 0 {
		return nil, f.findings
	}
	return s, nil
}

func (f *form) equal(field string, v any, want, rule string) {
	if v != want {
		f.at([]string{field}, rule, "%s must be %s", field, want)
	}
}

func (s *Settings) name(f *form, v any) {
	s.Name, _ = v.(string)
	if !lcm.ValidName(s.Name) {
		f.at([]string{"name"}, "settings/name", "the repository's name must be small letters, digits and inner hyphens, at most %d", lcm.MaxName)
	}
}

func (s *Settings) rules(f *form, v any) {
	s.Rules, _ = v.(string)
	if s.Rules != Edition {
		f.at([]string{"rules"}, "settings/edition", "the only edition of the rules is %q, written as a string", Edition)
	}
}

func (s *Settings) environments(f *form, v any) {
	const rule = "settings/environment"
	path := []string{"environments"}
	m, ok := v.(map[string]any)
	if !ok || len(m) == 0 || len(m) > maxEnvironments {
		f.at(path, rule, "environments must be a mapping of 1 to %d names", maxEnvironments)
		return
	}
	s.Environments = map[string]Environment{}
	for _, name := range slices.Sorted(maps.Keys(m)) {
		at := join(path, name)
		if !lcm.ValidName(name) {
			f.atKey(at, rule, "an environment's name must be small letters, digits and inner hyphens, at most %d", lcm.MaxName)
		}
		fields, ok := m[name].(map[string]any)
		if !ok {
			f.at(at, rule, "an environment is a mapping of abstract and inherits, or {}")
		}
		f.only(fields, at, "settings/unknown-field", "abstract", "inherits")
		var e Environment
		if v, ok := fields["abstract"]; ok {
			if e.Abstract, ok = v.(bool); !ok {
				f.at(join(at, "abstract"), rule, "abstract must be true or false")
			}
		}
		if v, ok := fields["inherits"]; ok {
			e.Inherits, _ = v.(string)
			if _, known := m[e.Inherits]; !known {
				f.at(join(at, "inherits"), rule, "inherits must name an environment of this file")
				e.Inherits = ""
			}
		}
		s.Environments[name] = e
	}
	s.refuseCycles(f)
}

// refuseCycles finds environments that inherit from themselves, and says so once a cycle.
func (s *Settings) refuseCycles(f *form) {
	done := map[string]bool{}
	for _, name := range slices.Sorted(maps.Keys(s.Environments)) {
		walk := map[string]bool{}
		for e := name; e != "" && !done[e]; e = s.Environments[e].Inherits {
			if walk[e] {
				f.at([]string{"environments", e, "inherits"}, "settings/environment", "this environment inherits from itself")
				break
			}
			walk[e] = true
		}
		maps.Copy(done, walk)
	}
}

func (s *Settings) targets(f *form, v any) {
	const rule = "settings/target"
	path := []string{"targets"}
	m, ok := v.(map[string]any)
	if !ok || len(m) == 0 {
		f.at(path, rule, "targets must be a mapping of at least one name")
		return
	}
	s.Targets = map[string]Target{}
	for _, name := range slices.Sorted(maps.Keys(m)) {
		at := join(path, name)
		if !lcm.ValidName(name) {
			f.atKey(at, rule, "a target's name must be small letters, digits and inner hyphens, at most %d", lcm.MaxName)
		}
		fields, ok := m[name].(map[string]any)
		if !ok {
			f.at(at, rule, "a target is a mapping of secrets and maxClassification, or {}")
		}
		f.only(fields, at, "settings/unknown-field", "secrets", "maxClassification")
		t := Target{MaxClassification: lcm.Internal}
		if v, ok := fields["secrets"]; ok {
			if t.Secrets, ok = v.(bool); !ok {
				f.at(join(at, "secrets"), rule, "secrets must be true or false")
			}
		}
		if v, ok := fields["maxClassification"]; ok {
			c, _ := v.(string)
			if t.MaxClassification = lcm.Classification(c); !t.MaxClassification.Valid() {
				f.at(join(at, "maxClassification"), rule, "maxClassification must be public, internal, confidential or restricted")
			}
		}
		s.Targets[name] = t
	}
}

var maxDeletesShape = regexp.MustCompile(`^([0-9]{1,9}|([0-9]{1,2}|100)%)$`)

func (s *Settings) limits(f *form, v any) {
	m, ok := v.(map[string]any)
	if !ok {
		f.at([]string{"limits"}, "settings/limits", "limits is a mapping of maxDeletes")
		return
	}
	f.only(m, []string{"limits"}, "settings/unknown-field", "maxDeletes")
	v, ok = m["maxDeletes"]
	if !ok {
		return
	}
	switch v := v.(type) {
	case string:
		s.Limits.MaxDeletes = v
	case int64:
		s.Limits.MaxDeletes = strconv.FormatInt(v, 10)
	}
	if !maxDeletesShape.MatchString(s.Limits.MaxDeletes) {
		f.at([]string{"limits", "maxDeletes"}, "settings/limits", "maxDeletes must be a number, or a percentage such as 10%%")
	}
}

const maxNotSecrets = 1000

func (s *Settings) notSecrets(f *form, v any) {
	const rule = "settings/not-secret"
	list, ok := v.([]any)
	if !ok || len(list) > maxNotSecrets {
		f.at([]string{"notSecrets"}, rule, "notSecrets is a list of at most %d entries, each with sha256 and why", maxNotSecrets)
		return
	}
	for i, v := range list {
		at := join([]string{"notSecrets"}, strconv.Itoa(i))
		m, ok := v.(map[string]any)
		if !ok {
			f.at(at, rule, "an entry is a mapping of sha256 and why")
			continue
		}
		f.only(m, at, "settings/unknown-field", "sha256", "why")
		n := NotSecret{}
		n.Why, _ = m["why"].(string)
		if strings.TrimSpace(n.Why) == "" {
			f.at(join(at, "why"), rule, "why must say, to those who approve it, why this is no secret")
		}
		text, _ := m["sha256"].(string)
		sum, err := hex.DecodeString(text)
		if err != nil || len(sum) != sha256.Size {
			f.at(join(at, "sha256"), rule, "sha256 must be 64 hexadecimal digits: the SHA-256 of the text that is no secret")
			continue
		}
		copy(n.SHA256[:], sum)
		s.NotSecrets = append(s.NotSecrets, n)
	}
}
