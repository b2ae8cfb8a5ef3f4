package state

import (
	"time"

	"github.com/llm-config-manager/lcm/internal/lcm"
)

// Sighting is what the daemon last saw of the remote repository.
type Sighting struct {
	Fetched   time.Time    `json:"fetched"`             // when it was last fetched with success
	Head      lcm.Revision `json:"head"`                // of the branch then
	Refusal   *Refusal     `json:"refusal,omitempty"`   // why not all up to the head is believed; nil if it is
	Heartbeat *Heartbeat   `json:"heartbeat,omitempty"` // the newest that counted; nil for none ever
	Problem   string       `json:"problem,omitempty"`   // why what lies in the place of the heartbeat now does not count
}

// Refusal is what trust said.
type Refusal struct {
	Commit lcm.Revision `json:"commit"`
	Path   string       `json:"path"`
	Rule   string       `json:"rule"`
	Reason string       `json:"reason"`
}

// Heartbeat is that somebody said what the head of the branch was at a time.
type Heartbeat struct {
	At       time.Time    `json:"at"`
	By       string       `json:"by"`
	Head     lcm.Revision `json:"head"`
	Withheld bool         `json:"withheld,omitempty"` // the branch, as fetched, does not have that commit, and never had
}

// Sighting returns the last sighting; the zero value if there was none.
func (db *DB) Sighting() (s Sighting, err error) {
	err = db.view(func(t *tx) error {
		_, err := t.get(bucketRepository, "sighting", &s)
		return err
	})
	return s, err
}

// Sight records a sighting. The newest heartbeat is a ratchet: an older one never takes its place.
func (db *DB) Sight(s Sighting) error {
	return db.update(func(t *tx) error {
		var before Sighting
		if _, err := t.get(bucketRepository, "sighting", &before); err != nil {
			return err
		}
		if old := before.Heartbeat; old != nil && (s.Heartbeat == nil || s.Heartbeat.At.Before(old.At)) {
			s.Heartbeat = old
		}
		return t.put(bucketRepository, "sighting", s)
	})
}
