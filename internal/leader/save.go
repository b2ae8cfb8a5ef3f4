package leader

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/llm-config-manager/lcm/internal/state"
	"github.com/llm-config-manager/lcm/internal/store/etcd"
)

// edit is what becomes of one key.
type edit struct {
	key   string
	value []byte
	gone  bool
}

// What one transaction may hold: etcd takes 128 operations and 1.5 MiB unless it is configured otherwise, and some are
// for what goes with the edits.
const (
	maxEdits = 120
	maxBytes = 1 << 20
)

// Save implements state.Keeper: it makes all changes or none. What does not fit into one transaction is written down in
// chunks first, then decided by one small transaction, which sets the seal, and then carried out: whoever loads the
// state in between finds the decision, and goes on with it.
//
// Each transaction demands that this term's key of the office stands, and what the one before it left. So one that is
// sent again, since its answer was lost, or that arrives late, does nothing that was not decided.
func (r *Replica) Save(repository string, changes []state.Change) error {
	t := r.current()
	if t == nil {
		return ErrNotInOffice
	}
	t.saving.Lock()
	defer t.saving.Unlock()
	base, loaded := t.seals[repository]
	if !loaded {
		return ErrNotInOffice // it was not loaded in this term
	}
	u := update{t, r.keys.space(repository), base}
	after, err := u.save(changes)
	if err != nil {
		t.end(fmt.Errorf("%w: writing the state: %w", ErrLost, err))
		return fmt.Errorf("writing the state: %w", err)
	}
	t.seals[repository] = after
	return nil
}

// Abandon implements state.Keeper.
func (r *Replica) Abandon(why error) {
	if t := r.current(); t != nil {
		t.end(fmt.Errorf("%w: %w", ErrLost, why))
	}
}

// update is one change of a state.
type update struct {
	*Term
	space
	base int64 // etcd's revision of the seal before it; 0: there is none
}

func (u update) save(changes []state.Change) (after int64, err error) {
	edits, seal, err := u.edits(changes)
	if err != nil {
		return 0, err
	}
	if chunks := split(edits); len(chunks) > 1 {
		return u.large(chunks, seal)
	}
	return u.decide(append(edits, seal))
}

// edits are the changes, key by key, and that of the seal.
func (u update) edits(changes []state.Change) (edits []edit, seal edit, err error) {
	for _, c := range changes {
		places := u.places(c.Key, len(c.Raw))
		if c.Key == state.SealKey {
			seal = edit{key: places[0], value: c.Raw}
			continue
		}
		stands := map[string]bool{}
		for n, key := range places {
			stands[key] = true
			edits = append(edits, edit{key: key, value: c.Raw[n*partSize : min(len(c.Raw), (n+1)*partSize)]})
		}
		for _, key := range u.places(c.Key, c.Was) {
			if !stands[key] {
				edits = append(edits, edit{key: key, gone: true})
			}
		}
	}
	if seal.key == "" {
		err = fmt.Errorf("an update without a seal")
	}
	return edits, seal, err
}

// split divides edits into what fits into a transaction each.
func split(edits []edit) (chunks [][]edit) {
	from, bytes := 0, 0
	for i, e := range edits {
		size := len(e.key) + len(e.value)
		if i > from && (i-from == maxEdits || bytes+size > maxBytes) {
			chunks, from, bytes = append(chunks, edits[from:i]), i, 0
		}
		bytes += size
	}
	return append(chunks, edits[from:])
}

// redo is the decision to make a large update.
type redo struct {
	Chunks int `json:"chunks"`
}

// large makes an update of several transactions.
func (u update) large(chunks [][]edit, seal edit) (after int64, err error) {
	for n, c := range chunks {
		if _, err := u.commit(u.unchanged(), []edit{{key: u.chunk(n), value: encode(c)}}, nil); err != nil {
			return 0, err
		}
	}
	text, err := json.Marshal(redo{len(chunks)})
	if err != nil {
		return 0, err
	}
	if after, err = u.decide([]edit{{key: u.redo(), value: text}, seal}); err != nil {
		return 0, err
	}
	return after, u.carryOut(chunks, after)
}

// decide makes the transaction that sets the seal. If it is found to have been made already, it was.
func (u update) decide(edits []edit) (after int64, err error) {
	seal := edits[len(edits)-1]
	return u.commit(u.unchanged(), edits, func(now standing) (int64, bool) {
		return now.sealed, string(now.seal) == string(seal.value) && now.sealed > u.base
	})
}

// carryOut makes the edits of an update that was decided at a revision, and forgets the decision.
func (u update) carryOut(chunks [][]edit, decided int64) error {
	stands := []clientv3.Cmp{clientv3.Compare(clientv3.ModRevision(u.redo()), "=", decided)}
	for _, c := range chunks {
		if _, err := u.commit(stands, c, nil); err != nil {
			return err
		}
	}
	end := []edit{{key: u.redo(), gone: true}, {key: u.chunks(), gone: true}}
	_, err := u.commit(stands, end, func(now standing) (int64, bool) { return 0, now.redo == 0 })
	return err
}

// unchanged compares that the state is as it was before the update.
func (u update) unchanged() []clientv3.Cmp {
	return []clientv3.Cmp{clientv3.Compare(clientv3.ModRevision(u.records()+state.SealKey), "=", u.base)}
}

// standing is what stands: what a transaction that was refused found.
type standing struct {
	office   int64  // the revision that made the key of the office; 0: there is none
	seal     []byte // the seal
	sealed   int64  // its revision
	redo     int64  // the revision of the decision of a large update; 0: there is none
	decision []byte
}

const (
	saveTries = 5
	savePause = 100 * time.Millisecond // it doubles
)

// commit makes one transaction, and returns its revision. If the answer is lost it is sent again: what it compares makes
// sure that it is carried out once. done tells from what stands that it was, and at which revision.
func (u update) commit(demands []clientv3.Cmp, edits []edit, done func(standing) (int64, bool)) (int64, error) {
	demands = append([]clientv3.Cmp{clientv3.Compare(clientv3.CreateRevision(u.replica.keys.office()), "=", u.made)}, demands...)
	ops := make([]clientv3.Op, 0, len(edits))
	for _, e := range edits {
		switch {
		case e.gone && e.key == u.chunks():
			ops = append(ops, clientv3.OpDelete(e.key, clientv3.WithPrefix()))
		case e.gone:
			ops = append(ops, clientv3.OpDelete(e.key))
		default:
			ops = append(ops, clientv3.OpPut(e.key, string(e.value)))
		}
	}
	look := []clientv3.Op{clientv3.OpGet(u.replica.keys.office()), clientv3.OpGet(u.records() + state.SealKey), clientv3.OpGet(u.redo())}
	ctx, cancel := u.Within(context.Background())
	defer cancel()
	for try, pause := 1, savePause; ; try, pause = try+1, 2*pause {
		var resp *clientv3.TxnResponse
		err := u.replica.etcd.Do(ctx, func(ctx context.Context, api *clientv3.Client) (err error) {
			resp, err = api.Txn(ctx).If(demands...).Then(ops...).Else(look...).Commit()
			return err
		})
		if err == nil && resp.Succeeded {
			return resp.Header.Revision, nil
		}
		if err == nil {
			return u.refused(found(resp), done)
		}
		if try == saveTries || !etcd.Passing(err) || ctx.Err() != nil {
			return 0, err
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
}

// refused tells whether a transaction that is refused was carried out before, and its answer lost.
func (u update) refused(now standing, done func(standing) (int64, bool)) (int64, error) {
	if now.office != u.made {
		return 0, fmt.Errorf("%w: the office is another's", ErrLost)
	}
	if done != nil {
		if at, ok := done(now); ok {
			return at, nil
		}
	}
	return 0, fmt.Errorf("%w: somebody else wrote the state", ErrLost)
}

func found(resp *clientv3.TxnResponse) (now standing) {
	for i, r := range resp.Responses {
		kvs := r.GetResponseRange().GetKvs()
		if len(kvs) == 0 {
			continue
		}
		switch i {
		case 0:
			now.office = kvs[0].CreateRevision
		case 1:
			now.seal, now.sealed = kvs[0].Value, kvs[0].ModRevision
		case 2:
			now.redo, now.decision = kvs[0].ModRevision, kvs[0].Value
		}
	}
	return now
}
