package etcd

import (
	"context"
	"fmt"
	"strings"

	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/llm-config-manager/lcm/internal/lcm"
)

// maxKeys is how many values, or marks, a namespace may have.
const maxKeys = 200_000

// visit is told of what stands at a key of an address: the value or the mark.
type visit func(key string, kv *mvccpb.KeyValue) error

// walk goes through the values of a namespace, in the order of their keys, and then through its marks, in pages
// of so many keys, all as they stood at one revision of etcd. It returns the marker of that revision.
func (t *Target) walk(ctx context.Context, ns lcm.Namespace, valuesPage, marksPage int64, value, beside visit, o ...clientv3.OpOption) (marker, error) {
	values := pages{t, t.keys.values(ns), t.keys.namespace(ns), append(o, clientv3.WithLimit(valuesPage))}
	marks := pages{t, t.keys.marks(ns), t.keys.marks(ns).from, []clientv3.OpOption{clientv3.WithLimit(marksPage)}}
	first, revision, err := t.at(ctx, clientv3.OpGet(t.keys.marker(ns)), values.ask(values.span), marks.ask(marks.span))
	if err != nil {
		return marker{}, err
	}
	if err = values.visit(ctx, first[1], revision, value); err == nil {
		err = marks.visit(ctx, first[2], revision, beside)
	}
	return parseMarker(first[0].Kvs), err
}

// pages is how a span is read.
type pages struct {
	*Target
	span   span
	folder string // what its keys begin with
	opts   []clientv3.OpOption
}

func (p pages) ask(s span, o ...clientv3.OpOption) clientv3.Op {
	return clientv3.OpGet(s.from, append(append(o, clientv3.WithRange(s.end)), p.opts...)...)
}

// visit goes through the first page and those that follow it at the same revision. Keys that are none of an
// address are nobody's that could ever be addressed, and are left out.
func (p pages) visit(ctx context.Context, page *clientv3.GetResponse, revision int64, each visit) error {
	for seen := 0; ; {
		for _, kv := range page.Kvs {
			if key := strings.TrimPrefix(string(kv.Key), p.folder); lcm.ValidName(key) {
				if err := each(key, kv); err != nil {
					return err
				}
			}
		}
		if seen += len(page.Kvs); seen > maxKeys {
			return fmt.Errorf("etcd: there are more than %d keys below %s", maxKeys, p.folder)
		}
		if !page.More || len(page.Kvs) == 0 {
			return nil
		}
		last := string(page.Kvs[len(page.Kvs)-1].Key)
		next, err := p.together(ctx, p.ask(p.span.after(last), clientv3.WithRev(revision)))
		if err != nil {
			return err
		}
		page = next[0]
	}
}
