// Package store is the contract between the reconciler and a target: where resolved values go.
//
// A target holds, for each address, a value (RFC 8785 JSON) and beside it a mark (Meta) that says
// whose the value is, which revision last changed it and what its digest is. Each namespace
// has a marker, by which readers tell a whole state from a half-written one.
package store

import (
	"context"
	"errors"
	"time"

	"github.com/llm-config-manager/lcm/internal/lcm"
)

// Meta is the mark beside a value, kept as the target's own metadata.
type Meta struct {
	ID             string             `json:"id"`       // UUIDv5 of repository and address
	Version        uint64             `json:"version"`  // counts the changes of what the address resolves to, from 1; never goes down
	Revision       lcm.Revision       `json:"revision"` // the commit that last changed this entry
	Kind           lcm.Kind           `json:"kind"`
	Origin         string             `json:"origin"` // the file the value comes from
	Classification lcm.Classification `json:"classification"`
	Repository     string             `json:"repository"` // the owner; an entry of another owner is never touched
	Digest         string             `json:"digest"`     // sha256:… over {kind, value}; hmac-sha256:… for a Secret
}

// Token is a target's own version of one entry, opaque to everybody else. The empty Token stands
// for an entry that does not exist.
type Token string

// Item is one entry as it stands in a target, without its value.
type Item struct {
	Key   string
	Meta  Meta // zero for an entry that bears no mark: not ours
	Token Token
	// Stale says that the value may be another than the one that Meta speaks of: a write was cut
	// off between the two, or somebody else wrote. The value must be compared before it is believed.
	Stale bool
}

// Phase says how far the last batch of a namespace got.
type Phase string

// A reader believes a namespace only when its marker is Whole.
const (
	Writing Phase = "writing"
	Whole   Phase = "whole"
)

// Marker is the content of <namespace>/.lcm/revision.
type Marker struct {
	Repository string       `json:"repository"`
	Revision   lcm.Revision `json:"revision"`
	Phase      Phase        `json:"phase"`
	Term       uint64       `json:"term,omitempty"` // of the leader that wrote it: see ErrFenced; 0: a daemon alone. It is nothing to readers
}

// Listing is what a target holds under one namespace.
type Listing struct {
	Items  []Item // sorted by key
	Marker Marker // zero if the target has none
}

// Action is what happens to one entry.
type Action string

// The actions of a change.
const (
	Create Action = "create"
	Update Action = "update"
	Delete Action = "delete"
	Remark Action = "remark" // the value stands already; only the mark is written
)

// Change is one write. If is the Token that the entry must still have: compare-and-swap.
type Change struct {
	Action Action
	Key    string
	Value  []byte // RFC 8785 JSON; nil for Delete and Remark
	Secret bool   // the value is a secret's: a target that seals, seals it
	Meta   Meta
	If     Token
}

// Batch is everything that a pass changes in one namespace of one target.
type Batch struct {
	Namespace lcm.Namespace
	Marker    Marker  // what the marker is to say when all is written
	If        *Marker // what the marker must still say: else it is an ErrConflict; nil: whatever it says
	Changes   []Change
}

// Writer is the reconciler's half of a target. Implementations are safe for concurrent use on
// different namespaces.
type Writer interface {
	// List returns all entries of a namespace, marked or not, and its marker. An error is never
	// an empty listing: whoever gets one must not conclude that anything is absent.
	List(ctx context.Context, ns lcm.Namespace) (Listing, error)

	// Apply carries out a batch and then sets the marker. Where the target can, it does so in one
	// atomic step; else it sets the marker to Writing first, and a failure in the middle
	// leaves it so. What it wrote is durable once it returns. An empty batch only sets the
	// marker. ErrConflict: an entry had another Token than the batch demands, or the marker said something else.
	// ErrFenced: the marker bears a higher term.
	Apply(ctx context.Context, b Batch) error

	// Holds reports whether the entry's value is exactly this (canonical JSON), reading it from the target.
	// It does not hold, and that is no error, if there is no such entry.
	Holds(ctx context.Context, ns lcm.Namespace, key string, value []byte) (bool, error)

	// Namespaces lists where the target may hold something of the orgs ("*": of all), in any order: every
	// namespace that has a marker is among them. It looks at the target itself, for who has lost all
	// records of what was put there. As with List, an error is never an empty list.
	Namespaces(ctx context.Context, orgs []string) ([]lcm.Namespace, error)

	// Close releases what the target holds.
	Close() error
}

// Reader is a reader's half. Whoever wants more than one entry of a namespace takes them by ReadWhole.
type Reader interface {
	// List is that of Writer.
	List(ctx context.Context, ns lcm.Namespace) (Listing, error)
	// Get returns the value and mark of one entry. ErrNotFound if there is none.
	Get(ctx context.Context, addr lcm.Address) ([]byte, Meta, error)
	// Marker returns the namespace's marker; the zero Marker if it has none.
	Marker(ctx context.Context, ns lcm.Namespace) (Marker, error)
}

// Witness is a target that can tell who last changed an entry, and when.
type Witness interface {
	// LastChange tells of an entry as it stands who changed it last, in the target's own words, and when; zero
	// values for what it does not know.
	LastChange(ctx context.Context, addr lcm.Address) (who string, at time.Time, err error)
}

// Capabilities say what a target may be given.
type Capabilities struct {
	Secrets bool // it keeps secrets
}

// Target is a Writer that says what it may be given.
type Target interface {
	Writer
	Reader
	Capabilities() Capabilities
}

// ErrConflict is returned by Apply when an entry was changed by somebody else since it was listed.
var ErrConflict = errors.New("changed by somebody else since it was listed")

// ErrNotFound is returned by Get for an entry that does not exist.
var ErrNotFound = errors.New("no such entry")
