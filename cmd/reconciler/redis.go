package main

import (
	"os"
	"strconv"
	"strings"

	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/store"
	"github.com/llm-config-manager/lcm/internal/store/redis"
)

// redisConfig is what a target of type redis has.
type redisConfig struct {
	Server   string `json:"server"`
	Sentinel struct {
		Master    string     `json:"master"`
		Addresses []string   `json:"addresses"`
		Login     redisLogin `json:"login"`
	} `json:"sentinel"`
	Cluster struct {
		Addresses []string `json:"addresses"`
	} `json:"cluster"`
	Database int `json:"database"`
	TLS      *struct {
		CACertFile     string `json:"caCertFile"`
		ClientCertFile string `json:"clientCertFile"`
		ClientKeyFile  string `json:"clientKeyFile"`
		ServerName     string `json:"serverName"`
	} `json:"tls"`
	AllowPlaintext bool `json:"allowPlaintext"`
	Durability     struct {
		Replicas int  `json:"replicas"`
		Fsync    bool `json:"fsync"`
	} `json:"durability"`
	Timeout string     `json:"timeout"`
	Login   redisLogin `json:"login"`
}

type redisLogin struct {
	Username string `json:"username"`
	Password struct {
		File string `json:"file"`
		Env  string `json:"env"`
	} `json:"password"`
}

// completeRedis makes paths absolute and fills in what the environment says.
func (t *targetConfig) completeRedis(dir string) error {
	paths := []*string{&t.Login.Password.File, &t.Sentinel.Login.Password.File}
	if t.TLS != nil {
		paths = append(paths, &t.TLS.CACertFile, &t.TLS.ClientCertFile, &t.TLS.ClientKeyFile)
	}
	for _, p := range paths {
		*p = absolute(dir, *p)
	}
	for _, name := range []*string{&t.Login.Username, &t.Sentinel.Login.Username} {
		var err error
		if *name, err = expand(*name); err != nil {
			return err
		}
	}
	return nil
}

// place adds what tells one Redis from another. One more Sentinel, or node of the Cluster, makes no other
// Redis, but is taken for one: then all is compared once.
func (c redisConfig) place() []string {
	if c.Server == "" && c.Sentinel.Master == "" && len(c.Cluster.Addresses) == 0 {
		return nil
	}
	return []string{c.Server, c.Sentinel.Master, strings.Join(c.Sentinel.Addresses, ","), strings.Join(c.Cluster.Addresses, ","), strconv.Itoa(c.Database)}
}

func openRedis(t targetConfig) (store.Target, error) {
	c := redis.Config{Address: t.Server, Cluster: t.Cluster.Addresses, Database: t.Database, AllowPlaintext: t.AllowPlaintext,
		Sentinel:   redis.Sentinel{Master: t.Sentinel.Master, Addresses: t.Sentinel.Addresses},
		Durability: redis.Durability{Replicas: t.Durability.Replicas, Fsync: t.Durability.Fsync}}
	if t.TLS != nil {
		c.TLS = &redis.TLS{CACertFile: t.TLS.CACertFile, ClientCertFile: t.TLS.ClientCertFile, ClientKeyFile: t.TLS.ClientKeyFile, ServerName: t.TLS.ServerName}
	}
	var err error
	if c.Login, err = t.Login.credentials(); err != nil {
		return nil, err
	}
	if c.Sentinel.Login, err = t.Sentinel.Login.credentials(); err != nil {
		return nil, err
	}
	if t.Timeout != "" {
		if c.Timeout, err = lcm.ParseDuration(t.Timeout); err != nil {
			return nil, configErrorf("timeout: %v", err)
		}
	}
	r, err := redis.New(c)
	if err != nil { // nothing is asked of Redis yet
		return nil, configError{err.Error()}
	}
	return r, nil
}

func (a redisLogin) credentials() (redis.Login, error) {
	l := redis.Login{Username: a.Username, PasswordFile: a.Password.File}
	if env := a.Password.Env; env != "" {
		if l.Password = os.Getenv(env); l.Password == "" {
			return l, configErrorf("the password is to come from the environment variable %s, which is not set", env)
		}
	}
	return l, nil
}
