package leader_test

import (
	"strings"
	"testing"
	"time"

	"github.com/llm-config-manager/lcm/internal/leader"
	"github.com/llm-config-manager/lcm/internal/state"
	"github.com/llm-config-manager/lcm/internal/state/statetest"
	"github.com/llm-config-manager/lcm/internal/store/etcd"
	"github.com/llm-config-manager/lcm/internal/store/etcd/etcdtest"
)

// replica makes one that asks some endpoints.
func replica(t testing.TB, name, prefix string, endpoints ...string) *leader.Replica {
	t.Helper()
	r, err := leader.New(leader.Config{Name: name, TTL: 2 * time.Second, Etcd: etcd.Config{Endpoints: endpoints, Prefix: prefix, Timeout: 2 * time.Second}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() })
	return r
}

// place is the state of replicas that come one after another.
type place struct {
	etcd   *etcdtest.Cluster
	prefix string
	last   *leader.Replica
}

func (p *place) Open(t *testing.T, repository string, key []byte) (*state.DB, error) {
	t.Helper()
	if p.last != nil {
		_ = p.last.Close()
	}
	p.last = replica(t, "r", p.prefix, p.etcd.Endpoints()...)
	if _, err := p.last.Take(t.Context()); err != nil {
		t.Fatal(err)
	}
	db, err := state.Open(state.Config{Path: t.TempDir(), Repository: repository, Key: key, Keeper: p.last})
	if err != nil {
		return nil, err
	}
	return db, db.Load(t.Context())
}

func (p *place) Records(t *testing.T, repository string) map[string]string {
	t.Helper()
	folder := p.prefix + "state/" + repository + "/"
	keys, err := p.etcd.Keys(t.Context(), folder)
	all := map[string]string{}
	for _, key := range keys {
		if err == nil {
			all[strings.TrimPrefix(key, folder+"records/")], err = p.etcd.Get(t.Context(), key)
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func (p *place) Write(t *testing.T, repository, record, raw string) {
	t.Helper()
	key := p.prefix + "state/" + repository + "/records/" + record
	err := p.etcd.Put(t.Context(), key, raw)
	if raw == "" {
		err = p.etcd.Delete(t.Context(), key)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// A state in etcd does what one in a file does.
func TestState(t *testing.T) {
	c := etcdtest.Start(t, etcdtest.Options{})
	statetest.Run(t, func(t *testing.T) statetest.Place {
		return &place{etcd: c, prefix: "/" + strings.NewReplacer("/", "-").Replace(t.Name()) + "/"}
	})
}
