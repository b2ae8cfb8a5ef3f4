package state

import (
	"maps"
	"slices"

	"github.com/llm-config-manager/lcm/internal/lcm"
)

// Answer says who answers for a step of the protected branch. It is kept because it cannot be found out again
// for ever: approvals may be deleted from the server, and keys expire.
type Answer struct {
	Signer   string              `json:"signer,omitempty"`  // a principal; "" if nobody's signature counts
	Forge    string              `json:"forge,omitempty"`   // the forge that made the commit; "" for none
	Vouched  bool                `json:"vouched,omitempty"` // trust did not believe the step: an operator accepted it by hand
	Consents []Consent           `json:"consents,omitempty"`
	Roles    map[string][]string `json:"roles,omitempty"` // of signer and consenters, by the policy that judged the step
}

// Consent says which persons consented to some of the changes of a step.
type Consent struct {
	Persons []string `json:"persons"`
	Paths   []string `json:"paths,omitempty"` // nil: to all; an effect as "path → path it was judged as"
}

// Answers records who answers for steps, before the ratchet moves over them: Accept would take too many at once.
func (db *DB) Answers(all map[lcm.Revision]*Answer) error {
	if len(all) == 0 {
		return nil
	}
	return db.update(func(t *tx) error {
		for _, rev := range slices.Sorted(maps.Keys(all)) {
			var c commit
			if _, err := t.get(bucketCommits, string(rev), &c); err != nil {
				return err
			}
			c.Answer = all[rev]
			if err := t.put(bucketCommits, string(rev), c); err != nil {
				return err
			}
		}
		return nil
	})
}

// Answer returns who answers for a step; it reports whether that is known.
func (db *DB) Answer(rev lcm.Revision) (a Answer, ok bool, err error) {
	err = db.view(func(t *tx) error {
		var c commit
		_, err := t.get(bucketCommits, string(rev), &c)
		if ok = c.Answer != nil; ok {
			a = *c.Answer
		}
		return err
	})
	return a, ok, err
}
