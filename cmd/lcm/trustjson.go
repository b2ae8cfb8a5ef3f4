package main

import (
	"time"

	"github.com/llm-config-manager/lcm/internal/lcm"
)

type whoMay struct {
	Schema string `json:"schema"`
	Path   string `json:"path"`
	Needs  []need `json:"needs"`
}

type policyJSON struct {
	Schema     string          `json:"schema"`
	Repository string          `json:"repository"`
	Branch     string          `json:"branch"`
	Version    int64           `json:"version"`
	Revision   lcm.Revision    `json:"revision"`
	Principals []principalJSON `json:"principals"`
	Rules      []ruleJSON      `json:"rules"`

	Authorities map[string]string `json:"authorities,omitempty"` // of SSH certificates: name → fingerprint
}

type principalJSON struct {
	Name  string    `json:"name"`
	File  string    `json:"file"`
	Bot   bool      `json:"bot,omitempty"`
	Roles []string  `json:"roles"`
	Keys  []keyJSON `json:"keys"`
}

type keyJSON struct {
	Fingerprint string     `json:"fingerprint"`
	NotAfter    *time.Time `json:"notAfter,omitempty"`
}

type ruleJSON struct {
	At                string   `json:"at"` // file:line:column
	Paths             []string `json:"paths"`
	Roles             []string `json:"roles"`
	Approvals         int      `json:"approvals"`
	RollbackApprovals int      `json:"rollbackApprovals,omitempty"`
	Rotation          []string `json:"rotation,omitempty"`
	SignedConsent     bool     `json:"signedConsent,omitempty"`
}

func shownPolicy(d *desk) policyJSON {
	p := d.policy
	out := policyJSON{Schema: "lcm.trust-policy/v1", Repository: p.Repository, Branch: p.Branch, Version: p.Version, Revision: d.tip,
		Principals: []principalJSON{}, Rules: []ruleJSON{}, Authorities: map[string]string{}}
	for _, a := range p.Authorities() {
		out.Authorities[a.Name] = a.Fingerprint
	}
	for _, who := range p.Principals() {
		one := principalJSON{Name: who.Name, File: who.File(), Bot: who.Bot, Roles: texts(who.Roles), Keys: []keyJSON{}}
		for _, k := range who.Keys {
			key := keyJSON{Fingerprint: k.Fingerprint}
			if !k.NotAfter.IsZero() {
				key.NotAfter = &k.NotAfter
			}
			one.Keys = append(one.Keys, key)
		}
		out.Principals = append(out.Principals, one)
	}
	for _, r := range p.Rules() {
		out.Rules = append(out.Rules, ruleJSON{r.Position.String(), texts(r.Paths), texts(r.Roles), r.Approvals, r.RollbackApprovals, r.Rotation, r.SignedConsent})
	}
	return out
}

func texts[T interface{ String() string }](all []T) []string {
	out := make([]string, len(all))
	for i, v := range all {
		out[i] = v.String()
	}
	return out
}
