package etcd_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/store/etcd"
	"github.com/llm-config-manager/lcm/internal/store/etcd/etcdtest"
	"github.com/llm-config-manager/lcm/internal/store/storetest"
)

// interceptor decides what becomes of each transaction that writes.
type interceptor struct {
	mu     sync.Mutex
	before func() storetest.Outcome
}

func (i *interceptor) intercept(_ context.Context, before func() storetest.Outcome) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.before = before
}

func (i *interceptor) outcome(req any) storetest.Outcome {
	i.mu.Lock()
	before := i.before
	i.mu.Unlock()
	if txn, ok := req.(*pb.TxnRequest); ok && before != nil && writes(txn) {
		return before()
	}
	return storetest.Through
}

func writes(txn *pb.TxnRequest) bool {
	for _, op := range txn.Success {
		if op.GetRequestRange() == nil {
			return true
		}
	}
	return false
}

func (i *interceptor) call(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
	do := func() error { return invoke(ctx, method, req, reply, cc, opts...) }
	switch i.outcome(req) {
	case storetest.NotDone:
		return status.Error(codes.Unavailable, "not done")
	case storetest.Lost:
		_ = do()
		return status.Error(codes.Unavailable, "lost")
	case storetest.Hung:
		_ = do()
		<-ctx.Done()
		return status.FromContextError(ctx.Err()).Err()
	case storetest.Twice:
		_ = do()
	}
	return do()
}

// rigOn gives rigs on one etcd. Each has a proxy of its own before each member.
func rigOn(cluster *etcdtest.Cluster, config etcd.Config) func(t *testing.T) storetest.Rig {
	operator := func(t *testing.T) *clientv3.Client { return cluster.Operator(t) }
	return func(t *testing.T) storetest.Rig {
		config := config
		config.Endpoints, config.Timeout = nil, 3*time.Second
		var proxies []*etcdtest.Proxy
		for _, m := range cluster.Members {
			p := etcdtest.NewProxy(t, m)
			proxies, config.Endpoints = append(proxies, p), append(config.Endpoints, p.Endpoint)
		}
		target := open(t, config)
		var i interceptor
		target.Through(i.call)
		target.Hurry()
		return storetest.Rig{Target: target, Intercept: i.intercept, Faults: faults(cluster, proxies),
			Writes: func(t *testing.T, addr lcm.Address) uint64 { return written(t, operator(t), addr) }}
	}
}

// written is how often the value was written since it was last made.
func written(t *testing.T, operator *clientv3.Client, addr lcm.Address) uint64 {
	resp, err := operator.Get(t.Context(), "/lcm/"+addr.String())
	if err != nil {
		t.Fatal(err)
	}
	for _, kv := range resp.Kvs {
		return uint64(kv.Version)
	}
	return 0
}

// faults are etcd's own: each is struck just before a transaction is sent.
func faults(c *etcdtest.Cluster, proxies []*etcdtest.Proxy) []storetest.Fault {
	all := []storetest.Fault{
		{
			Name:   "connection refused",
			Strike: func(*testing.T) { each(proxies, func(p *etcdtest.Proxy) { p.Refuse(true) }) },
			Mend:   func(*testing.T) { each(proxies, func(p *etcdtest.Proxy) { p.Refuse(false) }) },
		},
		{
			Name:   "connection lost before the answer",
			Strike: func(*testing.T) { each(proxies, (*etcdtest.Proxy).CutAtAnswer) },
		},
		{
			Name:   "server killed and restarted",
			Ridden: true,
			Strike: func(t *testing.T) { c.Members[c.Leader(t)].Restart(t) },
		},
		{
			Name:   "space quota used up",
			Strike: func(t *testing.T) { fill(t, c) },
			Mend:   func(t *testing.T) { free(t, c) },
		},
		{
			Name: "permission lost",
			Strike: func(t *testing.T) {
				must(t)(c.Operator(t).RoleRevokePermission(t.Context(), "lcm", "/lcm/", "/lcm0"))
			},
			Mend: func(t *testing.T) { grant(t, c) },
		},
		{
			Name:   "only reading permitted",
			Strike: func(t *testing.T) { permit(t, c, clientv3.PermissionType(clientv3.PermRead)) },
			Mend:   func(t *testing.T) { grant(t, c) },
		},
		{
			Name:   "user gone",
			Strike: func(t *testing.T) { must(t)(c.Operator(t).UserDelete(t.Context(), "lcm")) },
			Mend: func(t *testing.T) {
				must(t)(c.Operator(t).UserAdd(t.Context(), "lcm", etcdtest.Password("lcm")))
				must(t)(c.Operator(t).UserGrantRole(t.Context(), "lcm", "lcm"))
			},
		},
	}
	if len(c.Members) == 1 {
		return append(all, paused(c, "server does not answer, and wakes up late", func(*testing.T) int { return 0 }))
	}
	return append(all, leaderless(c),
		paused(c, "leader does not answer, and wakes up late", func(t *testing.T) int { return c.Leader(t) }))
}

// paused has a member sleep, which does what it was asked once it wakes up, though nobody waits for it any more.
func paused(c *etcdtest.Cluster, name string, which func(t *testing.T) int) storetest.Fault {
	var asleep *etcdtest.Member
	return storetest.Fault{
		Name:   name,
		Ridden: len(c.Members) > 1,
		Strike: func(t *testing.T) {
			asleep = c.Members[which(t)]
			asleep.Pause(t)
		},
		Mend: func(t *testing.T) {
			asleep.Resume(t)
			time.Sleep(500 * time.Millisecond) // it may be late even after the next pass has begun, which then has to begin again
		},
	}
}

// leaderless kills all members but one, which then can't do anything.
func leaderless(c *etcdtest.Cluster) storetest.Fault {
	var dead []*etcdtest.Member
	return storetest.Fault{
		Name: "no leader",
		Strike: func(t *testing.T) {
			dead = c.Members[:len(c.Members)-1]
			each(dead, func(m *etcdtest.Member) { m.Kill(t) })
		},
		Mend: func(t *testing.T) {
			each(dead, func(m *etcdtest.Member) { m.Start(t) })
			each(dead, func(m *etcdtest.Member) { m.Wait(t) })
		},
	}
}

func each[T any](all []T, do func(T)) {
	for _, one := range all {
		do(one)
	}
}

func must(t *testing.T) func(any, error) {
	return func(_ any, err error) {
		t.Helper()
		if err != nil {
			t.Error(err)
		}
	}
}

func permit(t *testing.T, c *etcdtest.Cluster, p clientv3.PermissionType) {
	must(t)(c.Operator(t).RoleGrantPermission(t.Context(), "lcm", "/lcm/", "/lcm0", p))
}

func grant(t *testing.T, c *etcdtest.Cluster) {
	permit(t, c, clientv3.PermissionType(clientv3.PermReadWrite))
}

// quota is the space of the etcd that is filled.
const quota = 64 << 20

// fill writes until etcd says that its quota is used up.
func fill(t *testing.T, c *etcdtest.Cluster) {
	operator := c.Operator(t)
	megabyte := strings.Repeat("x", 1<<20)
	for range 2 * quota >> 20 {
		_, err := operator.Put(t.Context(), "/filler", megabyte)
		if errors.Is(err, rpctypes.ErrNoSpace) {
			return
		} else if err != nil {
			t.Error(err)
			return
		}
	}
	t.Error("etcd takes more than its quota")
}

// free does what the documentation says.
func free(t *testing.T, c *etcdtest.Cluster) {
	operator := c.Operator(t)
	resp, err := operator.Get(t.Context(), "/filler")
	if err != nil {
		t.Error(err)
		return
	}
	must(t)(operator.Compact(t.Context(), resp.Header.Revision, clientv3.WithCompactPhysical()))
	for _, m := range c.Members {
		must(t)(operator.Defragment(t.Context(), m.Endpoint))
	}
	must(t)(operator.AlarmDisarm(t.Context(), &clientv3.AlarmMember{}))
}
