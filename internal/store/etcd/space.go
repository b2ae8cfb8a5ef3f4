package etcd

import (
	"context"
	"errors"
	"fmt"

	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/store"
)

// space is a namespace as it stood at one revision of etcd, without values.
type space struct {
	marker  marker
	entries map[string]entry
	sorted  []string // the keys of entries
}

// The sizes of pages, in keys.
const (
	namesPage = 4000
	marksPage = 500
)

// space reads a namespace. A reading that takes so long that its revision is compacted is begun anew.
func (t *Target) space(ctx context.Context, ns lcm.Namespace) (s space, err error) {
	for range maxTries {
		if s, err = t.readSpace(ctx, ns); !errors.Is(err, errCompacted) {
			break
		}
	}
	return s, err
}

func (t *Target) readSpace(ctx context.Context, ns lcm.Namespace) (space, error) {
	s := space{entries: map[string]entry{}}
	var err error
	s.marker, err = t.walk(ctx, ns, namesPage, marksPage, func(key string, kv *mvccpb.KeyValue) error {
		s.entries[key], s.sorted = entry{value: kv.ModRevision}, append(s.sorted, key)
		return nil
	}, func(key string, kv *mvccpb.KeyValue) error {
		if e, ok := s.entries[key]; ok {
			e.bear(kv)
			s.entries[key] = e
		}
		return nil
	}, clientv3.WithKeysOnly())
	return s, err
}

// conflict names the first change whose entry is another than the change demands.
func (s space) conflict(changes []store.Change, ns lcm.Namespace) error {
	for _, c := range changes {
		if s.entries[c.Key].token() != c.If {
			return errConflict(ns, c)
		}
	}
	return nil
}

func errConflict(ns lcm.Namespace, c store.Change) error {
	return fmt.Errorf("%s of %s: %w", c.Action, ns.Key(c.Key), store.ErrConflict)
}
