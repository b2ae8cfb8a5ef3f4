package gitrepo

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/go-git/go-git/v5/plumbing/transport"
	githttp "github.com/go-git/go-git/v5/plumbing/transport/http"
	gitssh "github.com/go-git/go-git/v5/plumbing/transport/ssh"
	"golang.org/x/crypto/ssh"
)

// Auth says who we are to the server. All fields are optional; the files are read at every fetch, so
// that what is in them can be replaced.
type Auth struct {
	SSHKeyFile        string // empty: the SSH agent
	SSHKnownHostsFile string // empty: ~/.ssh/known_hosts and the system's. An unknown host is refused
	Username          string // empty: the URL's, or "git"
	PasswordFile      string // for https: a password or token; empty: none is sent
}

const (
	connectTimeout = 30 * time.Second
	maxAdvertised  = 64 << 20 // bytes of a listing of references
	maxSecretFile  = 64 << 10
)

// newHTTPS makes a source that fetches over https.
func newHTTPS(endpoint *transport.Endpoint, auth Auth, limits Limits) (source, error) {
	if auth.SSHKeyFile != "" || auth.SSHKnownHostsFile != "" {
		return nil, errors.New("auth names SSH files, but the repository is fetched over https: give username and passwordFile, or a mirror an auth of its own")
	}
	base, ok := http.DefaultTransport.(*http.Transport)
	if !ok {
		return nil, errors.New("the HTTP transport of this program was replaced")
	}
	trip := base.Clone()
	trip.ResponseHeaderTimeout = 2 * time.Minute
	return httpsThrough(trip, endpoint, auth, limits), nil
}

func httpsThrough(trip http.RoundTripper, endpoint *transport.Endpoint, auth Auth, limits Limits) source {
	user := userName(auth, endpoint)
	bare := *endpoint
	bare.User = "" // else it would be sent without a password
	return &remoteSource{
		transport: githttp.NewClient(&http.Client{Transport: &boundedTransport{trip, limits}}),
		endpoint:  &bare,
		auth: func() (transport.AuthMethod, error) {
			if auth.PasswordFile == "" {
				return nil, nil
			}
			password, err := readSecret(auth.PasswordFile)
			if err != nil {
				return nil, err
			}
			return &githttp.BasicAuth{Username: user, Password: password}, nil
		},
	}
}

func userName(auth Auth, endpoint *transport.Endpoint) string {
	switch {
	case auth.Username != "":
		return auth.Username
	case endpoint.User != "":
		return endpoint.User
	}
	return "git"
}

// readSecret reads a one-line file.
func readSecret(file string) (string, error) {
	fi, err := os.Stat(file)
	if err != nil {
		return "", fmt.Errorf("reading the password: %w", err)
	}
	if fi.Size() > maxSecretFile {
		return "", fmt.Errorf("%s is too large to hold a password", file)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("reading the password: %w", err)
	}
	secret := strings.TrimRight(string(data), "\r\n")
	if secret == "" || strings.ContainsAny(secret, "\r\n\x00") {
		return "", fmt.Errorf("%s must hold a password on one line", file)
	}
	return secret, nil
}

// boundedTransport bounds what a server may make us read.
type boundedTransport struct {
	next   http.RoundTripper
	limits Limits
}

func (t *boundedTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := t.next.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	// A pack has its own, exact limit; here is room for its framing.
	limit := t.limits.MaxFetchBytes + t.limits.MaxFetchBytes/16 + maxAdvertised
	if req.Method == http.MethodGet || resp.StatusCode != http.StatusOK {
		limit = maxAdvertised
	}
	resp.Body = &boundedBody{boundedReader{req.Context(), resp.Body, limit, limit}, resp.Body}
	return resp, nil
}

type boundedBody struct {
	boundedReader
	io.Closer
}

// newSSH makes a source that fetches over SSH.
func newSSH(endpoint *transport.Endpoint, auth Auth, _ Limits) (source, error) {
	if auth.PasswordFile != "" {
		return nil, errors.New("auth names a password file, but over SSH a key is used: give sshKeyFile, or a mirror an auth of its own")
	}
	if endpoint.Host == "" || endpoint.Path == "" || endpoint.Path[0] == '-' {
		return nil, errors.New("the URL of the repository has no usable host and path")
	}
	endpoint.User = userName(auth, endpoint)
	return &remoteSource{
		transport: gitssh.NewClient(nil),
		endpoint:  endpoint,
		auth:      func() (transport.AuthMethod, error) { return sshAuth(endpoint, auth) },
	}, nil
}

// sshAuth proves who we are by a key, and demands that the server prove who it is by one that is known.
func sshAuth(endpoint *transport.Endpoint, auth Auth) (transport.AuthMethod, error) {
	var files []string
	if auth.SSHKnownHostsFile != "" {
		if _, err := os.Stat(auth.SSHKnownHostsFile); err != nil {
			return nil, fmt.Errorf("reading the known hosts: %w", err)
		}
		files = []string{auth.SSHKnownHostsFile}
	}
	hosts, err := gitssh.NewKnownHostsDb(files...)
	if err != nil {
		return nil, fmt.Errorf("reading the known hosts: %w", err)
	}
	port := endpoint.Port
	if port == 0 {
		port = gitssh.DefaultPort
	}
	address := net.JoinHostPort(strings.Trim(endpoint.Host, "[]"), strconv.Itoa(port))
	helper := gitssh.HostKeyCallbackHelper{
		HostKeyCallback:   hosts.HostKeyCallback(),
		HostKeyAlgorithms: hosts.HostKeyAlgorithms(address),
	}
	if len(helper.HostKeyAlgorithms) == 0 {
		return nil, fmt.Errorf("the host %s is not among the known hosts; check its key and add it", endpoint.Host)
	}
	if auth.SSHKeyFile == "" {
		agent, err := gitssh.NewSSHAgentAuth(endpoint.User)
		if err != nil {
			return nil, fmt.Errorf("no SSH key file is configured, and the agent does not answer: %w", err)
		}
		agent.HostKeyCallbackHelper = helper
		return &timedAuth{agent}, nil
	}
	key, err := gitssh.NewPublicKeysFromFile(endpoint.User, auth.SSHKeyFile, "")
	if err != nil {
		return nil, fmt.Errorf("reading the SSH key %s: %w", auth.SSHKeyFile, err)
	}
	key.HostKeyCallbackHelper = helper
	return &timedAuth{key}, nil
}

// timedAuth gives up on a server that does not answer.
type timedAuth struct{ gitssh.AuthMethod }

func (a *timedAuth) ClientConfig() (*ssh.ClientConfig, error) {
	config, err := a.AuthMethod.ClientConfig()
	if err != nil {
		return nil, err
	}
	config.Timeout = connectTimeout
	return config, nil
}
