package etcd_test

import (
	"os"
	"testing"

	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/store"
	"github.com/llm-config-manager/lcm/internal/store/etcd"
	"github.com/llm-config-manager/lcm/internal/store/etcd/etcdtest"
	"github.com/llm-config-manager/lcm/internal/store/storetest"
)

// secured starts an etcd with TLS, the users of role.sh and logins, and returns how the reconciler's user gets in.
func secured(t testing.TB, o etcdtest.Options) (*etcdtest.Cluster, etcd.Config) {
	t.Helper()
	o.TLS = true
	c := etcdtest.Start(t, o)
	role, err := os.ReadFile("role.sh")
	if err != nil {
		t.Fatal(err)
	}
	c.Etcdctl(t, string(role))
	return c, etcd.Config{Endpoints: c.Endpoints(), TLS: &etcd.TLS{CACertFile: c.CAFile}, Username: "lcm", PasswordFile: etcdtest.PasswordFile(t, "lcm")}
}

func open(t testing.TB, c etcd.Config) *etcd.Target {
	t.Helper()
	target, err := etcd.New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = target.Close() })
	return target
}

// The suite over TLS, as the user of role.sh: on one member, on three, and with limits so low that hardly a batch
// fits into one transaction.
func TestConformance(t *testing.T) {
	for name, test := range map[string]struct {
		options etcdtest.Options
		maxOps  int
	}{
		"one member":         {},
		"three members":      {options: etcdtest.Options{Members: 3}},
		"small transactions": {options: etcdtest.Options{MaxTxnOps: 5}, maxOps: 5},
	} {
		t.Run(name, func(t *testing.T) {
			test.options.QuotaBytes = quota
			cluster, config := secured(t, test.options)
			config.MaxTxnOps = test.maxOps
			conform(t, cluster, config, test.maxOps == 0)
		})
	}
}

func conform(t *testing.T, cluster *etcdtest.Cluster, config etcd.Config, atomic bool) {
	openTarget := func(t *testing.T) store.Target {
		target, err := etcd.New(config)
		if err != nil {
			t.Fatal(err)
		}
		return target
	}
	operator := cluster.Operator(t)
	storetest.Run(t, openTarget, storetest.Options{
		Reopen: func(t *testing.T, target store.Target) store.Target {
			if err := target.Close(); err != nil {
				t.Error(err)
			}
			return openTarget(t)
		},
		Plant: func(t *testing.T, _ store.Target, addr lcm.Address, value []byte) {
			if _, err := operator.Put(t.Context(), "/lcm/"+addr.String(), string(value)); err != nil {
				t.Fatal(err)
			}
		},
		Atomic: atomic,
		Rig:    rigOn(cluster, config),
	})
}
