// Package breaker spares a target that is down, and those who would wait for it. After some outages in a row it refuses what is
// asked of the target at once, with the reason, and tries it again after a pause that grows. So a pass costs no more than ever, whatever
// is down, and what is due waits until the target answers. A refusal is an error as the target's own would be: never an empty listing.
package breaker

import (
	"context"
	"log/slog"
	"time"

	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/store"
)

// Target is another target behind two gates, since one that takes no writes may well be read.
type Target struct {
	store.Target
	reads, writes gate
}

var (
	_ store.Witness     = (*Target)(nil)
	_ store.WholeReader = (*Target)(nil)
	_ store.Fallible    = (*Target)(nil)
)

// New puts a target behind a breaker. When that opens and closes is logged; a nil log is none.
func New(name string, t store.Target, log *slog.Logger) *Target {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	log = log.With("target", name)
	return &Target{Target: t, reads: gate{log: log.With("for", "reads")}, writes: gate{log: log.With("for", "writes")}}
}

// Down implements store.Fallible.
func (t *Target) Down() *store.Down {
	if d := t.reads.standing(); d != nil {
		return d
	}
	return t.writes.standing()
}

// read is a call that changes nothing.
func read[T any](ctx context.Context, t *Target, f func() (T, error)) (out T, err error) {
	err = t.reads.call(ctx, func() (err error) {
		out, err = f()
		return err
	})
	return out, err
}

// List implements store.Writer.
func (t *Target) List(ctx context.Context, ns lcm.Namespace) (store.Listing, error) {
	return read(ctx, t, func() (store.Listing, error) { return t.Target.List(ctx, ns) })
}

// Apply implements store.Writer.
func (t *Target) Apply(ctx context.Context, b store.Batch) error {
	return t.writes.call(ctx, func() error { return t.Target.Apply(ctx, b) })
}

// Holds implements store.Writer.
func (t *Target) Holds(ctx context.Context, ns lcm.Namespace, key string, value []byte) (bool, error) {
	return read(ctx, t, func() (bool, error) { return t.Target.Holds(ctx, ns, key, value) })
}

// Namespaces implements store.Writer.
func (t *Target) Namespaces(ctx context.Context, orgs []string) ([]lcm.Namespace, error) {
	return read(ctx, t, func() ([]lcm.Namespace, error) { return t.Target.Namespaces(ctx, orgs) })
}

// Marker implements store.Reader.
func (t *Target) Marker(ctx context.Context, ns lcm.Namespace) (store.Marker, error) {
	return read(ctx, t, func() (store.Marker, error) { return t.Target.Marker(ctx, ns) })
}

// Get implements store.Reader.
func (t *Target) Get(ctx context.Context, addr lcm.Address) (value []byte, meta store.Meta, err error) {
	err = t.reads.call(ctx, func() (err error) {
		value, meta, err = t.Target.Get(ctx, addr)
		return err
	})
	return value, meta, err
}

// Whole implements store.WholeReader, for a target that does not, too.
func (t *Target) Whole(ctx context.Context, ns lcm.Namespace) (store.Snapshot, error) {
	return read(ctx, t, func() (store.Snapshot, error) { return store.ReadWhole(ctx, t.Target, ns) })
}

// LastChange implements store.Witness. Of a target that is none, nothing is known.
func (t *Target) LastChange(ctx context.Context, addr lcm.Address) (who string, at time.Time, err error) {
	w, ok := t.Target.(store.Witness)
	if !ok {
		return "", time.Time{}, nil
	}
	err = t.reads.call(ctx, func() (err error) {
		who, at, err = w.LastChange(ctx, addr)
		return err
	})
	return who, at, err
}
