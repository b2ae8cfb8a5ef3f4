package store

import (
	"context"
	"errors"

	"github.com/llm-config-manager/lcm/internal/lcm"
)

// Absent is a target that does not exist yet: it holds nothing and takes nothing. A plan is made against
// it, so that planning makes no file.
type Absent struct{ Can Capabilities }

var errAbsent = errors.New("the target does not exist yet, and a plan makes none")

// Capabilities says what the target will be able to do.
func (a Absent) Capabilities() Capabilities { return a.Can }

// List returns the empty listing.
func (Absent) List(context.Context, lcm.Namespace) (Listing, error) { return Listing{}, nil }

// Namespaces lists none.
func (Absent) Namespaces(context.Context, []string) ([]lcm.Namespace, error) { return nil, nil }

// Apply takes nothing.
func (Absent) Apply(context.Context, Batch) error { return errAbsent }

// Holds is false.
func (Absent) Holds(context.Context, lcm.Namespace, string, []byte) (bool, error) { return false, nil }

// Get finds nothing.
func (Absent) Get(context.Context, lcm.Address) ([]byte, Meta, error) {
	return nil, Meta{}, ErrNotFound
}

// Marker is zero.
func (Absent) Marker(context.Context, lcm.Namespace) (Marker, error) { return Marker{}, nil }

// Close does nothing.
func (Absent) Close() error { return nil }
