package reconcile

import (
	"context"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/llm-config-manager/lcm/internal/gitrepo"
	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/state"
	"github.com/llm-config-manager/lcm/internal/trust"
)

// Forge is asked who approved the pull request that a commit of the branch merges.
type Forge interface {
	Reviews(ctx context.Context, step lcm.Revision) ([]trust.Review, error)
}

// trustConfig is what trust is told for one pass.
func (r *Reconciler) trustConfig(seen *clock) trust.Config {
	return trust.Config{Repository: r.Repository, Branch: r.Branch, Tenants: r.Tenants, Introduction: r.Introduction,
		FirstSeen: seen.first, AcceptedAt: seen.accepted, Squashed: r.squashed,
		Reviews: func(ctx context.Context, step *gitrepo.Commit) ([]trust.Review, error) {
			return r.reviews(ctx, seen.o, step)
		}}
}

// pullRequests finds, at the end of a squash's subject, which pull request it was: (#12) at GitHub, Gitea and
// Forgejo, (!12) at GitLab.
var pullRequests = regexp.MustCompile(`\((#|!)([1-9][0-9]{0,8})\)\s*$`)

// squashed brings the head of the pull request that a forge's commit names. The commit need not be
// believed in this: trust makes the merge again.
func (r *Reconciler) squashed(ctx context.Context, c *gitrepo.Commit) ([]lcm.Revision, error) {
	subject, _, _ := strings.Cut(c.Message, "\n")
	m := pullRequests.FindStringSubmatch(subject)
	if m == nil {
		return nil, nil
	}
	name := "refs/pull/" + m[2] + "/head"
	if m[1] == "!" {
		name = "refs/merge-requests/" + m[2] + "/head"
	}
	heads, err := r.Repo.PullRequest(ctx, name)
	if err != nil && ctx.Err() == nil {
		r.Log.Warn("the head of a pull request could not be fetched", "repository", r.Repository, "commit", c.ID.Short(), "reference", name, "error", err)
		return nil, nil // its squash is refused, and tried again at the next pass
	}
	return heads, err
}

// reviews asks the forges, and remembers what they say. Of a commit that was accepted, and where a
// forge does not answer, what it said before stands.
func (r *Reconciler) reviews(ctx context.Context, o Options, step *gitrepo.Commit) ([]trust.Review, error) {
	recorded, asked, err := r.State.Reviews(step.ID)
	if err != nil {
		return nil, err
	}
	_, accepted, err := r.State.AcceptedAt(step.ID)
	if err != nil {
		return nil, err
	}
	if accepted && asked || len(r.Forges) == 0 {
		return reviewsOf(recorded), nil
	}
	fresh, err := r.ask(ctx, step.ID)
	if err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		r.Log.Warn("a forge could not be asked for reviews", "repository", r.Repository, "commit", step.ID.Short(), "error", err)
		return reviewsOf(recorded), nil
	}
	if o.DryRun || asked && slices.Equal(fresh, recorded) {
		return reviewsOf(fresh), nil
	}
	return reviewsOf(fresh), r.State.SaveReviews(step.ID, fresh)
}

// ask collects the reviews of all forges.
func (r *Reconciler) ask(ctx context.Context, step lcm.Revision) ([]state.Review, error) {
	var all []state.Review
	for _, name := range slices.Sorted(maps.Keys(r.Forges)) {
		reviews, err := r.Forges[name].Reviews(ctx, step)
		if err != nil {
			return nil, fmt.Errorf("forge %s: %w", name, err)
		}
		for _, review := range reviews {
			all = append(all, state.Review{Forge: name, Login: review.Login, Commit: review.Commit, At: review.At.UTC()})
		}
	}
	return all, nil
}

func reviewsOf(recorded []state.Review) []trust.Review {
	var out []trust.Review
	for _, s := range recorded {
		out = append(out, trust.Review{Forge: s.Forge, Login: s.Login, Commit: s.Commit, At: s.At})
	}
	return out
}
