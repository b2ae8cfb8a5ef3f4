package gitrepo

import (
	"context"
	"errors"
	"slices"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/llm-config-manager/lcm/internal/lcm"
)

// PullRequest brings what a reference beside the branch, such as refs/pull/12/head, points to in the remote. It returns
// the commits that it stands for, the newest first: besides what the remote says now, what it said
// when it was asked before. So a forge that is down, or that deletes the reference, takes nothing away.
// Without either, the list is empty, or the error is the remote's.
func (r *Repo) PullRequest(ctx context.Context, name string) (heads []lcm.Revision, err error) {
	if r.remote == nil {
		return nil, errors.New("this repository is no mirror; it has nothing to fetch from")
	}
	if err := checkRefName(name); err != nil {
		return nil, err
	}
	defer contain(&err)
	r.fetchMu.Lock()
	defer r.fetchMu.Unlock()
	if err := r.loadKnown(); err != nil {
		return nil, err
	}
	before, err := r.refs.get(name)
	switch {
	case err == nil:
		heads = append(heads, revision(before))
	case !errors.Is(err, errNoReference):
		return nil, err
	}
	now, err := r.fetchPull(ctx, name)
	switch {
	case err != nil && len(heads) == 0:
		return nil, err
	case err == nil && now != "" && !slices.Contains(heads, now):
		heads = slices.Insert(heads, 0, now)
	}
	return heads, nil
}

// fetchPull brings the commit that the remote has under a name; "" if it has none.
func (r *Repo) fetchPull(ctx context.Context, name string) (_ lcm.Revision, err error) {
	talk, err := r.answers.list(ctx, name)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, talk.close()) }()
	id, ok := talk.refs()[name]
	if !ok {
		return "", nil
	}
	if err := r.bring(ctx, talk, []plumbing.Hash{id}, r.limits.MaxFetchBytes); err != nil {
		return "", err
	}
	if _, err := r.Commit(revision(id)); err != nil {
		return "", err
	}
	return revision(id), r.refs.set(name, id)
}
