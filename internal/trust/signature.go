package trust

import (
	"bytes"
	"fmt"
	"time"
)

// maxSignature is far above any real signature: RSA-16384 in armor has under 6 KiB.
const maxSignature = 16 << 10

// signatureError says why a signature does not count: a stable rule id and a sentence.
type signatureError struct{ rule, reason string }

func refuseSignature(rule, format string, args ...any) *signatureError {
	return &signatureError{rule, fmt.Sprintf(format, args...)}
}

// verify checks the one signature of payload against the keyring, as of the time at which the
// commit was first seen, and returns the key that made it.
func (r keyring) verify(armored, payload []byte, at time.Time) (*Key, *signatureError) {
	if len(bytes.TrimSpace(armored)) == 0 {
		return nil, refuseSignature("trust/unsigned", "the commit is not signed: sign it with a key of the policy (git commit -S)")
	}
	r.checked.Add(1)
	return r.verifyFor(commitNamespace, armored, payload, at)
}

// verifyFor checks the signature of a commit or of an approval, which an SSH signature tells apart by
// its namespace. An OpenPGP signature has none; the bytes of the one never are those of the other.
func (r keyring) verifyFor(namespace string, armored, payload []byte, at time.Time) (*Key, *signatureError) {
	if bad := oneSignature(armored); bad != nil {
		return nil, bad
	}
	switch {
	case bytes.HasPrefix(armored, []byte(sshBegin)):
		return r.verifySSH(namespace, armored, payload, at)
	case bytes.HasPrefix(armored, []byte(openpgpBegin)):
		return r.verifyOpenPGP(armored, payload, at)
	}
	return nil, refuseSignature("trust/malformed-signature", "the signature is neither an SSH signature nor an OpenPGP signature: set gpg.format to ssh or openpgp")
}

// oneSignature refuses what is too large for a signature, and several.
func oneSignature(armored []byte) *signatureError {
	switch {
	case len(armored) > maxSignature:
		return refuseSignature("trust/malformed-signature", "the signature has %d bytes; at most %d are read", len(armored), maxSignature)
	case bytes.Count(armored, []byte("-----BEGIN ")) > 1:
		return refuseSignature("trust/several-signatures", "it carries several signatures; exactly one is allowed")
	}
	return nil
}
