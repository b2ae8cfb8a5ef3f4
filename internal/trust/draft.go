package trust

import (
	"maps"
	"slices"
	"time"

	"github.com/llm-config-manager/lcm/internal/diag"
	"github.com/llm-config-manager/lcm/internal/gitrepo"
)

// ParsePolicies puts together the texts of a policy that is in the making, as LoadPolicy does those of a
// tree: .lcm/trust.yaml, and the tenants' files by tenant. It returns a nil Policy if any finding is an error.
func ParsePolicies(policy []byte, tenants map[string][]byte) (*Policy, []diag.Finding) {
	p, findings := ParsePolicy(policyFile, policy)
	if p == nil {
		return nil, findings
	}
	var all []*TenantPolicy
	for _, org := range slices.Sorted(maps.Keys(tenants)) {
		t, more := ParseTenantPolicy(org, tenantsDir+"/"+org+".yaml", tenants[org])
		findings, all = append(findings, more...), append(all, t)
	}
	if !diag.Failed(findings) && len(all) > 0 {
		var more []diag.Finding
		p, more = p.with(all)
		findings = append(findings, more...)
	}
	if diag.Failed(findings) {
		p = nil
	}
	return p, diag.Sort(findings)
}

// ReadKey reads one public key as a policy may state it: kind "ssh", a line of a .pub file, or "openpgp",
// armored. The key has no owner, and counts for nothing by itself.
func ReadKey(kind, text string) (*Key, error) { return parseKey(map[string]any{kind: text}) }

// Principal returns a principal by name; nil if there is none.
func (p *Policy) Principal(name string) *Principal { return p.principals[name] }

// File is where the principal stands.
func (p *Principal) File() string { return fileOf(p) }

// VersionOf returns the version of .lcm/trust.yaml or of a tenant's file; 0 if there is no such file.
func (p *Policy) VersionOf(file string) int64 {
	if file == policyFile {
		return p.Version
	}
	for org, t := range p.tenants {
		if file == tenantsDir+"/"+org+".yaml" {
			return t.Version
		}
	}
	return 0
}

// LockedAt finds the rules of the settings that too few persons could meet with the keys that are valid at a time.
func (p *Policy) LockedAt(at time.Time) []diag.Finding { return p.locked(at) }

// SignerOf returns the key of the policy that signed a commit, whether or not it has ended since the commit's
// own date; nil if no key of the policy did.
func (p *Policy) SignerOf(c *gitrepo.Commit) *Key {
	key, _ := p.keys.verify(c.Signature, c.Payload, c.Committer.When)
	return key
}
