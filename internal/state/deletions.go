package state

import (
	"slices"
	"time"

	"github.com/llm-config-manager/lcm/internal/lcm"
)

const (
	bucketDeleteConsents = "deleteConsents" // namespace → DeleteConsent
	spentKey             = "spent"          // in bucketRepository: commit → deletions
)

// DeleteConsent is the leave to delete these entries, and no others, although they are more than may be deleted
// without one. It lasts until they are deleted, wanted again, or not the same any more.
type DeleteConsent struct {
	Revision lcm.Revision        `json:"revision,omitempty"` // the commit whose message gave it; "": an operator did, on the daemon's host
	Reason   string              `json:"reason,omitempty"`   // what the operator says
	At       time.Time           `json:"at"`
	Entries  map[string][]string `json:"entries"` // target → keys
}

// Covers reports whether all these entries, by target, are consented to.
func (c DeleteConsent) Covers(entries map[string][]string) bool {
	for target, keys := range entries {
		consented := map[string]bool{}
		for _, key := range c.Entries[target] {
			consented[key] = true
		}
		if slices.ContainsFunc(keys, func(key string) bool { return !consented[key] }) {
			return false
		}
	}
	return true
}

// DeleteConsent returns what may be deleted of a namespace; the zero value if nobody consented to anything.
func (db *DB) DeleteConsent(ns lcm.Namespace) (c DeleteConsent, err error) {
	err = db.view(func(t *tx) error {
		_, err := t.get(bucketDeleteConsents, ns.String(), &c)
		return err
	})
	return c, err
}

// Spent tells how many deletions of what a commit accepts were given to namespaces already.
func (db *DB) Spent() (spent map[lcm.Revision]int, err error) {
	err = db.view(func(t *tx) error {
		_, err := t.get(bucketRepository, spentKey, &spent)
		return err
	})
	return spent, err
}

// ConsentToDelete records consents, and what is spent of those that commits give, in one transaction: no crash
// lets a commit be spent twice. spent takes the place of what was recorded before; nil leaves that.
func (db *DB) ConsentToDelete(given map[lcm.Namespace]DeleteConsent, spent map[lcm.Revision]int) error {
	if len(given) == 0 {
		return nil
	}
	return db.update(func(t *tx) error {
		for ns, c := range given {
			if err := t.put(bucketDeleteConsents, ns.String(), c); err != nil {
				return err
			}
		}
		if spent == nil {
			return nil
		}
		return t.put(bucketRepository, spentKey, spent)
	})
}
