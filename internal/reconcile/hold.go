package reconcile

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/llm-config-manager/lcm/internal/diag"
	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/plan"
	"github.com/llm-config-manager/lcm/internal/store"
	"github.com/llm-config-manager/lcm/internal/tree"
)

// refHeld is the rule by which a namespace is held for another's sake: it is looked at in every pass.
const refHeld = "ref/held"

// holdDependents holds what refers to a namespace that is held, in this pass or since an earlier one,
// and so on until nothing more is added.
func (r *Reconciler) holdDependents(js []*judged) error {
	held := map[lcm.Namespace]bool{}
	pending, err := r.State.Pending()
	if err != nil {
		return err
	}
	for ns, n := range pending {
		held[ns] = len(n.Held) > 0
	}
	for _, j := range js {
		held[j.namespace] = j.held()
	}
	for again := true; again; {
		again = false
		for _, j := range js {
			if j.held() {
				continue
			}
			for _, s := range j.services {
				if on := s.In(j.namespace.Environment); held[on] {
					j.findings = append(j.findings, diag.Errorf(diag.Position{File: folder(j.namespace), Line: 1, Column: 1}, refHeld,
						"it refers to %s, which is held", on))
					held[j.namespace], again = true, true
					break
				}
			}
		}
	}
	return nil
}

func folder(ns lcm.Namespace) string { return "namespaces/" + ns.String() }

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

// deleteBudget counts deletions per tenant and target over 24 hours.
type deleteBudget struct {
	r        *Reconciler
	shares   []Share // the repository's and the daemon's: the smaller holds
	accepted []step  // the commits of this pass that accept some, with what is left of it
	left     map[string]int
}

func (r *Reconciler) deleteBudget(t *tree.Tree, j *job) (*deleteBudget, error) {
	b := &deleteBudget{r: r, shares: []Share{r.MaxDeletes}, left: map[string]int{}}
	if s := t.Settings().Limits.MaxDeletes; s != "" {
		share, err := ParseShare(s)
		if err != nil {
			return nil, err
		}
		b.shares = append(b.shares, share)
	}
	for _, s := range j.trails.from[j.from].steps {
		if s.deletes > 0 {
			b.accepted = append(b.accepted, s)
		}
	}
	return b, nil
}

// hold holds the plans that delete more than they may, or all that a namespace has.
func (b *deleteBudget) hold(plans []plan.Namespace) error {
	for i := range plans {
		p := &plans[i]
		if len(p.Held) > 0 {
			continue // nothing of it is carried out, so it uses up nothing
		}
		total, over := 0, p.Emptied
		for target, n := range p.Deletes {
			left, err := b.remaining(p.Namespace.Org, target)
			if err != nil {
				return err
			}
			total, over = total+n, over || n > left
		}
		switch {
		case total == 0:
		case !over:
			for target, n := range p.Deletes {
				b.left[p.Namespace.Org+"/"+target] -= n
			}
		case b.accept(p, total):
		default:
			p.Held = append(p.Held, b.finding(p, total))
		}
	}
	return nil
}

// accept uses up what a commit accepts. Its signers must be such as could have made the deletions.
func (b *deleteBudget) accept(p *plan.Namespace, n int) bool {
	for i := range b.accepted {
		s := &b.accepted[i]
		refused := slices.ContainsFunc(p.Changes, func(c plan.Change) bool {
			return c.Action == store.Delete && !s.judged.Accepts(folder(c.Address.Namespace)+"/"+c.Address.Key+".yaml")
		})
		if !refused && n <= s.deletes {
			s.deletes -= n
			return true
		}
	}
	return false
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
	return diag.Errorf(diag.Position{File: folder(p.Namespace), Line: 1, Column: 1}, "deletes/held",
		"%d of its entries would be deleted, %s: a commit with the line \"%s %d\" in its message accepts it, consented to by as many as a change of these keys needs (one number for all namespaces that are held)", n, why, deletesTrailer, n)
}
