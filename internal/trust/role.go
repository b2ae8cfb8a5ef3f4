package trust

import (
	"fmt"
	"slices"
	"strings"

	"github.com/llm-config-manager/lcm/internal/lcm"
)

// Role is what a principal may stand for: global-admin, or a word bound to one tenant.
type Role struct {
	Word string // one of the role words; in a Rule also "*", any role
	Org  string // the tenant; empty for global-admin and, in a Rule, for any tenant
}

const (
	globalAdmin    = "global-admin"
	serviceAccount = "service-account"
	anyRole        = "*"
)

// tenantWords are the roles that exist only within one tenant.
var tenantWords = [...]string{"tenant-admin", "operator", "developer", "viewer", serviceAccount}

func (r Role) String() string {
	if r.Org == "" {
		return r.Word
	}
	return r.Word + ":" + r.Org
}

// parseRole parses a role as a principal bears it.
func parseRole(s string) (Role, error) {
	word, org, bound := strings.Cut(s, ":")
	switch {
	case word == globalAdmin && !bound:
		return Role{Word: word}, nil
	case word == globalAdmin:
		return Role{}, fmt.Errorf("%q: global-admin holds everywhere; write it without a tenant", s)
	case !slices.Contains(tenantWords[:], word):
		return Role{}, fmt.Errorf("%q is no role; there are %s, and for one tenant %s, each written role:org", s, globalAdmin, strings.Join(tenantWords[:], ", "))
	case !bound:
		return Role{}, fmt.Errorf("%q holds within one tenant; write %s:<org>", s, word)
	case !lcm.ValidName(org):
		return Role{}, fmt.Errorf("%q: %q cannot be the name of a tenant", s, org)
	}
	return Role{word, org}, nil
}

// parseRuleRole parses a role as a rule names it: a word, of whatever tenant the path belongs to,
// or a word of one tenant, or "*".
func parseRuleRole(s string) (Role, error) {
	if s == anyRole || slices.Contains(tenantWords[:], s) {
		return Role{Word: s}, nil
	}
	r, err := parseRole(s)
	if err != nil {
		return r, fmt.Errorf("%q is no role that a rule can name; there are *, %s, %s", s, globalAdmin, strings.Join(tenantWords[:], ", "))
	}
	return r, nil
}

// reaches reports whether the role counts at path at all: a tenant's role only at its tenant's own paths.
func (r Role) reaches(path string) bool {
	return r.Word == globalAdmin || r.Org != "" && r.Org == tenantOf(path)
}

// tenantOf returns the tenant that a path belongs to, or "" if it belongs to none.
func tenantOf(path string) string {
	if rest, ok := strings.CutPrefix(path, "namespaces/"); ok {
		org, _, _ := strings.Cut(rest, "/")
		return org
	}
	if rest, ok := strings.CutPrefix(path, tenantsDir+"/"); ok {
		if org, ok := strings.CutSuffix(rest, ".yaml"); ok && !strings.Contains(org, "/") {
			return org
		}
	}
	return ""
}
