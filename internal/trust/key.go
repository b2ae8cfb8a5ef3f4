package trust

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"errors"
	"fmt"
	"math/big"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/llm-config-manager/lcm/internal/diag"
)

// Key is one public key of a principal, as the policy states it.
type Key struct {
	Fingerprint string    // SSH: SHA256:…; OpenPGP: the full fingerprint, in capitals; certificates: authority:name
	NotAfter    time.Time // zero: no end
	Owner       *Principal
	Position    diag.Position

	ssh       ssh.PublicKey // nil unless the key is an SSH key
	openpgp   *openpgpKey   // nil unless it is an OpenPGP key
	certified identity      // zero unless it is whatever key an authority certifies for a name
	material  []string      // what the key is mathematically, whatever form it is written in
}

// errWeak marks a key or signature of an algorithm that no longer proves anything.
var errWeak = errors.New("too weak")

const minRSABits = 2048

// parseKey reads {ssh: …} or {openpgp: …}.
func parseKey(fields map[string]any) (*Key, error) {
	sshText, isSSH := fields["ssh"].(string)
	pgpText, isPGP := fields["openpgp"].(string)
	switch {
	case isSSH == isPGP:
		return nil, errors.New(`a key is either ssh, as in a .pub file, or openpgp, an armored public key, or certificate with authority; all are strings`)
	case isSSH:
		return parseSSHKey(sshText)
	default:
		return parseOpenPGPKey(pgpText)
	}
}

// validAt says why the key does not count at a time, or nil if it does.
func (k *Key) validAt(at time.Time) *signatureError {
	if !k.NotAfter.IsZero() && at.After(k.NotAfter) {
		return refuseSignature("trust/expired-key", "the key %s of %s was valid until %s", k.Fingerprint, k.Owner.Name, k.NotAfter.Format(time.RFC3339))
	}
	if k.openpgp != nil {
		return k.openpgp.anyValidAt(k, at)
	}
	return nil
}

// keyring finds keys by what a signature says of its maker: for SSH the whole public key, for
// OpenPGP the whole fingerprint, for an SSH certificate its authority's key and the name.
type keyring struct {
	ssh          map[string]*Key
	openpgp      map[string]*openpgpSigner
	forges       map[uint64]*openpgpSigner // by key id, which is all that GitHub's signatures tell
	authorities  map[string]*Authority
	certificates map[identity]*Key
	material     map[string]*Key
	checked      *atomic.Int64 // signatures of commits
}

func newKeyring() keyring {
	return keyring{map[string]*Key{}, map[string]*openpgpSigner{}, map[uint64]*openpgpSigner{}, map[string]*Authority{}, map[identity]*Key{}, map[string]*Key{}, new(atomic.Int64)}
}

// add puts k in, unless any of its material is there already: then it returns the key that has it.
func (r keyring) add(k *Key) (clash *Key) {
	if clash := r.claim(k); clash != nil {
		return clash
	}
	switch {
	case k.ssh != nil:
		r.ssh[string(k.ssh.Marshal())] = k
	case k.openpgp != nil:
		for _, s := range k.openpgp.signers {
			s.key = k
			r.openpgp[string(s.public.Fingerprint)] = s
			if k.Owner.forge != nil {
				r.forges[s.public.KeyId] = s
			}
		}
	default:
		r.certificates[k.certified] = k
	}
	return nil
}

// claim notes k's material as k's, unless another key has any of it.
func (r keyring) claim(k *Key) (clash *Key) {
	for _, m := range k.material {
		if other := r.material[m]; other != nil {
			return other
		}
	}
	for _, m := range k.material {
		r.material[m] = k
	}
	return nil
}

// material names the mathematical key, so that one key written as SSH and as OpenPGP is found out.
func material(public any) (string, error) {
	switch p := public.(type) {
	case ed25519.PublicKey:
		return fmt.Sprintf("ed25519:%x", []byte(p)), nil
	case *rsa.PublicKey:
		if bits := p.N.BitLen(); bits < minRSABits {
			return "", fmt.Errorf("an RSA key of %d bits is %w: make one of 3072 bits, or better an ed25519 key", bits, errWeak)
		}
		return fmt.Sprintf("rsa:%x:%x", p.N, p.E), nil
	case *ecdsa.PublicKey:
		//lint:ignore SA1019 the coordinates are only written down, to compare with those of OpenPGP keys
		return pointMaterial(p.X, p.Y), nil
	}
	return "", fmt.Errorf("keys of this kind are not accepted (%T): use ed25519", public)
}

func pointMaterial(x, y *big.Int) string { return fmt.Sprintf("ec:%x:%x", x, y) }
