package reconcile

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/llm-config-manager/lcm/internal/diag"
	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/plan"
	"github.com/llm-config-manager/lcm/internal/state"
	"github.com/llm-config-manager/lcm/internal/tree"
)

// Share is a part of what a tenant has in a target: "10%" or a plain number.
type Share struct {
	percent float64
	count   int
}

// ParseShare parses "10%" or "25".
func ParseShare(s string) (Share, error) {
	if p, ok := strings.CutSuffix(s, "%"); ok {
		f, err := strconv.ParseFloat(p, 64)
		if err != nil || f < 0 || f > 100 || math.IsNaN(f) {
			return Share{}, fmt.Errorf("%q is not a percentage from 0%% to 100%%", s)
		}
		return Share{percent: f}, nil
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 0 {
		return Share{}, fmt.Errorf("%q is neither a count nor a percentage such as 10%%", s)
	}
	return Share{count: n}, nil
}

// alwaysPass is how many deletions a tenant and target may always see in a day.
const alwaysPass = 10

func (s Share) of(have int) int { return max(alwaysPass, s.count, int(s.percent*float64(have)/100)) }

// deletesHeld is the rule by which a namespace is held for what would be deleted of it.
const deletesHeld = "deletes/held"

// consentLasts is how long a consent waits for a target that fails. Whoever gave it longer ago may not
// remember what it was for.
const consentLasts = 7 * 24 * time.Hour

// deleteBudget counts deletions per tenant and target over 24 hours, and takes note of who consents to more.
type deleteBudget struct {
	r        *Reconciler
	shares   []Share // the repository's and the daemon's: the smaller holds
	accepted []step  // the commits of this pass that accept some, with what is left of it
	spent    map[lcm.Revision]int
	given    map[lcm.Namespace]state.DeleteConsent // that these commits give in this pass
	left     map[string]int
}

func (r *Reconciler) deleteBudget(t *tree.Tree, j *job) (*deleteBudget, error) {
	b := &deleteBudget{r: r, shares: []Share{r.MaxDeletes}, left: map[string]int{}, spent: map[lcm.Revision]int{}, given: map[lcm.Namespace]state.DeleteConsent{}}
	if s := t.Settings().Limits.MaxDeletes; s != "" {
		share, err := ParseShare(s)
		if err != nil {
			return nil, err
		}
		b.shares = append(b.shares, share)
	}
	spent, err := r.State.Spent()
	if err != nil {
		return nil, err
	}
	for _, s := range j.trails.from[j.from].steps {
		if s.deletes > 0 {
			b.spent[s.commit] = spent[s.commit] // by a pass over the same commits that was cut off
			s.deletes -= spent[s.commit]
			b.accepted = append(b.accepted, s)
		}
	}
	return b, nil
}

// hold holds a plan that deletes more than it may, or all that a namespace has.
func (b *deleteBudget) hold(p *plan.Namespace) error {
	over, err := b.over(p)
	if err != nil {
		return err
	}
	if n := size(p.Deletes); n > 0 && over {
		return b.ask(p, n)
	}
	for target, keys := range p.Deletes {
		b.left[p.Namespace.Org+"/"+target] -= len(keys)
	}
	return nil
}

// foresee lets a plan that waits have what a commit of this pass accepts. What it deletes is counted when it is deleted.
func (b *deleteBudget) foresee(p *plan.Namespace) error {
	over, err := b.over(p)
	if n := size(p.Deletes); n > 0 && over {
		b.accept(p, n)
	}
	return err
}

// over reports whether a plan deletes more than is left, or all that a namespace has.
func (b *deleteBudget) over(p *plan.Namespace) (bool, error) {
	over := p.Emptied
	for target, keys := range p.Deletes {
		left, err := b.remaining(p.Namespace.Org, target)
		if err != nil {
			return false, err
		}
		over = over || len(keys) > left
	}
	return over, nil
}

// ask holds a plan to whose deletions nobody consented, before or in a commit of this pass.
func (b *deleteBudget) ask(p *plan.Namespace, n int) error {
	c, err := b.r.State.DeleteConsent(p.Namespace)
	if err != nil {
		return err
	}
	if b.r.Now().Sub(c.At) < consentLasts && c.Covers(p.Deletes) || b.accept(p, n) {
		return nil
	}
	p.Held = append(p.Held, b.finding(p, n))
	return nil
}

// accept uses up what a commit accepts. Its signers must be such as could have made the deletions.
func (b *deleteBudget) accept(p *plan.Namespace, n int) bool {
	for i := range b.accepted {
		s := &b.accepted[i]
		if n > s.deletes || !mayDelete(s, p) {
			continue
		}
		s.deletes, b.spent[s.commit] = s.deletes-n, b.spent[s.commit]+n
		b.given[p.Namespace] = state.DeleteConsent{Revision: s.commit, At: b.r.Now(), Entries: p.Deletes}
		return true
	}
	return false
}

func mayDelete(s *step, p *plan.Namespace) bool {
	for _, keys := range p.Deletes {
		for _, key := range keys {
			if !s.judged.Accepts(folder(p.Namespace) + "/" + key + ".yaml") {
				return false
			}
		}
	}
	return true
}

// record keeps the consents of this pass, so that they outlive a target that fails.
func (b *deleteBudget) record(o Options) error {
	if o.DryRun {
		return nil
	}
	for _, ns := range slices.SortedFunc(maps.Keys(b.given), byName) {
		b.r.Log.Info("deletions accepted", "namespace", ns.String(), "by", b.given[ns].Revision.Short(), "entries", size(b.given[ns].Entries))
	}
	return b.r.State.ConsentToDelete(b.given, b.spent)
}

func byName(a, b lcm.Namespace) int { return strings.Compare(a.String(), b.String()) }

func size(entries map[string][]string) (n int) {
	for _, keys := range entries {
		n += len(keys)
	}
	return n
}

func (b *deleteBudget) remaining(org, target string) (int, error) {
	key := org + "/" + target
	if left, ok := b.left[key]; ok {
		return left, nil
	}
	have, deleted, err := b.r.State.Counts(org, b.r.Now().Add(-24*time.Hour))
	if err != nil {
		return 0, err
	}
	limit := math.MaxInt
	for _, s := range b.shares {
		limit = min(limit, s.of(have[target]+deleted[target]))
	}
	b.left[key] = limit - deleted[target]
	return b.left[key], nil
}

func (b *deleteBudget) finding(p *plan.Namespace, n int) diag.Finding {
	why := "more than may be deleted for this tenant in 24 hours"
	if p.Emptied {
		why = "which empties the namespace"
	}
	return diag.Errorf(diag.Position{File: folder(p.Namespace), Line: 1, Column: 1}, deletesHeld,
		"%d of its entries would be deleted, %s: a commit with the line \"%s %d\" in its message accepts it, consented to by as many as a change of these keys needs (one number for all namespaces that are held), or `reconciler accept --deletes` on the daemon's host", n, why, deletesTrailer, n)
}
