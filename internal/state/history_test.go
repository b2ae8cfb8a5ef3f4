package state

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/llm-config-manager/lcm/internal/lcm"
)

func TestIndexNumbersVersions(t *testing.T) {
	cfg := config(t)
	db := open(t, cfg)
	a, prefix := ns.Key("a"), ns.Key("a-b") // whose name begins as the other's
	made := func(address lcm.Address, rev lcm.Revision, commits uint64, first bool) Making {
		return Making{Address: address, Made: Made{Revision: rev, Commits: commits, Change: "changed"}, First: first}
	}
	for _, err := range []error{
		db.Index(Indexed{From: "0", Revision: "2", Usable: "2", Commits: 2}, []Making{made(a, "1", 1, false), made(prefix, "1", 1, true), made(a, "2", 2, false)}, true),
		db.Index(Indexed{From: "0", Revision: "3", Usable: "2", Commits: 3}, []Making{made(a, "3", 3, false)}, false),
		db.Close(),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	db = open(t, cfg)
	if got, err := db.Indexed(); err != nil || got != (Indexed{From: "0", Revision: "3", Usable: "2", Commits: 3}) {
		t.Errorf("%+v, %v", got, err)
	}
	all, err := db.Versions(a)
	want := []Made{{"1", 1, "changed", 2}, {"2", 2, "changed", 3}, {"3", 3, "changed", 4}} // 1 is what stood there at the beginning
	if diff := cmp.Diff(want, all); diff != "" || err != nil {
		t.Error(diff, err)
	}
	for commits, version := range []uint64{0, 2, 3, 4, 4} {
		if m, err := db.Newest(a, uint64(commits)); err != nil || m.Version != version {
			t.Errorf("after %d commits: %+v, %v", commits, m, err)
		}
	}
	if m, err := db.Newest(prefix, 9); err != nil || m.Version != 1 {
		t.Errorf("%+v, %v", m, err)
	}
	if m, err := db.Newest(ns.Key("z"), 9); err != nil || m != (Made{}) {
		t.Errorf("%+v, %v", m, err)
	}
	if err := db.Index(Indexed{From: "x", Revision: "y"}, []Making{made(a, "y", 1, true)}, true); err != nil {
		t.Fatal(err)
	}
	if all, err := db.Versions(a); err != nil || len(all) != 1 || all[0].Version != 1 || all[0].Revision != "y" {
		t.Errorf("begun anew: %+v, %v", all, err)
	}
	if all, err := db.Versions(prefix); err != nil || len(all) != 0 {
		t.Errorf("begun anew: %+v, %v", all, err)
	}
}
