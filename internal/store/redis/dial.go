package redis

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/redis/rueidis"
)

// clientName is by what the server's operator knows our connections in CLIENT LIST.
const clientName = "lcm-reconciler"

// options are those of the client. It may try again what only reads, three times; what writes is never
// repeated: nobody knows whether a write that failed was done.
func (c Config) options() (rueidis.ClientOption, error) {
	o := rueidis.ClientOption{
		InitAddress:         c.addresses(),
		SelectDB:            c.Database,
		Username:            c.Login.Username,
		ClientName:          clientName,
		ForceSingleClient:   c.Address != "",
		Dialer:              net.Dialer{Timeout: min(c.Timeout, 5*time.Second), KeepAlive: 15 * time.Second},
		DisableCache:        true,
		ClientSetInfo:       rueidis.DisableClientSetInfo,
		AlwaysPipelining:    true, // so that a connection that breaks is noticed then, not by the next write
		PipelineMultiplex:   -1,   // one connection to each server
		RingScaleEachConn:   8,
		ReadBufferEachConn:  64 << 10,
		WriteBufferEachConn: 64 << 10,
		BlockingPoolSize:    c.Concurrency,
		ConnWriteTimeout:    c.Timeout,
		RetryDelay:          retryDelay,
	}
	var err error
	if o.Password, err = c.Login.password(); err != nil {
		return o, err
	}
	if o.TLSConfig, err = c.TLS.config(); err != nil {
		return o, err
	}
	if c.Sentinel.Master != "" {
		if o.Sentinel, err = c.sentinel(o); err != nil {
			return o, err
		}
	}
	o.DialCtxFn = func(ctx context.Context, address string, dialer *net.Dialer, t *tls.Config) (net.Conn, error) {
		return c.dial(ctx, address, dialer, t, dialer.Resolver != nil && dialer.Resolver == o.Sentinel.Dialer.Resolver)
	}
	return o, nil
}

func (c Config) sentinel(o rueidis.ClientOption) (rueidis.SentinelOption, error) {
	s := rueidis.SentinelOption{
		MasterSet:               c.Sentinel.Master,
		Username:                c.Sentinel.Login.Username,
		ClientName:              clientName,
		TLSConfig:               o.TLSConfig,
		Dialer:                  o.Dialer,
		TopologyRefreshInterval: 5 * time.Second, // so that a message that was missed is made up for
	}
	s.Dialer.Resolver = new(net.Resolver) // by this the dial function knows a Sentinel
	var err error
	s.Password, err = c.Sentinel.Login.password()
	return s, err
}

func retryDelay(attempts int, _ rueidis.Completed, _ error) time.Duration {
	if attempts >= 3 {
		return -1
	}
	return time.Duration(attempts) * 100 * time.Millisecond
}

// dial makes a connection behind a guard. Sentinels and nodes of a Cluster name further addresses; none is
// connected to in the clear that the configuration could not have named.
func (c Config) dial(ctx context.Context, address string, dialer *net.Dialer, t *tls.Config, sentinel bool) (net.Conn, error) {
	if err := c.checkPlaintext(address); err != nil {
		return nil, err
	}
	var conn net.Conn
	var err error
	if t == nil {
		conn, err = dialer.DialContext(ctx, "tcp", address)
	} else {
		conn, err = (&tls.Dialer{NetDialer: dialer, Config: t}).DialContext(ctx, "tcp", address)
	}
	if err != nil {
		return nil, err
	}
	return newGuard(conn, c.MaxReplyBytes, sentinel), nil
}

func (t *TLS) check() error {
	if t != nil && (t.ClientCertFile == "") != (t.ClientKeyFile == "") {
		return errors.New("redis: tls: a client certificate needs its key, and the key its certificate")
	}
	return nil
}

// config reads the files. Nil without TLS.
func (t *TLS) config() (*tls.Config, error) {
	if t == nil {
		return nil, nil
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: t.ServerName}
	if t.CACertFile != "" {
		pem, err := readFile(t.CACertFile)
		if err != nil {
			return nil, fmt.Errorf("redis: reading the CA certificate: %w", err)
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("redis: %s holds no PEM certificate", t.CACertFile)
		}
	}
	if t.ClientCertFile == "" {
		return c, nil
	}
	if _, err := t.clientCertificate(nil); err != nil {
		return nil, err
	}
	c.GetClientCertificate = t.clientCertificate
	return c, nil
}

// clientCertificate reads the files anew for each connection, so that one which is about to run out can be
// replaced.
func (t *TLS) clientCertificate(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
	pair, err := tls.LoadX509KeyPair(t.ClientCertFile, t.ClientKeyFile)
	if err != nil {
		return nil, fmt.Errorf("redis: loading the client certificate: %w", err)
	}
	return &pair, nil
}
