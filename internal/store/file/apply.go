package file

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"

	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/store"
)

// Apply implements store.Writer. All happens in a new generation that nobody sees before the link
// is turned; wherever it breaks off, the namespace stands at the old revision or at the new.
func (s *Store) Apply(ctx context.Context, b store.Batch) error {
	err := b.Check(s.Capabilities())
	if err == nil {
		err = s.apply(ctx, b)
	}
	if err != nil {
		return fmt.Errorf("applying %s to %s: %w", b.Namespace, s.path, err)
	}
	return nil
}

func (s *Store) apply(ctx context.Context, b store.Batch) error {
	p := placeOf(b.Namespace)
	if err := ctx.Err(); err != nil {
		return err
	}
	if _, err := s.current(b.Namespace); err != nil {
		return err // before making folders beside what is not ours
	}
	if err := s.folders(p); err != nil {
		return err
	}
	unlock, err := s.lock(ctx, p)
	if err != nil {
		return err
	}
	defer unlock()

	old, err := s.current(b.Namespace)
	if err != nil {
		return err
	}
	held, err := old.scan(ctx)
	if errors.Is(err, fs.ErrNotExist) {
		return old.gone()
	}
	if err != nil {
		return err
	}
	stands, err := old.marker()
	if err == nil {
		err = b.Admits(stands)
	}
	if err != nil {
		return err
	}
	if err := compare(b, held); err != nil {
		return err
	}
	names, err := s.names(p)
	if err != nil {
		return err
	}
	if err := s.remove(p, leftovers(names, old.name)); err != nil {
		return err
	}
	if done, err := standsAlready(b, old); done || err != nil {
		return err
	}
	next, err := s.build(ctx, b, old, held, names)
	if err != nil {
		return errors.Join(err, s.remove(p, []string{next.name}))
	}
	if err := s.turn(p, next); err != nil {
		return err
	}
	// The batch is done and durable. What cannot be removed now is removed by the next one, or
	// makes that one fail.
	_ = s.remove(p, slices.DeleteFunc(names, func(name string) bool { return name == old.name }))
	return nil
}

// standsAlready reports whether the batch asks for nothing that is not there.
func standsAlready(b store.Batch, old generation) (bool, error) {
	if len(b.Changes) > 0 || !old.exists() {
		return false, nil
	}
	m, err := old.marker()
	return m == b.Marker, err
}

// compare refuses changes whose tokens are not those of the entries, and whatever would delete what bears no
// mark, or replace what is no file: that is not ours. To take a file over is decided before.
func compare(b store.Batch, held holdings) error {
	for _, c := range b.Changes {
		e := held[c.Key]
		if e.item.Token != c.If {
			return fmt.Errorf("%s %s: %w", c.Action, b.Namespace.Key(c.Key), store.ErrConflict)
		}
		if !e.marked && (c.Action == store.Delete || c.Action == store.Update && !e.plain) {
			return fmt.Errorf("%s %s: it bears no mark, so it is not ours: %w", c.Action, b.Namespace.Key(c.Key), store.ErrConflict)
		}
	}
	return nil
}

// leftovers are the generations that neither readers nor the next batch need: all but the present
// one and the one before it. Newer ones than the present are of runs that broke off.
func leftovers(names []string, current string) []string {
	at := slices.Index(names, current)
	return slices.DeleteFunc(slices.Clone(names), func(name string) bool {
		return name == current || at > 0 && name == names[at-1]
	})
}

// build makes the generation that holds the old one with the batch carried out, all of it on
// the disk for good.
func (s *Store) build(ctx context.Context, b store.Batch, old generation, held holdings, names []string) (generation, error) {
	next := s.following(b.Namespace, names)
	if err := errors.Join(s.mkdir(next.dir), s.mkdir(path.Join(next.dir, own))); err != nil {
		return next, err
	}
	fresh := map[string]bool{path.Join(own, "revision"): true}
	for _, c := range b.Changes {
		fresh[path.Join(own, c.Key+suffix)] = true
		fresh[c.Key+suffix] = c.Action != store.Remark
	}
	if err := s.carryOver(ctx, old, next, held, fresh); err != nil {
		return next, err
	}
	for _, c := range b.Changes {
		if err := ctx.Err(); err != nil {
			return next, err
		}
		if err := s.carryOut(c, old, next); err != nil {
			return next, err
		}
	}
	if err := s.writeJSON(path.Join(next.dir, own, "revision"), b.Marker); err != nil {
		return next, err
	}
	for _, dir := range []string{path.Join(next.dir, own), next.dir, placeOf(b.Namespace).generations} {
		if err := s.sync(dir); err != nil {
			return next, err
		}
	}
	// What somebody put into the old generation meanwhile would be lost with it.
	if now, err := old.scan(ctx); err != nil || !maps.Equal(now, held) {
		return next, errors.Join(store.ErrConflict, err)
	}
	return next, nil
}

// following names the next generation: higher than all on the disk, so no name is used twice while
// a reader may be inside it.
func (s *Store) following(ns lcm.Namespace, names []string) generation {
	last := int64(0)
	if len(names) > 0 {
		last = number(names[len(names)-1])
	}
	name := fmt.Sprint(last + 1)
	return generation{s, ns, path.Join(placeOf(ns).generations, name), name}
}

// carryOver links every file of the old generation into the next one, except those in fresh and
// marks whose value is gone.
func (s *Store) carryOver(ctx context.Context, old, next generation, held holdings, fresh map[string]bool) error {
	if !old.exists() {
		return nil
	}
	for _, dir := range []string{".", own} {
		files, err := s.dir(path.Join(old.dir, dir))
		if err != nil {
			return err
		}
		for _, f := range files {
			name := path.Join(dir, f.Name())
			if name == own || fresh[name] || dir == own && held.lost(f.Name()) {
				continue
			}
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := s.link(path.Join(old.dir, name), path.Join(next.dir, name)); err != nil {
				return err
			}
		}
	}
	return nil
}

// lost reports whether a file in .lcm is the mark of a value that is gone.
func (h holdings) lost(name string) bool {
	key := name[:max(0, len(name)-len(suffix))]
	_, there := h[key]
	return key+suffix == name && lcm.ValidName(key) && !there
}

// carryOut writes what a change puts into the next generation.
func (s *Store) carryOut(c store.Change, old, next generation) error {
	value := c.Value
	switch c.Action {
	case store.Delete:
		return nil
	case store.Remark:
		held, _, found, err := old.get(c.Key)
		if err != nil {
			return err
		}
		if !found {
			return fmt.Errorf("%s: %w", c.Key, store.ErrConflict)
		}
		value = held // carried over; the new mark is to speak of it
	default:
		if err := s.write(path.Join(next.dir, c.Key+suffix), value); err != nil {
			return err
		}
	}
	return s.writeJSON(path.Join(next.dir, own, c.Key+suffix), mark{c.Meta, contentOf(value)})
}

func (s *Store) writeJSON(name string, v any) error {
	raw, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return s.write(name, append(raw, '\n'))
}
