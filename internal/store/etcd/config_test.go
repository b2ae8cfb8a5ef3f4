package etcd_test

import (
	"strings"
	"testing"

	"github.com/llm-config-manager/lcm/internal/store/etcd"
	"github.com/llm-config-manager/lcm/internal/store/etcd/etcdtest"
)

func TestConfig(t *testing.T) {
	file := fileWith(t, "no PEM")
	for name, test := range map[string]struct {
		config etcd.Config
		want   string // empty: it is good
	}{
		"only an endpoint":  {etcd.Config{}, ""},
		"this host":         {etcd.Config{Endpoints: []string{"http://localhost:2379", "http://127.0.0.1:2379", "http://[::1]:2379"}}, ""},
		"no endpoint":       {etcd.Config{Endpoints: []string{}}, "at least one member"},
		"http elsewhere":    {etcd.Config{Endpoints: []string{"http://etcd.example.com:2379"}}, "use https"},
		"mixed":             {etcd.Config{Endpoints: []string{"https://etcd.example.com:2379", "http://127.0.0.1:2379"}}, "mixed"},
		"no scheme":         {etcd.Config{Endpoints: []string{"etcd.example.com:2379"}}, "give https://host:port"},
		"another scheme":    {etcd.Config{Endpoints: []string{"ftp://etcd.example.com"}}, `scheme "ftp"`},
		"a user":            {etcd.Config{Endpoints: []string{"https://me:canary-c0ffee@etcd.example.com"}}, "without user"},
		"a path":            {etcd.Config{Endpoints: []string{"https://etcd.example.com/x"}}, "without user, path"},
		"prefix":            {etcd.Config{Prefix: "/config/lcm/"}, ""},
		"prefix, open":      {etcd.Config{Prefix: "/lcm"}, "prefix"},
		"prefix, relative":  {etcd.Config{Prefix: "lcm/"}, "prefix"},
		"prefix, all":       {etcd.Config{Prefix: "/"}, "prefix"},
		"password alone":    {etcd.Config{Password: "canary-c0ffee"}, "belong together"},
		"username alone":    {etcd.Config{Username: "lcm"}, "belong together"},
		"two passwords":     {etcd.Config{Username: "lcm", Password: "canary-c0ffee", PasswordFile: file}, "given twice"},
		"certificate alone": {etcd.Config{TLS: &etcd.TLS{ClientCertFile: file}}, "belong together"},
		"no certificate":    {etcd.Config{TLS: &etcd.TLS{ClientCertFile: file, ClientKeyFile: file}}, "loading the client certificate"},
		"no authority":      {etcd.Config{TLS: &etcd.TLS{CACertFile: file}}, "holds no PEM certificate"},
		"authority gone":    {etcd.Config{TLS: &etcd.TLS{CACertFile: file + "x"}}, "reading the CA certificate"},
		"TLS over http":     {etcd.Config{Endpoints: []string{"http://127.0.0.1:2379"}, TLS: &etcd.TLS{}}, "the endpoints are http"},
		"timeout":           {etcd.Config{Timeout: -1}, "timeout"},
		"few operations":    {etcd.Config{MaxTxnOps: 3}, "--max-txn-ops"},
		"small requests":    {etcd.Config{MaxRequestBytes: 1000}, "--max-request-bytes"},
		"negative requests": {etcd.Config{MaxRequestBytes: -1}, "--max-request-bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			if test.config.Endpoints == nil {
				test.config.Endpoints = []string{"https://etcd.example.com:2379"}
			}
			target, err := etcd.New(test.config)
			if err == nil {
				_ = target.Close()
			}
			if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) || err != nil && strings.Contains(err.Error(), canary) {
				t.Errorf("%v; want %q", err, test.want)
			}
		})
	}
}

// A target that was closed asks nothing, and one that is never used asks nothing.
func TestClose(t *testing.T) {
	cluster := etcdtest.Start(t, etcdtest.Options{})
	target, err := etcd.New(etcd.Config{Endpoints: cluster.Endpoints()})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := target.List(t.Context(), space(t)); err != nil {
		t.Error(err)
	}
	for range 2 {
		if err := target.Close(); err != nil {
			t.Error(err)
		}
	}
	if _, err := target.List(t.Context(), space(t)); err == nil {
		t.Error("a closed target lists")
	}
}
