// Package statetest is what a state must do wherever its records are kept: in a file, or in etcd.
package statetest

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/llm-config-manager/lcm/internal/diag"
	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/state"
	"github.com/llm-config-manager/lcm/internal/store"
)

// Place is where records are kept, of no other test.
type Place interface {
	// Open opens the state of a repository with a key. Whoever had it open has closed it.
	Open(t *testing.T, repository string, key []byte) (*state.DB, error)
	// Records are all of a repository as they are kept, by names of the place's own, parts and seals included.
	Records(t *testing.T, repository string) map[string]string
	// Write has a record hold that, as somebody may who lacks the key; "": there is none.
	Write(t *testing.T, repository, record, raw string)
}

var (
	key = bytes.Repeat([]byte{7}, 32)
	ns  = lcm.Service{Org: "acme", Project: "p", Name: "s"}.In("production")
	at  = time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)
)

// Run tests the places that fresh gives.
func Run(t *testing.T, fresh func(t *testing.T) Place) {
	for name, test := range map[string]func(*testing.T, Place){
		"SurvivesReopening":   survivesReopening,
		"EndClearsWhatIsOver": endClearsWhatIsOver,
		"CountsForget":        countsForget,
		"Versions":            versions,
		"AnotherKey":          anotherKey,
		"EveryRecordIsSealed": everyRecordIsSealed,
		"SealsAreApart":       sealsAreApart,
		"ManyAtOnce":          manyAtOnce,
		"ManyWriters":         manyWriters,
		"LargeRecords":        largeRecords,
	} {
		t.Run(name, func(t *testing.T) { test(t, fresh(t)) })
	}
}

func open(t *testing.T, p Place) *state.DB {
	t.Helper()
	return openOf(t, p, "repo")
}

func openOf(t *testing.T, p Place, repository string) *state.DB {
	t.Helper()
	db, err := p.Open(t, repository, key)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func all(t *testing.T, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

func inventory(digest string, version uint64) state.Inventory {
	return state.Inventory{"vault": {"k": {Meta: store.Meta{Version: version, Digest: digest}}}}
}

func survivesReopening(t *testing.T, p Place) {
	db := open(t, p)
	r := state.Ratchet{Branch: "main", Introduction: "a", Accepted: "b", Processed: "a", Rules: "1"}
	want := state.Namespace{Revision: "b", At: at, Held: []diag.Finding{diag.Errorf(diag.Position{File: "f"}, "r", "m")}, Since: "b", Services: []string{"acme/p/other"}}
	all(t,
		db.Saw(map[lcm.Revision]time.Time{"b": at}),
		db.Accept(r, map[lcm.Revision]*state.Answer{"b": nil}, at.Add(time.Hour)),
		db.Begin(map[lcm.Namespace]state.Intent{ns: {Revision: "b", At: at, Inventory: inventory("d", 1)}}),
		db.End(map[lcm.Namespace]state.Outcome{ns: {State: want, Inventory: inventory("d", 1)}}, at),
		db.Close())
	db = open(t, p)
	if got, ok, err := db.Ratchet(); got != r || !ok || err != nil {
		t.Errorf("%+v %v %v", got, ok, err)
	}
	if seen, _, _ := db.FirstSeen("b"); !seen.Equal(at) {
		t.Errorf("first seen %v: a commit keeps the time at which it was first seen", seen)
	}
	if accepted, ok, _ := db.AcceptedAt("b"); !ok || !accepted.Equal(at.Add(time.Hour)) {
		t.Errorf("accepted %v", accepted)
	}
	got, err := db.Namespace(ns)
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Error(diff, err)
	}
	pending, _ := db.Pending()
	dependents, _ := db.Dependents(lcm.Service{Org: "acme", Project: "p", Name: "other"})
	inv, intent, err := db.Inventory(ns)
	if len(pending) != 1 || len(dependents) != 1 || dependents[0] != ns || inv["vault"]["k"].Meta.Digest != "d" || intent == nil || err != nil {
		t.Errorf("%v %v %v %v %v", pending, dependents, inv, intent, err)
	}
	if v, _ := db.Version(ns.Key("k")); v != 1 {
		t.Errorf("version %d", v)
	}
}

func endClearsWhatIsOver(t *testing.T, p Place) {
	db := open(t, p)
	failed := state.Namespace{Failed: []string{"vault"}, Services: []string{"acme/p/other"}}
	all(t,
		db.Begin(map[lcm.Namespace]state.Intent{ns: {}}),
		db.End(map[lcm.Namespace]state.Outcome{ns: {State: failed, Inventory: inventory("d", 3)}}, at),
		db.End(map[lcm.Namespace]state.Outcome{ns: {State: state.Namespace{Revision: "b"}, Inventory: state.Inventory{}, Ended: true}}, at))
	for range 2 {
		pending, _ := db.Pending()
		dependents, _ := db.Dependents(lcm.Service{Org: "acme", Project: "p", Name: "other"})
		inhabited, _ := db.Inhabited("acme/p/s")
		_, intent, _ := db.Inventory(ns)
		if len(pending)+len(dependents)+len(inhabited) != 0 || intent != nil {
			t.Errorf("%v %v %v %v", pending, dependents, inhabited, intent)
		}
		if v, err := db.Version(ns.Key("k")); v != 3 || err != nil {
			t.Errorf("version %d, %v: it outlives the entry", v, err)
		}
		all(t, db.Close())
		db = open(t, p)
	}
}

func countsForget(t *testing.T, p Place) {
	db := open(t, p)
	o := state.Outcome{Inventory: inventory("d", 1), Deleted: map[string]int{"vault": 4}}
	all(t, db.End(map[lcm.Namespace]state.Outcome{ns: o}, at))
	o.Deleted = map[string]int{"vault": 2}
	all(t, db.End(map[lcm.Namespace]state.Outcome{ns: o}, at.Add(25*time.Hour)))
	have, deleted, err := db.Counts("acme", at.Add(2*time.Hour))
	if have["vault"] != 1 || deleted["vault"] != 2 || err != nil {
		t.Errorf("%v %v %v", have, deleted, err)
	}
	if have, deleted, _ := db.Counts("acm", time.Time{}); len(have)+len(deleted) != 0 {
		t.Error("another tenant's entries are counted")
	}
}

// versions has keys of records that hold zero bytes, and one that begins as another one does.
func versions(t *testing.T, p Place) {
	db := open(t, p)
	for n := range uint64(3) {
		rev := lcm.Revision(fmt.Sprint("r", n))
		all(t, db.Index(state.Indexed{Revision: rev, Commits: n + 1}, []state.Making{
			{Address: ns.Key("k"), Made: state.Made{Revision: rev, Commits: n + 1}, First: n == 0},
			{Address: ns.Key("k2"), Made: state.Made{Revision: rev, Commits: n + 1}, First: n == 0}}, n == 0))
	}
	all(t, db.Close())
	db = open(t, p)
	if made, err := db.Versions(ns.Key("k")); len(made) != 3 || err != nil || made[2].Revision != "r2" || made[2].Version != 3 {
		t.Errorf("%+v, %v", made, err)
	}
	if m, err := db.Newest(ns.Key("k"), 2); m.Revision != "r1" || err != nil {
		t.Errorf("%+v, %v", m, err)
	}
}

func anotherKey(t *testing.T, p Place) {
	db := open(t, p)
	all(t, db.Accept(state.Ratchet{Accepted: "b"}, nil, at), db.Close())
	if _, err := p.Open(t, "repo", bytes.Repeat([]byte{8}, 32)); !errors.Is(err, state.ErrTampered) {
		t.Errorf("%v", err)
	}
}

// lived fills a state with a record of every kind, in several rounds.
func lived(t *testing.T, p Place, repository string, round int) {
	t.Helper()
	db := openOf(t, p, repository)
	rev := lcm.Revision(fmt.Sprint("revision ", round))
	now := at.Add(time.Duration(round) * time.Hour)
	held := state.Namespace{Revision: rev, At: now, Failed: []string{"vault"}, Services: []string{"acme/p/other"}}
	all(t,
		db.Saw(map[lcm.Revision]time.Time{rev: now}),
		db.Answers(map[lcm.Revision]*state.Answer{rev: {Signer: "alice"}}),
		db.Accept(state.Ratchet{Branch: "main", Accepted: rev}, map[lcm.Revision]*state.Answer{rev: nil}, now),
		db.AcceptByHand(state.Ratchet{Branch: "main", Accepted: rev}, state.Override{Head: rev, At: now, Reason: "r"}),
		db.Sight(state.Sighting{Fetched: now, Head: rev}),
		db.Index(state.Indexed{Revision: rev}, []state.Making{{Address: ns.Key("k"), Made: state.Made{Revision: rev}}}, false),
		db.Begin(map[lcm.Namespace]state.Intent{ns: {Revision: rev, At: now, Inventory: inventory("d", uint64(round))}}),
		db.End(map[lcm.Namespace]state.Outcome{ns: {State: held, Inventory: inventory("d", uint64(round)), Deleted: map[string]int{"vault": 4 + round}}}, now),
		db.Close())
}

// everyRecordIsSealed is attack 42: somebody who may write where the records are has no key, but all that was ever
// there. Whatever single record is taken away, put back, or given another name, the state does not open.
func everyRecordIsSealed(t *testing.T, p Place) {
	lived(t, p, "repo", 1)
	before := p.Records(t, "repo")
	lived(t, p, "repo", 2)
	now := p.Records(t, "repo")
	tamper := func(what, record, raw string) {
		t.Helper()
		p.Write(t, "repo", record, raw)
		if db, err := p.Open(t, "repo", key); !errors.Is(err, state.ErrTampered) {
			t.Errorf("%q %s: %v", record, what, err)
			if err == nil {
				_ = db.Close()
			}
		}
		p.Write(t, "repo", record, now[record])
	}
	if len(now) < 12 {
		t.Fatalf("only %d records", len(now))
	}
	for record, raw := range now {
		tamper("taken away", record, "")
		if old, ok := before[record]; ok && old != raw {
			tamper("put back", record, old)
		}
		if !strings.HasSuffix(record, state.SealKey) {
			tamper("copied", record+"x", raw)
		}
		tamper("authenticated otherwise", record, string([]byte{raw[0] ^ 1})+raw[1:]) // a value that is changed shows when it is read
	}
	if got, _, err := open(t, p).Ratchet(); err != nil || got.Accepted != "revision 2" {
		t.Errorf("as it was, it opens: %+v, %v", got, err)
	}
}

// sealsAreApart has the seal of one repository beside the records of another.
func sealsAreApart(t *testing.T, p Place) {
	lived(t, p, "repo", 1)
	lived(t, p, "other", 2)
	lived(t, p, "repo", 3)
	ours, theirs := p.Records(t, "repo"), p.Records(t, "other")
	stolen := 0
	for record, raw := range theirs {
		if ours[record] == raw || ours[record] == "" {
			continue
		}
		stolen++
		p.Write(t, "repo", record, raw)
		if _, err := p.Open(t, "repo", key); !errors.Is(err, state.ErrTampered) {
			t.Errorf("%q of another repository: %v", record, err)
		}
		p.Write(t, "repo", record, ours[record])
	}
	if stolen == 0 {
		t.Error("nothing was tried")
	}
	all(t, open(t, p).Close())
}

// manyAtOnce has more records in one update than one transaction of etcd takes.
func manyAtOnce(t *testing.T, p Place) {
	db := open(t, p)
	seen := map[lcm.Revision]time.Time{}
	for i := range 3000 {
		seen[lcm.Revision(fmt.Sprintf("%040d", i))] = at.Add(time.Duration(i) * time.Second)
	}
	all(t, db.Saw(seen), db.Accept(state.Ratchet{Accepted: "b"}, nil, at), db.Close())
	db = open(t, p)
	for rev, want := range seen {
		if got, ok, err := db.FirstSeen(rev); !ok || err != nil || !got.Equal(want) {
			t.Fatalf("%s: %v %v %v", rev, got, ok, err)
		}
	}
}

func manyWriters(t *testing.T, p Place) {
	db := open(t, p)
	var g sync.WaitGroup
	for i := range 20 {
		g.Go(func() {
			if err := db.Accept(state.Ratchet{Accepted: "b"}, map[lcm.Revision]*state.Answer{lcm.Revision(fmt.Sprint(i)): nil}, at); err != nil {
				t.Error(err)
			}
		})
	}
	g.Wait()
	all(t, db.Close())
	db = open(t, p)
	for i := range 20 {
		if _, ok, err := db.AcceptedAt(lcm.Revision(fmt.Sprint(i))); !ok || err != nil {
			t.Errorf("%d: %v", i, err)
		}
	}
}

// largeRecords has records that grow and shrink beyond what etcd takes in one request.
func largeRecords(t *testing.T, p Place) {
	db := open(t, p)
	for _, n := range []int{20_000, 3, 9_000, 0, 12_000} {
		big := map[string]state.Owned{}
		for i := range n {
			big[fmt.Sprintf("key-%d", i)] = state.Owned{Meta: store.Meta{ID: "6ba7b812-9dad-51d1-80b4-00c04fd430c8", Version: uint64(n), Digest: "sha256:0000000000000000000000000000000000000000000000000000000000000000"}}
		}
		all(t,
			db.Begin(map[lcm.Namespace]state.Intent{ns: {Revision: "b", Inventory: state.Inventory{"vault": big}}}),
			db.End(map[lcm.Namespace]state.Outcome{ns: {Inventory: state.Inventory{"vault": big}, Ended: true}}, at),
			db.Close())
		db = open(t, p)
		inv, intent, err := db.Inventory(ns)
		if len(inv["vault"]) != n || intent != nil || err != nil {
			t.Fatalf("%d entries, want %d; %v %v", len(inv["vault"]), n, intent, err)
		}
	}
}
