package redis_test

import (
	"strings"
	"testing"

	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/store"
	"github.com/llm-config-manager/lcm/internal/store/redis"
	"github.com/llm-config-manager/lcm/internal/store/redis/redistest"
	"github.com/llm-config-manager/lcm/internal/store/storetest"
)

// login is what every test logs in with: the user of user.acl.
func login() redis.Login {
	return redis.Login{Username: redistest.Username, Password: redistest.Password}
}

func tlsOf(s *redistest.Server) *redis.TLS {
	f := s.TLS()
	return &redis.TLS{CACertFile: f.CA, ClientCertFile: f.ClientCert, ClientKeyFile: f.ClientKey}
}

func open(t testing.TB, c redis.Config) *redis.Target {
	t.Helper()
	target, err := redis.New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = target.Close() })
	return target
}

// command carries out a command as the administrator.
type command func(t testing.TB, args ...string) string

// conformance runs the suite on a server, over TLS, under user.acl. do carries out a command as the
// administrator. The table of failures has rigs and an administrator of its own.
func conformance(t *testing.T, c redis.Config, do command, rig func(*testing.T) storetest.Rig, doInRig command) {
	openTarget := func(t *testing.T) store.Target { return open(t, c) }
	o := storetest.Options{
		Atomic: true,
		Reopen: func(t *testing.T, target store.Target) store.Target {
			if err := target.Close(); err != nil {
				t.Error(err)
			}
			return openTarget(t)
		},
		Plant: func(t *testing.T, target store.Target, addr lcm.Address, value []byte) {
			name := "lcm:{" + addr.Namespace.String() + "}/" + addr.Key
			if inRig(t) {
				doInRig(t, "HSET", name, "value", string(value))
			} else {
				do(t, "HSET", name, "value", string(value))
			}
		},
		Rig: rig,
	}
	storetest.Run(t, openTarget, o)
}

func inRig(t *testing.T) bool { return strings.Contains(t.Name(), "/Faults") }

func TestSingle(t *testing.T) {
	s := redistest.Start(t, redistest.Options{})
	disturbed, rig := singleRig(t, 0)
	conformance(t, redis.Config{Address: s.Address, Login: login(), TLS: tlsOf(s)}, s.Do, rig, disturbed.Do)
}

func TestDatabase(t *testing.T) {
	s := redistest.Start(t, redistest.Options{})
	disturbed, rig := singleRig(t, 3)
	in3 := func(s *redistest.Server) command {
		return func(t testing.TB, args ...string) string { return s.Do(t, append([]string{"-n", "3"}, args...)...) }
	}
	conformance(t, redis.Config{Address: s.Address, Database: 3, Login: login(), TLS: tlsOf(s)}, in3(s), rig, in3(disturbed))
}

func TestSentinel(t *testing.T) {
	w := redistest.StartWatched(t, redistest.Options{})
	disturbed, rig := watchedRig(t)
	conformance(t, redis.Config{
		Sentinel: redis.Sentinel{Master: redistest.Master, Addresses: w.SentinelAddresses()},
		Login:    login(), TLS: tlsOf(w.Servers[0]),
	}, w.Servers[0].Do, rig, disturbed.Do)
}

func TestCluster(t *testing.T) {
	c := redistest.StartCluster(t, redistest.Options{})
	disturbed, rig := clusterRig(t)
	conformance(t, redis.Config{Cluster: c.Addresses()[:1], Login: login(), TLS: tlsOf(c.Servers[0])}, c.Do, rig, disturbed.Do)
}
