package trust

import (
	"bytes"
	"errors"
	"slices"
	"time"

	"golang.org/x/crypto/ssh"
)

// sshSigner is whose SSH key a signature names, and how to verify it.
type sshSigner struct {
	key    *Key
	public ssh.PublicKey
	verify bool // the security key must have verified the user, by PIN or finger
}

const (
	verifyRequired  = "verify-required"   // critical option
	noTouchRequired = "no-touch-required" // extension

	flagUserVerified = 0x04 // WebAuthn, section 6.1: UV
)

// sshSigner finds the key, or for a certificate, which stands in place of a key, the principal that it
// names.
func (r keyring) sshSigner(wire []byte, at time.Time) (sshSigner, *signatureError) {
	if key := r.ssh[string(wire)]; key != nil {
		return sshSigner{key: key, public: key.ssh}, nil
	}
	public, err := ssh.ParsePublicKey(wire)
	if cert, ok := public.(*ssh.Certificate); ok && err == nil {
		return r.certified(cert, wire, at)
	}
	return sshSigner{}, refuseSignature("trust/unknown-key", "it is signed with the key %s, which belongs to nobody in the policy", fingerprintOf(wire))
}

// certified judges a certificate (OpenSSH, PROTOCOL.certkeys) as of a time.
func (r keyring) certified(cert *ssh.Certificate, wire []byte, at time.Time) (sshSigner, *signatureError) {
	authority := r.authorities[string(cert.SignatureKey.Marshal())]
	switch {
	case !bytes.Equal(cert.Marshal(), wire):
		return sshSigner{}, refuseSignature("trust/malformed-signature", "the certificate is not encoded as OpenSSH does it")
	case authority == nil:
		return sshSigner{}, refuseSignature("trust/unknown-key", "it is signed with a certificate of the authority %s, which the policy does not name", ssh.FingerprintSHA256(cert.SignatureKey))
	}
	if bad := authority.issued(cert); bad != nil {
		return sshSigner{}, bad
	}
	if bad := authority.validAt(cert, at); bad != nil {
		return sshSigner{}, bad
	}
	key, bad := r.bearer(authority, cert, at)
	if bad != nil {
		return sshSigner{}, bad
	}
	_, verify := cert.CriticalOptions[verifyRequired]
	return sshSigner{key, cert.Key, verify}, r.notAnothers(cert.Key, key)
}

// issued demands that the authority signed the certificate, for a user, with nothing in it that is not
// understood.
func (a *Authority) issued(cert *ssh.Certificate) *signatureError {
	if !slices.Contains(sshSignatureFormats(a.key.ssh.Type()), cert.Signature.Format) {
		return refuseSignature("trust/weak-signature", "the certificate is signed by %s in the format %q: sign with SHA-2 (ssh-keygen -t rsa-sha2-512)", a.Name, cert.Signature.Format)
	}
	unsigned := *cert
	unsigned.Signature = nil
	body := unsigned.Marshal()
	if err := a.key.ssh.Verify(body[:len(body)-4], cert.Signature); err != nil {
		return refuseSignature("trust/bad-signature", "the signature of the authority %s on the certificate does not verify: the certificate was altered", a.Name)
	}
	if cert.CertType != ssh.UserCert || len(cert.Reserved) > 0 {
		return refuseSignature("trust/certificate", "the certificate is not that of a user: issue one without -h")
	}
	for option := range cert.CriticalOptions {
		if option != verifyRequired {
			return refuseSignature("trust/certificate", "the certificate has the critical option %q, which cannot be heeded for a signature", option)
		}
	}
	if _, ok := cert.Extensions[noTouchRequired]; ok {
		return refuseSignature("trust/certificate", "the certificate does not ask for a touch of the security key (no-touch-required): issue one that does")
	}
	return nil
}

// validAt judges revocation and the window of validity, in seconds since 1970. Its begin may lie ahead as
// far as clocks differ.
func (a *Authority) validAt(cert *ssh.Certificate, at time.Time) *signatureError {
	switch {
	case a.revokes(cert):
		return refuseSignature("trust/revoked-key", "the certificate %d of the key %s is revoked by the policy", cert.Serial, ssh.FingerprintSHA256(cert.Key))
	case cert.ValidAfter > uint64(at.Add(clockSkew).Unix()), cert.ValidBefore <= uint64(at.Unix()):
		return refuseSignature("trust/expired-key", "the certificate %d of %s was not valid at %s, when the commit was first seen", cert.Serial, a.Name, at.Format(time.RFC3339))
	}
	return nil
}

// bearer finds the one principal whom the certificate names. A certificate without names would be good for
// anybody, and is for nobody.
func (r keyring) bearer(a *Authority, cert *ssh.Certificate, at time.Time) (key *Key, bad *signatureError) {
	for _, name := range cert.ValidPrincipals {
		k := r.certificates[identity{a.Name, name}]
		switch {
		case k == nil:
		case key != nil && k.Owner != key.Owner:
			return nil, refuseSignature("trust/certificate", "the certificate names both %s and %s: one person is one principal", key.Owner.Name, k.Owner.Name)
		case key == nil || key.validAt(at) != nil:
			key = k
		}
	}
	if key == nil {
		return nil, refuseSignature("trust/unknown-key", "it is signed with a certificate of %s for %q, which names nobody in the policy", a.Name, cert.ValidPrincipals)
	}
	return key, nil
}

// notAnothers demands of a certified key what is demanded of a key in the policy: that it is strong, and not
// somebody else's, who would count twice.
func (r keyring) notAnothers(public ssh.PublicKey, key *Key) *signatureError {
	m, err := sshMaterial(public)
	switch {
	case errors.Is(err, errWeak):
		return refuseSignature("trust/weak-key", "in the certificate: %v", err)
	case err != nil:
		return refuseSignature("trust/certificate", "in the certificate: %v", err)
	}
	if other := r.material[m]; other != nil && other.Owner != key.Owner {
		return refuseSignature("trust/duplicate-key", "the key in the certificate of %s is in the policy as that of %s", key.Owner.Name, other.Owner.Name)
	}
	return nil
}

// userVerified reports whether a security key says that it verified the user. Its flags are part of what
// it signs.
func (s *sshsig) userVerified() bool {
	return len(s.signature.Rest) > 0 && s.signature.Rest[0]&flagUserVerified != 0
}
