package etcd_test

import (
	"context"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/store"
	"github.com/llm-config-manager/lcm/internal/store/etcd"
	"github.com/llm-config-manager/lcm/internal/store/etcd/etcdtest"
)

// fixture is a namespace in an etcd, with a way to reach behind the target.
type fixture struct {
	*testing.T
	target   *etcd.Target
	operator *clientv3.Client
	ns       lcm.Namespace
}

func newFixture(t *testing.T, c *etcdtest.Cluster) *fixture {
	return &fixture{t, open(t, etcd.Config{Endpoints: c.Endpoints()}), c.Operator(t), space(t)}
}

func (f *fixture) apply(changes ...store.Change) {
	f.Helper()
	b := batch(f, changes...)
	b.Namespace = f.ns
	if err := f.target.Apply(f.Context(), b); err != nil {
		f.Fatal(err)
	}
}

func (f *fixture) item(key string) store.Item {
	f.Helper()
	l, err := f.target.List(f.Context(), f.ns)
	if err != nil {
		f.Fatal(err)
	}
	for _, item := range l.Items {
		if item.Key == key {
			return item
		}
	}
	return store.Item{}
}

func (f *fixture) as(action store.Action, key, value string) store.Change {
	f.Helper()
	c := create(key, value)
	c.Action, c.If = action, f.item(key).Token
	if action == store.Remark || action == store.Delete {
		c.Value = nil
	}
	return c
}

func (f *fixture) put(name, value string) {
	f.Helper()
	if _, err := f.operator.Put(f.Context(), "/lcm/"+f.ns.String()+"/"+name, value); err != nil {
		f.Fatal(err)
	}
}

func (f *fixture) remove(name string) {
	f.Helper()
	if _, err := f.operator.Delete(f.Context(), "/lcm/"+f.ns.String()+"/"+name); err != nil {
		f.Fatal(err)
	}
}

// revision is etcd's: it grows by one with each transaction that writes.
func (f *fixture) revision() int64 {
	f.Helper()
	resp, err := f.operator.Get(f.Context(), "/")
	if err != nil {
		f.Fatal(err)
	}
	return resp.Header.Revision
}

// What is where, as readers rely on it.
func TestLayout(t *testing.T) {
	f := newFixture(t, etcdtest.Start(t, etcdtest.Options{}))
	f.apply(create("greeting", `"Hello"`))
	resp, err := f.operator.Get(t.Context(), "", clientv3.WithPrefix())
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, kv := range resp.Kvs {
		got[string(kv.Key)] = string(kv.Value)
	}
	at := "/lcm/" + f.ns.String() + "/"
	want := map[string]string{
		at + "greeting": `"Hello"`,
		at + ".lcm/meta/greeting": `{"id":"6ba7b812-9dad-51d1-80b4-00c04fd430c8","version":1,"revision":"` + string(revision) + `","kind":"Config",` +
			`"origin":"namespaces/acme-corp/ml-platform/inference/base/greeting.yaml","classification":"internal","repository":"acme-config","digest":"sha256:` + strings.Repeat("0", 64) + `"}`,
		at + ".lcm/revision": `{"repository":"acme-config","revision":"` + string(revision) + `","phase":"whole"}`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// What somebody else changes is noticed, without reading values.
func TestStale(t *testing.T) {
	f := newFixture(t, etcdtest.Start(t, etcdtest.Options{}))
	f.apply(create("a", `1`))
	if i := f.item("a"); i.Stale || i.Meta != create("a", "").Meta {
		t.Errorf("as it was written: %+v", i)
	}
	f.apply(f.as(store.Remark, "a", ""))
	if i := f.item("a"); i.Stale {
		t.Errorf("with a new mark: %+v", i)
	}
	f.put("a", `1`)
	if i := f.item("a"); !i.Stale || i.Meta == (store.Meta{}) {
		t.Errorf("after somebody wrote the value: %+v", i)
	}
	f.apply(f.as(store.Update, "a", `2`))
	mark, err := f.operator.Get(t.Context(), "/lcm/"+f.ns.String()+"/.lcm/meta/a")
	if err != nil {
		t.Fatal(err)
	}
	f.put(".lcm/meta/a", string(mark.Kvs[0].Value))
	if i := f.item("a"); !i.Stale {
		t.Errorf("after somebody wrote the mark: %+v", i)
	}
	f.apply(f.as(store.Remark, "a", ""))
	if i := f.item("a"); i.Stale {
		t.Errorf("put right: %+v", i)
	}
	for _, junk := range []string{"", "null", "{}", "[1]", "x", `{"id":1}`, `{"repository":"acme-config"`, `{"repository":"` + strings.Repeat("x", 20_000) + `"}`} {
		f.put(".lcm/meta/a", junk)
		if i := f.item("a"); i.Meta != (store.Meta{}) {
			t.Errorf("%.20q is taken for a mark: %+v", junk, i)
		}
	}
	f.remove(".lcm/meta/a")
	if i := f.item("a"); i.Meta != (store.Meta{}) || i.Token == "" {
		t.Errorf("without a mark: %+v", i)
	}
	b := batch(t, f.as(store.Delete, "a", ""))
	b.Namespace = f.ns
	if err := f.target.Apply(t.Context(), b); err == nil {
		t.Error("an entry without a mark is deleted")
	}
	f.apply(f.as(store.Update, "a", `3`)) // it is adopted
	f.remove("a")
	if i := f.item("a"); i != (store.Item{}) {
		t.Errorf("without a value: %+v", i)
	}
	f.apply(create("a", `4`))
	if i := f.item("a"); i.Stale || i.Meta == (store.Meta{}) {
		t.Errorf("made anew: %+v", i)
	}
}

// A batch within etcd's limits is one transaction, whatever it holds.
func TestTransactions(t *testing.T) {
	f := newFixture(t, etcdtest.Start(t, etcdtest.Options{}))
	steps := func(want int64, changes ...store.Change) {
		t.Helper()
		before := f.revision()
		f.apply(changes...)
		if got := f.revision() - before; got != want {
			t.Errorf("%d changes in %d transactions; want %d", len(changes), got, want)
		}
	}
	steps(1, many(63)...)
	var all []store.Change
	for _, c := range many(63) {
		all = append(all, f.as(store.Update, c.Key, `{"n":2}`))
	}
	steps(1, all...)
	steps(1)
	f.ns = space(t)
	steps(3, many(64)...) // writing; 63; and one with the marker
	f.ns = space(t)
	half := `"` + strings.Repeat("x", 700<<10) + `"`
	steps(1, create("a", half), create("b", half))
	steps(3, create("c", half), create("d", half), create("e", half))
}

// A transaction that etcd carries out late, when the namespace has gone on, does nothing; not even one that only sets
// the marker.
func TestLate(t *testing.T) {
	f := newFixture(t, etcdtest.Start(t, etcdtest.Options{}))
	var late func() error
	hold := true
	f.target.Through(func(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
		if txn, ok := req.(*pb.TxnRequest); ok && hold && writes(txn) {
			late = func() error { return invoke(t.Context(), method, req, new(pb.TxnResponse), cc, opts...) }
			return status.Error(codes.Unavailable, "")
		}
		return invoke(ctx, method, req, reply, cc, opts...)
	})
	for _, changes := range [][]store.Change{nil, {create("a", "1")}} {
		old := batch(t, changes...)
		old.Namespace = f.ns
		hold = true
		if err := f.target.Apply(t.Context(), old); err == nil {
			t.Fatal("Apply reports no failure")
		}
		hold = false
		b := batch(t)
		b.Namespace, b.Marker.Revision = f.ns, lcm.Revision(strings.Repeat("2", 40))
		if err := f.target.Apply(t.Context(), b); err != nil {
			t.Fatal(err)
		}
		if err := late(); err != nil {
			t.Fatal(err)
		}
		if m, err := f.target.Marker(t.Context(), f.ns); err != nil || m != b.Marker {
			t.Errorf("%+v, %v; want %+v", m, err, b.Marker)
		}
		if i := f.item("a"); i != (store.Item{}) {
			t.Errorf("%+v was written late", i)
		}
	}
}

// Many keys, large values, and keys of nobody's are read in pages, and all of one revision.
func TestPages(t *testing.T) {
	f := newFixture(t, etcdtest.Start(t, etcdtest.Options{}))
	for name, value := range map[string]string{"A": "1", "a/b": "1", "z.json": "1", "-": "1", "~": "1", ".lcm/meta/nothing": "{}", ".lcm/other": "1"} {
		f.put(name, value)
	}
	f.apply(many(1200)...)
	for i := range 30 {
		f.put("large-"+string(rune('a'+i%26))+string(rune('a'+i/26)), strings.Repeat("x", 900<<10))
	}
	for range 40 {
		puts := make([]clientv3.Op, 100)
		for i := range puts {
			puts[i] = clientv3.OpPut("/lcm/"+f.ns.String()+"/o"+space(t).Org[2:], "1")
		}
		if _, err := f.operator.Txn(t.Context()).Then(puts...).Commit(); err != nil {
			t.Fatal(err)
		}
	}
	l, err := f.target.List(t.Context(), f.ns)
	if err != nil || len(l.Items) != 1200+30+4000 {
		t.Errorf("List has %d items: %v", len(l.Items), err)
	}
	marked := 0
	for _, item := range l.Items {
		if item.Meta != (store.Meta{}) && !item.Stale {
			marked++
		}
	}
	if marked != 1200 {
		t.Errorf("%d of them are ours", marked)
	}
	if s, err := store.ReadWhole(t.Context(), f.target, f.ns); err != nil || len(s.Entries) != len(l.Items) || len(s.Entries["large-aa"].Value) != 900<<10 {
		t.Errorf("ReadWhole has %d entries: %v", len(s.Entries), err)
	}
	for _, name := range []string{"/lcm/x", "/lcm/" + f.ns.Org + "/p/s", "/lcm/" + f.ns.Org + "/p/s/e", "/lcm/" + f.ns.Org + "/P/s/e/k", "/other"} {
		if _, err := f.operator.Put(t.Context(), name, "1"); err != nil {
			t.Fatal(err)
		}
	}
	if all, err := f.target.Namespaces(t.Context(), []string{"*"}); err != nil || len(all) != 1 || all[0] != f.ns {
		t.Errorf("Namespaces = %v, %v", all, err)
	}
}

// A listing whose revision is compacted between two pages is begun anew.
func TestCompacted(t *testing.T) {
	f := newFixture(t, etcdtest.Start(t, etcdtest.Options{}))
	compacted := 2 // not yet
	f.target.Through(func(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
		if txn, ok := req.(*pb.TxnRequest); ok && len(txn.Success) == 1 && txn.Success[0].GetRequestRange().GetRevision() > 0 && compacted < 2 {
			compacted++
			f.put("other", "1")
			if _, err := f.operator.Compact(t.Context(), f.revision()); err != nil {
				t.Error(err)
			}
		}
		return invoke(ctx, method, req, reply, cc, opts...)
	})
	f.apply(many(1200)...)
	compacted = 0
	if l, err := f.target.List(t.Context(), f.ns); err != nil || len(l.Items) != 1201 || compacted != 2 {
		t.Errorf("%d items, compacted %d times: %v", len(l.Items), compacted, err)
	}
}

// The documentation says what role.sh says.
func TestRoleIsDocumented(t *testing.T) {
	role, err := os.ReadFile("role.sh")
	if err != nil {
		t.Fatal(err)
	}
	doc, err := os.ReadFile("../../../docs/targets/etcd.md")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(role)) {
		if strings.HasPrefix(line, "etcdctl ") && !strings.Contains(string(doc), "\n    "+line) {
			t.Errorf("docs/targets/etcd.md does not have %q", line)
		}
	}
}
