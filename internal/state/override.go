package state

import (
	"time"

	"github.com/llm-config-manager/lcm/internal/lcm"
)

const bucketOverrides = "overrides"

// Override is a revision that an operator accepted by hand on the daemon's host. All are kept.
type Override struct {
	Head    lcm.Revision `json:"head"`
	Reason  string       `json:"reason"`
	At      time.Time    `json:"at"`
	Lost    bool         `json:"lost"`    // there was no state, and the targets bore our marks
	Refused string       `json:"refused"` // what trust said of it; "" if it was believed
}

// AcceptByHand moves the ratchet to a revision that an operator vouches for, and records who is to be
// asked about it later: the reason.
func (db *DB) AcceptByHand(r Ratchet, o Override) error {
	return db.update(func(t *tx) error {
		c := commit{Seen: o.At}
		if _, err := t.get(bucketCommits, string(o.Head), &c); err != nil {
			return err
		}
		c.Accepted = o.At
		if err := t.put(bucketCommits, string(o.Head), c); err != nil {
			return err
		}
		if err := t.put(bucketOverrides, o.At.UTC().Format(time.RFC3339Nano)+" "+string(o.Head), o); err != nil {
			return err
		}
		if err := t.put(bucketRepository, "override", o); err != nil {
			return err
		}
		return t.put(bucketRepository, "ratchet", r)
	})
}

// Override returns the last revision that was accepted by hand; it reports whether there ever was one.
func (db *DB) Override() (o Override, ok bool, err error) {
	err = db.view(func(t *tx) error {
		ok, err = t.get(bucketRepository, "override", &o)
		return err
	})
	return o, ok, err
}
