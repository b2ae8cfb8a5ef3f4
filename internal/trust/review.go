package trust

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/llm-config-manager/lcm/internal/gitrepo"
	"github.com/llm-config-manager/lcm/internal/lcm"
)

// Review is what a forge says: that somebody who was logged in as Login approved a pull request when
// Commit was its head. Nobody signed that, so it is the forge's word; where the policy lets it count, it
// makes one more person of several, never the first, and never for settings.
type Review struct {
	Forge, Login string
	Commit       lcm.Revision
	At           time.Time
}

// maxReviews is how many reviews of one step are read.
const maxReviews = 64

// reviewed adds to those who consent by signature the persons whose reviews count.
func (j *judge) reviewed(ctx context.Context, rule *Rule, who []string, path, as string) ([]string, error) {
	if len(who) == 0 || len(who) >= rule.Approvals || rule.SignedConsent || isSettings(path) || isSettings(as) {
		return who, nil
	}
	if j.reviews == nil {
		if err := j.readReviews(ctx); err != nil {
			return nil, err
		}
	}
	for _, p := range j.reviews[path] {
		if rule.admits(p, as) && !slices.Contains(who, p.Name) {
			who = append(who, p.Name)
			j.reviewers = append(j.reviewers, p.Name)
		}
	}
	slices.Sort(who)
	return who, nil
}

// readReviews finds out for which changed paths each review counts. It counts for its own commit, which the step
// must bring in: for the change from where that left the branch to what it holds.
func (j *judge) readReviews(ctx context.Context) error {
	j.reviews = map[string][]*Principal{}
	if j.w.cfg.Reviews == nil || !j.p.policy.countsReviews() {
		return nil
	}
	all, err := j.w.cfg.Reviews(ctx, j.head.Commit)
	if err != nil {
		return fmt.Errorf("reading the reviews of commit %s: %w", j.head.ID, err)
	}
	touched := map[lcm.Revision]map[string]bool{}
	for _, r := range all[:min(len(all), maxReviews)] {
		who := j.reviewer(r)
		if who == nil || !slices.ContainsFunc(j.side, func(s signed) bool { return s.ID == r.Commit }) {
			continue
		}
		base, err := j.w.mergeBase(ctx, j.c.revision, j.p.revision, r.Commit)
		if errors.Is(err, gitrepo.ErrMergeBase) || err == nil && !j.w.recently(base, j.at) {
			continue
		}
		if err != nil {
			return err
		}
		same, _, err := j.w.agreed(ctx, j.p, Approval{Base: base, Head: r.Commit}, j.changed, touched)
		if err != nil {
			return err
		}
		for _, ch := range same {
			j.reviews[ch.Path] = append(j.reviews[ch.Path], who)
		}
	}
	return nil
}

// reviewer is the person whose review it is; nil for nobody's that counts.
func (j *judge) reviewer(r Review) *Principal {
	f := j.p.policy.forges[r.Forge]
	who := j.p.policy.logins[login{r.Forge, strings.ToLower(r.Login)}]
	if f == nil || !f.Reviews || who == nil || who.Bot {
		return nil
	}
	return who
}

// counted returns those whom a review made count for some path.
func (j *judge) counted() []string {
	names := slices.Clone(j.reviewers)
	slices.Sort(names)
	return slices.Compact(names)
}
