package main

import (
	"strconv"
	"strings"

	"github.com/llm-config-manager/lcm/internal/store"
	"github.com/llm-config-manager/lcm/internal/store/redis"
)

// redisConfig is what a target of type redis has.
type redisConfig struct {
	Server   string `json:"server"`
	Sentinel struct {
		Master    string      `json:"master"`
		Addresses []string    `json:"addresses"`
		Login     targetLogin `json:"login"`
	} `json:"sentinel"`
	Cluster struct {
		Addresses []string `json:"addresses"`
	} `json:"cluster"`
	Database       int  `json:"database"`
	AllowPlaintext bool `json:"allowPlaintext"`
	Durability     struct {
		Replicas int  `json:"replicas"`
		Fsync    bool `json:"fsync"`
	} `json:"durability"`
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
	if c.Timeout, err = t.timeout(); err != nil {
		return nil, err
	}
	r, err := redis.New(c)
	if err != nil { // nothing is asked of Redis yet
		return nil, configError{err.Error()}
	}
	return r, nil
}

func (a targetLogin) credentials() (redis.Login, error) {
	password, err := a.password()
	return redis.Login{Username: a.Username, Password: password, PasswordFile: a.Password.File}, err
}
