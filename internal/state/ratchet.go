package state

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/llm-config-manager/lcm/internal/lcm"
)

const (
	bucketRepository = "repository"
	bucketCommits    = "commits"
)

// Ratchet says how far the repository is believed and how far it is carried out.
type Ratchet struct {
	Branch       string       `json:"branch"`
	Introduction lcm.Revision `json:"introduction"`
	Accepted     lcm.Revision `json:"accepted"`  // the last revision that trust believed; it only moves forward
	Processed    lcm.Revision `json:"processed"` // the revision whose every namespace was applied, held or recorded as failed
	Rules        string       `json:"rules"`     // what judged Processed: the built-in packs and the daemon's targets
}

// Ratchet returns the ratchet; it reports whether there is one. It is written before anything is, so one
// that is gone from beside namespaces was taken away.
func (db *DB) Ratchet() (r Ratchet, ok bool, err error) {
	err = db.view(func(t *tx) error {
		if ok, err = t.get(bucketRepository, "ratchet", &r); !ok && err == nil && t.bucket(bucketNamespaces) != nil {
			return fmt.Errorf("state record %s/ratchet is missing: %w", bucketRepository, ErrTampered)
		}
		return err
	})
	return r, ok, err
}

// commit is what the daemon itself knows of a commit: times by its own clock, and who answers for it.
type commit struct {
	Seen     time.Time `json:"seen,omitzero"`
	Accepted time.Time `json:"accepted,omitzero"`
	Answer   *Answer   `json:"answer,omitempty"`
}

// FirstSeen returns when the daemon first saw the commit; it reports whether it ever did.
func (db *DB) FirstSeen(rev lcm.Revision) (at time.Time, ok bool, err error) {
	var c commit
	err = db.view(func(t *tx) error {
		_, err := t.get(bucketCommits, string(rev), &c)
		return err
	})
	return c.Seen, !c.Seen.IsZero(), err
}

// AcceptedAt returns when the revision was accepted; it reports whether it ever was.
func (db *DB) AcceptedAt(rev lcm.Revision) (at time.Time, ok bool, err error) {
	var c commit
	err = db.view(func(t *tx) error {
		_, err = t.get(bucketCommits, string(rev), &c)
		return err
	})
	return c.Accepted, !c.Accepted.IsZero(), err
}

// Saw records the time at which commits were first seen. A commit that has a time keeps it.
func (db *DB) Saw(seen map[lcm.Revision]time.Time) error {
	if len(seen) == 0 {
		return nil
	}
	return db.update(func(t *tx) error {
		for _, rev := range slices.Sorted(maps.Keys(seen)) { // bbolt takes many far quicker in their order
			var c commit
			if _, err := t.get(bucketCommits, string(rev), &c); err != nil {
				return err
			}
			if !c.Seen.IsZero() {
				continue
			}
			c.Seen = seen[rev]
			if err := t.put(bucketCommits, string(rev), c); err != nil {
				return err
			}
		}
		return nil
	})
}

// Accept moves the ratchet: every step and the last of them, in one transaction. Of each step it records who answers
// for it; nil keeps what is known of that.
func (db *DB) Accept(r Ratchet, steps map[lcm.Revision]*Answer, now time.Time) error {
	return db.update(func(t *tx) error {
		for _, rev := range slices.Sorted(maps.Keys(steps)) {
			var c commit
			if _, err := t.get(bucketCommits, string(rev), &c); err != nil {
				return err
			}
			if c.Seen.IsZero() {
				c.Seen = now
			}
			if c.Accepted.IsZero() {
				c.Accepted = now
			}
			if a := steps[rev]; a != nil {
				c.Answer = a
			}
			if err := t.put(bucketCommits, string(rev), c); err != nil {
				return err
			}
		}
		return t.put(bucketRepository, "ratchet", r)
	})
}
