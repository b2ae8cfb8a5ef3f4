package etcd_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"golang.org/x/sync/errgroup"

	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/store"
	"github.com/llm-config-manager/lcm/internal/store/etcd"
	"github.com/llm-config-manager/lcm/internal/store/etcd/etcdtest"
)

// In each benchmark the target stands beside the bare client, which makes the same writes, or reads the same, and
// compares nothing. The two take turns, and x-bare is how many times as long the target takes.

func value(round, i int) string {
	return fmt.Sprintf(`{"n":%d,"round":%d,"text":"%s"}`, i, round, strings.Repeat("x", 300))
}

func changes(action store.Action, round, n int) []store.Change {
	var all []store.Change
	for i := range n {
		c := create(fmt.Sprint("k", i), value(round, i))
		c.Action = action
		all = append(all, c)
	}
	return all
}

// turns is for how long each of the two was at work.
type turns struct {
	*testing.B
	target, bare time.Duration
}

func (t *turns) measure(to *time.Duration, do func() error) {
	t.Helper()
	start := time.Now()
	if err := do(); err != nil {
		t.Fatal(err)
	}
	*to += time.Since(start)
}

func (t *turns) report(entries int) {
	t.ReportMetric(float64(t.target)/float64(t.bare), "x-bare")
	t.ReportMetric(float64(entries*t.N)/t.target.Seconds(), "entries/s")
	t.ReportMetric(float64(t.target.Microseconds())/float64(t.N)/1000, "target-ms")
	t.ReportMetric(float64(t.bare.Microseconds())/float64(t.N)/1000, "bare-ms")
}

// BenchmarkChanged changes some of the 1,000 entries of a namespace, on disk. What the listing before takes, which the
// bare client does without, is told apart.
func BenchmarkChanged(b *testing.B) {
	for _, members := range []int{1, 3} {
		cluster := etcdtest.Start(b, etcdtest.Options{Members: members, Fsync: true})
		target, bare := open(b, etcd.Config{Endpoints: cluster.Endpoints()}), cluster.Operator(b)
		ns := space(b)
		if err := target.Apply(b.Context(), batchIn(b, ns, changes(store.Create, 0, 1000)...)); err != nil {
			b.Fatal(err)
		}
		for _, n := range []int{1, 60, 1000} {
			b.Run(fmt.Sprintf("members=%d/changes=%d", members, n), func(b *testing.B) {
				t := turns{B: b}
				var listing time.Duration
				for round := 1; b.Loop(); round++ {
					var all []store.Change
					t.measure(&listing, func() (err error) { all, err = updates(b, target, ns, round, n); return err })
					t.measure(&t.target, func() error { return target.Apply(b.Context(), batchIn(b, ns, all...)) })
					t.measure(&t.bare, func() error { return put(b, bare, round, n) })
				}
				t.report(n)
				t.ReportMetric(float64(listing.Microseconds())/float64(b.N)/1000, "list-ms")
			})
		}
	}
}

func batchIn(b *testing.B, ns lcm.Namespace, changes ...store.Change) store.Batch {
	all := batch(b, changes...)
	all.Namespace = ns
	return all
}

func updates(b *testing.B, target *etcd.Target, ns lcm.Namespace, round, n int) ([]store.Change, error) {
	l, err := target.List(b.Context(), ns)
	if err != nil {
		return nil, err
	}
	tokens := map[string]store.Token{}
	for _, item := range l.Items {
		tokens[item.Key] = item.Token
	}
	all := changes(store.Update, round, n)
	for i := range all {
		all[i].If = tokens[all[i].Key]
	}
	return all, nil
}

// put writes values, marks and a marker, in as few transactions as etcd takes.
func put(b *testing.B, bare *clientv3.Client, round, n int) error {
	var ops []clientv3.Op
	for _, c := range changes(store.Update, round, n) {
		mark, err := json.Marshal(c.Meta)
		if err != nil {
			return err
		}
		ops = append(ops, clientv3.OpPut("/bare/"+c.Key, string(c.Value)), clientv3.OpPut("/bare/.lcm/meta/"+c.Key, string(mark)))
	}
	ops = append(ops, clientv3.OpPut("/bare/.lcm/revision", fmt.Sprint(round)))
	for len(ops) > 0 {
		some := min(len(ops), 128)
		if _, err := bare.Txn(b.Context()).Then(ops[:some]...).Commit(); err != nil {
			return err
		}
		ops = ops[some:]
	}
	return nil
}

// BenchmarkWhole reads a namespace of 1,000 entries.
func BenchmarkWhole(b *testing.B) {
	cluster := etcdtest.Start(b, etcdtest.Options{})
	target, bare, ns := open(b, etcd.Config{Endpoints: cluster.Endpoints()}), cluster.Operator(b), space(b)
	if err := target.Apply(b.Context(), batchIn(b, ns, changes(store.Create, 0, 1000)...)); err != nil {
		b.Fatal(err)
	}
	t := turns{B: b}
	for b.Loop() {
		t.measure(&t.target, func() error {
			whole, err := store.ReadWhole(b.Context(), target, ns)
			if err == nil && len(whole.Entries) != 1000 {
				err = fmt.Errorf("%d entries", len(whole.Entries))
			}
			return err
		})
		t.measure(&t.bare, func() error {
			resp, err := bare.Get(b.Context(), "/lcm/"+ns.String()+"/", clientv3.WithPrefix())
			if err == nil && len(resp.Kvs) != 2001 {
				err = fmt.Errorf("%d keys", len(resp.Kvs))
			}
			return err
		})
	}
	t.report(1000)
}

// BenchmarkListAll lists 200 namespaces of 500 entries, as the search for drift does: 100,000 entries.
func BenchmarkListAll(b *testing.B) {
	cluster := etcdtest.Start(b, etcdtest.Options{})
	target, bare := open(b, etcd.Config{Endpoints: cluster.Endpoints()}), cluster.Operator(b)
	var all []lcm.Namespace
	for range 200 {
		all = append(all, space(b))
		if err := target.Apply(b.Context(), batchIn(b, all[len(all)-1], changes(store.Create, 0, 500)...)); err != nil {
			b.Fatal(err)
		}
	}
	each := func(do func(ns lcm.Namespace) error) func() error {
		return func() error {
			var g errgroup.Group
			g.SetLimit(64)
			for _, ns := range all {
				g.Go(func() error { return do(ns) })
			}
			return g.Wait()
		}
	}
	t := turns{B: b}
	for b.Loop() {
		t.measure(&t.target, each(func(ns lcm.Namespace) error {
			l, err := target.List(b.Context(), ns)
			if err == nil && len(l.Items) != 500 {
				err = fmt.Errorf("%d entries", len(l.Items))
			}
			return err
		}))
		t.measure(&t.bare, each(func(ns lcm.Namespace) error {
			_, err := bare.Get(b.Context(), "/lcm/"+ns.String()+"/.lcm/meta/", clientv3.WithPrefix())
			return err
		}))
	}
	t.report(100_000)
}
