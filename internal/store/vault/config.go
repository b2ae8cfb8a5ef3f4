package vault

import (
	"bytes"
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

// Config says where the Vault is and how to log in. Of Token, TokenFile, AppRole, Kubernetes and JWT exactly
// one is set. The environment (VAULT_ADDR, VAULT_TOKEN and the like) counts for nothing.
type Config struct {
	Address   string // https://host[:port][/prefix]; required. http only to this host, unless AllowHTTP
	Mount     string // path of the KV version 2 engine; empty: secret
	Namespace string // namespace of Vault Enterprise; empty: none
	AllowHTTP bool   // false: http only to a loopback address; true: values may cross a network in the clear

	CACertFile     string // PEM file of the authorities that may vouch for the server; empty: the system's
	ServerName     string // the name in the server's certificate; empty: the host of Address
	ClientCertFile string // PEM certificate shown to the server, with ClientKeyFile; empty: none
	ClientKeyFile  string // PEM key of ClientCertFile; empty: none

	Token      string  // a token; empty: one of the following
	TokenFile  string  // a file that holds the token, read again when Vault refuses it; empty: none
	AppRole    AppRole // zero: none
	Kubernetes JWT     // login as a pod's service account; zero: none
	JWT        JWT     // zero: none

	Timeout          time.Duration // of one request; 0: 30 s
	MaxResponseBytes int64         // of one answer; 0: 16 MiB
	Concurrency      int           // requests at a time for one call; 0: 8

	// Observe is called, from any goroutine, after each request, with what it was (read, list, write, delete or login)
	// and how long it took until all of the answer was there, or none came; nil: nobody wants to know.
	Observe func(operation string, took time.Duration)
}

// AppRole is a login by role id and secret id. A token that runs out is renewed or fetched anew.
type AppRole struct {
	Mount        string // path of the auth method; empty: approle
	RoleID       string // required
	SecretIDFile string // file that holds the secret id, read at every login; empty: the role is not bound to one
}

// JWT is a login by a signed token of somebody whom Vault trusts: an OpenID provider, a CI system, or the
// cluster that a pod runs in.
type JWT struct {
	Mount string // path of the auth method; empty: jwt, or kubernetes
	Role  string // required
	File  string // file that holds the token, read at every login; empty: podToken for Kubernetes, and required else
}

// podToken is where a pod finds the token of its service account.
// https://kubernetes.io/docs/reference/access-authn-authz/service-accounts-admin/
const podToken = "/var/run/secrets/kubernetes.io/serviceaccount/token"

const (
	defaultTimeout  = 30 * time.Second
	defaultResponse = 16 << 20
	maxConcurrency  = 256
	maxFile         = 1 << 20
)

// segment is what a path of a mount is made of. Vault allows more, but nobody needs it here.
var segment = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$`)

// WithDefaults fills in what zero values stand for.
func (c Config) WithDefaults() Config {
	c.Mount = orElse(strings.Trim(c.Mount, "/"), "secret")
	c.Namespace = strings.Trim(c.Namespace, "/")
	c.Timeout = orElse(c.Timeout, defaultTimeout)
	c.MaxResponseBytes = orElse(c.MaxResponseBytes, defaultResponse)
	c.Concurrency = orElse(c.Concurrency, 8)
	if c.AppRole != (AppRole{}) {
		c.AppRole.Mount = orElse(strings.Trim(c.AppRole.Mount, "/"), "approle")
	}
	if c.Kubernetes != (JWT{}) {
		c.Kubernetes.Mount = orElse(strings.Trim(c.Kubernetes.Mount, "/"), "kubernetes")
		c.Kubernetes.File = orElse(c.Kubernetes.File, podToken)
	}
	if c.JWT != (JWT{}) {
		c.JWT.Mount = orElse(strings.Trim(c.JWT.Mount, "/"), "jwt")
	}
	return c
}

// complete checks c and fills in what its zero values stand for.
func (c Config) complete() (Config, error) {
	c = c.WithDefaults()
	return c, errors.Join(
		c.checkAddress(),
		checkPath("mount", c.Mount),
		c.checkNamespace(),
		c.checkLogin(),
		c.checkLimits())
}

func orElse[T comparable](v, zero T) T {
	if v == *new(T) {
		return zero
	}
	return v
}

func (c Config) checkAddress() error {
	u, err := url.Parse(c.Address)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return errors.New("vault: address: give https://host:port, without user, query or fragment")
	}
	switch {
	case u.Scheme == "https":
		return nil
	case u.Scheme != "http":
		return fmt.Errorf("vault: address: scheme %q: use https", u.Scheme)
	case c.AllowHTTP || loopback(u.Hostname()):
		return nil
	}
	return errors.New("vault: address: http to another host would show every secret to the network: use https")
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

func (c Config) checkNamespace() error {
	if c.Namespace == "" {
		return nil
	}
	return checkPath("namespace", c.Namespace)
}

func checkPath(what, path string) error {
	for s := range strings.SplitSeq(path, "/") {
		if !segment.MatchString(s) {
			return fmt.Errorf("vault: %s %q: letters, digits, dots, hyphens and underscores, in segments parted by /", what, path)
		}
	}
	return nil
}

func (c Config) checkLogin() error {
	given := 0
	for _, is := range []bool{c.Token != "", c.TokenFile != "", c.AppRole != (AppRole{}), c.Kubernetes != (JWT{}), c.JWT != (JWT{})} {
		if is {
			given++
		}
	}
	switch {
	case given != 1:
		return fmt.Errorf("vault: %d ways to log in are configured: give exactly one of token, token file, AppRole, Kubernetes and JWT", given)
	case c.AppRole != (AppRole{}):
		return c.AppRole.check()
	case c.Kubernetes != (JWT{}):
		return c.Kubernetes.check("Kubernetes")
	case c.JWT != (JWT{}):
		return c.JWT.check("JWT")
	}
	return nil
}

func (a AppRole) check() error {
	if a.RoleID == "" {
		return errors.New("vault: AppRole: the role id is missing")
	}
	return checkPath("AppRole mount", a.Mount)
}

func (j JWT) check(what string) error {
	switch {
	case j.Role == "":
		return fmt.Errorf("vault: %s: the role is missing", what)
	case j.File == "":
		return fmt.Errorf("vault: %s: the file of the token is missing", what)
	}
	return checkPath(what+" mount", j.Mount)
}

func (c Config) checkLimits() error {
	switch {
	case c.Timeout < 0:
		return errors.New("vault: the timeout is negative")
	case c.MaxResponseBytes < 0:
		return errors.New("vault: the limit of an answer is negative")
	case c.Concurrency < 0 || c.Concurrency > maxConcurrency:
		return fmt.Errorf("vault: concurrency must be from 1 to %d", maxConcurrency)
	}
	return nil
}

func (c Config) tls() (*tls.Config, error) {
	t := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: c.ServerName}
	if c.CACertFile != "" {
		pem, err := readFile(c.CACertFile)
		if err != nil {
			return nil, fmt.Errorf("vault: reading the CA certificate: %w", err)
		}
		t.RootCAs = x509.NewCertPool()
		if !t.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("vault: %s holds no PEM certificate", c.CACertFile)
		}
	}
	if c.ClientCertFile == "" && c.ClientKeyFile == "" {
		return t, nil
	}
	pair, err := tls.LoadX509KeyPair(c.ClientCertFile, c.ClientKeyFile)
	if err != nil {
		return nil, fmt.Errorf("vault: loading the client certificate: %w", err)
	}
	t.Certificates = []tls.Certificate{pair}
	return t, nil
}

// readWord reads a file that holds one word: a token or a secret id.
func readWord(file string) (string, error) {
	b, err := readFile(file)
	if err != nil {
		return "", err
	}
	word := string(bytes.TrimSpace(b))
	if word == "" || strings.ContainsFunc(word, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return "", fmt.Errorf("%s does not hold one printable word", file)
	}
	return word, nil
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
