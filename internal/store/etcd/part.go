package etcd

import (
	"fmt"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/store"
)

// part is what one transaction compares and writes.
type part struct {
	changes  []store.Change
	compares []clientv3.Cmp
	ops      []clientv3.Op
	marker   bool  // the marker is among ops
	bytes    int64 // of keys and values
}

func (p *part) add(more part) {
	p.changes = append(p.changes, more.changes...)
	p.compares = append(p.compares, more.compares...)
	p.ops = append(p.ops, more.ops...)
	p.marker = p.marker || more.marker
	p.bytes += more.bytes
}

// limits are those of etcd, for one transaction.
type limits struct {
	ops   int   // --max-txn-ops: so many comparisons, and so many operations
	bytes int64 // --max-request-bytes
}

// What a request has beside keys and values, in bytes: at most, in all and for each comparison and operation.
const (
	requestSlack = 4 << 10
	opSlack      = 64
)

// room reports whether two parts make one within the limits. The marker's comparison and operation come on top.
func (l limits) room(a, b part) bool {
	compares, ops := len(a.compares)+len(b.compares)+1, len(a.ops)+len(b.ops)+1
	bytes := requestSlack + a.bytes + b.bytes + int64(compares+ops)*opSlack
	return max(compares, ops) <= l.ops && bytes <= l.bytes
}

// parts splits a batch into as few transactions as the limits allow, in its order. It does all that can fail
// without etcd.
func (t *Target) parts(b store.Batch) ([]part, error) {
	all := []part{{}}
	for _, c := range b.Changes {
		p, err := t.part(b.Namespace, c)
		if err != nil {
			return nil, fmt.Errorf("%s of %s: %w", c.Action, b.Namespace.Key(c.Key), err)
		}
		if !t.limits.room(p, part{}) {
			return nil, fmt.Errorf("%s of %s: etcd: the value has %d bytes, and a request with it more than %d: set maxRequestBytes of the target, and etcd's --max-request-bytes, higher",
				c.Action, b.Namespace.Key(c.Key), len(c.Value), t.limits.bytes)
		}
		if last := &all[len(all)-1]; t.limits.room(*last, p) {
			last.add(p)
		} else {
			all = append(all, p)
		}
	}
	return all, nil
}

// part is one change.
func (t *Target) part(ns lcm.Namespace, c store.Change) (part, error) {
	stands, ok := parseToken(c.If)
	if !ok || stands.mark == 0 && c.Action == store.Delete {
		return part{}, store.ErrConflict // what bears no mark is not ours
	}
	value, beside := t.keys.value(ns, c.Key), t.keys.mark(ns, c.Key)
	p := part{changes: []store.Change{c}, compares: []clientv3.Cmp{unchanged(value, stands.value)}}
	if stands.mark != 0 {
		p.compares = append(p.compares, unchanged(beside, stands.mark))
	}
	m := mark{Meta: c.Meta}
	switch c.Action {
	case store.Delete:
		p.ops = []clientv3.Op{clientv3.OpDelete(value), clientv3.OpDelete(beside)}
		return p.measured(), nil
	case store.Remark:
		m.ValueRevision = stands.value
	default:
		p.ops = append(p.ops, clientv3.OpPut(value, string(c.Value)))
	}
	text, err := m.encode()
	p.ops = append(p.ops, clientv3.OpPut(beside, text))
	return p.measured(), err
}

// unchanged compares a key's mod revision; 0: there is no such key.
func unchanged(key string, revision int64) clientv3.Cmp {
	return clientv3.Compare(clientv3.ModRevision(key), "=", revision)
}

func (p part) measured() part {
	for _, c := range p.compares {
		p.bytes += int64(len(c.KeyBytes()))
	}
	for _, o := range p.ops {
		p.bytes += int64(len(o.KeyBytes()) + len(o.ValueBytes()))
	}
	return p
}
