package state

import (
	"time"

	"github.com/llm-config-manager/lcm/internal/lcm"
)

const bucketDrift = "drift" // namespace → Drifts

// DriftKind says how what a target holds differs from what was put there.
type DriftKind string

// The kinds of drift.
const (
	DriftMissing DriftKind = "missing" // the entry is gone
	DriftValue   DriftKind = "value"   // another value stands beside our mark
	DriftMark    DriftKind = "mark"    // the mark beside the value was changed
	DriftForeign DriftKind = "foreign" // something that does not bear our mark stands in its place
)

// DriftKinds lists them all.
var DriftKinds = [...]DriftKind{DriftMissing, DriftValue, DriftMark, DriftForeign}

// Drift is one entry that a target holds otherwise than it was put there: somebody else changed it. It tells
// where it differs, never what stands there.
type Drift struct {
	Address   lcm.Address `json:"address"`
	Target    string      `json:"target"`
	Kind      DriftKind   `json:"kind"`
	Fields    []string    `json:"fields"`             // where a value that is no secret differs, as JSON Pointers; "" is the whole value
	By        string      `json:"by,omitempty"`       // who changed it, where the target tells
	At        time.Time   `json:"at,omitzero"`        // when, where the target tells
	Found     time.Time   `json:"found"`              // when the daemon saw it first
	Corrected time.Time   `json:"corrected,omitzero"` // when it was as it should be again; zero: it still differs
}

// Same reports whether two are the same difference of the same entry, whenever it was found.
func (d Drift) Same(o Drift) bool {
	return d.Address == o.Address && d.Target == o.Target && d.Kind == o.Kind
}

// Drifts are those of one namespace.
type Drifts struct {
	Open []Drift `json:"open,omitempty"` // by address and target
	More int     `json:"more,omitempty"` // how many differ beyond those
	Past []Drift `json:"past,omitempty"` // corrected ones, the newest last
}

// Empty reports whether nothing differs, and nothing is known to have differed.
func (d Drifts) Empty() bool { return len(d.Open)+d.More+len(d.Past) == 0 }

// Drifts returns those of a namespace.
func (db *DB) Drifts(ns lcm.Namespace) (d Drifts, err error) {
	err = db.view(func(t *tx) error {
		_, err := t.get(bucketDrift, ns.String(), &d)
		return err
	})
	return d, err
}

// EachDrift calls f with the drifts of each namespace that has any, in the order of their names.
func (db *DB) EachDrift(f func(Drifts)) error {
	return db.view(func(t *tx) error {
		return each(t, bucketDrift, "", func(key string, raw []byte) error {
			var d Drifts
			if err := t.open(bucketDrift, key, raw, &d); err != nil {
				return err
			}
			f(d)
			return nil
		})
	})
}

func (t *tx) drift(key string, d Drifts) error {
	if d.Empty() {
		return t.delete(bucketDrift, key)
	}
	return t.put(bucketDrift, key, d)
}
