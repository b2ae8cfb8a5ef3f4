package etcd

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/store"
)

// List returns the entries of a namespace, as they stood at one revision of etcd. Keys that are no keys of an
// address are nobody's that could ever be addressed, and are left out.
func (t *Target) List(ctx context.Context, ns lcm.Namespace) (store.Listing, error) {
	if err := store.CheckNamespace(ns); err != nil {
		return store.Listing{}, err
	}
	s, err := t.space(ctx, ns)
	if err != nil {
		return store.Listing{}, fmt.Errorf("listing %s: %w", ns, err)
	}
	l := store.Listing{Marker: s.marker.says}
	for _, key := range s.sorted {
		e := s.entries[key]
		l.Items = append(l.Items, store.Item{Key: key, Meta: e.meta, Token: e.token(), Stale: e.stale})
	}
	return l, nil
}

// Get returns the value and the mark beside it, both of one revision of etcd.
func (t *Target) Get(ctx context.Context, addr lcm.Address) ([]byte, store.Meta, error) {
	if err := store.CheckAddress(addr); err != nil {
		return nil, store.Meta{}, err
	}
	value, meta, err := t.get(ctx, addr)
	if err != nil {
		return nil, store.Meta{}, fmt.Errorf("reading %s: %w", addr, err)
	}
	return value, meta, nil
}

func (t *Target) get(ctx context.Context, addr lcm.Address) ([]byte, store.Meta, error) {
	answers, err := t.together(ctx,
		clientv3.OpGet(t.keys.value(addr.Namespace, addr.Key)),
		clientv3.OpGet(t.keys.mark(addr.Namespace, addr.Key)))
	switch {
	case err != nil:
		return nil, store.Meta{}, err
	case len(answers[0].Kvs) == 0:
		return nil, store.Meta{}, store.ErrNotFound
	}
	var m mark
	if marks := answers[1].Kvs; len(marks) > 0 {
		m, _ = parseMark(marks[0])
	}
	return answers[0].Kvs[0].Value, m.Meta, nil
}

// Holds reads the value and compares it.
func (t *Target) Holds(ctx context.Context, ns lcm.Namespace, key string, value []byte) (bool, error) {
	stands, _, err := t.Get(ctx, ns.Key(key))
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	return err == nil && string(value) == string(stands), err
}

// Marker returns the namespace's marker.
func (t *Target) Marker(ctx context.Context, ns lcm.Namespace) (store.Marker, error) {
	if err := store.CheckNamespace(ns); err != nil {
		return store.Marker{}, err
	}
	m, err := t.marker(ctx, ns)
	if err != nil {
		return store.Marker{}, fmt.Errorf("reading the marker of %s: %w", ns, err)
	}
	return m.says, nil
}

// marker is a namespace's marker as it stands.
type marker struct {
	says     store.Marker
	revision int64 // its mod revision; 0: there is none
}

func (t *Target) marker(ctx context.Context, ns lcm.Namespace) (marker, error) {
	answers, err := t.together(ctx, clientv3.OpGet(t.keys.marker(ns)))
	if err != nil {
		return marker{}, err
	}
	return parseMarker(answers[0].Kvs), nil
}

// parseMarker takes what is no marker for none: then no reader believes the namespace, and the next batch
// writes it anew.
func parseMarker(kvs []*mvccpb.KeyValue) marker {
	if len(kvs) == 0 {
		return marker{}
	}
	var says store.Marker
	if json.Unmarshal(kvs[0].Value, &says) != nil || !says.Sound() {
		says = store.Marker{}
	}
	return marker{says, kvs[0].ModRevision}
}

// together asks several things of one revision of etcd: the newest, so that what was written before is seen.
func (t *Target) together(ctx context.Context, gets ...clientv3.Op) ([]*clientv3.GetResponse, error) {
	answers, _, err := t.at(ctx, gets...)
	return answers, err
}

func (t *Target) at(ctx context.Context, gets ...clientv3.Op) (answers []*clientv3.GetResponse, revision int64, err error) {
	var resp *clientv3.TxnResponse
	err = t.etcd.read(ctx, func(ctx context.Context, api *clientv3.Client) (err error) {
		resp, err = api.Txn(ctx).Then(gets...).Commit()
		return err
	})
	if err != nil {
		return nil, 0, err
	}
	for _, r := range resp.Responses {
		answers = append(answers, (*clientv3.GetResponse)(r.GetResponseRange()))
	}
	if len(answers) != len(gets) || resp.Header == nil {
		return nil, 0, errAnswer
	}
	return answers, resp.Header.Revision, nil
}
