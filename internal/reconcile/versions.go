package reconcile

import (
	"context"
	"fmt"

	"github.com/llm-config-manager/lcm/internal/history"
	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/state"
	"github.com/llm-config-manager/lcm/internal/trust"
)

// versions tells, of each address at a revision, which of its versions that is, and which commit made it. They are
// found in Git alone (package history). The state keeps them as an index, which grows as commits are accepted and is read anew
// from the introduction where it is lost, or of another branch: nothing depends on what was in it.
type versions struct {
	state *state.DB
	read  state.Indexed                   // what the state holds of the way to the revision
	anew  bool                            // the state holds nothing of it that counts
	more  map[lcm.Address][]history.Event // what it does not hold: for a plan, which writes nothing
}

// versions reads the commits up to a revision that the index does not have, and adds them to it.
func (r *Reconciler) versions(ctx context.Context, v trust.Verified, o Options) (_ *versions, err error) {
	ctx, end := r.stage(ctx, "versions")
	defer end(&err)
	x, next, err := r.indexed(v.Revision())
	if err != nil || len(next) == 0 && !x.anew {
		return x, err
	}
	at := history.Position{Revision: x.read.Revision, Usable: x.read.Usable, Commits: x.read.Commits}
	if x.anew {
		if at, err = history.Begin(r.Repo, r.Introduction); err != nil {
			return nil, err
		}
		x.read = state.Indexed{From: r.Introduction, Revision: at.Revision, Usable: at.Usable}
	}
	take := x.record
	if o.DryRun {
		take = x.hold
	}
	if x.anew && len(next) == 0 {
		err = take(at, nil)
	} else {
		err = history.Read(ctx, r.Repo, at, next, take)
	}
	if err != nil {
		return nil, fmt.Errorf("reading the history of the branch: %w", err)
	}
	return x, nil
}

// indexed finds how far the index holds the way to a revision, and what comes after.
func (r *Reconciler) indexed(rev lcm.Revision) (*versions, []lcm.Revision, error) {
	read, err := r.State.Indexed()
	if err != nil {
		return nil, nil, err
	}
	x := &versions{state: r.State, read: read, more: map[lcm.Address][]history.Event{}}
	if read.Revision != "" {
		if next, on := r.behind(read.Revision, rev); on {
			return x, next, nil
		}
		// A plan may be for a revision that was accepted long ago.
		if since, on := r.behind(rev, read.Revision); on && uint64(len(since)) <= read.Commits {
			x.read.Commits -= uint64(len(since))
			return x, nil, nil
		}
	}
	x.anew = true
	next, on := r.behind(r.Introduction, rev)
	if !on {
		return nil, nil, fmt.Errorf("%s is not on the way to %s", r.Introduction.Short(), rev.Short())
	}
	return x, next, nil
}

func (x *versions) record(at history.Position, events []history.Event) error {
	x.read.Revision, x.read.Usable, x.read.Commits = at.Revision, at.Usable, at.Commits
	made := make([]state.Making, len(events))
	for i, e := range events {
		made[i] = state.Making{Address: e.Address, First: e.First, Made: state.Made{Revision: e.Revision, Commits: e.Commits, Change: string(e.Change)}}
	}
	err := x.state.Index(x.read, made, x.anew)
	x.anew = false
	return err
}

func (x *versions) hold(_ history.Position, events []history.Event) error {
	for _, e := range events {
		x.more[e.Address] = append(x.more[e.Address], e)
	}
	return nil
}

// of returns the version of an address that stands there, and the commit that made it.
func (x *versions) of(a lcm.Address) (origin, error) {
	var last state.Made
	if !x.anew {
		var err error
		if last, err = x.state.Newest(a, x.read.Commits); err != nil {
			return origin{}, err
		}
	}
	number, rev := last.Version, last.Revision
	events := x.more[a]
	if number == 0 && (len(events) == 0 || !events[0].First) {
		number, rev = 1, x.read.From // it stood there when counting began
	}
	if n := len(events); n > 0 {
		number, rev = number+uint64(n), events[n-1].Revision
	}
	return origin{rev, number}, nil
}
