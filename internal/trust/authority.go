package trust

import (
	"cmp"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/crypto/ssh"

	"github.com/llm-config-manager/lcm/internal/diag"
)

// Authority is somebody who issues SSH certificates (OpenSSH, PROTOCOL.certkeys) and whom trust.yaml
// names. Its word decides who bears the names that it certifies.
type Authority struct {
	Name, Fingerprint string

	key     *Key            // its public key, whose owner is nobody
	revoked map[string]bool // fingerprints of certified keys, and serial numbers in decimal
}

const (
	maxAuthorities = 100
	maxRevoked     = 10_000
)

// Authorities returns who may issue SSH certificates, sorted by name.
func (p *Policy) Authorities() []*Authority {
	return slices.SortedFunc(maps.Values(p.authorities), func(a, b *Authority) int { return cmp.Compare(a.Name, b.Name) })
}

// sshAuthorities reads the authorities. One that is wrong stands empty in the map, and the map is nil if it
// is wrong itself, so that who relies on it is not a second finding.
func (r *reader) sshAuthorities(top section) map[string]*Authority {
	v, present := top.fields["sshAuthorities"]
	m, ok := v.(map[string]any)
	if present && (!ok || len(m) > maxAuthorities) {
		r.at("trust/authority", fmt.Sprintf("sshAuthorities must be a mapping from a name to a public key, at most %d", maxAuthorities), "sshAuthorities")
		return nil
	}
	all := make(map[string]*Authority, len(m))
	for _, name := range slices.Sorted(maps.Keys(m)) {
		a := &Authority{Name: name}
		all[name] = a
		if !principalName.MatchString(name) {
			r.at("trust/authority", "the name of an authority is made of small letters, digits and inner hyphens, dots or underscores, at most 63", "sshAuthorities", name)
			continue
		}
		r.authority(a, m[name])
	}
	return all
}

// authority reads the line of a .pub file, or {ssh: that line, revoked: […]}.
func (r *reader) authority(a *Authority, v any) {
	at := []string{"sshAuthorities", a.Name}
	if line, ok := v.(string); ok {
		v = map[string]any{"ssh": line}
	}
	s := r.section(v, []string{"ssh", "revoked"}, at...)
	if s.fields == nil {
		return
	}
	line, _ := s.fields["ssh"].(string)
	key, err := parseSSHKey(line)
	if err != nil {
		r.at(keyRule(err), err.Error(), at...)
		return
	}
	key.Owner, key.Position = &Principal{Name: "the authority " + a.Name}, r.doc.Position(at...)
	a.Fingerprint, a.key = key.Fingerprint, key
	a.revoked = r.revoked(s)
}

func (r *reader) revoked(s section) map[string]bool {
	out := map[string]bool{}
	for i, v := range r.list(s, "revoked", maxRevoked) {
		text, err := revocation(v)
		if err != nil {
			r.at("trust/authority", err.Error(), s.at("revoked", strconv.Itoa(i))...)
			continue
		}
		out[text] = true
	}
	return out
}

// revocation reads the fingerprint of a certified key, or a serial number: as a string where it is beyond
// what YAML's integers hold. Without -z ssh-keygen gives every certificate the number 0.
func revocation(v any) (string, error) {
	if n, ok := v.(int64); ok && n > 0 {
		return strconv.FormatInt(n, 10), nil
	}
	text, _ := v.(string)
	if sum, ok := strings.CutPrefix(text, "SHA256:"); ok {
		if raw, err := base64.RawStdEncoding.Strict().DecodeString(sum); err == nil && len(raw) == 32 {
			return text, nil
		}
	}
	if n, err := strconv.ParseUint(text, 10, 64); err == nil && n > 0 {
		return strconv.FormatUint(n, 10), nil
	}
	return "", errors.New("revoked lists fingerprints of certified keys (SHA256:…, as ssh-keygen -lf prints them) and serial numbers from 1")
}

// certificateName is a name as certificates bear it: visible ASCII, so that no two look the same, without
// the comma that separates them for ssh-keygen.
var certificateName = regexp.MustCompile(`^[!-+\--~]{1,255}$`)

// certificate reads {certificate: name, authority: name}: whoever bears the name by that authority's word.
func (r *reader) certificate(s section, owner *Principal) (*Key, error) {
	name, _ := s.fields["certificate"].(string)
	authority, _ := s.fields["authority"].(string)
	_, isSSH := s.fields["ssh"]
	_, isPGP := s.fields["openpgp"]
	switch {
	case owner.Tenant != "":
		return nil, errors.New("certificates are for principals of trust.yaml: a tenant's file could claim the name of somebody else")
	case isSSH || isPGP:
		return nil, errors.New("a key is one of ssh, openpgp, or certificate with authority: write two entries")
	case !certificateName.MatchString(name):
		return nil, errors.New("certificate is the name that the certificate is issued for (ssh-keygen -n): visible ASCII without commas, at most 255")
	case r.authorities != nil && r.authorities[authority] == nil:
		return nil, fmt.Errorf("authority is one of those in sshAuthorities; %q is none", authority)
	}
	id := identity{authority, name}
	return &Key{Fingerprint: id.String(), certified: id, material: []string{"certificate:" + id.String()}}, nil
}

// identity is a name by an authority's word.
type identity struct{ authority, name string }

func (i identity) String() string { return i.authority + ":" + i.name }

// reserve puts the key of an authority in: it issues certificates, and is nobody's own. It returns the key
// that has the same material.
func (r keyring) reserve(a *Authority) (clash *Key) {
	if clash = r.claim(a.key); clash == nil {
		r.authorities[string(a.key.ssh.Marshal())] = a
	}
	return clash
}

func (r keyring) reserveAll(all []*Authority) (findings []diag.Finding) {
	for _, a := range all {
		if other := r.reserve(a); other != nil {
			findings = append(findings, diag.Errorf(a.key.Position, "trust/duplicate-key", "this key stands already at %s, as that of %s", other.Position, other.Owner.Name))
		}
	}
	return findings
}

func (a *Authority) revokes(cert *ssh.Certificate) bool {
	return a.revoked[ssh.FingerprintSHA256(cert.Key)] || a.revoked[strconv.FormatUint(cert.Serial, 10)]
}
