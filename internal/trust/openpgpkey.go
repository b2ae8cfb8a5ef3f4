package trust

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/ecdsa"
	"github.com/ProtonMail/go-crypto/openpgp/ed25519"
	"github.com/ProtonMail/go-crypto/openpgp/ed448"
	"github.com/ProtonMail/go-crypto/openpgp/eddsa"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
)

// openpgpKey is one OpenPGP certificate: a primary key and those of its keys that may sign.
type openpgpKey struct {
	signers []*openpgpSigner
}

// openpgpSigner is one key of a certificate that may sign: the primary key or a subkey.
type openpgpSigner struct {
	key     *Key
	public  *packet.PublicKey
	binding *packet.Signature // the self-signature that says what the key may do and until when
	primary *packet.PublicKey
	selves  []*packet.Signature // the primary key's self-signatures; none may have expired
	revoked bool
}

func parseOpenPGPKey(text string) (key *Key, err error) {
	defer contain(&err)
	entity, err := readEntity(text)
	if err != nil {
		return nil, err
	}
	k := &Key{Fingerprint: fmt.Sprintf("%X", entity.PrimaryKey.Fingerprint), openpgp: &openpgpKey{}}
	for _, public := range publicKeys(entity) {
		if !public.PubKeyAlgo.CanSign() {
			continue // encrypts only; never met here
		}
		m, err := openpgpMaterial(public)
		if err != nil {
			return nil, err
		}
		k.material = append(k.material, m)
	}
	if k.openpgp.signers, err = signers(entity); err != nil {
		return nil, err
	}
	if len(k.openpgp.signers) == 0 {
		return nil, errors.New("this OpenPGP key has no part that may sign: make a signing subkey")
	}
	return k, nil
}

// readEntity reads exactly one certificate. The library verifies its self-signatures, revocations
// and the cross-signatures of its signing subkeys.
func readEntity(text string) (*openpgp.Entity, error) {
	raw, err := dearmor(text, "PGP PUBLIC KEY BLOCK")
	if err != nil {
		return nil, fmt.Errorf("this is no OpenPGP public key: %w", err)
	}
	packets := packet.NewReader(bytes.NewReader(raw))
	entity, err := openpgp.ReadEntity(packets)
	if err != nil {
		return nil, errors.New("this OpenPGP key cannot be read: export it again (gpg --armor --export), with its own signatures")
	}
	if entity.PrivateKey != nil {
		return nil, errors.New("this is a private key: it is known to everybody now; revoke it, and give the public key of a new one")
	}
	if _, err := packets.Next(); err != io.EOF {
		return nil, errors.New("a second key follows in the same block: give each its own entry")
	}
	return entity, nil
}

func publicKeys(e *openpgp.Entity) []*packet.PublicKey {
	all := []*packet.PublicKey{e.PrimaryKey}
	for _, s := range e.Subkeys {
		all = append(all, s.PublicKey)
	}
	return all
}

// signers returns the keys of a certificate that may sign, revoked and expired ones included: those
// are told apart when a signature of theirs is met. What SHA-1 binds is refused.
func signers(e *openpgp.Entity) ([]*openpgpSigner, error) {
	selves := selfSignatures(e)
	revoked := len(e.Revocations) > 0 || len(selves) == 0
	if len(selves) == 0 {
		self, _ := e.PrimarySelfSignature()
		if self == nil {
			return nil, errors.New("this OpenPGP key has no valid self-signature: export it again")
		}
		selves = append(selves, self)
	}
	var all []*openpgpSigner
	for _, self := range selves {
		if !strongBinding(self) {
			return nil, weakBinding()
		}
	}
	if self := selves[0]; maySign(self) {
		all = append(all, &openpgpSigner{public: e.PrimaryKey, binding: self, primary: e.PrimaryKey, selves: selves, revoked: revoked})
	}
	for _, s := range e.Subkeys {
		if !maySign(s.Sig) || !s.PublicKey.PubKeyAlgo.CanSign() {
			continue
		}
		if !strongBinding(s.Sig) {
			return nil, weakBinding()
		}
		all = append(all, &openpgpSigner{public: s.PublicKey, binding: s.Sig, primary: e.PrimaryKey, selves: selves, revoked: revoked || len(s.Revocations) > 0})
	}
	return all, nil
}

// selfSignatures returns the latest self-signature of each identity that is not revoked, newest
// first; for a key of version 6 the one on the key itself.
func selfSignatures(e *openpgp.Entity) []*packet.Signature {
	if e.SelfSignature != nil {
		return []*packet.Signature{e.SelfSignature}
	}
	var all []*packet.Signature
	for _, name := range slices.Sorted(maps.Keys(e.Identities)) {
		if id := e.Identities[name]; id.SelfSignature != nil && len(id.Revocations) == 0 {
			all = append(all, id.SelfSignature)
		}
	}
	slices.SortStableFunc(all, func(a, b *packet.Signature) int { return b.CreationTime.Compare(a.CreationTime) })
	return all
}

func maySign(binding *packet.Signature) bool { return binding.FlagsValid && binding.FlagSign }

func strongBinding(s *packet.Signature) bool {
	return strongHash(s.Hash) && (s.EmbeddedSignature == nil || strongHash(s.EmbeddedSignature.Hash))
}

func weakBinding() error {
	return fmt.Errorf("a self-signature of this OpenPGP key uses SHA-1 or older, which is %w: renew it (gpg --quick-set-expire)", errWeak)
}

// openpgpMaterial is material for the library's own types of keys.
func openpgpMaterial(public *packet.PublicKey) (string, error) {
	switch p := public.PublicKey.(type) {
	case *ed25519.PublicKey:
		return fmt.Sprintf("ed25519:%x", p.Point), nil
	case *ed448.PublicKey:
		return fmt.Sprintf("ed448:%x", p.Point), nil
	case *eddsa.PublicKey:
		return fmt.Sprintf("ed25519:%x", p.X), nil
	case *ecdsa.PublicKey:
		if curve, err := public.Curve(); err != nil || curve != packet.CurveNistP256 && curve != packet.CurveNistP384 && curve != packet.CurveNistP521 {
			return "", errors.New("OpenPGP keys on this curve are not accepted: use ed25519")
		}
		return pointMaterial(p.X, p.Y), nil
	}
	if public.PubKeyAlgo == packet.PubKeyAlgoDSA {
		return "", fmt.Errorf("a DSA key is %w: use ed25519", errWeak)
	}
	return material(public.PublicKey)
}

// anyValidAt says why no part of the certificate may sign at a time, or nil if one may.
func (o *openpgpKey) anyValidAt(k *Key, at time.Time) (last *signatureError) {
	for _, s := range o.signers {
		if last = s.validAt(at); last == nil {
			return nil
		}
	}
	return last
}

// validAt judges revocation and expiry of the signing key and of the primary key above it. Any
// revocation in the policy's copy of the key ends it for good, whatever time or reason it gives.
func (s *openpgpSigner) validAt(at time.Time) *signatureError {
	if s.revoked {
		return refuseSignature("trust/revoked-key", "the OpenPGP key %X of %s is revoked", s.public.Fingerprint, s.key.Owner.Name)
	}
	ended := keyExpired(s.public, s.binding, at) || expired(s.binding, at) ||
		s.binding.EmbeddedSignature != nil && expired(s.binding.EmbeddedSignature, at) ||
		slices.ContainsFunc(s.selves, func(self *packet.Signature) bool {
			return keyExpired(s.primary, self, at) || expired(self, at)
		})
	if ended {
		return refuseSignature("trust/expired-key", "the OpenPGP key %X of %s was not valid at %s, when the commit was first seen", s.public.Fingerprint, s.key.Owner.Name, at.Format(time.RFC3339))
	}
	return nil
}

func keyExpired(public *packet.PublicKey, binding *packet.Signature, at time.Time) bool {
	if public.CreationTime.After(at.Add(clockSkew)) {
		return true
	}
	return binding.KeyLifetimeSecs != nil && *binding.KeyLifetimeSecs != 0 &&
		at.After(public.CreationTime.Add(time.Duration(*binding.KeyLifetimeSecs)*time.Second))
}

// outlasts reports whether some key of the certificate may sign where the same key of another copy of the
// certificate may not: at a later time, or at all.
func (o *openpgpKey) outlasts(other *openpgpKey) bool {
	return slices.ContainsFunc(o.signers, func(s *openpgpSigner) bool {
		return slices.ContainsFunc(other.signers, func(was *openpgpSigner) bool {
			return bytes.Equal(was.public.Fingerprint, s.public.Fingerprint) && (was.revoked && !s.revoked || s.end().After(was.end()))
		})
	})
}

// end is when the key stops being valid, if it is not revoked.
func (s *openpgpSigner) end() time.Time {
	end := time.Unix(1<<40, 0) // no end
	ends := func(from time.Time, seconds *uint32) {
		if seconds == nil || *seconds == 0 {
			return
		}
		if at := from.Add(time.Duration(*seconds) * time.Second); at.Before(end) {
			end = at
		}
	}
	for _, self := range append(slices.Clone(s.selves), s.binding, s.binding.EmbeddedSignature) {
		if self != nil {
			ends(self.CreationTime, self.SigLifetimeSecs)
		}
	}
	ends(s.public.CreationTime, s.binding.KeyLifetimeSecs)
	for _, self := range s.selves {
		ends(s.primary.CreationTime, self.KeyLifetimeSecs)
	}
	return end
}
