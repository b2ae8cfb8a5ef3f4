package redis

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/redis/rueidis"

	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/store"
)

// Get implements store.Reader. Value and mark are of one moment.
func (t *Target) Get(ctx context.Context, addr lcm.Address) ([]byte, store.Meta, error) {
	if err := store.CheckAddress(addr); err != nil {
		return nil, store.Meta{}, err
	}
	var held []rueidis.RedisMessage
	err := t.use(ctx, func(ctx context.Context, c rueidis.Client) (err error) {
		held, err = c.Do(ctx, c.B().Hmget().Key(entryName(addr)).Field(fields[:]...).Build()).ToArray()
		return err
	})
	if err == nil && len(held) != len(fields) {
		err = errAnswer
	}
	if err == nil && held[0].IsNil() {
		err = store.ErrNotFound
	}
	if err != nil {
		return nil, store.Meta{}, fmt.Errorf("reading %s: %w", addr, err)
	}
	value, err := held[0].AsBytes()
	if err != nil {
		return nil, store.Meta{}, fmt.Errorf("reading %s: %w", addr, errAnswer)
	}
	return value, heldMark(held), nil
}

// heldMark returns the mark among the fields of an entry, zero if there is none.
func heldMark(held []rueidis.RedisMessage) store.Meta {
	texts := make([]string, 0, len(held))
	for _, m := range held[1:] {
		text, _ := m.ToString() // what is absent is empty
		texts = append(texts, text)
	}
	if texts[0] == "" { // no token: nothing of ours
		return store.Meta{}
	}
	m, _ := parseMark(texts[firstOfMark-1:])
	return m
}

// Holds implements store.Writer. What is no value at all, but a list say, holds nothing.
func (t *Target) Holds(ctx context.Context, ns lcm.Namespace, key string, value []byte) (bool, error) {
	stands, _, err := t.Get(ctx, ns.Key(key))
	if errors.Is(err, store.ErrNotFound) || errors.Is(err, errType) {
		return false, nil
	}
	return err == nil && bytes.Equal(value, stands), err
}

// Marker implements store.Reader.
func (t *Target) Marker(ctx context.Context, ns lcm.Namespace) (store.Marker, error) {
	if err := store.CheckNamespace(ns); err != nil {
		return store.Marker{}, err
	}
	var text string
	err := t.use(ctx, func(ctx context.Context, c rueidis.Client) (err error) {
		text, err = c.Do(ctx, c.B().Get().Key(markerOf(ns)).Build()).ToString()
		return err
	})
	if errors.Is(err, errNil) || errors.Is(err, errType) {
		return store.Marker{}, nil
	}
	if err != nil {
		return store.Marker{}, fmt.Errorf("reading the marker of %s: %w", ns, err)
	}
	return parseMarker(text), nil
}

// Whole implements store.WholeReader.
func (t *Target) Whole(ctx context.Context, ns lcm.Namespace) (store.Snapshot, error) {
	if err := store.CheckNamespace(ns); err != nil {
		return store.Snapshot{}, err
	}
	var answer []rueidis.RedisMessage
	err := t.use(ctx, func(ctx context.Context, c rueidis.Client) (err error) {
		answer, err = snapshotScript().run(ctx, c, headOf(ns), snapshotArgs(ns))[0].ToArray()
		return err
	})
	var s store.Snapshot
	if err == nil {
		s, err = parseSnapshot(answer)
	}
	if err != nil {
		return store.Snapshot{}, fmt.Errorf("reading %s: %w", ns, err)
	}
	return s, nil
}

func parseSnapshot(answer []rueidis.RedisMessage) (store.Snapshot, error) {
	if len(answer) == 0 {
		return store.Snapshot{}, errAnswer
	}
	marker, err := answer[0].ToString()
	if err != nil {
		return store.Snapshot{}, errAnswer
	}
	s := store.Snapshot{Marker: parseMarker(marker), Entries: make(map[string]store.Entry, len(answer)-1)}
	for _, m := range answer[1:] {
		entry, err := m.ToArray()
		if err != nil || len(entry) != 2 {
			return store.Snapshot{}, errAnswer
		}
		key, errKey := entry[0].ToString()
		held, errHeld := entry[1].AsStrSlice()
		if errKey != nil || errHeld != nil || len(held) != 1+len(fields)-firstOfMark {
			return store.Snapshot{}, errAnswer
		}
		meta, marked := parseMark(held[1:])
		if marked {
			s.Entries[key] = store.Entry{Value: []byte(held[0]), Meta: meta}
		}
	}
	return s, nil
}

// snapshotArgs are those of snapshot.lua.
func snapshotArgs(ns lcm.Namespace) []string {
	return append([]string{prefix(ns), fields[0]}, fields[firstOfMark:]...)
}
