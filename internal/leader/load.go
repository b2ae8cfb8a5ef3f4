package leader

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/llm-config-manager/lcm/internal/state"
	"github.com/llm-config-manager/lcm/internal/store/etcd"
)

// loadTries is how often a state is read anew that etcd forgot while it was read.
const loadTries = 3

// Load implements state.Keeper: it gives all records as they stood at one moment. Who is in office also carries out what
// an earlier term decided and did not come to the end of, and may save from then on.
func (r *Replica) Load(ctx context.Context, repository string, fresh func() error, each func(record string, raw []byte) error) error {
	for try := 1; ; try++ {
		err := fresh()
		if err == nil {
			err = r.load(ctx, repository, each)
		}
		if try == loadTries || !errors.Is(err, etcd.ErrCompacted) {
			return err
		}
	}
}

func (r *Replica) load(ctx context.Context, repository string, each func(record string, raw []byte) error) error {
	t, s := r.current(), r.keys.space(repository)
	now, revision, err := r.stands(ctx, s)
	if err != nil {
		return err
	}
	chunks, err := r.chunks(ctx, s, now, revision)
	if err != nil {
		return err
	}
	m := merge{edits: sorted(chunks), each: assembler{space: s, each: each}}
	if err = r.etcd.Scan(ctx, s.records(), revision, m.stored); err == nil {
		err = m.end()
	}
	if err != nil || t == nil {
		return err
	}
	t.saving.Lock()
	defer t.saving.Unlock()
	if now.redo != 0 {
		if err := (update{t, s, now.sealed}).carryOut(chunks, now.redo); err != nil {
			return fmt.Errorf("carrying out what the last leader decided: %w", err)
		}
	}
	t.seals[repository] = now.sealed
	return nil
}

// stands reads what decides: the seal, and the decision of a large update.
func (r *Replica) stands(ctx context.Context, s space) (now standing, revision int64, err error) {
	var resp *clientv3.TxnResponse
	err = r.etcd.Read(ctx, func(ctx context.Context, api *clientv3.Client) (err error) {
		resp, err = api.Txn(ctx).Then(clientv3.OpGet(r.keys.office()), clientv3.OpGet(s.records()+state.SealKey), clientv3.OpGet(s.redo())).Commit()
		return err
	})
	if err != nil {
		return now, 0, fmt.Errorf("reading the state: %w", err)
	}
	return found(resp), resp.Header.Revision, nil
}

// chunks reads those of a large update that is decided.
func (r *Replica) chunks(ctx context.Context, s space, now standing, revision int64) (chunks [][]edit, err error) {
	if now.redo == 0 {
		return nil, nil
	}
	var d redo
	if err := json.Unmarshal(now.decision, &d); err != nil {
		return nil, fmt.Errorf("%s: %w", s.redo(), state.ErrTampered)
	}
	err = r.etcd.Scan(ctx, s.chunks(), revision, func(kv *mvccpb.KeyValue) error {
		if string(kv.Key) != s.chunk(len(chunks)) || len(chunks) == d.Chunks {
			return nil // of an update that was never decided
		}
		edits, err := decode(kv.Value)
		chunks = append(chunks, edits)
		return err
	})
	if err == nil && len(chunks) != d.Chunks {
		err = errors.New("chunks of an update are missing")
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", err, state.ErrTampered)
	}
	return chunks, nil
}

func sorted(chunks [][]edit) []edit {
	all := slices.Concat(chunks...)
	slices.SortStableFunc(all, func(a, b edit) int { return cmp.Compare(a.key, b.key) })
	return all
}

// merge puts what is decided in the place of what is stored, in the order of the keys.
type merge struct {
	edits []edit // that are still to come
	each  assembler
}

func (m *merge) stored(kv *mvccpb.KeyValue) error {
	key := string(kv.Key)
	for len(m.edits) > 0 && m.edits[0].key < key {
		if err := m.next(); err != nil {
			return err
		}
	}
	if len(m.edits) > 0 && m.edits[0].key == key {
		return m.next()
	}
	return m.each.add(key, kv.Value)
}

func (m *merge) next() error {
	e := m.edits[0]
	m.edits = m.edits[1:]
	if e.gone {
		return nil
	}
	return m.each.add(e.key, e.value)
}

func (m *merge) end() error {
	for len(m.edits) > 0 {
		if err := m.next(); err != nil {
			return err
		}
	}
	return m.each.flush()
}

// assembler joins the parts of records, which come one after another.
type assembler struct {
	space
	each   func(record string, raw []byte) error
	record string
	raw    []byte
}

func (a *assembler) add(key string, value []byte) error {
	record, part := a.recordOf(key)
	if part && record == a.record {
		a.raw = append(a.raw, value...)
		return nil
	}
	if err := a.flush(); err != nil {
		return err
	}
	if !part {
		return a.each(record, value)
	}
	a.record, a.raw = record, slices.Clone(value)
	return nil
}

func (a *assembler) flush() error {
	record, raw := a.record, a.raw
	if a.record, a.raw = "", nil; raw == nil {
		return nil
	}
	return a.each(record, raw)
}
