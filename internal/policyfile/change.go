package policyfile

import (
	"fmt"
	"slices"
	"strings"

	"github.com/llm-config-manager/lcm/internal/trust"
)

// Change is one difference between two policies, for people to read.
type Change struct {
	What      string   `json:"what"` // principal-added, principal-removed, roles, key-added, key-removed, key-ends, approvals
	Principal string   `json:"principal,omitempty"`
	Rule      string   `json:"rule,omitempty"`
	Key       string   `json:"key,omitempty"` // its fingerprint
	NotAfter  string   `json:"notAfter,omitempty"`
	Roles     []string `json:"roles,omitempty"` // as they are now
	Approvals int      `json:"approvals,omitempty"`
	Signed    bool     `json:"signedConsent,omitempty"`
}

func (c Change) String() string {
	until := ""
	if c.NotAfter != "" {
		until = " until " + c.NotAfter
	}
	switch c.What {
	case "principal-added":
		return "+ " + c.Principal + ": " + strings.Join(c.Roles, ", ")
	case "principal-removed":
		return "- " + c.Principal
	case "roles":
		return "~ " + c.Principal + ": now " + strings.Join(c.Roles, ", ")
	case "key-added":
		return "+ " + c.Principal + ": " + c.Key + until
	case "key-removed":
		return "- " + c.Principal + ": " + c.Key
	case "key-ends":
		return "~ " + c.Principal + ": " + c.Key + until
	}
	signed := ""
	if c.Signed {
		signed = " signed"
	}
	return fmt.Sprintf("~ %d%s approvals for %s", c.Approvals, signed, c.Rule)
}

// Changes tells how a policy differs from an earlier one: its principals, their keys and roles, and the consent
// that rules ask for. A rule that is new or gone is not told.
func Changes(before, after *trust.Policy) []Change {
	var all []Change
	for _, was := range before.Principals() {
		if after.Principal(was.Name) == nil {
			all = append(all, Change{What: "principal-removed", Principal: was.Name})
		}
	}
	for _, who := range after.Principals() {
		was := before.Principal(who.Name)
		roles := rolesOf(who)
		switch {
		case was == nil:
			was = &trust.Principal{}
			all = append(all, Change{What: "principal-added", Principal: who.Name, Roles: roles})
		case !slices.Equal(roles, rolesOf(was)):
			all = append(all, Change{What: "roles", Principal: who.Name, Roles: roles})
		}
		all = append(all, keyChanges(was, who)...)
	}
	return append(all, ruleChanges(before, after)...)
}

func rolesOf(p *trust.Principal) []string {
	var words []string
	for _, r := range p.Roles {
		words = append(words, r.String())
	}
	return words
}

func keyChanges(was, is *trust.Principal) []Change {
	var all []Change
	for _, k := range is.Keys {
		c := Change{What: "key-added", Principal: is.Name, Key: k.Fingerprint}
		if !k.NotAfter.IsZero() {
			c.NotAfter = stamp(k.NotAfter)
		}
		old, err := keyOf(was, k.Fingerprint)
		if err == nil {
			c.What = "key-ends"
		}
		if err != nil || !old.NotAfter.Equal(k.NotAfter) {
			all = append(all, c)
		}
	}
	for _, k := range was.Keys {
		if _, err := keyOf(is, k.Fingerprint); err != nil {
			all = append(all, Change{What: "key-removed", Principal: is.Name, Key: k.Fingerprint})
		}
	}
	return all
}

func ruleChanges(before, after *trust.Policy) []Change {
	var all []Change
	was, is := before.Rules(), after.Rules()
	for i := range min(len(was), len(is)) {
		if was[i].Approvals != is[i].Approvals || was[i].SignedConsent != is[i].SignedConsent {
			var paths []string
			for _, p := range is[i].Paths {
				paths = append(paths, p.String())
			}
			all = append(all, Change{What: "approvals", Rule: strings.Join(paths, ", "), Approvals: is[i].Approvals, Signed: is[i].SignedConsent})
		}
	}
	return all
}
