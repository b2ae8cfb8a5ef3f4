package state

import (
	"fmt"
	"slices"
	"time"

	"github.com/llm-config-manager/lcm/internal/lcm"
)

// Suspension is that nothing is written to the targets for some namespaces.
type Suspension struct {
	Namespaces string       `json:"namespaces"`       // a pattern
	Reason     string       `json:"reason"`           // one line
	By         string       `json:"by,omitempty"`     // the operator; "" for one that lcm.yaml says
	Commit     lcm.Revision `json:"commit,omitempty"` // the revision with which lcm.yaml said so first
	Since      time.Time    `json:"since,omitzero"`
	Until      time.Time    `json:"until,omitzero"` // when it ends by itself; zero: it does not
}

// InForce reports whether the suspension has not ended by itself.
func (s Suspension) InForce(now time.Time) bool { return s.Until.IsZero() || now.Before(s.Until) }

// Suspensions are all of a repository, whether in force or not.
type Suspensions struct {
	Operator   []Suspension `json:"operator,omitempty"`   // what operators said
	Repository []Suspension `json:"repository,omitempty"` // what lcm.yaml of the revision says
}

// maxSuspensions bounds how many operators may have at a time.
const maxSuspensions = 1000

const suspensionsKey = "suspensions"

// Suspensions returns what is suspended.
func (db *DB) Suspensions() (s Suspensions, err error) {
	err = db.view(func(t *tx) error {
		_, err := t.get(bucketRepository, suspensionsKey, &s)
		return err
	})
	return s, err
}

// Suspend records what an operator suspends. It takes the place of another one of the same pattern.
func (db *DB) Suspend(s Suspension) error {
	return db.suspensions(func(all *Suspensions) error {
		all.Operator = slices.DeleteFunc(all.Operator, func(o Suspension) bool { return o.Namespaces == s.Namespaces || !o.InForce(s.Since) })
		if len(all.Operator) == maxSuspensions {
			return fmt.Errorf("there are %d suspensions already: end some, or suspend a wider pattern", maxSuspensions)
		}
		all.Operator = append(all.Operator, s)
		return nil
	})
}

// Resume ends those suspensions of operators that are chosen, and returns them.
func (db *DB) Resume(chosen func(Suspension) bool) (ended []Suspension, err error) {
	err = db.suspensions(func(all *Suspensions) error {
		all.Operator = slices.DeleteFunc(all.Operator, func(o Suspension) bool {
			if chosen(o) {
				ended = append(ended, o)
			}
			return chosen(o)
		})
		return nil
	})
	return ended, err
}

// RepositorySuspends records what lcm.yaml suspends now, in the place of what it did before.
func (db *DB) RepositorySuspends(now []Suspension) error {
	return db.suspensions(func(all *Suspensions) error {
		all.Repository = now
		return nil
	})
}

func (db *DB) suspensions(change func(*Suspensions) error) error {
	return db.update(func(t *tx) error {
		var all Suspensions
		if _, err := t.get(bucketRepository, suspensionsKey, &all); err != nil {
			return err
		}
		if err := change(&all); err != nil {
			return err
		}
		return t.put(bucketRepository, suspensionsKey, all)
	})
}

const bucketExceptions = "exceptions" // time NUL pattern → Exception

// Exception is a pass that an operator let carry out changes although the windows of their namespaces were closed.
// All are kept.
type Exception struct {
	Namespaces string       `json:"namespaces"` // a pattern
	Reason     string       `json:"reason"`
	By         string       `json:"by"`
	At         time.Time    `json:"at"`
	Revision   lcm.Revision `json:"revision"` // that was carried out
}

// Except records an exception, before anything is carried out by it.
func (db *DB) Except(e Exception) error {
	return db.update(func(t *tx) error {
		if err := t.put(bucketExceptions, e.At.UTC().Format(time.RFC3339Nano)+"\x00"+e.Namespaces, e); err != nil {
			return err
		}
		return t.put(bucketRepository, "exception", e)
	})
}

// Exception returns the last one; it reports whether there ever was one.
func (db *DB) Exception() (e Exception, ok bool, err error) {
	err = db.view(func(t *tx) error {
		ok, err = t.get(bucketRepository, "exception", &e)
		return err
	})
	return e, ok, err
}
