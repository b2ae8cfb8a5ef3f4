package redis_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/llm-config-manager/lcm/internal/store/redis"
	"github.com/llm-config-manager/lcm/internal/store/redis/redistest"
	"github.com/llm-config-manager/lcm/internal/store/storetest"
)

// singleRig gives rigs on one server, which has no TLS and its data on a small disk. Each has a proxy of its own.
func singleRig(t *testing.T, database int) (*redistest.Server, func(t *testing.T) storetest.Rig) {
	disk := storetest.NewDisk(t, 16<<20)
	s := redistest.Start(t, redistest.Options{Plain: true, Dir: disk.Dir})
	return s, func(t *testing.T) storetest.Rig {
		p := newProxy(t, s.Address)
		target := open(t, redis.Config{Address: p.address, Database: database, Login: login()})
		return storetest.Rig{Target: target, Intercept: p.Intercept, Faults: faults(s, p, disk)}
	}
}

// watchedRig gives rigs on a master that a Sentinel knows by the address of a proxy.
func watchedRig(t *testing.T) (*redistest.Server, func(t *testing.T) storetest.Rig) {
	p := newProxy(t, "")
	s, sentinel := redistest.StartWatchedAt(t, redistest.Options{Plain: true}, p.port())
	p.standBefore(s.Address)
	return s, func(t *testing.T) storetest.Rig {
		target := open(t, redis.Config{Sentinel: redis.Sentinel{Master: redistest.Master, Addresses: []string{sentinel.Address}}, Login: login()})
		f := slices.DeleteFunc(faults(s, p, nil), func(f storetest.Fault) bool {
			return f.Name == "disk full" || f.Name == "read-only" // the Sentinel would not leave a master a replica
		})
		return storetest.Rig{Target: target, Intercept: p.Intercept, Faults: f}
	}
}

// faults are Redis' own: each is struck just before a batch is written, and lasts until it is mended.
func faults(s *redistest.Server, p *proxy, disk *storetest.Disk) []storetest.Fault {
	do := func(args ...string) func(*testing.T) {
		return func(t *testing.T) { s.Do(t, args...) }
	}
	return []storetest.Fault{
		{
			Name:   "connection lost, and none to be had",
			Strike: func(*testing.T) { p.cut(true) },
			Mend:   func(*testing.T) { p.cut(false) },
		},
		{
			Name:    "server killed, and restarted",
			Outcome: storetest.NotDone,
			Strike:  func(*testing.T) { s.Kill() },
			Mend:    func(t *testing.T) { s.Resume(t) },
		},
		{
			Name:    "server killed after the write, and restarted",
			Outcome: storetest.Lost,
			Mend:    func(t *testing.T) { s.Restart(t) },
		},
		{
			Name:   "read-only",
			Strike: do("REPLICAOF", "127.0.0.1", "1"),
			Mend:   do("REPLICAOF", "NO", "ONE"),
		},
		{
			Name:   "memory full",
			Strike: do("CONFIG", "SET", "maxmemory", "1"),
			Mend:   do("CONFIG", "SET", "maxmemory", "0"),
		},
		{
			Name:   "disk full",
			Strike: func(t *testing.T) { fill(t, s, disk) },
			Mend:   disk.Free,
		},
		{
			Name:   "permission to write lost",
			Strike: do("ACL", "SETUSER", "lcm", "-hset"),
			Mend:   do("ACL", "SETUSER", "lcm", "+hset"),
		},
		{
			Name:   "permission to delete lost",
			Strike: do("ACL", "SETUSER", "lcm", "-del"),
			Mend:   do("ACL", "SETUSER", "lcm", "+del"),
		},
		{
			Name:   "permission to publish lost",
			Strike: do("ACL", "SETUSER", "lcm", "resetchannels"),
			Mend:   do("ACL", "SETUSER", "lcm", "&lcm:changes"),
		},
		{
			Name:   "permission for the names lost",
			Strike: do("ACL", "SETUSER", "lcm", "resetkeys", "~lcm:{t-*/.lcm/*"),
			Mend:   do("ACL", "SETUSER", "lcm", "resetkeys", "~lcm:{*"),
		},
		{
			Name: "login lost",
			Strike: func(t *testing.T) {
				s.Do(t, "ACL", "SETUSER", "lcm", "resetpass")
				s.Do(t, "CLIENT", "KILL", "USER", "lcm")
			},
			Mend: do("ACL", "SETUSER", "lcm", ">"+redistest.Password),
		},
	}
}

// clusterRig gives rigs on a Cluster without TLS, each of whose nodes has a proxy before it.
func clusterRig(t *testing.T) (*redistest.Cluster, func(t *testing.T) storetest.Rig) {
	var proxies []*proxy
	var ports []int
	for range 3 {
		p := newProxy(t, "")
		proxies, ports = append(proxies, p), append(ports, p.port())
	}
	c := redistest.StartCluster(t, redistest.Options{Plain: true, Ports: ports})
	for i, p := range proxies {
		p.standBefore(c.Servers[i].Address)
	}
	return c, func(t *testing.T) storetest.Rig {
		target := open(t, redis.Config{Cluster: []string{proxies[0].address}, Login: login(), Limits: redis.Limits{Timeout: 5 * time.Second}})
		intercept := func(ctx context.Context, before func() storetest.Outcome) {
			for _, p := range proxies {
				p.Intercept(ctx, before)
			}
		}
		return storetest.Rig{Target: target, Intercept: intercept, Faults: clusterFaults(c, proxies)}
	}
}

// clusterFaults befall all nodes, so that the one which keeps the namespace is among them.
func clusterFaults(c *redistest.Cluster, proxies []*proxy) []storetest.Fault {
	do := func(args ...string) func(*testing.T) {
		return func(t *testing.T) {
			for _, s := range c.Servers {
				s.Do(t, args...)
			}
		}
	}
	cut := func(closed bool) func(*testing.T) {
		return func(*testing.T) {
			for _, p := range proxies {
				p.cut(closed)
			}
		}
	}
	return []storetest.Fault{
		{Name: "connections lost, and none to be had", Strike: cut(true), Mend: cut(false)},
		{
			Name:    "nodes killed, and restarted",
			Outcome: storetest.NotDone,
			Strike: func(*testing.T) {
				for _, s := range c.Servers {
					s.Kill()
				}
			},
			Mend: func(t *testing.T) {
				for _, s := range c.Servers {
					s.Resume(t)
				}
				c.Await(t)
			},
		},
		{Name: "memory full", Strike: do("CONFIG", "SET", "maxmemory", "1"), Mend: do("CONFIG", "SET", "maxmemory", "0")},
		{Name: "permission to delete lost", Strike: do("ACL", "SETUSER", "lcm", "-del"), Mend: do("ACL", "SETUSER", "lcm", "+del")},
	}
}

// fill fills the disk and waits until Redis has noticed, as it does by a write that it can't keep.
func fill(t *testing.T, s *redistest.Server, disk *storetest.Disk) {
	disk.Fill(t, 0)
	for range 100 {
		if strings.HasPrefix(s.Do(t, "SET", "filler", strings.Repeat("x", 64<<10)), "MISCONF") {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Error("Redis does not notice that the disk is full")
}
