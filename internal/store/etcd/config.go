package etcd

import (
	"bytes"
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"regexp"
	"strings"
	"time"
)

// Config says where the etcd is and how to log in. The environment (ETCDCTL_ENDPOINTS and the like)
// counts for nothing.
type Config struct {
	Endpoints []string // https://host[:port] of the members; required. http only to this host
	Prefix    string   // what all keys begin with; empty: /lcm/

	TLS *TLS // nil: as the zero TLS

	Username     string // empty: the user is the common name of the client certificate, or etcd asks for none
	Password     string // empty: see PasswordFile; with Username, one of the two is required
	PasswordFile string // file that holds the password, read at every login; empty: none

	Timeout         time.Duration // of one request; 0: 10 s
	MaxRequestBytes int64         // etcd's --max-request-bytes; 0: 1.5 MiB, as etcd has it
	MaxTxnOps       int           // etcd's --max-txn-ops; 0: 128, as etcd has it
}

// TLS is how connections over https are secured.
type TLS struct {
	CACertFile     string // PEM file of the authorities that may vouch for the members; empty: the system's
	ServerName     string // the name in the members' certificates; empty: the host of the endpoint
	ClientCertFile string // PEM certificate shown to the members, with ClientKeyFile, read at every connection; empty: none
	ClientKeyFile  string // PEM key of ClientCertFile; empty: none
}

const (
	defaultPrefix  = "/lcm/"
	defaultTimeout = 10 * time.Second
	defaultRequest = 3 << 19 // 1.5 MiB
	defaultOps     = 128
	minOps         = 4 // the marker, and the three operations of one change
	maxOps         = 100_000
	minRequest     = 64 << 10
	maxRequest     = 1 << 30
	maxFile        = 1 << 20
)

var prefixForm = regexp.MustCompile(`^/([A-Za-z0-9._-]{1,64}/){1,8}$`)

// WithDefaults fills in what zero values stand for.
func (c Config) WithDefaults() Config {
	c.Prefix = cmp.Or(c.Prefix, defaultPrefix)
	c.Timeout = cmp.Or(c.Timeout, defaultTimeout)
	c.MaxRequestBytes = cmp.Or(c.MaxRequestBytes, defaultRequest)
	c.MaxTxnOps = cmp.Or(c.MaxTxnOps, defaultOps)
	return c
}

// complete checks c and fills in what its zero values stand for.
func (c Config) complete() (Config, error) {
	c = c.WithDefaults()
	return c, errors.Join(c.checkEndpoints(), c.checkPrefix(), c.checkLogin(), c.checkLimits())
}

func (c Config) checkEndpoints() error {
	if len(c.Endpoints) == 0 {
		return errors.New("etcd: endpoints: give the URL of at least one member")
	}
	first := ""
	for _, e := range c.Endpoints {
		u, err := url.Parse(e)
		if err != nil || u.Host == "" || u.User != nil || u.Path != "" || u.RawQuery != "" || u.Fragment != "" {
			return errors.New("etcd: endpoints: give https://host:port, without user, path, query or fragment")
		}
		first = cmp.Or(first, u.Scheme)
		switch {
		case u.Scheme != "https" && u.Scheme != "http":
			return fmt.Errorf("etcd: endpoints: scheme %q: use https", u.Scheme)
		case u.Scheme != first:
			return errors.New("etcd: endpoints: https and http are mixed: one connection is either")
		case u.Scheme == "http" && !loopback(u.Hostname()):
			return errors.New("etcd: endpoints: http to another host would show every value and the password to the network: use https")
		}
	}
	return nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

func (c Config) checkPrefix() error {
	if !prefixForm.MatchString(c.Prefix) {
		return fmt.Errorf("etcd: prefix %q: segments of letters, digits, dots, hyphens and underscores, with a / before and after each, such as /lcm/", c.Prefix)
	}
	return nil
}

func (c Config) checkLogin() error {
	switch {
	case c.Password != "" && c.PasswordFile != "":
		return errors.New("etcd: the password is given twice: give it, or a file that holds it")
	case (c.Username == "") != (c.Password == "" && c.PasswordFile == ""):
		return errors.New("etcd: username and password belong together: give both or neither")
	case c.TLS != nil && (c.TLS.ClientCertFile == "") != (c.TLS.ClientKeyFile == ""):
		return errors.New("etcd: client certificate and its key belong together: give both or neither")
	case c.TLS != nil && !c.secure():
		return errors.New("etcd: tls is configured, and the endpoints are http: use https")
	}
	return nil
}

func (c Config) checkLimits() error {
	switch {
	case c.Timeout < 0:
		return errors.New("etcd: the timeout is negative")
	case c.MaxRequestBytes < minRequest || c.MaxRequestBytes > maxRequest:
		return fmt.Errorf("etcd: the limit of a request must be from %d to %d bytes, and that of etcd's --max-request-bytes", minRequest, maxRequest)
	case c.MaxTxnOps < minOps || c.MaxTxnOps > maxOps:
		return fmt.Errorf("etcd: the operations of a transaction must be from %d to %d, and those of etcd's --max-txn-ops", minOps, maxOps)
	}
	return nil
}

// secure reports whether the endpoints are https; they are alike.
func (c Config) secure() bool {
	return len(c.Endpoints) > 0 && strings.HasPrefix(c.Endpoints[0], "https:")
}

// tls returns nil for http.
func (c Config) tls() (*tls.Config, error) {
	if !c.secure() {
		return nil, nil
	}
	if c.TLS == nil {
		c.TLS = &TLS{}
	}
	t := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: c.TLS.ServerName}
	if file := c.TLS.CACertFile; file != "" {
		pem, err := readFile(file)
		if err != nil {
			return nil, fmt.Errorf("etcd: reading the CA certificate: %w", err)
		}
		t.RootCAs = x509.NewCertPool()
		if !t.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("etcd: %s holds no PEM certificate", file)
		}
	}
	if c.TLS.ClientCertFile == "" {
		return t, nil
	}
	if _, err := c.TLS.clientCertificate(nil); err != nil {
		return nil, err
	}
	t.GetClientCertificate = c.TLS.clientCertificate
	return t, nil
}

// clientCertificate reads the files anew for each connection, so that one which is about to run out can be replaced.
func (t *TLS) clientCertificate(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
	pair, err := tls.LoadX509KeyPair(t.ClientCertFile, t.ClientKeyFile)
	if err != nil {
		return nil, fmt.Errorf("etcd: loading the client certificate: %w", err)
	}
	return &pair, nil
}

// password gives the password: one line, which may hold blanks.
func (c Config) password() (string, error) {
	if c.Password != "" {
		return c.Password, nil
	}
	b, err := readFile(c.PasswordFile)
	if err != nil {
		return "", fmt.Errorf("etcd: reading the password: %w", err)
	}
	line := string(bytes.TrimRight(b, "\r\n"))
	if line == "" || bytes.ContainsAny([]byte(line), "\r\n\x00") {
		return "", fmt.Errorf("etcd: %s does not hold one line with the password", c.PasswordFile)
	}
	return line, nil
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
