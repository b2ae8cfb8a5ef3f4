package state

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/llm-config-manager/lcm/internal/lcm"
)

const bucketHistory = "history" // address NUL version → Made

// Indexed is how far the history of the branch was read.
type Indexed struct {
	From     lcm.Revision `json:"from"`     // where it begins: what stands there is version 1
	Revision lcm.Revision `json:"revision"` // up to where it was read
	Usable   lcm.Revision `json:"usable"`   // the last one whose settings can be used
	Commits  uint64       `json:"commits"`  // how many were read
}

// Made is a version of an address: which commit made it, and what of.
type Made struct {
	Revision lcm.Revision `json:"revision"`
	Commits  uint64       `json:"commits"` // Indexed.Commits there
	Change   string       `json:"change"`
	Version  uint64       `json:"-"` // it is in the key
}

// Making is a version to be recorded. Its number is the next one of the address.
type Making struct {
	Address lcm.Address
	Made
	First bool // nothing stood there before; else what did is a version, too, recorded or not
}

// Indexed returns how far the history was read; the zero value if it never was.
func (db *DB) Indexed() (r Indexed, err error) {
	err = db.view(func(t *tx) error {
		_, err := t.get(bucketRepository, "history", &r)
		return err
	})
	return r, err
}

// Index adds versions, oldest first, and how far the history was read with them, as one. anew forgets all that was
// recorded: they are the first.
func (db *DB) Index(r Indexed, made []Making, anew bool) error {
	return db.update(func(t *tx) error {
		if anew {
			if err := t.forgetHistory(); err != nil {
				return err
			}
		}
		for _, m := range made {
			last, err := t.newest(m.Address, ^uint64(0))
			if err != nil {
				return err
			}
			if m.Version = last.Version + 1; last.Version == 0 && !m.First {
				m.Version = 2
			}
			if err := t.put(bucketHistory, versionKey(m.Address, m.Version), m.Made); err != nil {
				return err
			}
		}
		return t.put(bucketRepository, "history", r)
	})
}

// Newest returns the newest recorded version of an address that was made when no more than so many commits were read.
// The zero value says that none was: what stands there, if anything, is version 1, of where the history begins.
func (db *DB) Newest(a lcm.Address, commits uint64) (m Made, err error) {
	err = db.view(func(t *tx) error {
		m, err = t.newest(a, commits)
		return err
	})
	return m, err
}

// Versions returns all recorded versions of an address, oldest first.
func (db *DB) Versions(a lcm.Address) (out []Made, err error) {
	err = db.view(func(t *tx) error {
		return each(t, bucketHistory, a.String()+"\x00", func(key string, raw []byte) error {
			m, err := t.made(key, raw)
			out = append(out, m)
			return err
		})
	})
	return out, err
}

func (t *tx) newest(a lcm.Address, commits uint64) (Made, error) {
	b := t.bucket(bucketHistory)
	if b == nil {
		return Made{}, nil
	}
	prefix := []byte(a.String() + "\x00")
	c := b.Cursor()
	before := c.Prev
	if k, _ := c.Seek(append(prefix, 0xff)); k == nil { // nothing comes after it
		before = c.Last
	}
	for k, raw := before(); bytes.HasPrefix(k, prefix); k, raw = c.Prev() {
		if m, err := t.made(string(k), raw); err != nil || m.Commits <= commits {
			return m, err
		}
	}
	return Made{}, nil
}

func (t *tx) made(key string, raw []byte) (m Made, err error) {
	if err := t.open(bucketHistory, key, raw, &m); err != nil {
		return Made{}, err
	}
	_, number, _ := strings.Cut(key, "\x00")
	_, err = fmt.Sscanf(number, "%016x", &m.Version)
	return m, err
}

// versionKey sorts the versions of an address by their number.
func versionKey(a lcm.Address, version uint64) string { return fmt.Sprintf("%s\x00%016x", a, version) }

func (t *tx) forgetHistory() error {
	var all []string
	err := each(t, bucketHistory, "", func(key string, _ []byte) error {
		all = append(all, key)
		return nil
	})
	for _, key := range all {
		if err == nil {
			err = t.delete(bucketHistory, key)
		}
	}
	return err
}
