package state

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/llm-config-manager/lcm/internal/diag"
	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/store"
)

const (
	bucketNamespaces = "namespaces" // namespace → Namespace
	bucketPending    = "pending"    // namespace → true: held, failed or waiting, so that they are found without a scan
	bucketInventory  = "inventory"  // namespace → target → key → Owned
	bucketVersions   = "versions"   // address → the last version ever given out
	bucketDependents = "dependents" // service NUL namespace → true
	bucketIntents    = "intents"    // namespace → Intent
	bucketDeletes    = "deletes"    // tenant NUL target NUL time → count
)

// Namespace is where one namespace stands.
type Namespace struct {
	Revision lcm.Revision        `json:"revision"`           // the last revision that was applied whole
	At       time.Time           `json:"at"`                 // when
	Held     []diag.Finding      `json:"held,omitempty"`     // why it is held; nil when it is not
	Doomed   map[string][]string `json:"doomed,omitempty"`   // it is held since these would be deleted: target → keys
	Since    lcm.Revision        `json:"since,omitempty"`    // the revision that it is held, fails or waits at
	Failed   []string            `json:"failed,omitempty"`   // targets that failed
	Waits    int                 `json:"waits,omitempty"`    // how many changes are not carried out as long as it is suspended, or its windows closed
	Services []string            `json:"services,omitempty"` // other services that its references lead to
}

// Pending reports whether the namespace is not what the repository says.
func (n Namespace) Pending() bool { return len(n.Held) > 0 || len(n.Failed) > 0 || n.Waits > 0 }

// Owned is one entry that this daemon put into a target.
type Owned struct {
	Meta store.Meta `json:"meta"`
	// Changed is the commit that last changed the entry, metadata included, where a rule of the repository's
	// own asks for it; Meta.Revision is the one that last changed its value.
	Changed lcm.Revision      `json:"changed,omitempty"`
	Fields  map[string]string `json:"fields,omitempty"` // keyed fingerprint of each field of the value
}

// Inventory is what this daemon put into the targets under one namespace: target → key → entry.
type Inventory map[string]map[string]Owned

// Intent says that a pass was about to write, and what the inventory would be afterwards, together with
// what earlier intents say that were never ended. Until it is ended its entries count as ours, and nothing
// that a target says of them is believed without a look at the values.
type Intent struct {
	Revision  lcm.Revision `json:"revision"`
	At        time.Time    `json:"at"`
	Inventory Inventory    `json:"inventory"`
	// Deletes are what was to be deleted: target → keys. Whatever a later pass wanted of them, they may be gone.
	Deletes map[string][]string `json:"deletes,omitempty"`
}

// Namespace returns where ns stands; the zero value if it was never worked on.
func (db *DB) Namespace(ns lcm.Namespace) (n Namespace, err error) {
	err = db.view(func(t *tx) error {
		_, err := t.get(bucketNamespaces, ns.String(), &n)
		return err
	})
	return n, err
}

// Pending returns the namespaces that are held, failed or waiting, and why.
func (db *DB) Pending() (map[lcm.Namespace]Namespace, error) {
	out := map[lcm.Namespace]Namespace{}
	err := db.view(func(t *tx) error {
		return each(t, bucketPending, "", func(key string, _ []byte) error {
			ns, err := lcm.ParseNamespace(key)
			if err != nil {
				return err
			}
			var n Namespace
			if _, err := t.get(bucketNamespaces, key, &n); err != nil {
				return err
			}
			out[ns] = n
			return nil
		})
	})
	return out, err
}

// Dependents returns the namespaces whose references lead to a service.
func (db *DB) Dependents(s lcm.Service) ([]lcm.Namespace, error) {
	var out []lcm.Namespace
	prefix := s.String() + "\x00"
	err := db.view(func(t *tx) error {
		return each(t, bucketDependents, prefix, func(key string, _ []byte) error {
			ns, err := lcm.ParseNamespace(key[len(prefix):])
			out = append(out, ns)
			return err
		})
	})
	return out, err
}

// Size is how many entries there are, each counted once however many targets have it.
func (inv Inventory) Size() int {
	keys := map[string]bool{}
	for _, owned := range inv {
		for key := range owned {
			keys[key] = true
		}
	}
	return len(keys)
}

// Sizes returns how many entries each namespace has.
func (db *DB) Sizes() (map[lcm.Namespace]int, error) {
	out := map[lcm.Namespace]int{}
	err := db.view(func(t *tx) error {
		return each(t, bucketInventory, "", func(key string, raw []byte) error {
			ns, err := lcm.ParseNamespace(key)
			if err != nil {
				return err
			}
			var inv Inventory
			if err := t.open(bucketInventory, key, raw, &inv); err != nil {
				return err
			}
			if n := inv.Size(); n > 0 {
				out[ns] = n
			}
			return nil
		})
	})
	return out, err
}

// Inventory returns what was put into the targets under ns, and the intent that was not ended, if any.
func (db *DB) Inventory(ns lcm.Namespace) (inv Inventory, open *Intent, err error) {
	err = db.view(func(t *tx) error {
		if _, err := t.get(bucketInventory, ns.String(), &inv); err != nil {
			return err
		}
		var i Intent
		if ok, err := t.get(bucketIntents, ns.String(), &i); err != nil || !ok {
			return err
		}
		open = &i
		return nil
	})
	return inv, open, err
}

// Inhabited returns all namespaces below prefix (org/project/service or "") that have an inventory.
func (db *DB) Inhabited(prefix string) ([]lcm.Namespace, error) {
	if prefix != "" {
		prefix += "/"
	}
	var out []lcm.Namespace
	err := db.view(func(t *tx) error {
		return each(t, bucketInventory, prefix, func(key string, _ []byte) error {
			ns, err := lcm.ParseNamespace(key)
			out = append(out, ns)
			return err
		})
	})
	return out, err
}

// Version returns the last version given out for an address, 0 if none ever was.
func (db *DB) Version(a lcm.Address) (v uint64, err error) {
	err = db.view(func(t *tx) error {
		_, err := t.get(bucketVersions, a.String(), &v)
		return err
	})
	return v, err
}

// Begin records intents, all in one transaction, before the first write.
func (db *DB) Begin(intents map[lcm.Namespace]Intent) error {
	if len(intents) == 0 {
		return nil
	}
	return db.update(func(t *tx) error {
		for ns, i := range intents {
			var before Intent
			if _, err := t.get(bucketIntents, ns.String(), &before); err != nil {
				return err
			}
			i.Inventory, i.Deletes = i.Inventory.with(before.Inventory), joined(i.Deletes, before.Deletes)
			if err := t.put(bucketIntents, ns.String(), i); err != nil {
				return err
			}
		}
		return nil
	})
}

// joined returns the keys of both, by target, each once.
func joined(a, b map[string][]string) map[string][]string {
	if len(b) == 0 {
		return a
	}
	out := maps.Clone(b)
	for target, keys := range a {
		both := slices.Concat(keys, b[target])
		slices.Sort(both)
		out[target] = slices.Compact(both)
	}
	return out
}

// with returns the inventory and what only the other one has.
func (inv Inventory) with(other Inventory) Inventory {
	if len(other) == 0 {
		return inv
	}
	out := maps.Clone(inv)
	for target, owned := range other {
		both := maps.Clone(owned)
		maps.Copy(both, inv[target])
		out[target] = both
	}
	return out
}

// Outcome is what became of one namespace in one pass.
type Outcome struct {
	State     Namespace
	Inventory Inventory      // nil: as it was
	Deleted   map[string]int // target → entries deleted
	Ended     bool           // everything that was intended is known to be written: the intent is ended
	Drifts    *Drifts        // nil: as they were
	Consent   bool           // what was consented to is still to be done, or looked at: the consent stays
}

// End records outcomes, all in one transaction, after the last write.
func (db *DB) End(outcomes map[lcm.Namespace]Outcome, now time.Time) error {
	if len(outcomes) == 0 {
		return nil
	}
	return db.update(func(t *tx) error {
		for ns, o := range outcomes {
			if err := t.end(ns, o, now); err != nil {
				return fmt.Errorf("recording the outcome of %s: %w", ns, err)
			}
		}
		return nil
	})
}

func (t *tx) end(ns lcm.Namespace, o Outcome, now time.Time) error {
	key := ns.String()
	if err := t.depend(ns, o.State.Services); err != nil {
		return err
	}
	if o.Inventory != nil {
		if err := t.take(ns, o.Inventory); err != nil {
			return err
		}
	}
	if o.Ended {
		if err := t.spend(ns); err != nil {
			return err
		}
	}
	if !o.Consent {
		if err := t.delete(bucketDeleteConsents, key); err != nil {
			return err
		}
	}
	if o.Drifts != nil {
		if err := t.drift(key, *o.Drifts); err != nil {
			return err
		}
	}
	if len(o.Deleted) > 0 {
		if err := t.forget(ns.Org, now.Add(-keepDeletes)); err != nil {
			return err
		}
	}
	for target, n := range o.Deleted {
		at := strings.Join([]string{ns.Org, target, now.UTC().Format(time.RFC3339Nano), key}, "\x00")
		if err := t.put(bucketDeletes, at, n); err != nil {
			return err
		}
	}
	if !o.State.Pending() {
		if err := t.delete(bucketPending, key); err != nil {
			return err
		}
	} else if err := t.put(bucketPending, key, true); err != nil {
		return err
	}
	return t.put(bucketNamespaces, key, o.State)
}

// keepDeletes is how long deletions are remembered: longer than the day over which they are counted.
const keepDeletes = 48 * time.Hour

// forget drops a tenant's deletions from before a time.
func (t *tx) forget(org string, before time.Time) error {
	var old []string
	err := each(t, bucketDeletes, org+"\x00", func(key string, _ []byte) error {
		at, err := deletedAt(key)
		if err == nil && at.Before(before) {
			old = append(old, key)
		}
		return err
	})
	for _, key := range old {
		err = errors.Join(err, t.delete(bucketDeletes, key))
	}
	return err
}

func deletedAt(key string) (time.Time, error) {
	part := strings.Split(key, "\x00")
	if len(part) != 4 {
		return time.Time{}, fmt.Errorf("state record %s: %w", bucketDeletes, ErrTampered)
	}
	return time.Parse(time.RFC3339Nano, part[2])
}

// depend keeps the reverse index of references.
func (t *tx) depend(ns lcm.Namespace, services []string) error {
	var old Namespace
	if _, err := t.get(bucketNamespaces, ns.String(), &old); err != nil {
		return err
	}
	for _, s := range old.Services {
		if !slices.Contains(services, s) {
			if err := t.delete(bucketDependents, s+"\x00"+ns.String()); err != nil {
				return err
			}
		}
	}
	for _, s := range services {
		if err := t.put(bucketDependents, s+"\x00"+ns.String(), true); err != nil {
			return err
		}
	}
	return nil
}

func (t *tx) take(ns lcm.Namespace, inv Inventory) error {
	var old Inventory
	if _, err := t.get(bucketInventory, ns.String(), &old); err != nil {
		return err
	}
	entries := 0
	for target, owned := range inv {
		entries += len(owned)
		for key, o := range owned {
			if before, ok := old[target][key]; ok && before.Meta.Version == o.Meta.Version {
				continue
			}
			if err := t.put(bucketVersions, ns.Key(key).String(), o.Meta.Version); err != nil {
				return err
			}
		}
	}
	if entries == 0 {
		return t.delete(bucketInventory, ns.String())
	}
	return t.put(bucketInventory, ns.String(), inv)
}

// spend ends the intent. The versions that it names were given out, even those of entries that are gone again.
func (t *tx) spend(ns lcm.Namespace) error {
	var i Intent
	if _, err := t.get(bucketIntents, ns.String(), &i); err != nil {
		return err
	}
	for _, owned := range i.Inventory {
		for key, o := range owned {
			var last uint64
			if _, err := t.get(bucketVersions, ns.Key(key).String(), &last); err != nil {
				return err
			}
			if last >= o.Meta.Version {
				continue
			}
			if err := t.put(bucketVersions, ns.Key(key).String(), o.Meta.Version); err != nil {
				return err
			}
		}
	}
	return t.delete(bucketIntents, ns.String())
}

// Counts returns how many entries a tenant has in each target, and how many were deleted there since a time.
func (db *DB) Counts(org string, since time.Time) (have, deleted map[string]int, err error) {
	have, deleted = map[string]int{}, map[string]int{}
	err = db.view(func(t *tx) error {
		err := each(t, bucketInventory, org+"/", func(key string, raw []byte) error {
			var inv Inventory
			if err := t.open(bucketInventory, key, raw, &inv); err != nil {
				return err
			}
			for target, owned := range inv {
				have[target] += len(owned)
			}
			return nil
		})
		if err != nil {
			return err
		}
		return each(t, bucketDeletes, org+"\x00", func(key string, raw []byte) error {
			at, err := deletedAt(key)
			if err != nil || at.Before(since) {
				return err
			}
			var n int
			if err := t.open(bucketDeletes, key, raw, &n); err != nil {
				return err
			}
			deleted[strings.Split(key, "\x00")[1]] += n
			return nil
		})
	})
	return have, deleted, err
}

func each(t *tx, bucket, prefix string, f func(key string, raw []byte) error) error {
	b := t.bucket(bucket)
	if b == nil {
		return nil
	}
	c := b.Cursor()
	for k, v := c.Seek([]byte(prefix)); k != nil && strings.HasPrefix(string(k), prefix); k, v = c.Next() {
		if err := f(string(k), v); err != nil {
			return err
		}
	}
	return nil
}
