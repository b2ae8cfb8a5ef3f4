package state

import "github.com/llm-config-manager/lcm/internal/lcm"

// Burns are the values that no Secret may hold again. They stand in one record, so that they are there as a
// whole or not at all; what is lost is found again in the history of the branch.
type Burns struct {
	Scanned lcm.Revision `json:"scanned"` // the revision up to which the messages of commits were read; "" for none
	All     []Burn       `json:"all"`
}

// Burn is what one commit declares burned: the values that one address had before it.
type Burn struct {
	Revision lcm.Revision `json:"revision"` // the commit that declares it
	Address  lcm.Address  `json:"address"`
	Prints   []string     `json:"prints,omitempty"` // keyed fingerprints of the values, bound to the tenant; none: they could not be opened yet
}

// Burns returns what is burned.
func (db *DB) Burns() (b Burns, err error) {
	err = db.view(func(t *tx) error {
		_, err := t.get(bucketRepository, "burns", &b)
		return err
	})
	return b, err
}

// Burn records what is burned. Who calls it must leave out nothing that was.
func (db *DB) Burn(b Burns) error {
	return db.update(func(t *tx) error { return t.put(bucketRepository, "burns", b) })
}
