package check

import (
	"math/big"
	"slices"
	"strings"
	"time"

	"github.com/llm-config-manager/lcm/internal/diag"
	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/tree"
)

// scopes from wide to narrow: limits nest, and all must pass.
var scopes = [...]string{"org", "project", "service", "environment"}

// limit is what a Budget allows, as far as it is kept: those of the whole repository are held together.
type limit struct {
	Address  lcm.Address   `json:"address"`
	At       diag.Position `json:"at"`    // of max_budget
	Scope    int           `json:"scope"` // in scopes
	Budget   string        `json:"budget"`
	Duration string        `json:"duration"`
	Shadow   bool          `json:"shadow,omitempty"` // it only counts
}

func newLimit(e *tree.Entry) (l limit, ok bool) {
	l = limit{Address: e.Address, At: e.Position("spec", "max_budget"), Scope: slices.Index(scopes[:], text(e.Spec, "scope")),
		Budget: text(e.Spec, "max_budget"), Duration: text(e.Spec, "budget_duration")}
	l.Shadow, _ = e.Spec["shadow"].(bool)
	return l, l.Scope >= 0 && l.amount() != nil && l.window() > 0
}

// amount is exact: cents get lost in floats.
func (l limit) amount() *big.Rat {
	amount, ok := new(big.Rat).SetString(l.Budget)
	if !ok {
		return nil
	}
	return amount
}

func (l limit) window() time.Duration {
	d, err := lcm.ParseDuration(l.Duration)
	if err != nil {
		return 0
	}
	return d
}

// covers reports whether a wider limit holds for what a narrower one does.
func (l limit) covers(n limit) bool {
	a, b := l.Address, n.Address
	if l.Scope >= n.Scope || a.Environment != b.Environment || a.Org != b.Org {
		return false
	}
	return scopes[l.Scope] == "org" || a.Project == b.Project && (scopes[l.Scope] == "project" || a.Name == b.Name)
}

// within is what the limit lets pass in a time: all of it, and again each time that it begins anew.
func (l limit) within(window time.Duration) *big.Rat {
	times := 1 + int64((window-1)/l.window())
	return new(big.Rat).Mul(l.amount(), big.NewRat(times, 1))
}

// exceeds reports whether a limit can never be used up, since a wider one stops before. One that only counts
// stops nothing.
func (l limit) exceeds(above limit) bool {
	return above.covers(l) && !above.Shadow && l.amount().Cmp(above.within(l.window())) > 0
}

func (l limit) finding(above limit) diag.Finding {
	return diag.Warnf(l.At, "budget/above-parent", "the budget of the %s, %s, allows only %s in %s and stops it first: lower this one, or raise that",
		scopes[above.Scope], shown(above.Address), above.Budget, above.Duration)
}

// nested compares the budgets of a namespace, and leaves them to be compared with those of others.
func (g *together) nested() {
	var limits []limit
	for _, e := range g.budgets {
		if l, ok := newLimit(e); ok {
			limits = append(limits, l)
		}
	}
	for _, l := range limits {
		if i := slices.IndexFunc(limits, l.exceeds); i >= 0 {
			g.findings = append(g.findings, l.finding(limits[i]))
		}
	}
	g.yielded.limits = limits
}

// maxWide bounds the budgets of orgs and projects that all of an org in an environment are held against.
const maxWide = 64

// nestedAcross compares each budget with the wider ones of other services.
func nestedAcross(limits []limit) (findings []diag.Finding) {
	type realm struct{ org, environment string }
	slices.SortFunc(limits, func(a, b limit) int { return strings.Compare(a.Address.String(), b.Address.String()) })
	wide := map[realm][]limit{}
	for _, l := range limits {
		if r := (realm{l.Address.Org, l.Address.Environment}); scopes[l.Scope] == "org" || scopes[l.Scope] == "project" {
			wide[r] = append(wide[r], l)
		}
	}
	for _, l := range limits {
		above := wide[realm{l.Address.Org, l.Address.Environment}]
		for _, w := range above[:min(len(above), maxWide)] {
			if w.Address.Namespace != l.Address.Namespace && l.exceeds(w) {
				findings = append(findings, l.finding(w))
				break
			}
		}
	}
	return findings
}
