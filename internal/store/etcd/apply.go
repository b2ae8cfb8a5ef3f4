package etcd

import (
	"context"
	"encoding/json"
	"fmt"

	clientv3 "go.etcd.io/etcd/client/v3"
	"golang.org/x/sync/errgroup"

	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/store"
)

// Apply carries out a batch, in one transaction if it is within the limits, which compares all tokens and sets
// the marker. A larger batch is compared first, so that a conflict that was there at the start leaves everything
// as it was; then the marker is set to writing, then the parts are written, several at a time, each of which compares
// its own tokens; and the last part sets the marker.
//
// Every transaction demands that the marker is the one that was read or set before. So a write that nobody waits
// for any more, and that etcd carries out late, or twice, does nothing once a later one was made.
func (t *Target) Apply(ctx context.Context, b store.Batch) error {
	if err := b.Check(t.Capabilities()); err != nil {
		return err
	}
	parts, err := t.parts(b)
	if err != nil {
		return err
	}
	w := writer{t, b.Namespace, b, 0}
	if err := w.write(ctx, b, parts); err != nil {
		return fmt.Errorf("writing %s: %w", b.Namespace, err)
	}
	return nil
}

// parallel is how many transactions of one batch are under way at a time.
const parallel = 8

func (w *writer) write(ctx context.Context, b store.Batch, parts []part) error {
	last := len(parts) - 1
	if last == 0 {
		if err := w.begin(ctx); err != nil {
			return err
		}
	} else if err := w.announce(ctx, b); err != nil {
		return err
	}
	g, between := errgroup.WithContext(ctx)
	g.SetLimit(parallel)
	for _, p := range parts[:last] {
		g.Go(func() error { return w.commit(between, p) })
	}
	if err := g.Wait(); err != nil {
		return err
	}
	parts[last].add(w.set(b.Marker))
	return w.commit(ctx, parts[last])
}

// writer makes the transactions of one batch.
type writer struct {
	*Target
	ns    lcm.Namespace
	batch store.Batch
	at    int64 // the mod revision that the marker has; 0: there is none
}

// begin reads which marker there is.
func (w *writer) begin(ctx context.Context) error {
	m, err := w.Target.marker(ctx, w.ns)
	if err != nil {
		return err
	}
	w.at = m.revision
	return w.batch.Admits(m.says)
}

// announce compares the whole batch with what is there and sets the marker to writing.
func (w *writer) announce(ctx context.Context, b store.Batch) error {
	s, err := w.space(ctx, w.ns)
	if err != nil {
		return err
	}
	if err := b.Admits(s.marker.says); err != nil {
		return err
	}
	if err := s.conflict(b.Changes, w.ns); err != nil {
		return err
	}
	w.at = s.marker.revision
	writing := b.Marker
	writing.Phase = store.Writing
	return w.commit(ctx, w.set(writing))
}

// set is the part that sets the marker.
func (w *writer) set(m store.Marker) part {
	says, err := json.Marshal(m)
	if err != nil {
		panic(err) // a struct of strings
	}
	return part{ops: []clientv3.Op{clientv3.OpPut(w.keys.marker(w.ns), string(says))}, marker: true}
}

// commit makes one transaction.
func (w *writer) commit(ctx context.Context, p part) error {
	compares := append(p.compares, unchanged(w.keys.marker(w.ns), w.at))
	var resp *clientv3.TxnResponse
	err := w.etcd.do(ctx, func(ctx context.Context, api *clientv3.Client) (err error) {
		resp, err = api.Txn(ctx).If(compares...).Then(p.ops...).Commit()
		return err
	})
	switch {
	case err != nil:
		return err
	case resp.Header == nil:
		return errAnswer
	case !resp.Succeeded:
		return w.blame(ctx, p)
	case p.marker:
		w.at = resp.Header.Revision
	}
	return nil
}

// blame says which entry is another than a transaction demanded, or that a later leader writes.
func (w *writer) blame(ctx context.Context, p part) error {
	s, err := w.space(ctx, w.ns)
	if err == nil {
		err = w.batch.Fenced(s.marker.says)
	}
	if err == nil {
		err = s.conflict(p.changes, w.ns)
	}
	if err == nil {
		err = fmt.Errorf("somebody else writes this namespace at the same time: %w", store.ErrConflict)
	}
	return err
}
