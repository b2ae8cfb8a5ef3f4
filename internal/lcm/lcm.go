// Package lcm holds the words of the project: addresses, kinds, revisions,
// classifications, patterns and secrets. It knows nothing of Git, stores or files.
package lcm

import (
	"fmt"
	"strings"
)

// APIVersion is the apiVersion of every document.
const APIVersion = "lcm/v1"

// MaxName is the longest a segment of an address may be, in bytes (as a DNS label, RFC 1123).
const MaxName = 63

// ValidName reports whether s may be a segment of an address:
// [a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?
func ValidName(s string) bool {
	if len(s) == 0 || len(s) > MaxName {
		return false
	}
	for i := range len(s) {
		c := s[i]
		alnum := c >= 'a' && c <= 'z' || c >= '0' && c <= '9'
		if !alnum && (c != '-' || i == 0 || i == len(s)-1) {
			return false
		}
	}
	return true
}

// reserved names are path words of the API: neither an org nor a key may bear them.
var reserved = [...]string{"validate", "bulk", "snapshot", "history", "rollback", "rotate"}

// Reserved reports whether name is a word of the API, forbidden as org and as key.
func Reserved(name string) bool {
	for _, r := range reserved {
		if r == name {
			return true
		}
	}
	return false
}

// Service names one service of one project of a tenant: org/project/service.
type Service struct{ Org, Project, Name string }

func (s Service) String() string { return s.Org + "/" + s.Project + "/" + s.Name }

// In returns the namespace of the service in an environment.
func (s Service) In(environment string) Namespace {
	return Namespace{Service: s, Environment: environment}
}

// Namespace is an address without its key: org/project/service/environment.
// It is the unit that is held, planned and switched.
type Namespace struct {
	Service
	Environment string
}

func (n Namespace) String() string { return n.Service.String() + "/" + n.Environment }

// Key returns the address of a key in the namespace.
func (n Namespace) Key(key string) Address { return Address{Namespace: n, Key: key} }

// Address names one document: org/project/service/environment/key.
type Address struct {
	Namespace
	Key string
}

func (a Address) String() string { return a.Namespace.String() + "/" + a.Key }

// MarshalText makes an Address a string in JSON.
func (a Address) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// UnmarshalText parses what MarshalText wrote.
func (a *Address) UnmarshalText(b []byte) (err error) {
	*a, err = ParseAddress(string(b))
	return err
}

// MarshalText makes a Namespace a string in JSON.
func (n Namespace) MarshalText() ([]byte, error) { return []byte(n.String()), nil }

// UnmarshalText parses what MarshalText wrote.
func (n *Namespace) UnmarshalText(b []byte) (err error) {
	*n, err = ParseNamespace(string(b))
	return err
}

// ParseNamespace parses org/project/service/environment.
func ParseNamespace(s string) (Namespace, error) {
	p, err := segments(s, 4, "a namespace is org/project/service/environment")
	if err != nil {
		return Namespace{}, err
	}
	return Namespace{Service{p[0], p[1], p[2]}, p[3]}, nil
}

// ParseAddress parses org/project/service/environment/key.
func ParseAddress(s string) (Address, error) {
	p, err := segments(s, 5, "an address is org/project/service/environment/key")
	if err != nil {
		return Address{}, err
	}
	if Reserved(p[4]) {
		return Address{}, fmt.Errorf("%q: the key %q is reserved for the API", s, p[4])
	}
	return Address{Namespace{Service{p[0], p[1], p[2]}, p[3]}, p[4]}, nil
}

func segments(s string, n int, shape string) ([]string, error) {
	p := strings.Split(s, "/")
	if len(p) != n {
		return nil, fmt.Errorf("%q: %s", s, shape)
	}
	for _, seg := range p {
		if !ValidName(seg) {
			return nil, fmt.Errorf("%q: %q is not a name: small letters, digits and inner hyphens, at most %d", s, seg, MaxName)
		}
	}
	if Reserved(p[0]) {
		return nil, fmt.Errorf("%q: the org %q is reserved for the API", s, p[0])
	}
	return p, nil
}

// Kind is what a document is; it decides the shape of its spec.
type Kind string

// The kinds that the built-in schemas define; a repository may define more.
const (
	KindConfig         Kind = "Config"
	KindSecret         Kind = "Secret"
	KindModelEndpoint  Kind = "ModelEndpoint"
	KindPromptTemplate Kind = "PromptTemplate"
	KindPreset         Kind = "Preset"
	KindPriceMap       Kind = "PriceMap"
	KindBudget         Kind = "Budget"
	KindRollout        Kind = "Rollout"
	KindTombstone      Kind = "Tombstone"
)

// Revision is the id of a commit of the protected branch, in lower-case hexadecimal.
type Revision string

// Short is the revision as people write it.
func (r Revision) Short() string {
	if len(r) > 10 {
		return string(r[:10])
	}
	return string(r)
}

// ValidRevision reports whether s is a full commit id (SHA-1 or SHA-256, lower-case hexadecimal).
func ValidRevision(s string) bool {
	if len(s) != 40 && len(s) != 64 {
		return false
	}
	return strings.Trim(s, "0123456789abcdef") == ""
}
