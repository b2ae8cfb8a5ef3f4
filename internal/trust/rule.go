package trust

import (
	"slices"
	"strings"

	"github.com/llm-config-manager/lcm/internal/diag"
	"github.com/llm-config-manager/lcm/internal/lcm"
)

// Rule says whose consent a change of the paths that it matches needs. All rules that match a path
// must be met, each with its own count.
type Rule struct {
	Paths             []lcm.Pattern
	Roles             []Role
	Approvals         int      // distinct principals; at least 1
	RollbackApprovals int      // for restoring earlier content; 0: Approvals
	Rotation          []string // principals who may replace sealed values by themselves
	SignedConsent     bool     // consent: signed — the signers of side commits do not count
	Position          diag.Position

	tenant string // the tenant whose file holds the rule; "" for trust.yaml
}

// Matches reports whether the rule speaks about path.
func (r *Rule) Matches(path string) bool {
	return slices.ContainsFunc(r.Paths, func(p lcm.Pattern) bool { return p.Match(path) })
}

// admits reports whether p has a role that the rule counts at path.
func (r *Rule) admits(p *Principal, path string) bool {
	return slices.ContainsFunc(p.Roles, func(has Role) bool {
		return has.reaches(path) && slices.ContainsFunc(r.Roles, func(want Role) bool {
			return (want.Word == anyRole || want.Word == has.Word) && (want.Org == "" || want.Org == has.Org)
		})
	})
}

func (r *Rule) String() string {
	paths := make([]string, len(r.Paths))
	for i, p := range r.Paths {
		paths[i] = p.String()
	}
	return strings.Join(paths, ", ") + " (" + r.Position.String() + ")"
}

// who says in words whose consent counts at path.
func (r *Rule) who(path string) string {
	var words []string
	for _, role := range r.Roles {
		org := tenantOf(path)
		switch {
		case role.Word == anyRole && org == "":
			words = append(words, globalAdmin)
		case role.Word == anyRole:
			words = append(words, "anyone with a role in "+org, globalAdmin)
		case role.Word == globalAdmin:
			words = append(words, globalAdmin)
		case org != "" && (role.Org == "" || role.Org == org):
			words = append(words, role.Word+" of "+org)
		}
	}
	if len(words) == 0 {
		return "nobody: no role that the rule names counts at this path"
	}
	return orList(words)
}

func orList(words []string) string {
	words = slices.Compact(words)
	if len(words) == 1 {
		return words[0]
	}
	return strings.Join(words[:len(words)-1], ", ") + " or " + words[len(words)-1]
}

// settings are the paths that decide what is believed, checked or sealed. Their content is never
// taken for a rollback, and somebody must always be able to change them.
var settings = [...]lcm.Pattern{
	lcm.MustPattern(".lcm/**"), lcm.MustPattern(".sops.yaml"), lcm.MustPattern("lcm.yaml"),
	lcm.MustPattern("schemas/**"), lcm.MustPattern("policies/**"),
}

func isSettings(path string) bool {
	return slices.ContainsFunc(settings[:], func(p lcm.Pattern) bool { return p.Match(path) })
}

// overlap reports whether some path is matched by both patterns.
func overlap(a, b lcm.Pattern) bool {
	return overlapSegments(strings.Split(a.String(), "/"), strings.Split(b.String(), "/"))
}

// overlapSegments fills the table of "do a[i:] and b[j:] have a common match" from the end, so the
// time is the product of the lengths, whatever the number of **.
func overlapSegments(a, b []string) bool {
	next := make([]bool, len(b)+1)
	for i := len(a); i >= 0; i-- {
		row := make([]bool, len(b)+1)
		for j := len(b); j >= 0; j-- {
			switch {
			case i == len(a) && j == len(b):
				row[j] = true
			case i < len(a) && a[i] == "**":
				row[j] = next[j] || j < len(b) && row[j+1]
			case j < len(b) && b[j] == "**":
				row[j] = row[j+1] || i < len(a) && next[j]
			case i < len(a) && j < len(b):
				row[j] = next[j+1] && (a[i] == "*" || b[j] == "*" || a[i] == b[j])
			}
		}
		next = row
	}
	return next[0]
}
