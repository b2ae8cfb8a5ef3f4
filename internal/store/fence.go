package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/llm-config-manager/lcm/internal/lcm"
)

// Several daemons may share a target, of which one leads at a time: see package leader. The term of a leader is higher
// than that of any before it, each batch bears it in its marker, and a target takes none whose term is lower than that of
// the marker that stands, which it compares in the step that writes, or as close to it as it can. So who was leader, and
// does not know yet that it is no more, writes nothing in a namespace that a later one has written, or raised.

// ErrFenced is returned by Apply for a batch of a term that is over; it comes as a FencedError.
var ErrFenced = errors.New("a later leader has written here")

// FencedError is ErrFenced with the term that was found.
type FencedError struct{ Term uint64 }

func (e *FencedError) Error() string { return fmt.Sprintf("%v: that of term %d", ErrFenced, e.Term) }

// Unwrap makes it an ErrFenced.
func (e *FencedError) Unwrap() error { return ErrFenced }

// MaxTerm is the highest term that there may be: the last that all languages count alike. A marker with a higher one is
// none.
const MaxTerm = 1 << 53

// Sound reports whether what stands in the place of a marker is one.
func (m Marker) Sound() bool {
	return (m.Phase == Writing || m.Phase == Whole) && m.Term <= MaxTerm
}

// Fenced refuses a batch of a term that is over, by the marker that stands.
func (b Batch) Fenced(stands Marker) error {
	if b.Marker.Term < stands.Term {
		return fmt.Errorf("%s: %w", b.Namespace, &FencedError{stands.Term})
	}
	return nil
}

// Admits refuses a batch that the marker, as it stands, does not permit.
func (b Batch) Admits(stands Marker) error {
	if err := b.Fenced(stands); err != nil {
		return err
	}
	if b.If != nil && *b.If != stands {
		return fmt.Errorf("the marker of %s: %w", b.Namespace, ErrConflict)
	}
	return nil
}

// raiseTries is how often a marker is read that somebody changes at the same time.
const raiseTries = 10

// Raise has a namespace take no batch of an earlier term any more: it sets the term of the marker, and leaves what else
// that says. A namespace without a marker gets one of the repository that says writing.
func Raise(ctx context.Context, t Target, ns lcm.Namespace, repository string, term uint64) error {
	for try := 1; ; try++ {
		stands, err := t.Marker(ctx, ns)
		if err != nil || stands.Term == term {
			return err
		}
		next := stands
		if next == (Marker{}) {
			next = Marker{Repository: repository, Phase: Writing}
		}
		next.Term = term
		err = t.Apply(ctx, Batch{Namespace: ns, Marker: next, If: &stands})
		if try == raiseTries || !errors.Is(err, ErrConflict) {
			return err
		}
	}
}
