package state

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestSightingIsARatchet keeps the newest heartbeat, whatever is seen later.
func TestSightingIsARatchet(t *testing.T) {
	cfg := config(t)
	db := open(t, cfg)
	if s, err := db.Sighting(); err != nil || s != (Sighting{}) {
		t.Fatal(s, err)
	}
	newest := &Heartbeat{At: at, By: "clock", Head: "b"}
	for _, s := range []Sighting{
		{Fetched: at, Head: "b", Heartbeat: newest, Refusal: &Refusal{Commit: "c", Rule: "r"}},
		{Fetched: at.Add(time.Hour), Head: "b", Heartbeat: &Heartbeat{At: at.Add(-time.Minute), By: "clock", Head: "a"}},
		{Fetched: at.Add(2 * time.Hour), Head: "c", Problem: "it is gone"},
	} {
		if err := db.Sight(s); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	got, err := open(t, cfg).Sighting()
	if diff := cmp.Diff(Sighting{Fetched: at.Add(2 * time.Hour), Head: "c", Problem: "it is gone", Heartbeat: newest}, got); err != nil || diff != "" {
		t.Error(err, diff)
	}
	withheld := *newest
	withheld.Withheld = true
	db2 := open(t, Config{Path: cfg.Path + "2", Repository: "repo", Key: key})
	for _, s := range []Sighting{{Heartbeat: newest}, {Heartbeat: &withheld}} { // of the same time: what is known of it now
		if err := db2.Sight(s); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := db2.Sighting(); err != nil || !got.Heartbeat.Withheld {
		t.Errorf("%+v, %v", got.Heartbeat, err)
	}
}
