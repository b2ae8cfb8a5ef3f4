package main

import (
	"os"
	"slices"
	"strings"
	"time"

	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/store"
	"github.com/llm-config-manager/lcm/internal/store/etcd"
)

// etcdConfig is what only a target of type etcd has.
type etcdConfig struct {
	Endpoints       []string `json:"endpoints"`
	Prefix          string   `json:"prefix"`
	MaxRequestBytes string   `json:"maxRequestBytes"`
	MaxTxnOps       int      `json:"maxTxnOps"`
}

// place adds what tells one etcd from another. One more member makes no other etcd, but is taken for one: then all
// is compared once.
func (c etcdConfig) place() []string {
	if len(c.Endpoints) == 0 {
		return nil
	}
	return []string{strings.Join(slices.Sorted(slices.Values(c.Endpoints)), ","), c.Prefix}
}

func openEtcd(t targetConfig) (store.Target, error) {
	c, err := etcdConnection(t)
	if err != nil {
		return nil, err
	}
	e, err := etcd.New(c)
	if err != nil { // nothing is asked of etcd yet
		return nil, configError{err.Error()}
	}
	return e, nil
}

func etcdConnection(t targetConfig) (c etcd.Config, err error) {
	c = etcd.Config{Endpoints: t.Endpoints, Prefix: t.Prefix, MaxTxnOps: t.MaxTxnOps, Username: t.Login.Username, PasswordFile: t.Login.Password.File}
	if t.TLS != nil {
		c.TLS = &etcd.TLS{CACertFile: t.TLS.CACertFile, ClientCertFile: t.TLS.ClientCertFile, ClientKeyFile: t.TLS.ClientKeyFile, ServerName: t.TLS.ServerName}
	}
	if c.Password, err = t.Login.password(); err != nil {
		return c, err
	}
	if c.Timeout, err = t.timeout(); err != nil {
		return c, err
	}
	if t.MaxRequestBytes != "" {
		if c.MaxRequestBytes, err = parseSize(t.MaxRequestBytes); err != nil {
			return c, configErrorf("maxRequestBytes: %v", err)
		}
	}
	return c, nil
}

// password is that of the environment; empty if it comes from a file, or there is none.
func (l targetLogin) password() (string, error) {
	env := l.Password.Env
	if env == "" {
		return "", nil
	}
	password := os.Getenv(env)
	if password == "" {
		return "", configErrorf("the password is to come from the environment variable %s, which is not set", env)
	}
	return password, nil
}

func (t targetConfig) timeout() (time.Duration, error) {
	if t.Timeout == "" {
		return 0, nil
	}
	d, err := lcm.ParseDuration(t.Timeout)
	if err != nil {
		return 0, configErrorf("timeout: %v", err)
	}
	return d, nil
}
