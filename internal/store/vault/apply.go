package vault

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/llm-config-manager/lcm/internal/store"
)

// step is one change, ready to be written.
type step struct {
	store.Change
	path string
	data json.RawMessage // of Create and Update
	was  entry
}

// Apply carries out a batch: it compares every token, then sets the marker to Writing, then writes
// the changes, several at a time, then sets the marker. A conflict that was there at the start leaves
// everything as it was; one that comes about meanwhile is noticed by check-and-set.
func (t *Target) Apply(ctx context.Context, b store.Batch) error {
	if err := b.Check(t.Capabilities()); err != nil {
		return err
	}
	steps, err := prepare(b)
	if err != nil {
		return err
	}
	if err := t.checkMount(ctx); err != nil {
		return fmt.Errorf("writing %s: %w", b.Namespace, err)
	}
	if err := t.compare(ctx, steps); err != nil {
		return err
	}
	marker := markers{target: t, ns: b.Namespace, term: b.Marker.Term}
	if marker.now, marker.version, err = t.marker(ctx, b.Namespace); err != nil {
		return err
	}
	if err := b.Admits(marker.now); err != nil {
		return err
	}
	if len(steps) > 0 {
		writing := b.Marker
		writing.Phase = store.Writing
		if err := marker.set(ctx, writing); err != nil {
			return err
		}
	}
	if err := t.write(ctx, steps, &marker); err != nil {
		return err
	}
	return marker.set(ctx, b.Marker)
}

// prepare does all that can fail without Vault.
func prepare(b store.Batch) ([]step, error) {
	steps := make([]step, len(b.Changes))
	for i, c := range b.Changes {
		s := step{Change: c, path: b.Namespace.Key(c.Key).String()}
		var err error
		if c.Action != store.Delete {
			err = checkMeta(c.Meta)
		}
		if err == nil && (c.Action == store.Create || c.Action == store.Update) {
			s.data, err = encode(c.Value, c.Meta.Kind)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", s.path, err)
		}
		steps[i] = s
	}
	return steps, nil
}

// compare reads how the entries stand and refuses the batch if one is not as it demands.
func (t *Target) compare(ctx context.Context, steps []step) error {
	return t.each(ctx, len(steps), func(i int) (err error) {
		s := &steps[i]
		if s.was, err = t.inspect(ctx, s.path); err != nil {
			return fmt.Errorf("reading %s: %w", s.path, err)
		}
		if s.was.token() != s.If {
			return fmt.Errorf("%s: %w", s.path, store.ErrConflict)
		}
		if s.Action == store.Delete && !s.was.marked {
			return fmt.Errorf("%s: it bears no mark, so it is not ours: %w", s.path, store.ErrConflict)
		}
		return nil
	})
}

func (t *Target) write(ctx context.Context, steps []step, marker *markers) error {
	return t.each(ctx, len(steps), func(i int) error {
		s := steps[i]
		err := marker.ours(ctx)
		if err == nil {
			err = t.carryOut(ctx, s)
		}
		if err != nil {
			return fmt.Errorf("%s of %s: %w", s.Action, s.path, err)
		}
		return nil
	})
}

func (t *Target) carryOut(ctx context.Context, s step) error {
	switch s.Action {
	case store.Delete:
		return t.delete(ctx, s)
	case store.Remark:
		return t.remark(ctx, s.path, mark{s.Meta, s.was.current}.fields())
	default:
		return t.store(ctx, s)
	}
}

// store writes a value and then the mark. An entry whose value is not ours is claimed first, so that
// an interruption never leaves a value of ours that looks like somebody else's.
func (t *Target) store(ctx context.Context, s step) error {
	fresh := !s.was.live || !s.was.marked
	if fresh {
		if err := t.claim(ctx, s); err != nil {
			return err
		}
	}
	version, err := t.put(ctx, s.path, s.data, s.was.current)
	if errors.Is(err, store.ErrConflict) && fresh {
		return errors.Join(err, t.remark(ctx, s.path, unmarked()))
	}
	if err != nil {
		return err
	}
	return t.remark(ctx, s.path, mark{s.Meta, version}.fields())
}

func (t *Target) claim(ctx context.Context, s step) error {
	m := mark{s.Meta, claimed}
	if !s.was.exists {
		return t.announce(ctx, s.path, m)
	}
	return t.remark(ctx, s.path, m.fields())
}

// delete soft-deletes the version that was listed and takes the mark away. A value written since
// then stands, with its mark, and is reported.
func (t *Target) delete(ctx context.Context, s step) error {
	if err := t.softDelete(ctx, s.path, s.was.current); err != nil {
		return err
	}
	now, err := t.inspect(ctx, s.path)
	switch {
	case err != nil:
		return err
	case now.live:
		return store.ErrConflict
	}
	return t.remark(ctx, s.path, unmarked())
}

// each calls f for 0 to n-1, several at a time. After a failure it begins nothing new but lets what
// is under way end: a request that is broken off may or may not have been carried out.
func (t *Target) each(ctx context.Context, n int, f func(int) error) error {
	var g errgroup.Group
	g.SetLimit(t.concurrency)
	var failed atomic.Bool
	for i := range n {
		g.Go(func() error {
			if failed.Load() {
				return nil
			}
			err := ctx.Err()
			if err == nil {
				err = f(i)
			}
			if err != nil {
				failed.Store(true)
			}
			return err
		})
	}
	return g.Wait()
}
