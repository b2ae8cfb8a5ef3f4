package etcd

import (
	"context"
	"errors"
	"fmt"
	"strings"

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

// The sizes of pages, in keys, and how many keys a namespace may have.
const (
	namesPage  = 4000
	marksPage  = 500
	maxEntries = 200_000
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
	values, marks := t.keys.values(ns), t.keys.marks(ns)
	first, revision, err := t.at(ctx, clientv3.OpGet(t.keys.marker(ns)), names(values), page(marks))
	if err != nil {
		return space{}, err
	}
	s := space{marker: parseMarker(first[0].Kvs), entries: map[string]entry{}}
	err = t.rest(ctx, first[1], values, revision, names, func(kv *mvccpb.KeyValue) {
		key := strings.TrimPrefix(string(kv.Key), t.keys.namespace(ns))
		if lcm.ValidName(key) {
			s.entries[key], s.sorted = entry{value: kv.ModRevision}, append(s.sorted, key)
		}
	})
	if err != nil {
		return space{}, err
	}
	return s, t.rest(ctx, first[2], marks, revision, page, func(kv *mvccpb.KeyValue) {
		key := strings.TrimPrefix(string(kv.Key), marks.from)
		if e, ok := s.entries[key]; ok {
			e.bear(kv)
			s.entries[key] = e
		}
	})
}

// names asks for the keys of a span without their values, page for a page with them.
func names(s span, o ...clientv3.OpOption) clientv3.Op {
	return clientv3.OpGet(s.from, append(o, clientv3.WithRange(s.end), clientv3.WithLimit(namesPage), clientv3.WithKeysOnly())...)
}

func page(s span, o ...clientv3.OpOption) clientv3.Op {
	return clientv3.OpGet(s.from, append(o, clientv3.WithRange(s.end), clientv3.WithLimit(marksPage))...)
}

// rest goes through a page and those that follow it at the same revision.
func (t *Target) rest(ctx context.Context, answer *clientv3.GetResponse, s span, revision int64, ask func(span, ...clientv3.OpOption) clientv3.Op, each func(*mvccpb.KeyValue)) error {
	for seen := 0; ; {
		for _, kv := range answer.Kvs {
			each(kv)
		}
		if seen += len(answer.Kvs); seen > maxEntries {
			return fmt.Errorf("etcd: there are more than %d keys in a namespace", maxEntries)
		}
		if !answer.More || len(answer.Kvs) == 0 {
			return nil
		}
		last := string(answer.Kvs[len(answer.Kvs)-1].Key)
		next, err := t.together(ctx, ask(s.after(last), clientv3.WithRev(revision)))
		if err != nil {
			return err
		}
		answer = next[0]
	}
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
