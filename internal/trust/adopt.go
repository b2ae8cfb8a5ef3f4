package trust

import (
	"slices"

	"github.com/llm-config-manager/lcm/internal/lcm"
)

// adoption is how a step may pass of which some commit bears no signature that counts: by signed
// approvals of that very step alone, so that one wrong click does not stop everything behind it.
type adoption struct {
	lacking *Refusal
	by      []*Principal // persons; each once
}

func (a *adoption) names() []string {
	var names []string
	for _, p := range a.by {
		names = append(names, p.Name)
	}
	slices.Sort(names)
	return names
}

// adoptable reports whether a signature is merely wanting. One that was tampered with, or that cannot be
// read, is more than a wrong click.
func adoptable(rule string) bool {
	switch rule {
	case "trust/unsigned", "trust/unknown-key", "trust/expired-key", "trust/revoked-key", "trust/weak-signature", "trust/forge-commit", "trust/forge-merge":
		return true
	}
	return false
}

// adopters returns the persons who signed that the step from p to the revision is to be believed.
func adopters(p state, revision lcm.Revision, all []given) []*Principal {
	var by []*Principal
	for _, g := range all {
		if g.Adopt && g.Base == p.revision && g.Head == revision && !g.by.Bot && !slices.Contains(by, g.by) {
			by = append(by, g.by)
		}
	}
	return by
}

// adoptable demands of an adoption, besides what each path demands, what a change of the policy would:
// it sets aside what the policy asks of every commit.
func (j *judge) adoptable() error {
	if j.adoption == nil {
		return nil
	}
	for _, rule := range j.p.policy.Matching(policyFile) {
		if _, err := j.adopt(rule, policyFile, policyFile); err != nil {
			return err
		}
	}
	return nil
}

// adopt counts the adopters under one rule. Nobody else counts, and nothing stands in for them: neither
// rollback nor rotation.
func (j *judge) adopt(rule *Rule, path, as string) (Judged, error) {
	var who []string
	for _, p := range j.adoption.by {
		if rule.admits(p, as) {
			who = append(who, p.Name)
		}
	}
	slices.Sort(who)
	if len(who) >= rule.Approvals {
		return Judged{Rule: rule, Needed: rule.Approvals, Consents: who, Basis: ByAdoption}, nil
	}
	lacking := j.adoption.lacking
	return Judged{}, refuse(lacking.Commit, path, lacking.Rule, "%s. Its adoption is not complete: %s", lacking.Reason, j.wanting(rule, who, path, as).Reason)
}
