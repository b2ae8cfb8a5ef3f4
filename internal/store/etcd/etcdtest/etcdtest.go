// Package etcdtest starts a real etcd for tests, of one member or several, each a process of its own that can
// be killed and started again: the etcdd of the nested module beside this package.
package etcdtest

import (
	"fmt"
	"net"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/llm-config-manager/lcm/internal/nestedtest"
)

// Options change what Start starts.
type Options struct {
	Members         int   // 0: one
	TLS             bool  // clients are served over TLS, by the certificates of Cluster
	ClientCertAuth  bool  // with TLS: clients must show a certificate, whose common name is the user
	QuotaBytes      int64 // how large its data may grow; 0: 2 GiB
	MaxTxnOps       int   // 0: 128
	MaxRequestBytes int   // 0: 1.5 MiB
	TokenSeconds    int   // how long a login lasts; 0: five minutes
	Fsync           bool  // what is written survives the machine, too; for measuring
}

// Cluster is a running etcd.
type Cluster struct {
	Members []*Member
	Certificates
	RootPassword string // of the user root; empty: nobody need log in

	options Options
	t       testing.TB // of Start

	mu  sync.Mutex
	api *clientv3.Client // of operator; nil: not made yet
}

// Start runs an etcd until the test ends. Where none can be built, it skips the test; with CI set in the
// environment it fails it.
func Start(t testing.TB, o Options) *Cluster {
	t.Helper()
	program := nestedtest.Build(t, "internal/store/etcd/etcdd")
	c := &Cluster{options: o, t: t}
	if o.TLS {
		c.Certificates = newCertificates(t)
	}
	var cluster []string
	for i := range max(o.Members, 1) {
		m := &Member{program: program, name: fmt.Sprintf("m%d", i+1), Endpoint: c.scheme() + freePort(t)}
		m.peer = "http://" + freePort(t)
		cluster = append(cluster, m.name+"="+m.peer)
		c.Members = append(c.Members, m)
	}
	folder := t.TempDir()
	for _, m := range c.Members {
		m.args = c.args(m, filepath.Join(folder, m.name), strings.Join(cluster, ","))
		m.Start(t)
		t.Cleanup(m.stop)
	}
	for _, m := range c.Members {
		m.Wait(t)
	}
	return c
}

func (c *Cluster) scheme() string {
	if c.options.TLS {
		return "https://"
	}
	return "http://"
}

func (c *Cluster) args(m *Member, folder, cluster string) []string {
	o := c.options
	args := []string{"-name", m.name, "-data-dir", folder, "-client-url", m.Endpoint, "-peer-url", m.peer, "-initial-cluster", cluster,
		"-quota-backend-bytes", strconv.FormatInt(o.QuotaBytes, 10)}
	for flag, n := range map[string]int{"-max-txn-ops": o.MaxTxnOps, "-max-request-bytes": o.MaxRequestBytes, "-auth-token-ttl": o.TokenSeconds} {
		if n > 0 {
			args = append(args, flag, strconv.Itoa(n))
		}
	}
	if !o.Fsync {
		args = append(args, "-unsafe-no-fsync")
	}
	if o.TLS {
		args = append(args, "-cert-file", c.serverCertFile, "-key-file", c.serverKeyFile)
	}
	if o.ClientCertAuth {
		args = append(args, "-client-cert-auth", "-trusted-ca-file", c.CAFile)
	}
	return args
}

// Endpoints are the URLs of all members.
func (c *Cluster) Endpoints() []string {
	var all []string
	for _, m := range c.Members {
		all = append(all, m.Endpoint)
	}
	return all
}

// Leader is the number of the member that leads.
func (c *Cluster) Leader(t testing.TB) int {
	t.Helper()
	api := c.Operator(t)
	for i, m := range c.Members {
		s, err := api.Status(t.Context(), m.Endpoint)
		if err == nil && s.Leader == s.Header.MemberId {
			return i
		}
	}
	t.Fatal("etcdtest: no member leads")
	return 0
}

// freePort gives an address of this machine where nobody listens. Members must know each other's ahead.
func freePort(t testing.TB) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// Operator is a client that may do everything, closed when the test ends.
func (c *Cluster) Operator(t testing.TB) *clientv3.Client {
	t.Helper()
	config := clientv3.Config{Endpoints: c.Endpoints(), Logger: quiet(), DialTimeout: patience}
	if c.RootPassword != "" {
		config.Username, config.Password = "root", c.RootPassword
	}
	if c.options.TLS {
		config.TLS = c.operatorTLS(t)
	}
	api, err := clientv3.New(config)
	if err != nil {
		t.Fatalf("etcdtest: %v", err)
	}
	t.Cleanup(func() { _ = api.Close() })
	return api
}
