package bolt

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	bbolt "go.etcd.io/bbolt"

	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/store"
)

// space is the bucket of one namespace: values under their keys, marks and the marker under names
// that no key can have. The marks sort before all values, so a listing reads them in one run.
type space struct {
	ns     lcm.Namespace
	bucket *bbolt.Bucket // nil: nothing was ever written to the namespace
}

const (
	ownPrefix = ".lcm/"
	markerKey = ownPrefix + "revision"
)

func markKey(key string) []byte { return []byte(ownPrefix + key + ".json") }

// record is what is kept beside a value.
type record struct {
	store.Meta
	Token  uint64 `json:"token"`            // from the bucket's sequence, so that no two writes share one
	Sealed bool   `json:"sealed,omitempty"` // the value is a secret's
}

func (r record) token() store.Token { return store.Token(strconv.FormatUint(r.Token, 10)) }

func open(root *bbolt.Bucket, ns lcm.Namespace) space {
	return space{ns, root.Bucket([]byte(ns.String()))}
}

func create(root *bbolt.Bucket, ns lcm.Namespace) (space, error) {
	b, err := root.CreateBucketIfNotExists([]byte(ns.String()))
	return space{ns, b}, err
}

func (s space) has(key string) bool { return s.bucket != nil && s.bucket.Get([]byte(key)) != nil }

// record returns the mark of a value that exists, and false if it bears none.
func (s space) record(key string) (rec record, marked bool, err error) {
	raw := s.bucket.Get(markKey(key))
	if raw == nil {
		return record{}, false, nil
	}
	if err := json.Unmarshal(raw, &rec); err != nil {
		return record{}, false, fmt.Errorf("the mark of %s is damaged; restore the file from a backup, or remove it and let the next pass fill a new one", s.ns.Key(key))
	}
	return rec, true, nil
}

// token returns the token of an entry and whether it bears a mark.
func (s space) token(key string) (token store.Token, marked bool, err error) {
	if !s.has(key) {
		return "", false, nil
	}
	rec, marked, err := s.record(key)
	if err != nil || marked {
		return rec.token(), marked, err
	}
	return unmarkedToken(s.bucket.Get([]byte(key))), false, nil
}

func unmarkedToken(value []byte) store.Token {
	return store.Token(fmt.Sprintf("unmarked-%x", sha256.Sum256(value)))
}

func (s space) list() (listing store.Listing, err error) {
	if s.bucket == nil {
		return listing, nil
	}
	if listing.Marker, err = s.marker(); err != nil {
		return listing, err
	}
	err = s.bucket.ForEach(func(k, v []byte) error {
		key := string(k)
		if v == nil || strings.HasPrefix(key, ownPrefix) {
			return nil
		}
		rec, marked, err := s.record(key)
		item := store.Item{Key: key, Meta: rec.Meta, Token: rec.token()}
		if !marked {
			item.Token = unmarkedToken(v)
		}
		listing.Items = append(listing.Items, item)
		return err
	})
	return listing, err
}

// get returns a copy of the value, opened if it is sealed.
func (s space) get(seal *sealer, key string) ([]byte, record, error) {
	if !s.has(key) {
		return nil, record{}, store.ErrNotFound
	}
	value := s.bucket.Get([]byte(key))
	rec, _, err := s.record(key)
	if err != nil {
		return nil, record{}, err
	}
	if !rec.Sealed {
		return bytes.Clone(value), rec, nil
	}
	if seal == nil {
		return nil, record{}, errors.New("it is sealed and this store was opened without a sealing key: configure the key that sealed it")
	}
	opened, err := seal.open(s.ns.Key(key), rec.Digest, value)
	return opened, rec, err
}

func (s space) marker() (m store.Marker, err error) {
	if s.bucket == nil {
		return m, nil
	}
	raw := s.bucket.Get([]byte(markerKey))
	if raw == nil {
		return m, nil
	}
	if err := json.Unmarshal(raw, &m); err != nil {
		return store.Marker{}, fmt.Errorf("the marker of %s is damaged; restore the file from a backup, or remove it and let the next pass fill a new one", s.ns)
	}
	return m, nil
}

// admits refuses a batch that the namespace, as it stands, does not permit.
func (s space) admits(b store.Batch) error {
	stands, err := s.marker()
	if err != nil {
		stands = store.Marker{} // it is written anew
	}
	if err := b.Admits(stands); err != nil {
		return err
	}
	return s.compare(b.Changes)
}

// compare refuses changes whose tokens are not those of the entries, and whatever would delete a value
// that bears no mark: that is not ours. To take one over is decided before.
func (s space) compare(changes []store.Change) error {
	for _, c := range changes {
		token, marked, err := s.token(c.Key)
		if err != nil {
			return err
		}
		if token != c.If {
			return fmt.Errorf("%s %s: %w", c.Action, s.ns.Key(c.Key), store.ErrConflict)
		}
		if !marked && c.Action == store.Delete {
			return fmt.Errorf("%s %s: it bears no mark, so it is not ours: %w", c.Action, s.ns.Key(c.Key), store.ErrConflict)
		}
	}
	return nil
}

// write carries out one compared change.
func (s space) write(seal *sealer, c store.Change) error {
	if c.Action == store.Delete {
		return errors.Join(s.bucket.Delete([]byte(c.Key)), s.bucket.Delete(markKey(c.Key)))
	}
	value, sealed := c.Value, c.Secret
	if c.Action == store.Remark {
		held, rec, err := s.get(seal, c.Key)
		if err != nil {
			return err
		}
		value, sealed = held, sealed || rec.Sealed // a new mark never unseals
	}
	if sealed {
		value = seal.seal(s.ns.Key(c.Key), c.Meta.Digest, value)
	}
	token, err := s.bucket.NextSequence()
	if err != nil {
		return err
	}
	if err := s.bucket.Put([]byte(c.Key), value); err != nil {
		return err
	}
	return s.put(markKey(c.Key), record{c.Meta, token, sealed})
}

func (s space) setMarker(m store.Marker) error { return s.put([]byte(markerKey), m) }

func (s space) put(key []byte, v any) error {
	raw, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return s.bucket.Put(key, raw)
}
