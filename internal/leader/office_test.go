package leader_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/leader"
	"github.com/llm-config-manager/lcm/internal/state"
	"github.com/llm-config-manager/lcm/internal/store/etcd/etcdtest"
)

func take(t *testing.T, r *leader.Replica) *leader.Term {
	t.Helper()
	term, err := r.Take(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return term
}

func load(t *testing.T, r *leader.Replica) *state.DB {
	t.Helper()
	db, err := state.Open(state.Config{Path: t.TempDir(), Repository: "repo", Key: []byte("0123456789abcdef"), Keeper: r})
	if err == nil {
		err = db.Load(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func prefixOf(t *testing.T) string {
	return "/" + strings.NewReplacer("/", "-").Replace(t.Name()) + "/"
}

func TestOneAtATime(t *testing.T) {
	c := etcdtest.Start(t, etcdtest.Options{})
	a, b := replica(t, "a", prefixOf(t), c.Endpoints()...), replica(t, "b", prefixOf(t), c.Endpoints()...)
	if _, _, _, err := a.Enter(t.Context()); !errors.Is(err, leader.ErrNotInOffice) {
		t.Error(err)
	}
	first := take(t, a)
	taken := leader.TakenError{}
	if _, err := b.Take(t.Context()); !errors.As(err, &taken) || taken.Name != "a" || taken.Term != first.Number() {
		t.Errorf("%v", err)
	}
	if role := a.Role(); !role.Leads || role.Leader.Name != "a" {
		t.Errorf("%+v", role)
	}
	ctx, leave, number, err := a.Enter(t.Context())
	if err != nil || number != first.Number() {
		t.Fatal(number, err)
	}
	defer leave()
	first.Resign()
	if ctx.Err() == nil || !errors.Is(context.Cause(ctx), leader.ErrLost) {
		t.Errorf("work goes on after the term: %v", context.Cause(ctx))
	}
	second := take(t, b)
	if second.Number() <= first.Number() {
		t.Errorf("term %d follows %d", second.Number(), first.Number())
	}
	b.Exceeded(second.Number()) // it is its own
	if second.Err() != nil {
		t.Error(second.Err())
	}
	b.Exceeded(100)
	if !errors.Is(second.Err(), leader.ErrLost) {
		t.Error("a leader goes on after a target has seen a later one")
	}
	second.Resign()
	if third := take(t, b); third.Number() != 101 {
		t.Errorf("term %d, after 100 was met", third.Number())
	}
}

// A leader that is cut off is out of office before another one is in it.
func TestCutOff(t *testing.T) {
	c := etcdtest.Start(t, etcdtest.Options{})
	p := etcdtest.NewProxy(t, c.Members[0])
	a, b := replica(t, "a", prefixOf(t), p.Endpoint), replica(t, "b", prefixOf(t), c.Endpoints()...)
	old := take(t, a)
	time.Sleep(time.Second) // it was renewed
	p.Block(true)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	led := false
	err := b.Run(ctx, func(term *leader.Term) error {
		led = true
		if old.Err() == nil {
			t.Error("there are two leaders")
		}
		return errors.New("enough")
	})
	if !led || err == nil || !errors.Is(old.Err(), leader.ErrLost) {
		t.Error(led, err, old.Err())
	}
	p.Block(false)
	old.Resign() // what is not its own it leaves alone
	if _, err := a.Take(t.Context()); err != nil {
		t.Error(err)
	}
}

// A leader that does not know yet that it is none any more changes nothing in the state, and is none from then on.
func TestAFormerLeaderSavesNothing(t *testing.T) {
	c := etcdtest.Start(t, etcdtest.Options{})
	a, b := replica(t, "a", prefixOf(t), c.Endpoints()...), replica(t, "b", prefixOf(t), c.Endpoints()...)
	old := take(t, a)
	before := load(t, a)
	if err := before.Accept(state.Ratchet{Accepted: "1"}, nil, time.Now()); err != nil {
		t.Fatal(err)
	}
	if err := c.Delete(t.Context(), prefixOf(t)+"office"); err != nil { // as the end of its lease would
		t.Fatal(err)
	}
	take(t, b)
	after := load(t, b)
	if err := before.Accept(state.Ratchet{Accepted: "2"}, nil, time.Now()); !errors.Is(err, leader.ErrLost) {
		t.Errorf("it saves: %v", err)
	}
	if !errors.Is(old.Err(), leader.ErrLost) {
		t.Error("it goes on")
	}
	if err := after.Accept(state.Ratchet{Accepted: "3"}, nil, time.Now()); err != nil {
		t.Error(err)
	}
	if r, _, err := load(t, replica(t, "c", prefixOf(t), c.Endpoints()...)).Ratchet(); r.Accepted != "3" || err != nil {
		t.Errorf("%+v, %v", r, err)
	}
}

// Who does not lead reads the state, and writes nothing.
func TestFollowersRead(t *testing.T) {
	c := etcdtest.Start(t, etcdtest.Options{})
	a, b := replica(t, "a", prefixOf(t), c.Endpoints()...), replica(t, "b", prefixOf(t), c.Endpoints()...)
	take(t, a)
	if err := load(t, a).Accept(state.Ratchet{Accepted: "1"}, nil, time.Now()); err != nil {
		t.Fatal(err)
	}
	db := load(t, b)
	if r, _, err := db.Ratchet(); r.Accepted != "1" || err != nil {
		t.Errorf("%+v, %v", r, err)
	}
	if err := db.Accept(state.Ratchet{Accepted: "2"}, nil, time.Now()); !errors.Is(err, leader.ErrNotInOffice) {
		t.Error(err)
	}
	if err := db.Drop(); err != nil {
		t.Fatal(err)
	}
	if _, _, err := db.Ratchet(); !errors.Is(err, state.ErrNotLoaded) {
		t.Error(err)
	}
}

// An update of many transactions is cut off at a moment by chance: whoever loads the state then, in office or not, finds
// all of it or nothing.
func TestLargeUpdateCutOff(t *testing.T) {
	c := etcdtest.Start(t, etcdtest.Options{})
	const records, rounds = 2000, 6
	whole, nothing := 0, 0
	for round := range rounds {
		prefix := fmt.Sprintf("%s%d/", prefixOf(t), round)
		p := etcdtest.NewProxy(t, c.Members[0])
		a := replica(t, "a", prefix, p.Endpoint)
		take(t, a)
		db := load(t, a)
		if err := db.Accept(state.Ratchet{Accepted: "1"}, nil, time.Now()); err != nil {
			t.Fatal(err)
		}
		seen := map[lcm.Revision]time.Time{}
		for i := range records {
			seen[lcm.Revision(fmt.Sprintf("%040d", i))] = time.Unix(1e9, 0)
		}
		cut := time.AfterFunc(rand.N(150*time.Millisecond), func() { p.Refuse(true) })
		err := db.Saw(seen)
		cut.Stop()
		p.Refuse(true)
		if delErr := c.Delete(t.Context(), prefix+"office"); delErr != nil && err == nil {
			t.Fatal(delErr)
		}
		reader := load(t, replica(t, "reader", prefix, c.Endpoints()...))
		b := replica(t, "b", prefix, c.Endpoints()...)
		take(t, b)
		next := load(t, b)
		n := count(t, next, records)
		if n != 0 && n != records || n != count(t, reader, records) || err == nil && n == 0 {
			t.Errorf("%d of %d records are there, a reader finds %d; the update ended with %v", n, records, count(t, reader, records), err)
		}
		if whole++; n == 0 {
			whole, nothing = whole-1, nothing+1
		}
		if err := next.Saw(seen); err != nil {
			t.Error(err)
		}
		if n := count(t, load(t, replica(t, "c", prefix, c.Endpoints()...)), records); n != records {
			t.Errorf("%d records", n)
		}
		keys, err := c.Keys(t.Context(), prefix+"state/repo/chunks/")
		if len(keys) > 0 || err != nil {
			t.Errorf("%d chunks are left, %v", len(keys), err)
		}
	}
	t.Logf("cut off %d times: all of it was there %d times, nothing %d times", rounds, whole, nothing)
}

func count(t *testing.T, db *state.DB, records int) (n int) {
	t.Helper()
	for i := range records {
		_, ok, err := db.FirstSeen(lcm.Revision(fmt.Sprintf("%040d", i)))
		if err != nil {
			t.Fatal(err)
		}
		if ok {
			n++
		}
	}
	return n
}

// Answers get lost while a state is written: what was done is found to be done, and nothing is done twice.
func TestAnswersLost(t *testing.T) {
	c := etcdtest.Start(t, etcdtest.Options{})
	p := etcdtest.NewProxy(t, c.Members[0])
	a := replica(t, "a", prefixOf(t), p.Endpoint)
	take(t, a)
	db := load(t, a)
	for i := range 10 {
		seen := map[lcm.Revision]time.Time{}
		for n := range 1 + 200*(i%3) {
			seen[lcm.Revision(fmt.Sprintf("%d-%d", i, n))] = time.Unix(1e9, 0)
		}
		p.CutAtAnswer()
		if err := db.Saw(seen); err != nil {
			t.Fatalf("update %d: %v", i, err)
		}
	}
	after := load(t, replica(t, "b", prefixOf(t), c.Endpoints()...))
	for _, rev := range []lcm.Revision{"0-0", "1-200", "2-400", "9-0"} {
		if _, ok, err := after.FirstSeen(rev); !ok || err != nil {
			t.Error(rev, ok, err)
		}
	}
}
