package etcd

import (
	"context"
	"errors"
	"fmt"

	"go.etcd.io/etcd/api/v3/mvccpb"

	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/store"
)

var _ store.WholeReader = (*Target)(nil)

// Whole implements store.WholeReader: it returns a namespace as it stood at one revision of etcd.
func (t *Target) Whole(ctx context.Context, ns lcm.Namespace) (store.Snapshot, error) {
	if err := store.CheckNamespace(ns); err != nil {
		return store.Snapshot{}, err
	}
	var s store.Snapshot
	var err error
	page := int64(largestPage)
	for range maxTries {
		s, err = t.whole(ctx, ns, page)
		if errors.Is(err, errTooLarge) {
			page = max(page/8, 1)
		} else if !errors.Is(err, errCompacted) {
			break
		}
	}
	if err != nil {
		return store.Snapshot{}, fmt.Errorf("reading %s: %w", ns, err)
	}
	return s, nil
}

// A page of values has so many at first, and fewer if they are large. All values together may have so many bytes.
const (
	largestPage = 512
	maxValues   = 512 << 20
)

func (t *Target) whole(ctx context.Context, ns lcm.Namespace, page int64) (store.Snapshot, error) {
	s := store.Snapshot{Entries: map[string]store.Entry{}}
	bytes := 0
	m, err := t.walk(ctx, ns, page, page, func(key string, kv *mvccpb.KeyValue) error {
		if bytes += len(kv.Value); bytes > maxValues {
			return fmt.Errorf("etcd: its values have more than %d bytes", maxValues)
		}
		s.Entries[key] = store.Entry{Value: kv.Value}
		return nil
	}, func(key string, kv *mvccpb.KeyValue) error {
		if e, ok := s.Entries[key]; ok {
			m, _ := parseMark(kv)
			e.Meta = m.Meta
			s.Entries[key] = e
		}
		return nil
	})
	s.Marker = m.says
	return s, err
}
