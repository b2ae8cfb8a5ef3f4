package etcd_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/store"
	"github.com/llm-config-manager/lcm/internal/store/etcd"
	"github.com/llm-config-manager/lcm/internal/store/etcd/etcdtest"
)

const canary = "canary-c0ffee"

// What etcd says is told in words that say what to do, and that show no value.
func TestErrors(t *testing.T) {
	cluster, good := secured(t, etcdtest.Options{MaxTxnOps: 64, MaxRequestBytes: 128 << 10, QuotaBytes: 16 << 20})
	large := `"` + canary + strings.Repeat("x", 200<<10) + `"`
	for name, test := range map[string]struct {
		change func(c *etcd.Config)
		strike func(t *testing.T)
		mend   func(t *testing.T)
		apply  []store.Change
		want   string
	}{
		"wrong password": {
			change: func(c *etcd.Config) { c.PasswordFile = fileWith(t, canary+"\n") },
			want:   "login refused: the username or the password is wrong",
		},
		"unknown user":    {change: func(c *etcd.Config) { c.Username = canary }, want: "login refused"},
		"no login":        {change: func(c *etcd.Config) { c.Username, c.PasswordFile = "", "" }, want: "it demands a login: configure login"},
		"only reading":    {change: func(c *etcd.Config) { c.Username, c.PasswordFile = "app", etcdtest.PasswordFile(t, "app") }, want: "permission denied: the role"},
		"another prefix":  {change: func(c *etcd.Config) { c.Prefix = "/other/" }, want: "permission denied: the role"},
		"password gone":   {change: func(c *etcd.Config) { c.PasswordFile = "/nowhere/password" }, want: "reading the password: open /nowhere/password"},
		"empty password":  {change: func(c *etcd.Config) { c.PasswordFile = fileWith(t, "\n") }, want: "does not hold one line"},
		"nobody there":    {change: func(c *etcd.Config) { c.Endpoints = []string{"https://127.0.0.1:1"} }, want: "no answer: dial tcp 127.0.0.1:1: connect: connection refused"},
		"other authority": {change: func(c *etcd.Config) { c.TLS = nil }, want: "no answer: tls: failed to verify certificate: x509: certificate signed by unknown authority"},
		"other name": {
			change: func(c *etcd.Config) {
				c.TLS = &etcd.TLS{CACertFile: c.TLS.CACertFile, ServerName: "elsewhere.example.com"}
			},
			want: "not elsewhere.example.com",
		},
		"its other name": {
			change: func(c *etcd.Config) { c.TLS = &etcd.TLS{CACertFile: c.TLS.CACertFile, ServerName: "etcd.example.com"} },
		},
		"no TLS": {
			change: func(c *etcd.Config) {
				c.TLS, c.Endpoints = nil, []string{"http" + strings.TrimPrefix(c.Endpoints[0], "https")}
			},
			want: "no answer",
		},
		"too large for us":     {apply: []store.Change{create("a", large)}, change: func(c *etcd.Config) { c.MaxRequestBytes = 128 << 10 }, want: "set maxRequestBytes of the target"},
		"too large for etcd":   {apply: []store.Change{create("a", large)}, want: "the request is larger than it takes: set maxRequestBytes"},
		"too many for etcd":    {apply: many(50), want: "the transaction has more operations than it takes: set maxTxnOps"},
		"many, in small parts": {apply: many(50), change: func(c *etcd.Config) { c.MaxTxnOps = 64 }},
		"space used up": {
			strike: func(t *testing.T) { fillBy(t, cluster, 100<<10) },
			mend:   func(t *testing.T) { free(t, cluster) },
			want:   "its space quota is used up (alarm NOSPACE), so it takes no writes: compact, defragment, then etcdctl alarm disarm",
		},
	} {
		t.Run(name, func(t *testing.T) {
			config := good
			if test.change != nil {
				test.change(&config)
			}
			if test.strike != nil {
				test.strike(t)
			}
			changes := test.apply
			if changes == nil {
				changes = []store.Change{create("a", `"`+canary+`"`)}
			}
			err := open(t, config).Apply(t.Context(), batch(t, changes...))
			if test.mend != nil {
				test.mend(t)
			}
			if test.want == "" && err == nil {
				return
			}
			if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), canary) {
				t.Errorf("got %v\nwant an error that says %q, and not the value", err, test.want)
			}
		})
	}
}

// A user for one tenant's keys is enough for one tenant, and for nothing else; a client certificate is a login.
func TestTenant(t *testing.T) {
	cluster := etcdtest.Start(t, etcdtest.Options{TLS: true, ClientCertAuth: true})
	cluster.Etcdctl(t, `
		etcdctl role add acme
		etcdctl role grant-permission acme --prefix=true readwrite /lcm/acme-corp/
		etcdctl user add acme --no-password
		etcdctl user grant-role acme acme
		etcdctl user add root
		etcdctl user grant-role root root
		etcdctl auth enable`)
	cert, key := cluster.ClientCert(t, "acme")
	target := open(t, etcd.Config{Endpoints: cluster.Endpoints(), TLS: &etcd.TLS{CACertFile: cluster.CAFile, ClientCertFile: cert, ClientKeyFile: key}})
	b := batch(t, create("a", "1"))
	b.Namespace = lcm.Service{Org: "acme-corp", Project: "ml-platform", Name: "inference"}.In("production")
	if err := target.Apply(t.Context(), b); err != nil {
		t.Error(err)
	}
	if all, err := target.Namespaces(t.Context(), []string{"acme-corp"}); err != nil || len(all) != 1 || all[0] != b.Namespace {
		t.Errorf("%v, %v", all, err)
	}
	if s, err := store.ReadWhole(t.Context(), target, b.Namespace); err != nil || len(s.Entries) != 1 {
		t.Errorf("%+v, %v", s, err)
	}
	b.Namespace.Org = "acme-corp-2"
	for _, err := range []error{
		target.Apply(t.Context(), b),
		second(target.List(t.Context(), b.Namespace)),
		second(target.Namespaces(t.Context(), []string{"*"})),
	} {
		if err == nil || !strings.Contains(err.Error(), "permission denied") {
			t.Errorf("another tenant's: %v", err)
		}
	}
}

// A password that was changed is read again, by the next request that needs it.
func TestPasswordChanges(t *testing.T) {
	cluster, config := secured(t, etcdtest.Options{TokenSeconds: 2})
	config.PasswordFile = fileWith(t, etcdtest.Password("lcm"))
	target, ns := open(t, config), space(t)
	if _, err := target.List(t.Context(), ns); err != nil {
		t.Fatal(err)
	}
	if _, err := cluster.Operator(t).UserChangePassword(t.Context(), "lcm", "another"); err != nil {
		t.Fatal(err)
	}
	if _, err := target.List(t.Context(), ns); err == nil || !strings.Contains(err.Error(), "login refused") {
		t.Errorf("after the password was changed: %v", err)
	}
	if err := os.WriteFile(config.PasswordFile, []byte("another\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := target.List(t.Context(), ns); err != nil {
		t.Errorf("after the file was changed: %v", err)
	}
	time.Sleep(4 * time.Second) // the login runs out
	if err := target.Apply(t.Context(), batch(t, create("a", "1"))); err != nil {
		t.Errorf("after the login has run out: %v", err)
	}
}

// Middle boxes may repeat what they were sent: nothing of that is passed on.
func TestQuotesNothing(t *testing.T) {
	cluster := etcdtest.Start(t, etcdtest.Options{})
	for _, code := range []codes.Code{codes.Unavailable, codes.Internal, codes.Unknown, codes.InvalidArgument, codes.ResourceExhausted, codes.PermissionDenied, codes.DeadlineExceeded} {
		target := open(t, etcd.Config{Endpoints: cluster.Endpoints()})
		target.Through(func(context.Context, string, any, any, *grpc.ClientConn, grpc.UnaryInvoker, ...grpc.CallOption) error {
			return status.Error(code, "refused: "+canary+"\n"+strings.Repeat("x", 500))
		})
		err := target.Apply(t.Context(), batch(t, create("a", `"`+canary+`"`)))
		if err == nil || strings.Contains(err.Error(), canary) || !strings.Contains(err.Error(), "etcd: ") {
			t.Errorf("%v: %v", code, err)
		}
	}
}

// Reads outlast the election of a leader, and a listing is never empty by error.
func TestElection(t *testing.T) {
	cluster, config := secured(t, etcdtest.Options{Members: 3})
	target := open(t, config)
	b := batch(t, create("a", "1"))
	if err := target.Apply(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		leader := cluster.Members[cluster.Leader(t)]
		leader.Kill(t)
		if l, err := target.List(t.Context(), b.Namespace); err != nil || len(l.Items) != 1 {
			t.Errorf("while a leader is elected: %+v, %v", l, err)
		}
		leader.Restart(t)
	}
	cluster.Members[0].Kill(t)
	cluster.Members[1].Kill(t)
	if l, err := target.List(t.Context(), b.Namespace); err == nil || !strings.Contains(err.Error(), "etcd: ") {
		t.Errorf("without a leader: %+v, %v", l, err)
	}
	b.Changes = []store.Change{create("b", "1")}
	if err := target.Apply(t.Context(), b); err == nil {
		t.Error("without a leader, Apply reports no failure")
	}
}

func second[T any](_ T, err error) error { return err }

func fileWith(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// fillBy writes values of a size until etcd takes no more.
func fillBy(t *testing.T, c *etcdtest.Cluster, size int) {
	operator := c.Operator(t)
	for range 10_000 {
		if _, err := operator.Put(t.Context(), "/filler", strings.Repeat("x", size)); err != nil {
			return
		}
	}
	t.Error("etcd takes more than its quota")
}
