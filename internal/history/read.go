package history

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"runtime"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/llm-config-manager/lcm/internal/gitrepo"
	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/tree"
)

// Position is how far the history of a branch was read.
type Position struct {
	Revision lcm.Revision `json:"revision"`
	Usable   lcm.Revision `json:"usable"`  // the last one whose lcm.yaml can be used: the next is compared with it; "" for none
	Commits  uint64       `json:"commits"` // how many were read; the first one is none of them
}

// Event is a new version of an address.
type Event struct {
	Address  lcm.Address
	Revision lcm.Revision
	Commits  uint64 // Position.Commits there
	Change   Change
	First    bool // nothing stood there before; else there is a version before, if only that of the beginning
}

// Begin is the position at the commit from which versions are counted: what stands there already is version 1.
func Begin(repo *gitrepo.Repo, rev lcm.Revision) (Position, error) {
	p := Position{Revision: rev}
	t, err := repo.Tree(rev)
	if err == nil && tree.ReadSettings(t) != nil {
		p.Usable = rev
	}
	return p, err
}

// atATime bounds the memory that reading takes: so many commits are read before their events are handed on.
const atATime = 512

// Read reads the commits that follow a position, oldest first, several at a time, and hands on what they made, with the
// position after it: all events are of commits up to there. It reads what differs, and what resolves with it.
func Read(ctx context.Context, repo *gitrepo.Repo, at Position, next []lcm.Revision, take func(Position, []Event) error) error {
	for some := range slices.Chunk(next, atATime) {
		share := max(16, (len(some)+runtime.GOMAXPROCS(0)-1)/runtime.GOMAXPROCS(0))
		parts := slices.Collect(slices.Chunk(some, share))
		results := make([]result, len(parts))
		g, ctx := errgroup.WithContext(ctx)
		for i, part := range parts {
			g.Go(func() (err error) {
				from := at
				if i > 0 {
					if from, err = moved(repo, at, some[:i*share]); err != nil {
						return err
					}
				}
				results[i], err = readPart(ctx, repo, from, part)
				return err
			})
		}
		if err := g.Wait(); err != nil {
			return err
		}
		var events []Event
		for _, r := range results {
			events = append(events, r.events...)
		}
		at = results[len(results)-1].at
		if err := take(at, events); err != nil {
			return err
		}
	}
	return nil
}

type result struct {
	at     Position
	events []Event
}

// moved is the position after some commits, which are read by somebody else.
func moved(repo *gitrepo.Repo, at Position, over []lcm.Revision) (Position, error) {
	out := Position{Revision: over[len(over)-1], Usable: at.Usable, Commits: at.Commits + uint64(len(over))}
	for _, rev := range slices.Backward(over) {
		t, err := repo.Tree(rev)
		if err != nil {
			return out, err
		}
		if tree.ReadSettings(t) != nil {
			out.Usable = rev
			break
		}
	}
	return out, nil
}

func readPart(ctx context.Context, repo *gitrepo.Repo, at Position, part []lcm.Revision) (result, error) {
	r := reader{repo: repo}
	out := result{at: at}
	for _, rev := range part {
		if err := ctx.Err(); err != nil {
			return out, err
		}
		before := out.at.Usable
		out.at.Revision, out.at.Commits = rev, out.at.Commits+1
		turns, usable, err := r.turns(before, rev)
		if err != nil {
			return out, fmt.Errorf("reading what %s changed: %w", rev.Short(), err)
		}
		if usable {
			out.at.Usable = rev
		}
		for t := range turns {
			out.events = append(out.events, Event{Address: t.Address, Revision: rev, Commits: out.at.Commits,
				Change: change(t.Was, t.Is), First: t.Was.Same(tree.Standing{})})
		}
	}
	return out, nil
}

// reader reads commits one after the other; for one goroutine.
type reader struct {
	repo *gitrepo.Repo
	look glance
}

// turns finds what a commit changed since another one, "" for none; usable is false if its lcm.yaml cannot be used.
func (r *reader) turns(before, rev lcm.Revision) (turns iter.Seq[tree.Turn], usable bool, err error) {
	none := slices.Values[[]tree.Turn](nil)
	now, err := r.repo.Tree(rev)
	if err != nil {
		return nil, false, err
	}
	if before == "" {
		return none, r.look.settings(now) != nil, nil
	}
	was, err := r.repo.Tree(before)
	if err != nil {
		return nil, false, err
	}
	settings := r.look.settings(was)
	after := r.look.settings(now)
	if after == nil {
		return none, false, nil
	}
	changed, err := r.repo.Diff(was, now)
	if err != nil || len(changed) == 0 {
		return none, true, err
	}
	paths := make([]string, len(changed))
	for i, c := range changed {
		paths[i] = c.Path
	}
	if settings != nil && maps.Equal(settings.Environments, after.Environments) {
		return after.Turned(was, now, paths, &r.look.kept), true, nil
	}
	old, _ := tree.Load(was)
	new, _ := tree.Load(now)
	if old == nil || new == nil {
		return none, true, errors.New("lcm.yaml can't be read any more")
	}
	return tree.Turned(old, new, paths), true, nil
}
