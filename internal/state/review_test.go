package state

import (
	"errors"
	"testing"

	bolt "go.etcd.io/bbolt"

	"github.com/llm-config-manager/lcm/internal/lcm"
)

// A state without its ratchet is no fresh start.
func TestRemovedRatchetIsTampering(t *testing.T) {
	cfg := config(t)
	db := open(t, cfg)
	if _, ok, err := db.Ratchet(); ok || err != nil {
		t.Fatal(ok, err)
	}
	for _, err := range []error{
		db.Accept(Ratchet{Branch: "main", Accepted: "b"}, nil, at),
		db.End(map[lcm.Namespace]Outcome{ns: {State: Namespace{Revision: "b"}}}, at),
		db.bolt.Update(func(tx *bolt.Tx) error {
			return tx.Bucket([]byte("repo")).Bucket([]byte(bucketRepository)).Delete([]byte("ratchet"))
		}),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if _, _, err := db.Ratchet(); !errors.Is(err, ErrTampered) {
		t.Errorf("%v", err)
	}
}

// An intent keeps what an earlier one says that was never ended, and once it is ended its versions are spent.
func TestIntentsAddUp(t *testing.T) {
	db := open(t, config(t))
	first := Inventory{"vault": {"gone": inventory("d", 7)["vault"]["k"]}}
	for _, i := range []Inventory{first, inventory("d", 2)} {
		if err := db.Begin(map[lcm.Namespace]Intent{ns: {Inventory: i}}); err != nil {
			t.Fatal(err)
		}
	}
	if _, i, err := db.Inventory(ns); err != nil || i == nil || len(i.Inventory["vault"]) != 2 {
		t.Fatalf("%+v, %v", i, err)
	}
	if err := db.End(map[lcm.Namespace]Outcome{ns: {Inventory: inventory("d", 2), Ended: true}}, at); err != nil {
		t.Fatal(err)
	}
	if _, i, err := db.Inventory(ns); err != nil || i != nil {
		t.Errorf("%+v, %v", i, err)
	}
	for key, want := range map[string]uint64{"gone": 7, "k": 2} {
		if v, err := db.Version(ns.Key(key)); v != want || err != nil {
			t.Errorf("%s: version %d, %v; want %d", key, v, err, want)
		}
	}
}
