package policyfile

import (
	"fmt"
	"strings"

	"github.com/llm-config-manager/lcm/internal/trust"
	"github.com/llm-config-manager/lcm/internal/yamledit"
)

// NewPolicy is what the first policy of a repository says.
type NewPolicy struct {
	Repository, Branch string
	Admins             []Person // at least one; roles are added
	Others             []Person
}

// Approvals is how many admins a change of the settings needs: two as soon as there are two.
func (n NewPolicy) Approvals() int { return min(2, len(n.Admins)) }

// Text writes the policy. It returns an *UnsoundError if the daemon would refuse it: one key of two persons, say.
func (n NewPolicy) Text() ([]byte, error) {
	var b strings.Builder
	fmt.Fprintf(&b, "apiVersion: lcm/v1\nkind: TrustPolicy\nrepository: %s\nbranch: %s\nversion: 1                       # exactly one more at every change of this file\nprincipals:\n",
		yamledit.Scalar(n.Repository), yamledit.Scalar(n.Branch))
	for _, p := range n.Admins {
		p.Roles = append([]string{"global-admin"}, p.Roles...)
		b.WriteString(person(p))
	}
	for _, p := range n.Others {
		b.WriteString(person(p))
	}
	fmt.Fprintf(&b, "rules:                           # every rule that matches a path must be met\n"+
		"  - {paths: [\"**\"], roles: [\"*\"], approvals: 1}\n"+
		"  - {paths: [\".lcm/**\", \".sops.yaml\", \"lcm.yaml\", \"schemas/**\", \"policies/**\"], roles: [global-admin], approvals: %d}\n"+
		"  - {paths: [\"namespaces/*/*/*/production/**\"], roles: [global-admin, tenant-admin, operator], approvals: %[1]d, rollbackApprovals: 1}\n", n.Approvals())
	if p, findings := trust.ParsePolicy(policyFile, []byte(b.String())); p == nil {
		return nil, &UnsoundError{findings}
	}
	return []byte(b.String()), nil
}

func person(p Person) string {
	return yamledit.Entry(yamledit.Field{Key: p.Name, Value: p.entry()}, 2)
}

func newTenant(org string, admins []Person) []byte {
	var b strings.Builder
	fmt.Fprintf(&b, "apiVersion: lcm/v1\nkind: TenantPolicy\ntenant: %s\nversion: 1                       # exactly one more at every change of this file\nprincipals:\n", yamledit.Scalar(org))
	for _, p := range admins {
		p.Roles = append([]string{"tenant-admin:" + org}, p.Roles...)
		b.WriteString(person(p))
	}
	return []byte(b.String())
}
