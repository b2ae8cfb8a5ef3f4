// Package plan computes the difference between what a revision says and what the targets hold. It is
// pure: everything it needs is handed in, and it changes nothing.
package plan

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/llm-config-manager/lcm/internal/diag"
	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/state"
	"github.com/llm-config-manager/lcm/internal/store"
)

// Entry is what one address is to be: a value, and the mark that goes beside it.
type Entry struct {
	Address lcm.Address
	Target  string
	Value   []byte            // canonical JSON (RFC 8785)
	Fields  map[string]string // keyed fingerprint of each top-level field of the value
	Secret  bool
	Meta    store.Meta   // Version and Revision are filled in by Compute
	Version uint64       // how many commits made it what it is
	Commit  lcm.Revision // the last of them
	Changed lcm.Revision // the last that changed it or its metadata; "" if nobody asked
}

// Holding is what one target holds of a namespace, and what is known of it.
type Holding struct {
	Target  string
	Listing store.Listing
	Err     error                  // the listing failed: nothing is concluded, nothing planned
	Owned   map[string]state.Owned // the inventory
	// Holds tells, of entries whose mark can't be believed, whether the value is the one wanted.
	Holds map[string]bool
	// Differs are entries whose value is not the one that their mark speaks of, although the listing does not show it.
	Differs map[string]bool
	// Intended are the marks that a pass was about to write when it was cut off. Their entries are ours even
	// where the mark is not written yet, and their versions have been given out.
	Intended map[string]store.Meta
	// Leave are entries that stay as they are although the target holds them otherwise than it was given them: there,
	// drift is only reported, or ignored.
	Leave map[string]bool
	Adopt Adopt
}

// Adopt says what becomes of a value without any mark that stands where one of ours belongs. One that bears the mark
// of another repository is never touched.
type Adopt string

// The ways to adopt.
const (
	AdoptNone      Adopt = ""          // it holds the namespace
	AdoptEqual     Adopt = "equal"     // it becomes ours if it is equal to ours, and else holds the namespace
	AdoptOverwrite Adopt = "overwrite" // it becomes ours, and if it differs ours takes its place
)

// latest returns the newest mark that was given out for a key, written or not.
func (h Holding) latest(key string) store.Meta {
	owned, intended := h.Owned[key].Meta, h.Intended[key]
	if intended.Version > owned.Version {
		return intended
	}
	return owned
}

// next returns the version and revision that an entry is to have if it is written: recorded is the last
// version that the state knows of, held the one that the target has: no number is given out twice, even if the
// count begins anew. An entry that is to hold what it was given last is only put back, and that is no new version.
func (h Holding) next(e Entry, recorded, held uint64) (uint64, lcm.Revision) {
	given := h.latest(e.Address.Key)
	if given.Digest == e.Meta.Digest && given.Version >= max(recorded, held) {
		return given.Version, given.Revision
	}
	return max(e.Version, recorded+1, held+1, given.Version+1), e.Commit
}

// Change is one change of one entry, as people and scripts read it.
type Change struct {
	Address     lcm.Address  `json:"address"`
	Kind        lcm.Kind     `json:"kind"`
	Target      string       `json:"target"`
	Action      store.Action `json:"action"`
	Fields      []string     `json:"fields"`      // the fields of the value that differ, as JSON Pointers; "" is the whole value
	Fingerprint string       `json:"fingerprint"` // new | changed | unchanged | gone: by keyed fingerprint, so that no value is told
	Origin      string       `json:"origin"`      // the file
}

// Namespace is the plan for one namespace.
type Namespace struct {
	Namespace lcm.Namespace  `json:"namespace"`
	Held      []diag.Finding `json:"held"` // why nothing of this is carried out; empty if it is
	Changes   []Change       `json:"changes"`

	Batches   []Batch             `json:"-"` // in the order in which they are to be applied
	Inventory state.Inventory     `json:"-"` // what the inventory is when all is applied
	Deletes   map[string][]string `json:"-"` // target → keys that the inventory has and the revision no longer wants there, sorted
	Unlisted  map[string]error    `json:"-"` // targets that could not be listed: nothing is planned for them
	Emptied   bool                `json:"-"` // the namespace had entries, and will have none
}

// Batch is what one target is given.
type Batch struct {
	Target string
	After  []string // the targets that must have taken theirs first: they are given what this one loses
	store.Batch
}

// Plan is what a pass would do, or has done.
type Plan struct {
	Schema     string       `json:"schema"` // lcm.plan/v1
	Revision   lcm.Revision `json:"revision"`
	Namespaces []Namespace  `json:"namespaces"`
	Loosens    []Loosening  `json:"loosens"` // what the commits permit that was not permitted before
}

// Loosening is one thing that a commit permits by a change of the settings and that was not permitted before,
// or that somebody has to look at, since it cannot be told.
type Loosening struct {
	Revision lcm.Revision `json:"revision"`
	File     string       `json:"file"`
	What     string       `json:"what"`
}

// Owner is on whose behalf a plan is made.
type Owner struct {
	Repository string
	Revision   lcm.Revision
	// Version returns the last version ever given out for an address.
	Version func(lcm.Address) (uint64, error)
	Term    uint64 // of the leader that writes; 0: the daemon is alone
}

// Compute plans one namespace. Every target that entries go to, or that the inventory names, must
// have a Holding.
func Compute(owner Owner, ns lcm.Namespace, wanted []Entry, holdings []Holding) (Namespace, error) {
	p := Namespace{Namespace: ns, Held: []diag.Finding{}, Changes: []Change{}, Inventory: state.Inventory{}, Deletes: map[string][]string{}, Unlisted: map[string]error{}}
	byTarget, home := map[string][]Entry{}, map[string]string{}
	for _, e := range wanted {
		byTarget[e.Target] = append(byTarget[e.Target], e)
		home[e.Address.Key] = e.Target
	}
	had := 0
	for _, h := range holdings {
		had += len(h.Owned)
		p.doom(h, home)
		if h.Err != nil {
			p.Inventory[h.Target], p.Unlisted[h.Target] = h.Owned, h.Err
		} else if err := p.target(owner, h, byTarget[h.Target]); err != nil {
			return Namespace{}, err
		}
		delete(byTarget, h.Target)
	}
	for target := range byTarget {
		return Namespace{}, fmt.Errorf("planning %s: target %q was not listed", ns, target)
	}
	for _, h := range holdings {
		if h.Err == nil {
			p.prune(owner, h, home)
		}
	}
	p.Emptied = had > 0 && len(wanted) == 0
	slices.SortFunc(p.Changes, func(a, b Change) int {
		return cmp.Or(cmp.Compare(a.Address.Key, b.Address.Key), cmp.Compare(a.Target, b.Target))
	})
	slices.SortStableFunc(p.Batches, func(a, b Batch) int { return cmp.Compare(rank(a), rank(b)) })
	return p, nil
}

// rank orders batches: secrets first, so that a reader never sees a reference to one that is not there yet,
// and what waits for others last.
func rank(b Batch) int {
	switch {
	case len(b.After) > 0:
		return 2
	case slices.ContainsFunc(b.Changes, func(c store.Change) bool { return c.Secret }):
		return 0
	}
	return 1
}

// target plans what one target of the namespace is to hold.
func (p *Namespace) target(owner Owner, h Holding, wanted []Entry) error {
	items := byKey(h.Listing)
	b := p.batch(owner, h.Target)
	inventory := map[string]state.Owned{}
	for _, e := range wanted {
		if h.Leave[e.Address.Key] {
			inventory[e.Address.Key] = h.Owned[e.Address.Key]
			continue
		}
		item, exists := items[e.Address.Key]
		c, err := change(owner, h, e, item, exists)
		if err != nil {
			return err
		}
		if c == nil {
			p.Held = append(p.Held, foreign(e, item, h.Adopt))
			continue
		}
		inventory[e.Address.Key] = state.Owned{Meta: c.Meta, Fields: e.Fields, Changed: e.Changed}
		if c.Action != "" {
			b.Changes = append(b.Changes, *c)
			p.Changes = append(p.Changes, describe(e, c.Action, h.Owned[e.Address.Key]))
		}
	}
	p.Inventory[h.Target] = inventory
	// An empty batch still sets a marker that is missing, half, or of another owner.
	m := h.Listing.Marker
	unsettled := m.Phase != store.Whole || m.Repository != owner.Repository
	if len(b.Changes) > 0 || unsettled && len(inventory)+len(h.Owned) > 0 && len(h.Leave) == 0 {
		p.Batches = append(p.Batches, b)
	}
	return nil
}

func (p *Namespace) batch(owner Owner, target string) Batch {
	return Batch{Target: target, Batch: store.Batch{Namespace: p.Namespace,
		Marker: store.Marker{Repository: owner.Repository, Revision: owner.Revision, Phase: store.Whole, Term: owner.Term}}}
}

// change decides what happens to one entry that is wanted: nil means that it is somebody else's, an
// empty Action that it stands already.
func change(owner Owner, h Holding, e Entry, item store.Item, exists bool) (*store.Change, error) {
	key := e.Address.Key
	last, err := owner.Version(e.Address)
	if err != nil {
		return nil, err
	}
	c := &store.Change{Key: key, Value: e.Value, Secret: e.Secret, Meta: e.Meta, If: item.Token}
	ours := item.Meta.Repository == owner.Repository && item.Meta.ID == e.Meta.ID
	held := uint64(0)
	if ours { // what a pass wrote that was cut off, or that the state has lost
		held = item.Meta.Version
	}
	c.Meta.Version, c.Meta.Revision = h.next(e, last, held)
	switch {
	case !exists:
		c.Action = store.Create
		return c, nil
	case !ours && !h.takes(item):
		return nil, nil
	case (!ours || item.Stale) && h.Holds[key]:
		// The value was written and then the pass was cut off before its mark; or somebody else wrote the same.
		c.Action, c.Value = store.Remark, nil
		return c, nil
	case !ours || item.Stale || h.Differs[key] || item.Meta.Digest != e.Meta.Digest:
		c.Action = store.Update
		return c, nil
	}
	// The value stands: version and revision stay what they are, or become again what they were given as.
	c.Value = nil
	if given := h.latest(key); given.Digest != e.Meta.Digest || given.Version <= item.Meta.Version {
		c.Meta.Version, c.Meta.Revision = item.Meta.Version, item.Meta.Revision
	} else {
		c.Meta.Version, c.Meta.Revision = given.Version, given.Revision
	}
	if item.Meta != c.Meta {
		c.Action = store.Remark
	}
	return c, nil
}

// doom notes what is no longer wanted in a target. It goes by the inventory alone, so that it does not matter
// for what may be deleted whether the target can be asked.
func (p *Namespace) doom(h Holding, home map[string]string) {
	for _, key := range slices.Sorted(maps.Keys(h.Owned)) {
		if home[key] != h.Target {
			p.Deletes[h.Target] = append(p.Deletes[h.Target], key)
		}
	}
}

// takes reports whether an entry that does not bear our mark becomes ours all the same: a pass of ours that was cut
// off wrote it, or it lost its mark and is what we put there, or it is adopted.
func (h Holding) takes(item store.Item) bool {
	_, intended := h.Intended[item.Key]
	_, owned := h.Owned[item.Key]
	unmarked := item.Meta == (store.Meta{})
	return h.Holds[item.Key] && (intended || unmarked && (owned || h.Adopt != AdoptNone)) || unmarked && h.Adopt == AdoptOverwrite
}

// prune plans the deletion of what this repository put into a target and no longer wants there. Both the
// inventory and the mark must say that an entry is ours. What now belongs into another target goes from here
// in a batch of its own, after that one has it: a value that moves is never nowhere.
func (p *Namespace) prune(owner Owner, h Holding, home map[string]string) {
	gone, moved := p.batch(owner, h.Target), p.batch(owner, h.Target)
	items := byKey(h.Listing)
	for _, key := range p.Deletes[h.Target] {
		item, there := items[key]
		to, wanted := home[key]
		switch {
		case wanted && p.Unlisted[to] != nil, // it stays until the other target is back
			!there && blank(h.Listing): // it is looked for again when there is at least the marker
			p.Inventory[h.Target][key] = h.Owned[key]
			continue
		case !there, item.Meta.Repository != owner.Repository:
			continue
		case wanted:
			moved.add(item)
			moved.After = append(moved.After, to)
		default:
			gone.add(item)
		}
		p.Changes = append(p.Changes, Change{Address: p.Namespace.Key(item.Key), Kind: item.Meta.Kind, Target: h.Target,
			Action: store.Delete, Fields: []string{}, Fingerprint: "gone", Origin: item.Meta.Origin})
	}
	if i := slices.IndexFunc(p.Batches, func(b Batch) bool { return b.Target == h.Target }); i >= 0 {
		p.Batches[i].Changes = append(p.Batches[i].Changes, gone.Changes...)
	} else if len(gone.Changes) > 0 {
		p.Batches = append(p.Batches, gone)
	}
	if len(moved.Changes) > 0 {
		p.Batches = append(p.Batches, moved)
	}
}

// blank reports whether a listing shows nothing at all, not even a marker, as of a target that was wiped or
// that answers wrongly.
func blank(l store.Listing) bool { return len(l.Items) == 0 && l.Marker == (store.Marker{}) }

func byKey(l store.Listing) map[string]store.Item {
	items := make(map[string]store.Item, len(l.Items))
	for _, i := range l.Items {
		items[i.Key] = i
	}
	return items
}

func (b *Batch) add(item store.Item) {
	b.Changes = append(b.Changes, store.Change{Action: store.Delete, Key: item.Key, If: item.Token, Meta: item.Meta})
}

// Foreign is the rule by which a namespace is held for a value of somebody else's that stands in its way.
const Foreign = "store/foreign"

func foreign(e Entry, item store.Item, adopt Adopt) diag.Finding {
	who, do := "nobody's mark is on it", "move it away, choose another key, or let the target take over what is equal (adopt: true)"
	switch {
	case item.Meta.Repository != "":
		who, do = "it belongs to repository "+item.Meta.Repository, "move it away, or choose another key"
	case adopt == AdoptEqual:
		who, do = "nobody's mark is on it, and it is not equal", "make the two equal, move it away, or let the target replace it (adopt: overwrite)"
	}
	return diag.Errorf(diag.Position{File: e.Meta.Origin, Line: 1, Column: 1}, Foreign,
		"target %s already holds %s and %s: %s", e.Target, e.Address, who, do)
}

func describe(e Entry, a store.Action, before state.Owned) Change {
	c := Change{Address: e.Address, Kind: e.Meta.Kind, Target: e.Target, Action: a, Fields: []string{}, Origin: e.Meta.Origin}
	switch {
	case a == store.Create:
		c.Fingerprint = "new"
	case a == store.Remark:
		c.Fingerprint = "unchanged"
	default:
		c.Fingerprint, c.Fields = "changed", fingerprinted(e, before)
	}
	return c
}
