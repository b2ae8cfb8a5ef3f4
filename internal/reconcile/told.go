package reconcile

import (
	"context"
	"slices"
	"time"

	"github.com/llm-config-manager/lcm/internal/gitrepo"
	"github.com/llm-config-manager/lcm/internal/history"
	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/state"
	"github.com/llm-config-manager/lcm/internal/tree"
)

// History tells the versions of an address up to the last accepted revision, the newest first, at most so many (0: all):
// by the index, and by what was recorded when each commit was accepted. A report without versions says that
// there never was such a key. It needs the state and the mirror, and asks neither the repository nor a target.
func History(ctx context.Context, st *state.DB, repo *gitrepo.Repo, a lcm.Address, limit int) (*history.Report, error) {
	read, err := st.Indexed()
	if err != nil {
		return nil, err
	}
	out := history.NewReport(a, read.Revision, read.From)
	if read.Revision == "" {
		return out, nil
	}
	made, err := st.Versions(a)
	if err != nil {
		return nil, err
	}
	revs := []lcm.Revision{read.From}
	for _, m := range made {
		revs = append(revs, m.Revision)
	}
	all, err := history.Through(ctx, repo, a, revs)
	if err != nil {
		return nil, err
	}
	out.Total = len(all)
	for _, v := range slices.Backward(history.Newest(all, limit)) {
		told, err := recorded(st, repo, a, v)
		if err != nil {
			return nil, err
		}
		out.Versions = append(out.Versions, told)
	}
	return out, nil
}

// recorded adds to a version what was recorded of its commit.
func recorded(st *state.DB, repo *gitrepo.Repo, a lcm.Address, v history.Version) (history.Told, error) {
	c, err := repo.Commit(v.Revision)
	if err != nil {
		return history.Told{}, err
	}
	told := v.Tell(c)
	if told.FirstSeen, err = timeOf(st.FirstSeen(v.Revision)); err != nil {
		return told, err
	}
	if told.Accepted, err = timeOf(st.AcceptedAt(v.Revision)); err != nil {
		return told, err
	}
	answer, known, err := st.Answer(v.Revision)
	told.Trust = attributed(answer, known, a, v.Kind)
	return told, err
}

func timeOf(at time.Time, known bool, err error) (*time.Time, error) {
	if !known || err != nil {
		return nil, err
	}
	return &at, nil
}

// attributed says by what a commit was believed, and who consented to what changed an address.
func attributed(s state.Answer, known bool, a lcm.Address, kind lcm.Kind) history.Attribution {
	t := history.Attribution{Approvers: []string{}}
	switch {
	case !known:
		t.Reason = "the introduction, or nothing is recorded of it"
		return t
	case s.Vouched:
		t.Reason = "accepted by hand, against trust"
		return t
	case s.Signer != "":
		t.By = "signed by " + s.Signer
	case s.Forge != "":
		t.By = "made by the forge " + s.Forge
	default:
		t.By = "adopted, for want of signatures"
	}
	t.Believed, t.Signer = true, s.Signer
	if kind == "" { // of what is gone every partial counts
		kind = lcm.KindPromptTemplate
	}
	persons, own := consenters(s.Consents, &tree.Entry{Address: a, Kind: kind})
	for _, c := range s.Consents {
		if !own { // a change of the environments, say, is one of the whole
			persons = append(persons, c.Persons...)
		}
	}
	slices.Sort(persons)
	persons = slices.Compact(persons)
	for _, p := range persons {
		if p != s.Signer {
			t.Approvers = append(t.Approvers, p)
		}
	}
	return t
}
