package trust

import (
	"context"
	"fmt"
	"slices"

	"github.com/llm-config-manager/lcm/internal/gitrepo"
	"github.com/llm-config-manager/lcm/internal/lcm"
)

// Preview is what a merge would meet, before anybody signs it.
type Preview struct {
	Changed   []gitrepo.Change
	Wants     []Want      // the rules that who signs the merge must help to meet
	Unsigned  []*Refusal  // commits that the merge would bring in and that bear no signature that counts
	Mergers   []string    // persons whose signature on the merge would make it pass, sorted; nobody's if any commit lacks one
	Loosens   []Loosening // what the change permits that is not permitted now
	Approvals [][]byte    // documents of the signed approvals that count for some path
}

// Want is a rule that the consents so far do not meet.
type Want struct {
	Rule     *Rule
	Needed   int
	Consents []string // who counts so far, sorted
	Able     []string // persons with a valid key who could consent besides, sorted
	Paths    []string // an effect as "path → path it is judged as"
}

// Missing is how many more consents the rule needs.
func (w Want) Missing() int { return w.Needed - len(w.Consents) }

// Check tells what the daemon would ask of a signed merge of head into base, the last accepted revision:
// merge is that merge, unsigned. A *Refusal means that no consent would help. Rotation is left
// out: it takes the very signer.
func Check(ctx context.Context, repo *gitrepo.Repo, cfg Config, base, merge lcm.Revision) (*Preview, error) {
	if err := cfg.check(base, merge); err != nil {
		return nil, err
	}
	w := newWalk(repo, cfg, base)
	p, err := w.begin(ctx)
	if err != nil {
		return nil, err
	}
	at, err := w.firstSeen(merge)
	if err != nil {
		return nil, err
	}
	out := &Preview{}
	in, err := w.unsigned(ctx, p, merge, out)
	if err != nil {
		return nil, err
	}
	c, changed, err := w.next(p, merge, at)
	if err != nil {
		return nil, err
	}
	out.Changed, out.Loosens = changed, Loosened(p.tree, c.tree, changed)
	j := &judge{w: w, p: p, c: c, at: at, head: in.head, changed: changed}
	if j.consents, err = w.consents(ctx, in.side, changed, at); err != nil {
		return nil, err
	}
	approvals, err := w.approvals(p, in, at)
	if err != nil {
		return nil, err
	}
	if err := w.approved(ctx, p, approvals, changed, &j.consents); err != nil {
		return nil, err
	}
	if err := j.wants(ctx, out); err != nil {
		return nil, err
	}
	out.Approvals = counted(approvals, j.consents)
	out.Mergers = j.mergers(out)
	return out, nil
}

// unsigned reads the commits of a merge that nobody has signed yet, and notes those on the side that
// lack a signature.
func (w *walk) unsigned(ctx context.Context, p state, merge lcm.Revision, out *Preview) (in brought, err error) {
	at, err := w.firstSeen(merge)
	if err != nil {
		return in, err
	}
	c, err := w.commit(merge)
	if err != nil {
		return in, err
	}
	in.head.Commit = c
	side, err := w.brought(ctx, merge, c.Parents[min(1, len(c.Parents)):])
	if err != nil {
		return in, err
	}
	for _, b := range side {
		in.lacking = nil
		s, err := w.verify(p.policy, b, &in, merge, at)
		if err == nil {
			err = w.remade(ctx, &in, s)
		}
		if err != nil {
			return in, err
		}
		if in.lacking != nil {
			out.Unsigned = append(out.Unsigned, in.lacking)
			continue
		}
		in.side = append(in.side, s)
	}
	return in, nil
}

// wants collects what judge would refuse one by one.
func (j *judge) wants(ctx context.Context, out *Preview) error {
	effects, err := j.effects()
	if err != nil {
		return err
	}
	type outcome struct {
		rule     *Rule
		needed   int
		consents string
	}
	index := map[outcome]int{}
	for _, ch := range j.changed {
		for _, as := range append([]string{ch.Path}, effects[ch.Path]...) {
			rules := j.p.policy.Matching(as)
			if len(rules) == 0 {
				return j.path(ctx, ch, as)
			}
			for _, rule := range rules {
				want, err := j.want(ctx, rule, ch, as)
				if err != nil {
					return err
				}
				if want.Missing() <= 0 {
					continue
				}
				id := outcome{rule, want.Needed, fmt.Sprint(want.Consents, want.Able)}
				i, known := index[id]
				if !known {
					i = len(out.Wants)
					index[id] = i
					out.Wants = append(out.Wants, want)
				}
				if paths := &out.Wants[i].Paths; len(*paths) < maxReported {
					*paths = append(*paths, arrow(ch.Path, as))
				}
			}
		}
	}
	return nil
}

func (j *judge) want(ctx context.Context, rule *Rule, ch gitrepo.Change, as string) (Want, error) {
	want := Want{Rule: rule, Needed: rule.Approvals, Consents: j.count(rule, ch.Path, as)}
	if want.Missing() > 0 && rule.RollbackApprovals > 0 {
		restored, err := j.restores(ctx, ch, as)
		if err != nil {
			return want, err
		}
		if restored {
			want.Needed = rule.RollbackApprovals
		}
	}
	want.Able = j.couldGive(rule, want.Consents, as)
	return want, nil
}

// mergers names the persons whose signature would be the last thing missing.
func (j *judge) mergers(out *Preview) []string {
	var names []string
	if len(out.Unsigned) > 0 {
		return nil
	}
	for _, p := range j.p.policy.Principals() {
		short := func(w Want) bool {
			missing := w.Missing()
			if slices.Contains(w.Able, p.Name) {
				missing--
			}
			return missing > 0
		}
		if !p.Bot && p.usable(j.at) && !slices.ContainsFunc(out.Wants, short) {
			names = append(names, p.Name)
		}
	}
	return names
}

// counted returns the approvals of those who count for some path, without those that only adopt.
func counted(all []given, c consents) [][]byte {
	by := map[*Principal]bool{}
	for _, persons := range c.signed {
		for _, p := range persons {
			by[p] = true
		}
	}
	var documents [][]byte
	for _, g := range all {
		if by[g.by] && len(documents) < maxApprovals {
			documents = append(documents, g.document)
		}
	}
	return documents
}

// PersonsFor names the persons whom a rule counts at a path, sorted.
func (p *Policy) PersonsFor(rule *Rule, path string) []string {
	var names []string
	for _, who := range p.Principals() {
		if !who.Bot && rule.admits(who, path) {
			names = append(names, who.Name)
		}
	}
	return names
}
