package gitrepo

import (
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/go-git/go-git/v5/plumbing/transport"
)

// newSource understands the address of a repository. What could be taken for an option or a command,
// or is not authenticated, is refused.
func newSource(address string, auth Auth, limits Limits) (source, error) {
	switch {
	case address == "":
		return nil, errors.New("the URL of the repository is empty")
	case hyphen.MatchString(address) || !plain(address):
		return nil, errors.New("the URL of the repository, or the host in it, begins with a hyphen, or it holds control characters")
	case helper.MatchString(address):
		return nil, errors.New("transport helpers (name::address) are not used; give a path, or an https or ssh URL")
	}
	if !strings.Contains(address, "://") {
		if m := scpLike.FindStringSubmatch(address); m != nil {
			return newSSH(&transport.Endpoint{Protocol: "ssh", User: m[1], Host: m[2], Path: m[3]}, auth, limits)
		}
		return &localSource{path: filepath.Clean(address), limits: limits}, nil
	}
	return parseURL(address, auth, limits)
}

var (
	hyphen  = regexp.MustCompile(`^(?:[^/]*@)?-`)
	helper  = regexp.MustCompile(`^[A-Za-z0-9+.-]+::`)
	scpLike = regexp.MustCompile(`^(?:([^@/:\s-][^@/:\s]*)@)?(\[[0-9a-fA-F:.]+\]|[^@/:\[\s-][^@/:\s]*):([^\s].*)$`)
)

// Shown is the address of a repository as people may see it: without whoever logs in.
func Shown(address string) string {
	if scheme, rest, ok := strings.Cut(address, "://"); ok {
		host, path, _ := strings.Cut(rest, "/")
		return scheme + "://" + host[strings.LastIndexByte(host, '@')+1:] + "/" + path
	}
	if m := scpLike.FindStringSubmatch(address); m != nil {
		return m[2] + ":" + m[3]
	}
	return address
}

func parseURL(address string, auth Auth, limits Limits) (source, error) {
	u, err := url.Parse(address)
	if err != nil {
		// The error of url.Parse quotes the address, and with it a password that may be in it.
		return nil, errors.New("the URL of the repository is malformed")
	}
	if _, has := u.User.Password(); has {
		return nil, errors.New("the URL of the repository holds a password; put it into a file and name that in auth")
	}
	if u.RawQuery != "" || u.Fragment != "" || u.Opaque != "" || u.Path == "" {
		return nil, errors.New("the URL of the repository must be scheme, host and path, nothing more")
	}
	if u.Scheme == "file" {
		if u.User != nil || u.Host != "" && u.Host != "localhost" {
			return nil, fmt.Errorf("file URLs name no host: file:///path, not %q", u.Host)
		}
		return &localSource{path: filepath.Clean(filepath.FromSlash(u.Path)), limits: limits}, nil
	}
	if u.Hostname() == "" || u.Hostname()[0] == '-' || strings.HasPrefix(u.User.Username(), "-") {
		return nil, errors.New("the URL of the repository has no usable host")
	}
	endpoint, err := transport.NewEndpoint(address)
	if err != nil {
		return nil, errors.New("the URL of the repository is malformed")
	}
	switch u.Scheme {
	case "https":
		return newHTTPS(endpoint, auth, limits)
	case "ssh":
		return newSSH(endpoint, auth, limits)
	}
	return nil, fmt.Errorf("repositories are not fetched over %q, which proves nothing about the other side; use https, ssh or a path", u.Scheme)
}
