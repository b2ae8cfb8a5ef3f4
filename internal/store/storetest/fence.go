package storetest

import (
	"errors"
	"sync"
	"testing"

	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/store"
)

// in has the batch be one of a term.
func in(term uint64, b store.Batch) store.Batch {
	b.Marker.Term = term
	return b
}

// fenced demands that a batch is refused since a later leader has written, and nothing is changed.
func (k *kit) fenced(b store.Batch, by uint64) {
	k.Helper()
	before := k.state()
	err := k.target.Apply(k.Context(), b)
	if found := (*store.FencedError)(nil); !errors.Is(err, store.ErrFenced) || !errors.As(err, &found) || found.Term != by {
		k.Errorf("Apply in term %d = %v; want ErrFenced of term %d", b.Marker.Term, err, by)
	}
	k.expect(before)
}

func (k *kit) inTerm(term uint64, rev lcm.Revision, changes ...store.Change) {
	k.Helper()
	if err := k.target.Apply(k.Context(), in(term, k.batch(rev, changes...))); err != nil {
		k.Fatalf("Apply in term %d: %v", term, err)
	}
}

// testFence has leaders of several terms write: none does after a later one.
func (s suite) testFence(t *testing.T) {
	k := s.kit(t)
	k.apply(revision1, k.create("a", number(1)))
	k.inTerm(5, revision1, k.replace("a", number(2)), k.create("b", number(2)))
	if m := k.list().Marker; m.Term != 5 {
		t.Errorf("the marker is %+v", m)
	}
	for _, late := range []uint64{4, 0} {
		k.fenced(in(late, k.batch(revision2, k.replace("a", number(3)))), 5)
		k.fenced(in(late, k.batch(revision2, k.create("c", number(3)))), 5)
		k.fenced(in(late, k.batch(revision2, store.Change{Action: store.Delete, Key: "b", If: k.token("b")})), 5)
		k.fenced(in(late, k.batch(revision2)), 5)
	}
	k.inTerm(5, revision2, k.replace("a", number(4)))
	k.inTerm(store.MaxTerm, revision3) // the marker alone
	k.fenced(in(5, k.batch(revision2, k.replace("a", number(5)))), store.MaxTerm)
	k.expectHolds("a", number(4), true)
}

// testMarkerStands has batches that demand what the marker says.
func (s suite) testMarkerStands(t *testing.T) {
	k := s.kit(t)
	demand := func(m store.Marker, b store.Batch) error {
		b.If = &m
		return k.target.Apply(k.Context(), b)
	}
	if err := demand(marker(revision1), k.batch(revision1, k.create("a", number(1)))); !errors.Is(err, store.ErrConflict) {
		t.Errorf("a marker that is not there: %v", err)
	}
	k.expect(state{Entries: map[string]held{}})
	if err := demand(store.Marker{}, k.batch(revision1, k.create("a", number(1)))); err != nil {
		t.Errorf("no marker: %v", err)
	}
	before := k.state()
	other, term, half := marker(revision1), marker(revision1), marker(revision1)
	other.Repository, term.Term, half.Phase = "another", 3, store.Writing
	for _, m := range []store.Marker{{}, marker(revision2), other, term, half} {
		if err := demand(m, k.batch(revision2, k.replace("a", number(2)))); !errors.Is(err, store.ErrConflict) {
			t.Errorf("Apply where the marker is %+v = %v; want ErrConflict", m, err)
		}
		k.expect(before)
	}
	if err := demand(marker(revision1), in(7, k.batch(revision2, k.replace("a", number(2))))); err != nil {
		t.Error(err)
	}
	if err := demand(in(7, k.batch(revision2)).Marker, in(7, k.batch(revision3))); err != nil {
		t.Error(err)
	}
	if m := k.list().Marker; m != in(7, k.batch(revision3)).Marker {
		t.Errorf("the marker is %+v", m)
	}
}

// testRaise has the next leader keep the one before it out, where nothing was written yet and where something was.
func (s suite) testRaise(t *testing.T) {
	raise := func(k *kit, term uint64) error { return store.Raise(k.Context(), k.target, k.ns, repository, term) }
	k := s.kit(t)
	if err := raise(k, 2); err != nil {
		t.Fatal(err)
	}
	k.expect(state{store.Marker{Repository: repository, Phase: store.Writing, Term: 2}, map[string]held{}})
	k.fenced(in(1, k.batch(revision1, k.create("a", number(1)))), 2)
	k.inTerm(2, revision1, k.create("a", number(1)))
	before := k.state()
	for range 2 {
		if err := raise(k, 9); err != nil {
			t.Fatal(err)
		}
		before.Marker.Term = 9
		k.expect(before)
	}
	k.fenced(in(2, k.batch(revision2, k.replace("a", number(2)))), 9)
	if err := raise(k, 8); !errors.Is(err, store.ErrFenced) {
		t.Errorf("Raise to an earlier term: %v", err)
	}
	k.expect(before)
}

// testRaiseWhileWriting raises while the leader before is writing: once it is raised, and what was under way has
// ended, nothing more comes.
func (s suite) testRaiseWhileWriting(t *testing.T) {
	k := s.kit(t)
	k.inTerm(1, revision1, k.create("a", number(0)))
	var g sync.WaitGroup
	raised := make(chan struct{})
	g.Go(func() {
		for i, late := 1, 0; late < 3; i++ {
			select {
			case <-raised:
				late++
			default:
			}
			l, err := k.target.List(t.Context(), k.ns)
			if err != nil || len(l.Items) != 1 {
				t.Errorf("List = %+v, %v", l, err)
				return
			}
			c := store.Change{Action: store.Update, Key: "a", Value: []byte(number(i)), Meta: k.meta("a", revision2), If: l.Items[0].Token}
			err = k.target.Apply(t.Context(), in(1, k.batch(revision2, c)))
			if late > 0 && !errors.Is(err, store.ErrFenced) || err != nil && !errors.Is(err, store.ErrFenced) && !errors.Is(err, store.ErrConflict) {
				t.Errorf("Apply, %d times after the next leader has raised the marker: %v", late, err)
			}
		}
	})
	if err := store.Raise(t.Context(), k.target, k.ns, repository, 2); err != nil {
		t.Error(err)
	}
	now := k.state()
	close(raised)
	g.Wait()
	if now.Marker.Term != 2 {
		t.Errorf("the marker is %+v", now.Marker)
	}
	if s.opts.Atomic {
		k.expect(now)
	}
}
