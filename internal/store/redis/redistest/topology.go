package redistest

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Master is the name that the Sentinels know the master by.
const Master = "runtime"

// Watched is a master and its replica, watched by three Sentinels.
type Watched struct {
	Servers   [2]*Server // at the start the first is the master
	Sentinels []*Server
}

// StartWatched runs them until the test ends.
func StartWatched(t testing.TB, o Options) *Watched {
	t.Helper()
	need(t)
	certs := certificates(t, o)
	replication := []string{"masterauth " + adminPassword, "repl-diskless-sync-delay 0", "replica-announce-ip 127.0.0.1"}
	master := start(t, o, certs, replication...)
	replica := start(t, o, certs, append(replication, fmt.Sprintf("replicaof 127.0.0.1 %d", master.port))...)
	w := &Watched{Servers: [2]*Server{master, replica}}
	w.awaitReplica(t)
	for range 3 {
		w.Sentinels = append(w.Sentinels, startSentinel(t, certs, master.port, 2))
	}
	w.await(t, "the Sentinels know each other and the replica", func() bool {
		for _, s := range w.Sentinels {
			out, _ := s.Try("SENTINEL", "CKQUORUM", Master)
			known, _ := s.Try("SENTINEL", "REPLICAS", Master)
			others, _ := s.Try("SENTINEL", "SENTINELS", Master)
			if !strings.HasPrefix(out, "OK 3") || !strings.Contains(known, strconv.Itoa(replica.port)) || strings.Count(others, "runid") < 2 {
				return false
			}
		}
		return true
	})
	return w
}

// StartWatchedAt runs a master without a replica, and one Sentinel that knows it by a port at which something
// stands before it.
func StartWatchedAt(t testing.TB, o Options, port int) (master, sentinel *Server) {
	t.Helper()
	need(t)
	certs := certificates(t, o)
	master = start(t, o, certs)
	return master, startSentinel(t, certs, port, 1)
}

func startSentinel(t testing.TB, certs *TLS, master, quorum int) *Server {
	t.Helper()
	s := &Server{Dir: t.TempDir(), port: freePort(t), tls: certs, watch: true}
	s.Address = fmt.Sprintf("127.0.0.1:%d", s.port)
	lines := append(s.network(), "dir "+s.Dir, "sentinel announce-ip 127.0.0.1",
		fmt.Sprintf("sentinel monitor %s 127.0.0.1 %d %d", Master, master, quorum),
		fmt.Sprintf("sentinel auth-pass %s %s", Master, adminPassword),
		fmt.Sprintf("sentinel down-after-milliseconds %s 3000", Master),
		fmt.Sprintf("sentinel failover-timeout %s 5000", Master))
	conf := filepath.Join(s.Dir, "sentinel.conf")
	write(t, conf, strings.Join(lines, "\n")+"\n")
	s.args = []string{conf, "--sentinel"}
	if err := s.Run(); err != nil {
		t.Fatalf("starting a Sentinel: %v", err)
	}
	t.Cleanup(s.Kill)
	return s
}

// SentinelAddresses are those of the Sentinels.
func (w *Watched) SentinelAddresses() []string { return addresses(w.Sentinels) }

// awaitReplica waits until the replica has all that the master has.
func (w *Watched) awaitReplica(t testing.TB) {
	t.Helper()
	w.await(t, "the replica follows", func() bool {
		out, _ := w.Servers[1].Try("INFO", "replication")
		return strings.Contains(out, "master_link_status:up")
	})
}

// Failover kills the master and waits until the replica is one.
func (w *Watched) Failover(t testing.TB) {
	t.Helper()
	w.Servers[0].Kill()
	w.await(t, "the replica is made master", func() bool {
		out, _ := w.Servers[1].Try("ROLE")
		return strings.HasPrefix(out, "master")
	})
}

func (w *Watched) await(t testing.TB, what string, is func() bool) {
	t.Helper()
	await(t, what, is)
}

func await(t testing.TB, what string, is func() bool) {
	t.Helper()
	for range 300 {
		if is() {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Fatalf("it never came about that %s", what)
}

func addresses(servers []*Server) []string {
	var all []string
	for _, s := range servers {
		all = append(all, s.Address)
	}
	return all
}

// Cluster is three masters that share the slots.
type Cluster struct{ Servers []*Server }

// StartCluster runs one until the test ends.
func StartCluster(t testing.TB, o Options) *Cluster {
	t.Helper()
	need(t)
	certs := certificates(t, o)
	c := &Cluster{}
	for i := range 3 {
		bus := freePort(t)
		lines := []string{"cluster-enabled yes", fmt.Sprintf("cluster-port %d", bus), "cluster-config-file nodes.conf", "cluster-node-timeout 4000", "cluster-announce-ip 127.0.0.1"}
		if len(o.Ports) > 0 {
			lines = append(lines, fmt.Sprintf("cluster-announce-port %d", o.Ports[i]), fmt.Sprintf("cluster-announce-bus-port %d", bus))
		}
		c.Servers = append(c.Servers, start(t, o, certs, lines...))
	}
	const slots = 16384
	for i, s := range c.Servers {
		s.Do(t, "CLUSTER", "ADDSLOTSRANGE", strconv.Itoa(i*slots/3), strconv.Itoa((i+1)*slots/3-1))
		if i > 0 {
			first := c.Servers[0]
			s.Do(t, "CLUSTER", "MEET", "127.0.0.1", strconv.Itoa(first.port), first.busPort(t))
		}
	}
	c.Await(t)
	return c
}

// Await waits until all nodes serve all slots.
func (c *Cluster) Await(t testing.TB) {
	t.Helper()
	await(t, "the Cluster is whole", func() bool {
		for _, s := range c.Servers {
			out, _ := s.Try("CLUSTER", "INFO")
			if !strings.Contains(out, "cluster_state:ok") || !strings.Contains(out, "cluster_slots_assigned:16384") || !strings.Contains(out, "cluster_known_nodes:3") {
				return false
			}
		}
		return true
	})
}

// busPort reads from the configuration where the nodes talk to each other.
func (s *Server) busPort(t testing.TB) string {
	t.Helper()
	conf, err := os.ReadFile(s.args[0])
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(conf), "cluster-port ")
	port, _, _ := strings.Cut(rest, "\n")
	return port
}

// Addresses are those of the nodes.
func (c *Cluster) Addresses() []string { return addresses(c.Servers) }

// Do carries out a command as the administrator on the node that keeps the key.
func (c *Cluster) Do(t testing.TB, args ...string) string {
	t.Helper()
	return c.Servers[0].Do(t, append([]string{"-c"}, args...)...)
}

// Move has another node keep the slot of a name.
func (c *Cluster) Move(t testing.TB, name string) {
	t.Helper()
	slot := c.Servers[0].Do(t, "CLUSTER", "KEYSLOT", name)
	n, err := strconv.Atoi(slot)
	if err != nil {
		t.Fatal(err)
	}
	i := (n*3 + 2) / 16384
	from, to := c.Servers[i], c.Servers[(i+1)%3]
	fromID, toID := from.Do(t, "CLUSTER", "MYID"), to.Do(t, "CLUSTER", "MYID")
	to.Do(t, "CLUSTER", "SETSLOT", slot, "IMPORTING", fromID)
	from.Do(t, "CLUSTER", "SETSLOT", slot, "MIGRATING", toID)
	keys := strings.Fields(from.Do(t, "CLUSTER", "GETKEYSINSLOT", slot, "1000"))
	if len(keys) == 0 {
		t.Fatalf("%s holds nothing in slot %s", from.Address, slot)
	}
	from.Do(t, append([]string{"MIGRATE", "127.0.0.1", strconv.Itoa(to.port), "", "0", "5000", "AUTH2", "default", adminPassword, "KEYS"}, keys...)...)
	for _, s := range []*Server{to, from, c.Servers[(i+2)%3]} {
		s.Do(t, "CLUSTER", "SETSLOT", slot, "NODE", toID)
	}
}
