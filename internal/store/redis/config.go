package redis

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"time"
)

// Config says where the Redis is and how to log in. Of Address, Sentinel and Cluster exactly one is set.
type Config struct {
	Address  string   // host:port of the one Redis
	Sentinel Sentinel // zero: no Sentinels
	Cluster  []string // host:port of some nodes of a Cluster; the others are learned from them
	Database int      // number of the database; 0 of a Cluster

	Login          Login // zero: none is needed
	TLS            *TLS  // nil: connections in the clear
	AllowPlaintext bool  // false: without TLS only to a loopback address

	Durability Durability
	Limits
}

// Sentinel says which Sentinels know where the Redis is.
type Sentinel struct {
	Master    string   // the name that the Sentinels know it by
	Addresses []string // host:port of some Sentinels; the others are learned from them
	Login     Login    // at the Sentinels themselves; zero: none is needed
}

// Login is a user and a password. The file is read whenever the client connects anew.
type Login struct {
	Username     string // empty: the user default
	Password     string // empty: see PasswordFile
	PasswordFile string // empty: none
}

// TLS says how the server proves who it is, and how the daemon does.
type TLS struct {
	CACertFile     string // PEM file of the authorities that may vouch for the server; empty: the system's
	ClientCertFile string // PEM certificate shown to the server, with ClientKeyFile; empty: none
	ClientKeyFile  string // PEM key of ClientCertFile; empty: none
	ServerName     string // the name in the server's certificate; empty: the host of each address
}

// Durability says what must be confirmed before Apply returns. The zero value asks for nothing: a write is
// then as durable as the server's own settings make it (appendonly, appendfsync).
type Durability struct {
	Replicas int  // how many replicas must have received it (WAIT)
	Fsync    bool // the server, and so many replicas, must have it on disk (WAITAOF; Redis 7.2 with appendonly yes)
}

// Limits bound what a Redis can make the daemon hold or wait for.
type Limits struct {
	Timeout       time.Duration // of one call; 0: 10 s
	MaxReplyBytes int64         // of one answer; 0: 64 MiB
	MaxKeys       int           // of names below lcm: in the whole database; 0: 1,000,000
	MaxBatchBytes int64         // of the values of one batch, which blocks the server while it is written; 0: 64 MiB
	Concurrency   int           // calls at a time; 0: 16
}

const (
	maxFile        = 1 << 20
	maxConcurrency = 256
	maxReplicas    = 100
)

// WithDefaults fills in what zero values stand for.
func (c Config) WithDefaults() Config {
	c.Timeout = orElse(c.Timeout, 10*time.Second)
	c.MaxReplyBytes = orElse(c.MaxReplyBytes, 64<<20)
	c.MaxKeys = orElse(c.MaxKeys, 1_000_000)
	c.MaxBatchBytes = orElse(c.MaxBatchBytes, 64<<20)
	c.Concurrency = orElse(c.Concurrency, 16)
	return c
}

// complete checks c and fills in what its zero values stand for.
func (c Config) complete() (Config, error) {
	c = c.WithDefaults()
	return c, errors.Join(c.checkPlace(), c.checkDatabase(), c.Login.check(), c.Sentinel.Login.check(), c.TLS.check(), c.checkLimits())
}

func orElse[T comparable](v, zero T) T {
	if v == *new(T) {
		return zero
	}
	return v
}

// addresses are those that the client begins with.
func (c Config) addresses() []string {
	switch {
	case c.Address != "":
		return []string{c.Address}
	case c.Sentinel.Master != "":
		return c.Sentinel.Addresses
	}
	return c.Cluster
}

func (c Config) checkPlace() error {
	given := 0
	for _, is := range []bool{c.Address != "", c.Sentinel.Master != "" || len(c.Sentinel.Addresses) > 0, len(c.Cluster) > 0} {
		if is {
			given++
		}
	}
	switch {
	case given != 1:
		return fmt.Errorf("redis: %d places are configured: give exactly one of address, sentinel and cluster", given)
	case c.Sentinel.Master == "" && len(c.Sentinel.Addresses) > 0:
		return errors.New("redis: sentinel: the name of the master is missing")
	case len(c.addresses()) == 0:
		return errors.New("redis: sentinel: the addresses are missing")
	}
	for _, a := range c.addresses() {
		if err := c.checkAddress(a); err != nil {
			return err
		}
	}
	return nil
}

func (c Config) checkAddress(address string) error {
	host, port, err := net.SplitHostPort(address)
	n, numberErr := strconv.ParseUint(port, 10, 16)
	if err != nil || host == "" || numberErr != nil || n == 0 {
		return fmt.Errorf("redis: address %q: give host:port", address)
	}
	return c.checkPlaintext(address)
}

// checkPlaintext refuses an address to which the connection would be readable, and writable, on the way.
func (c Config) checkPlaintext(address string) error {
	host, _, _ := net.SplitHostPort(address)
	if c.TLS != nil || c.AllowPlaintext || loopback(host) {
		return nil
	}
	return fmt.Errorf("redis: address %s: without tls the password and all values would cross the network in the clear: configure tls, or allowPlaintext: true where the network is trusted", address)
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

func (c Config) checkDatabase() error {
	switch {
	case c.Database < 0:
		return errors.New("redis: the number of the database is negative")
	case c.Database != 0 && len(c.Cluster) > 0:
		return errors.New("redis: a Cluster has the database 0 only")
	}
	return nil
}

func (l Login) check() error {
	switch {
	case l.Password != "" && l.PasswordFile != "":
		return errors.New("redis: a password and a password file are configured: give one of them")
	case l.Username != "" && l.Password == "" && l.PasswordFile == "":
		return errors.New("redis: a username is configured without a password")
	}
	return nil
}

// password returns the password, from the file if there is one.
func (l Login) password() (string, error) {
	if l.PasswordFile == "" {
		return l.Password, nil
	}
	b, err := readFile(l.PasswordFile)
	if err != nil {
		return "", fmt.Errorf("redis: reading the password: %w", err)
	}
	word := string(bytes.TrimSpace(b))
	if word == "" || strings.ContainsFunc(word, func(r rune) bool { return r < ' ' }) {
		return "", fmt.Errorf("redis: %s does not hold one line with a password", l.PasswordFile)
	}
	return word, nil
}

func (c Config) checkLimits() error {
	switch {
	case c.Timeout < 0 || c.MaxReplyBytes < 0 || c.MaxKeys < 0 || c.MaxBatchBytes < 0:
		return errors.New("redis: a limit is negative")
	case c.Concurrency < 0 || c.Concurrency > maxConcurrency:
		return fmt.Errorf("redis: concurrency must be from 1 to %d", maxConcurrency)
	case c.Durability.Replicas < 0 || c.Durability.Replicas > maxReplicas:
		return fmt.Errorf("redis: durability: replicas must be from 0 to %d", maxReplicas)
	}
	return nil
}

func readFile(file string) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(b) > maxFile {
		err = fmt.Errorf("%s is larger than %d bytes", file, maxFile)
	}
	return b, err
}
