package trust

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/llm-config-manager/lcm/internal/gitrepo"
	"github.com/llm-config-manager/lcm/internal/tree"
)

// judge decides whether the consents to one step meet every rule of every path that it changes.
type judge struct {
	w        *walk
	p, c     state
	at       time.Time
	head     signed
	side     []signed
	changed  []gitrepo.Change
	consents consents
	adoption *adoption // nil: every commit bears its signature

	rotates *bool // whether the step only replaces sealed values; nil until asked
	past    *past // what earlier revisions held; nil until asked

	reviews   map[string][]*Principal // whose review counts for a path; nil until asked
	reviewers []string                // who was counted by a review, with repetitions

	judged map[outcome]*Judged
	order  []*Judged
}

// judge meets each changed path with the rules of the path itself and of all that it has an effect
// on, the same consents counting.
func (j *judge) judge(ctx context.Context) ([]Judged, error) {
	if err := j.adoptable(); err != nil {
		return nil, err
	}
	effects, err := j.effects()
	if err != nil {
		return nil, err
	}
	j.judged = map[outcome]*Judged{}
	for _, ch := range j.changed {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if err := j.path(ctx, ch, ch.Path); err != nil {
			return nil, err
		}
		for _, as := range effects[ch.Path] {
			if err := j.path(ctx, ch, as); err != nil {
				return nil, err
			}
		}
	}
	out := make([]Judged, len(j.order))
	for i, judged := range j.order {
		out[i] = *judged
	}
	return out, nil
}

// path meets one change with the rules of as: its own path, or one that it has an effect on.
func (j *judge) path(ctx context.Context, ch gitrepo.Change, as string) error {
	rules := j.p.policy.Matching(as)
	if len(rules) == 0 {
		return refuse(j.c.revision, ch.Path, "trust/no-rule", "%sno rule of trust.yaml matches %s, so nobody may change it: add a rule first", effectWords(ch.Path, as), as)
	}
	for _, rule := range rules {
		judged, err := j.meet(ctx, rule, rules, ch, as)
		if err != nil {
			return err
		}
		j.note(judged, ch.Path, as)
	}
	return nil
}

// meet counts the consents to a change under one rule.
func (j *judge) meet(ctx context.Context, rule *Rule, all []*Rule, ch gitrepo.Change, as string) (Judged, error) {
	if j.adoption != nil {
		return j.adopt(rule, ch.Path, as)
	}
	who, err := j.reviewed(ctx, rule, j.count(rule, ch.Path, as), ch.Path, as)
	if err != nil {
		return Judged{}, err
	}
	if len(who) >= rule.Approvals {
		return Judged{Rule: rule, Needed: rule.Approvals, Consents: who, Basis: ByApprovals}, nil
	}
	if met, ok := j.rotation(rule, all, as); ok {
		return met, nil
	}
	if rule.RollbackApprovals > 0 && len(who) >= rule.RollbackApprovals {
		restored, err := j.restores(ctx, ch, as)
		if err != nil {
			return Judged{}, err
		}
		if restored {
			return Judged{Rule: rule, Needed: rule.RollbackApprovals, Consents: who, Basis: ByRollback}, nil
		}
	}
	return Judged{}, j.wanting(rule, who, ch.Path, as)
}

// count returns the names of the persons who consent to a change of path and whom the rule counts
// at as, sorted: each once, with however many keys and commits.
func (j *judge) count(rule *Rule, path, as string) []string {
	var who []string
	add := func(p *Principal) {
		if p != nil && !p.Bot && rule.admits(p, as) && !slices.Contains(who, p.Name) {
			who = append(who, p.Name)
		}
	}
	add(j.head.signer)
	if !rule.SignedConsent {
		for _, p := range j.consents.by[path] {
			add(p)
		}
	}
	for _, p := range j.consents.signed[path] {
		add(p)
	}
	slices.Sort(who)
	return who
}

// outcome is what paths have in common that are reported together.
type outcome struct {
	rule     *Rule
	basis    Basis
	consents string
}

// maxReported bounds the memory of a report: a change of lcm.yaml may concern every key there is.
const maxReported = 10_000

// note records how a rule was met.
func (j *judge) note(met Judged, path, as string) {
	id := outcome{met.Rule, met.Basis, strings.Join(met.Consents, " ")}
	known := j.judged[id]
	if known == nil {
		known = &met
		j.judged[id] = known
		j.order = append(j.order, known)
	}
	if known.Count++; known.Count > maxReported {
		return
	}
	known.Paths = append(known.Paths, arrow(path, as))
}

func arrow(path, as string) string {
	if as == path {
		return path
	}
	return path + " → " + as
}

// wanting says what is missing, who could give it, and whose consent did not count and why.
func (j *judge) wanting(rule *Rule, who []string, path, as string) *Refusal {
	counts := "nobody's counts yet"
	if len(who) > 0 {
		counts = strings.Join(who, " and ") + "'s count" + map[bool]string{true: "s"}[len(who) == 1]
	}
	missing := rule.Approvals - len(who)
	reason := fmt.Sprintf("%sneeds %d more approval%s by %s for %s; %s. The rule %s asks for %d", effectWords(path, as),
		missing, map[bool]string{true: "s"}[missing > 1], rule.who(as), as, counts, rule, rule.Approvals)
	if able := j.able(rule, who, as); len(able) > 0 {
		reason += "; " + strings.Join(able, ", ") + " could give it, " + j.howTo(rule)
	}
	switch signer := j.head.signer; {
	case j.adoption != nil:
	case signer == nil: // a forge, which the approvals above make up for
	case signer.Bot:
		reason += fmt.Sprintf("; the signer %s is a bot, which does not count", signer.Name)
	case !slices.Contains(who, signer.Name):
		reason += fmt.Sprintf("; the signer %s has no role that counts here", signer.Name)
	}
	if stale := j.consents.stale[path]; len(stale) > 0 {
		slices.Sort(stale)
		reason += fmt.Sprintf("; the commits of %s do not count, since their branch does not fork from a revision accepted within 30 days: rebase it", strings.Join(stale, " and "))
	}
	if other := slices.DeleteFunc(slices.Clone(j.consents.other[path]), func(name string) bool { return slices.Contains(who, name) }); len(other) > 0 {
		slices.Sort(other)
		reason += fmt.Sprintf("; what %s approved is another change of it, or one from before the branch changed it: ask again", strings.Join(slices.Compact(other), " and "))
	}
	return refuse(j.c.revision, path, "trust/approvals", "%s", reason)
}

// able names a few persons who could help.
func (j *judge) able(rule *Rule, who []string, as string) []string {
	names := j.couldGive(rule, who, as)
	if len(names) > 5 {
		names = append(names[:5], "…")
	}
	return names
}

// couldGive names the persons with a valid key whose consent would count besides that of who.
func (j *judge) couldGive(rule *Rule, who []string, as string) []string {
	var names []string
	for _, p := range j.p.policy.Principals() {
		if !p.Bot && p.usable(j.at) && rule.admits(p, as) && !slices.Contains(who, p.Name) {
			names = append(names, p.Name)
		}
	}
	return names
}

// usable reports whether the principal has a key that is valid at a time.
func (p *Principal) usable(at time.Time) bool {
	return slices.ContainsFunc(p.Keys, func(k *Key) bool { return k.validAt(at) == nil })
}

func effectWords(path, as string) string {
	switch as {
	case path:
		return ""
	case tree.SettingsFile:
		return "lcm.yaml cannot be used before or after this commit, so that nobody can tell what this changes, and it is judged as a change of lcm.yaml: "
	}
	return "this also changes what " + as + " stands for: "
}

// howTo says how somebody consents under a rule.
func (j *judge) howTo(rule *Rule) string {
	switch {
	case j.adoption != nil:
		return "by lcm approve --adopt"
	case rule.SignedConsent:
		return "by signing the merge or an approval of it (lcm approve)"
	}
	return "by signing the merge, a commit of the branch that gives the path its final content, or an approval (lcm approve)"
}
