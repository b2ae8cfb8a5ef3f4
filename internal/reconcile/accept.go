package reconcile

import (
	"context"
	"errors"
	"fmt"

	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/state"
	"github.com/llm-config-manager/lcm/internal/trust"
)

// lostRule is the refusal of every revision while the state is lost.
const lostRule = "trust/lost-state"

// lost refuses to begin anew where the targets bear our mark: who deletes the state and serves an old
// head would otherwise be believed from the introduction on.
func (r *Reconciler) lost(ctx context.Context, head lcm.Revision) (*trust.Refusal, error) {
	marks, err := r.marks(ctx)
	if err != nil || len(marks) == 0 {
		return nil, err
	}
	return &trust.Refusal{Commit: head, Rule: lostRule, Reason: fmt.Sprintf("there is no state of repository %s, and yet the targets hold what it put there, at %s: "+
		"put the state back from a backup, or make sure that the head of the branch is right and run `reconciler accept --head <id>`", r.Repository, short(marks))}, nil
}

// UnknownError says that nobody can tell whether a target bears our mark, without any state.
type UnknownError struct {
	Target string
	Err    error
}

func (e *UnknownError) Error() string {
	return fmt.Sprintf("there is no state, and target %s cannot be asked whether it holds anything of ours: %v", e.Target, e.Err)
}

func (e *UnknownError) Unwrap() error { return e.Err }

func short(revs []lcm.Revision) string {
	text := ""
	for i, rev := range revs {
		switch {
		case i == 5:
			return text + fmt.Sprintf(" and %d more", len(revs)-i)
		case i > 0:
			text += ", "
		}
		text += rev.Short()
	}
	return text
}

// ErrNotAcceptable is met when not even an operator can have a revision accepted.
var ErrNotAcceptable = errors.New("it cannot be accepted")

func notAcceptable(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrNotAcceptable, fmt.Sprintf(format, args...))
}

// Accept moves the ratchet to a revision that the operator vouches for: after the state was lost, or,
// with a reason, where trust refuses and nothing else helps. The revision must be on the branch and built
// on the introduction; after a loss, on every revision that the targets' marks name.
func (r *Reconciler) Accept(ctx context.Context, head lcm.Revision, reason string) (state.Override, error) {
	o := state.Override{Head: head, Reason: reason, At: r.Now()}
	tip, err := r.fetch(ctx, Options{})
	if err != nil {
		return o, err
	}
	if _, on := r.behind(head, tip); !on {
		return o, notAcceptable("%s is not on the first-parent chain of branch %s, whose head is %s", head.Short(), r.Branch, tip.Short())
	}
	if _, built := r.behind(r.Introduction, head); !built {
		return o, notAcceptable("%s is not built on the introduction %s: set the introduction to a commit that you trust on this branch", head.Short(), r.Introduction.Short())
	}
	ratchet, known, err := r.State.Ratchet()
	if err != nil {
		return o, err
	}
	o.Lost = !known
	if err := r.builtOnMarks(ctx, head, known); err != nil {
		return o, err
	}
	from := ratchet.Accepted
	believed, refusal, err := r.refusalOf(ctx, from, head)
	switch {
	case err != nil:
		return o, err
	case refusal == nil && known:
		return o, notAcceptable("there is no need: a regular pass believes %s", head.Short())
	case refusal != nil && reason == "":
		return o, notAcceptable("trust refuses it (%v): to accept it all the same, give a --reason", refusal)
	case refusal != nil:
		o.Refused = refusal.Error()
	}
	if err := r.State.Answers(r.vouched(believed, head)); err != nil {
		return o, err
	}
	// What was carried out may not be on the way to it any more; then everything is compared.
	if _, on := r.behind(ratchet.Processed, head); !on || ratchet.Processed == "" {
		ratchet.Processed = ""
	}
	ratchet.Branch, ratchet.Introduction, ratchet.Accepted = r.Branch, r.Introduction, head
	if err := r.State.AcceptByHand(ratchet, o); err != nil {
		return o, err
	}
	r.Tell(Event{Event: EventAccepted, Revision: head, From: from, Reason: "accepted by hand: " + reason})
	return o, nil
}

// builtOnMarks demands that the revision is built on all that the targets were given, as far as the state does not
// know of it. With a state, a target that does not answer is asked later.
func (r *Reconciler) builtOnMarks(ctx context.Context, head lcm.Revision, known bool) error {
	for name := range r.Targets {
		marks, err := r.marksOf(ctx, name)
		if err != nil && known {
			continue
		}
		if err != nil {
			return &UnknownError{name, err}
		}
		if marks, err = r.unknown(marks, head); err != nil {
			return err
		}
		if len(marks) > 0 {
			return notAcceptable("%s is not built on %s, which target %s was given: the branch was moved back, or rewritten since", head.Short(), short(marks), name)
		}
	}
	return nil
}

// vouched tells who answers for the steps to a head accepted by hand: who consented, as far as trust believes it.
func (r *Reconciler) vouched(believed trust.Verified, head lcm.Revision) map[lcm.Revision]*state.Answer {
	out := answersOf(believed.Steps())
	rest, _ := r.behind(believed.Revision(), head)
	for _, rev := range append(rest, head) {
		if _, known := out[rev]; !known {
			out[rev] = &state.Answer{Vouched: true}
		}
	}
	return out
}

// refusalOf asks trust about a revision: how far it believes it, and why no further. One whose own policy cannot be
// put in force is beyond help: nothing could be built on it.
func (r *Reconciler) refusalOf(ctx context.Context, from, head lcm.Revision) (trust.Verified, *trust.Refusal, error) {
	seen := r.clock(Options{DryRun: true})
	cfg := r.trustConfig(seen)
	refusal := new(trust.Refusal)
	if _, err := trust.Verify(ctx, r.Repo, cfg, head, head); errors.As(err, &refusal) {
		return trust.Verified{}, nil, notAcceptable("%v", refusal)
	} else if err != nil {
		return trust.Verified{}, nil, err
	}
	v, err := trust.Verify(ctx, r.Repo, cfg, from, head)
	if errors.As(err, &refusal) {
		return v, refusal, seen.err
	}
	return v, nil, errors.Join(err, seen.err)
}

// byHand returns how a revision was accepted, if that was by hand and against trust, or for want of state.
func (r *Reconciler) byHand(rev lcm.Revision) (*state.Override, error) {
	o, ok, err := r.State.Override()
	if err != nil || !ok || o.Head != rev {
		return nil, err
	}
	return &o, nil
}
