package trust

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/llm-config-manager/lcm/internal/diag"
	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/strictyaml"
)

const (
	policyFolder = ".lcm"
	policyFile   = ".lcm/trust.yaml"
	tenantsDir   = ".lcm/tenants"
)

// Limits on a policy. They keep one check of one path cheap.
const (
	maxPrincipals = 10_000
	maxRules      = 1_000
	maxPatterns   = 100
	maxKeys       = 50
	maxVersion    = 1 << 50 // far from where one more would leave the range of integers
)

// Principal is a person or a bot, known by its keys.
type Principal struct {
	Name   string
	Bot    bool
	Roles  []Role
	Keys   []*Key
	Logins map[string]string // forge → login, under which reviews there are the principal's
	Tenant string            // the tenant whose file adds it; "" for trust.yaml

	forge *Forge // not nil: no principal at all, but a forge as the owner of its keys
}

// Policy is who is believed: .lcm/trust.yaml, and what .lcm/tenants/ adds to it. It does not
// change once made and may be shared.
type Policy struct {
	Repository, Branch string
	Version            int64

	principals  map[string]*Principal
	authorities map[string]*Authority
	rules       []*Rule
	tenants     map[string]*TenantPolicy
	forges      map[string]*Forge
	logins      map[login]*Principal
	keys        keyring
	file        string
	doc         *strictyaml.Document
}

// Principals returns every principal, sorted by name.
func (p *Policy) Principals() []*Principal {
	return slices.SortedFunc(maps.Values(p.principals), func(a, b *Principal) int { return cmp.Compare(a.Name, b.Name) })
}

// Rules returns every rule: those of trust.yaml in their order, then those of the tenants.
func (p *Policy) Rules() []*Rule { return slices.Clone(p.rules) }

// Checked is how many signatures of commits were checked by this policy's keys so far.
func (p *Policy) Checked() int64 { return p.keys.checked.Load() }

// Matching returns the rules that a change of path must meet. None means that nobody may change it:
// so too if only a tenant's file speaks of it, since such a file can tighten but not permit.
func (p *Policy) Matching(path string) []*Rule {
	var rules []*Rule
	permitted := false
	for _, r := range p.rules {
		if r.Matches(path) {
			rules = append(rules, r)
			permitted = permitted || r.tenant == ""
		}
	}
	if !permitted {
		return nil
	}
	return rules
}

// ParsePolicy reads .lcm/trust.yaml by itself. It returns a nil Policy if any finding is an error.
// What depends on the clock (keys that have expired) is not judged here but where a commit is.
func ParsePolicy(file string, data []byte) (*Policy, []diag.Finding) {
	doc, findings := strictyaml.Parse(file, data)
	if doc == nil {
		return nil, findings
	}
	r := &reader{doc: doc}
	p := &Policy{file: file, doc: doc}
	top := r.top("TrustPolicy", "repository", "branch", "version", "sshAuthorities", "principals", "rules", "forges")
	if top.fields == nil {
		return nil, r.findings
	}
	p.Repository = r.required(top, "repository")
	p.Branch = r.required(top, "branch")
	p.Version = r.version(top)
	p.authorities = r.sshAuthorities(top)
	r.authorities = p.authorities
	p.principals = r.principals(top, "")
	if m, ok := top.fields["principals"].(map[string]any); ok && len(m) == 0 || top.fields["principals"] == nil {
		r.at("trust/principals", "there is no principal: nobody could sign the next change", "principals")
	}
	p.rules = r.rules(top, "")
	r.checkRotation(p.rules, func(name string) bool { return p.principals[name] != nil })
	p.forges = r.forges(top)
	if len(r.findings) == 0 {
		r.findings = append(p.index(), p.locked(time.Time{})...)
	}
	if diag.Failed(r.findings) {
		return nil, diag.Sort(r.findings)
	}
	return p, diag.Sort(r.findings)
}

// index fills the keyring and finds keys that stand twice, under whatever name and form: one person
// with one key under two names would count as two.
func (p *Policy) index() []diag.Finding {
	p.keys = newKeyring()
	findings := p.keys.reserveAll(p.Authorities())
	add := func(who *Principal) {
		for _, k := range who.Keys {
			if other := p.keys.add(k); other != nil {
				findings = append(findings, diag.Errorf(k.Position, "trust/duplicate-key",
					"this key of %s stands already at %s, as a key of %s: each key belongs to one principal, once", who.Name, other.Position, other.Owner.Name))
			}
		}
	}
	for _, who := range p.Principals() {
		add(who)
	}
	for _, f := range p.Forges() {
		add(f.owner)
	}
	return append(findings, p.indexLogins()...)
}

// locked finds the rules of the settings that too few persons could meet: such a policy could
// never be changed again. A zero time takes every key for valid.
func (p *Policy) locked(at time.Time) []diag.Finding {
	var findings []diag.Finding
	if len(p.Matching(policyFile)) == 0 {
		findings = append(findings, diag.Errorf(p.doc.KeyPosition("rules"), "trust/unsatisfiable",
			"no rule matches %s: nobody could ever change this policy again; add a rule for it", policyFile))
	}
	for _, rule := range p.rules {
		if !rule.concernsSettings() {
			continue
		}
		if n := p.persons(rule, at); n < rule.Approvals {
			findings = append(findings, diag.Errorf(rule.Position, "trust/unsatisfiable",
				"this rule asks for %d approvals of settings by %s, but %d of those persons have a valid key: add keys or ask for fewer",
				rule.Approvals, rule.who(policyFile), n))
		}
	}
	return findings
}

// concernsSettings leaves out the tenants' files: who locks one of those is helped by whoever may
// change trust.yaml.
func (r *Rule) concernsSettings() bool {
	for _, s := range []string{policyFile, ".lcm/access.yaml", ".sops.yaml", "lcm.yaml", "schemas/**", "policies/**"} {
		for _, p := range r.Paths {
			if overlap(p, lcm.MustPattern(s)) {
				return true
			}
		}
	}
	return false
}

func (p *Policy) persons(rule *Rule, at time.Time) int {
	n := 0
	for _, who := range p.principals {
		valid := func(k *Key) bool { return at.IsZero() || k.validAt(at) == nil }
		if !who.Bot && rule.admits(who, policyFile) && slices.ContainsFunc(who.Keys, valid) {
			n++
		}
	}
	return n
}
