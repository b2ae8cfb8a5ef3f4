package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/llm-config-manager/lcm/internal/lcm"
)

// ErrHalf is returned by ReadWhole for a namespace that is being written, was left half-written, or changed
// while it was read. What stood before it is still the last that a reader may believe; reading again may do.
var ErrHalf = errors.New("half-written, or changed while it was read: read it again")

// Snapshot is a namespace as it stood at one revision.
type Snapshot struct {
	Marker  Marker
	Entries map[string]Entry // by key
}

// Entry is a value and its mark. The mark is zero for an entry of somebody else's.
type Entry struct {
	Value []byte
	Meta  Meta
}

// WholeReader is a Reader that takes all of a namespace in one step. It may leave out entries of others.
type WholeReader interface {
	Whole(ctx context.Context, ns lcm.Namespace) (Snapshot, error)
}

// ReadWhole is how a reader takes all of a namespace and never a half for a whole. The protocol, for readers in
// other languages too: read the marker, and go on only if it says whole; list and read the entries; read the
// marker again, and throw all away unless it says just what it said. A writer sets the marker to writing before
// its first step, or takes one step only, so whatever it changed meanwhile shows.
//
// A namespace without a marker was never written: the zero Snapshot, and no error.
func ReadWhole(ctx context.Context, r Reader, ns lcm.Namespace) (Snapshot, error) {
	if r, ok := r.(WholeReader); ok {
		return inOneStep(ctx, r, ns)
	}
	before, err := r.Marker(ctx, ns)
	if err != nil || before == (Marker{}) {
		return Snapshot{}, err
	}
	if before.Phase != Whole {
		return Snapshot{}, half(ns)
	}
	listing, err := r.List(ctx, ns)
	if err != nil {
		return Snapshot{}, err
	}
	s := Snapshot{before, make(map[string]Entry, len(listing.Items))}
	for _, item := range listing.Items {
		value, meta, err := r.Get(ctx, ns.Key(item.Key))
		switch {
		case errors.Is(err, ErrNotFound), err == nil && (item.Stale || meta != item.Meta):
			return Snapshot{}, half(ns)
		case err != nil:
			return Snapshot{}, err
		}
		s.Entries[item.Key] = Entry{value, meta}
	}
	after, err := r.Marker(ctx, ns)
	if err == nil && (after != before || listing.Marker != before) {
		err = half(ns)
	}
	if err != nil {
		return Snapshot{}, err
	}
	return s, nil
}

func inOneStep(ctx context.Context, r WholeReader, ns lcm.Namespace) (Snapshot, error) {
	s, err := r.Whole(ctx, ns)
	switch {
	case err != nil || s.Marker == (Marker{}):
		return Snapshot{}, err
	case s.Marker.Phase != Whole:
		return Snapshot{}, half(ns)
	}
	return s, nil
}

func half(ns lcm.Namespace) error { return fmt.Errorf("reading %s: %w", ns, ErrHalf) }
