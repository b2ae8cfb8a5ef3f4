package trust

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/llm-config-manager/lcm/internal/lcm"
)

var principalName = regexp.MustCompile(`^[a-z0-9]([a-z0-9._-]{0,61}[a-z0-9])?$`)

// principals reads the principals of trust.yaml (tenant "") or of one tenant's file.
func (r *reader) principals(top section, tenant string) map[string]*Principal {
	v := top.fields["principals"]
	if v == nil {
		return nil
	}
	m, ok := v.(map[string]any)
	if !ok || len(m) > maxPrincipals {
		r.at("trust/format", fmt.Sprintf("principals must be a mapping from a name to roles and keys, at most %d", maxPrincipals), "principals")
		return nil
	}
	all := make(map[string]*Principal, len(m))
	for _, name := range slices.Sorted(maps.Keys(m)) {
		if !principalName.MatchString(name) {
			r.at("trust/principals", "the name of a principal is made of small letters, digits and inner hyphens, dots or underscores, at most 63", "principals", name)
			continue
		}
		all[name] = r.principal(name, m[name], tenant)
	}
	return all
}

func (r *reader) principal(name string, v any, tenant string) *Principal {
	s := r.section(v, []string{"bot", "roles", "keys", "logins"}, "principals", name)
	p := &Principal{Name: name, Tenant: tenant, Bot: r.bool(s, "bot"), Logins: r.logins(s)}
	if s.fields == nil {
		return p
	}
	p.Roles = readStrings(r, s, "roles", "trust/role", maxPatterns, func(text string) (Role, error) {
		role, err := parseRole(text)
		if err == nil && tenant != "" && role.Org != tenant {
			err = fmt.Errorf("%q: a tenant's file can give only roles of its own tenant, %s", text, tenant)
		}
		if err == nil && role.Word == serviceAccount && !p.Bot {
			err = fmt.Errorf("%q is a bot's role, and bots do not count as persons: write bot: true", text)
		}
		return role, err
	})
	p.Keys = r.keys(s, p)
	if s.empty("roles") {
		r.at("trust/principals", name+" has no roles: give it some, or remove it", s.path...)
	}
	if s.empty("keys") && len(p.Logins) == 0 {
		r.at("trust/principals", name+" has neither keys nor logins, so nothing could be known for its own: add a key", s.path...)
	}
	return p
}

func (r *reader) logins(s section) map[string]string {
	v, present := s.fields["logins"]
	if !present {
		return nil
	}
	m, ok := v.(map[string]any)
	if !ok {
		r.at("trust/format", "logins must be a mapping from a forge's name to the login there", s.at("logins")...)
		return nil
	}
	logins := make(map[string]string, len(m))
	for forge, login := range m {
		if text, ok := login.(string); ok && text != "" {
			logins[forge] = text
		} else {
			r.at("trust/format", "a login must be a string", s.at("logins", forge)...)
		}
	}
	return logins
}

func (r *reader) keys(s section, owner *Principal) []*Key {
	var keys []*Key
	for i, v := range r.list(s, "keys", maxKeys) {
		at := s.at("keys", strconv.Itoa(i))
		ks := r.section(v, []string{"ssh", "openpgp", "certificate", "authority", "notAfter"}, at...)
		if ks.fields == nil {
			continue
		}
		k, err := r.key(ks, owner)
		if err != nil {
			r.at(keyRule(err), err.Error(), at...)
			continue
		}
		k.Owner, k.NotAfter, k.Position = owner, r.time(ks, "notAfter"), r.doc.Position(at...)
		keys = append(keys, k)
	}
	return keys
}

func (r *reader) key(s section, owner *Principal) (*Key, error) {
	_, certificate := s.fields["certificate"]
	if _, authority := s.fields["authority"]; certificate || authority {
		return r.certificate(s, owner)
	}
	return parseKey(s.fields)
}

func keyRule(err error) string {
	if errors.Is(err, errWeak) {
		return "trust/weak-key"
	}
	return "trust/key"
}

// rules reads the rules of trust.yaml (tenant "") or of one tenant's file.
func (r *reader) rules(top section, tenant string) []*Rule {
	var rules []*Rule
	for i, v := range r.list(top, "rules", maxRules) {
		rules = append(rules, r.rule(i, v, tenant))
	}
	return rules
}

func (r *reader) rule(i int, v any, tenant string) *Rule {
	s := r.section(v, []string{"paths", "roles", "approvals", "rollbackApprovals", "rotation", "consent"}, "rules", strconv.Itoa(i))
	rule := &Rule{tenant: tenant, Position: r.doc.Position(s.path...)}
	if s.fields == nil {
		return rule
	}
	rule.Paths = readStrings(r, s, "paths", "trust/pattern", maxPatterns, func(text string) (lcm.Pattern, error) {
		if tenant != "" && !strings.HasPrefix(text, "namespaces/"+tenant+"/") {
			return lcm.Pattern{}, fmt.Errorf("%q: the rules of a tenant's file stay below namespaces/%s/", text, tenant)
		}
		return lcm.ParsePattern(text)
	})
	rule.Roles = readStrings(r, s, "roles", "trust/role", maxPatterns, func(text string) (Role, error) {
		role, err := parseRuleRole(text)
		if err == nil && tenant != "" && role.Org != "" && role.Org != tenant {
			err = fmt.Errorf("%q: roles of another tenant do not count here", text)
		}
		return role, err
	})
	for _, field := range []string{"paths", "roles"} {
		if s.empty(field) {
			r.at("trust/rule", "a rule needs "+field, s.at(field)...)
		}
	}
	rule.Approvals = r.count(s, "approvals", false)
	rule.RollbackApprovals = r.count(s, "rollbackApprovals", true)
	if rule.RollbackApprovals > rule.Approvals {
		r.at("trust/approvals", "rollbackApprovals must not be more than approvals", s.at("rollbackApprovals")...)
	}
	rule.Rotation = readStrings(r, s, "rotation", "trust/rule", maxPatterns, func(text string) (string, error) { return text, nil })
	rule.SignedConsent = r.word(s, "consent", "signed")
	return rule
}

// checkRotation demands that a rule's rotation names principals that the file may rely on: a name
// left free could be taken by a tenant's file.
func (r *reader) checkRotation(rules []*Rule, known func(string) bool) {
	if len(r.findings) > 0 {
		return // a principal that could not be read would be missed here too
	}
	for i, rule := range rules {
		for j, name := range rule.Rotation {
			if !known(name) {
				r.at("trust/rule", fmt.Sprintf("rotation names %q, who is no principal of this file", name), "rules", strconv.Itoa(i), "rotation", strconv.Itoa(j))
			}
		}
	}
}
