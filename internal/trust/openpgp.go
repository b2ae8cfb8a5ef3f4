package trust

import (
	"bytes"
	"crypto"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/packet"
)

const (
	openpgpBegin = "-----BEGIN PGP SIGNATURE-----"

	// clockSkew is how far ahead of ours the clock of a signer may run.
	clockSkew = 24 * time.Hour
)

// verifyOpenPGP checks a detached OpenPGP signature. The user ids that a key bears say nothing here: a key
// belongs to whom the policy says, and is found by its full fingerprint.
func (r keyring) verifyOpenPGP(armored, payload []byte, at time.Time) (*Key, *signatureError) {
	sig, err := parseOpenPGPSignature(armored)
	if err != nil {
		return nil, refuseSignature("trust/malformed-signature", "the OpenPGP signature is malformed: %v", err)
	}
	if bad := acceptableOpenPGP(sig); bad != nil {
		return nil, bad
	}
	signer, bad := r.openpgpSigner(sig)
	if bad != nil {
		return nil, bad
	}
	if err := signer.check(sig, payload); err != nil {
		return nil, refuseSignature("trust/bad-signature", "the signature by the key %s of %s does not verify: the commit was altered", signer.key.Fingerprint, signer.key.Owner.Name)
	}
	if bad := signer.key.validAt(at); bad != nil {
		return nil, bad
	}
	if bad := signer.validAt(at); bad != nil {
		return nil, bad
	}
	if expired(sig, at) || sig.CreationTime.Before(signer.public.CreationTime) {
		return nil, refuseSignature("trust/expired-key", "the OpenPGP signature by %s was not valid at %s, when the commit was first seen", signer.key.Owner.Name, at.Format(time.RFC3339))
	}
	return signer.key, nil
}

// acceptableOpenPGP refuses what a signature of a commit never is, or no longer should be.
func acceptableOpenPGP(sig *packet.Signature) *signatureError {
	if sig.SigType != packet.SigTypeBinary {
		return refuseSignature("trust/malformed-signature", "the OpenPGP signature is of type %#x, not over a document's bytes", int(sig.SigType))
	}
	if !strongHash(sig.Hash) {
		return refuseSignature("trust/weak-signature", "the hash %v is not accepted in a signature: use SHA-256 or SHA-512", sig.Hash)
	}
	if sig.PubKeyAlgo == packet.PubKeyAlgoDSA {
		return refuseSignature("trust/weak-signature", "a DSA signature is not accepted: use ed25519")
	}
	for _, n := range sig.Notations {
		if n.IsCritical {
			return refuseSignature("trust/malformed-signature", "the OpenPGP signature has a critical notation, which is not understood")
		}
	}
	return nil
}

// openpgpSigner finds the key that a signature names, by its full fingerprint. GitHub's signatures name
// theirs by its id of 64 bits alone: that finds keys of forges and nobody else's, and the signature then
// has to verify with that very key.
func (r keyring) openpgpSigner(sig *packet.Signature) (*openpgpSigner, *signatureError) {
	if len(sig.IssuerFingerprint) > 0 {
		if s := r.openpgp[string(sig.IssuerFingerprint)]; s != nil {
			return s, nil
		}
		return nil, refuseSignature("trust/unknown-key", "it is signed with the OpenPGP key %X, which belongs to nobody in the policy or may not sign", sig.IssuerFingerprint)
	}
	if sig.IssuerKeyId != nil {
		if s := r.forges[*sig.IssuerKeyId]; s != nil {
			return s, nil
		}
	}
	return nil, refuseSignature("trust/unknown-key", "the OpenPGP signature names its key by a short id only, which is that of no forge in the policy; of a person the full fingerprint is needed: sign with GnuPG 2.2 or newer")
}

func strongHash(h crypto.Hash) bool {
	return h == crypto.SHA256 || h == crypto.SHA384 || h == crypto.SHA512
}

// expired reports whether a signature had run out at a time, or lies further in the future than
// clocks differ.
func expired(sig *packet.Signature, at time.Time) bool {
	if sig.CreationTime.After(at.Add(clockSkew)) {
		return true
	}
	return sig.SigLifetimeSecs != nil && *sig.SigLifetimeSecs != 0 &&
		at.After(sig.CreationTime.Add(time.Duration(*sig.SigLifetimeSecs)*time.Second))
}

// check verifies the mathematics.
func (s *openpgpSigner) check(sig *packet.Signature, payload []byte) (err error) {
	defer contain(&err)
	h, err := sig.PrepareVerify()
	if err != nil {
		return err
	}
	h.Write(payload)
	return s.public.VerifySignature(h, sig)
}

// parseOpenPGPSignature reads the armor and the one signature packet in it, to the last byte.
func parseOpenPGPSignature(armored []byte) (sig *packet.Signature, err error) {
	defer contain(&err)
	raw, err := dearmor(string(armored), "PGP SIGNATURE")
	if err != nil {
		return nil, err
	}
	rest := bytes.NewReader(raw)
	p, err := packet.Read(rest)
	if err != nil {
		return nil, errors.New("its packet cannot be read")
	}
	sig, ok := p.(*packet.Signature)
	switch {
	case !ok:
		return nil, errors.New("it holds something other than a signature")
	case rest.Len() > 0:
		return nil, errors.New("something follows the first signature in it; exactly one is allowed")
	}
	return sig, nil
}

// contain turns a panic of the OpenPGP library into an error: its parsers meet bytes that anybody
// who can push may choose, and one bad signature must not stop the daemon.
func contain(err *error) {
	if r := recover(); r != nil {
		*err = errors.New("it cannot be read")
	}
}

// dearmor decodes exactly one armored block (RFC 9580, section 6.2) with nothing before, after or
// between, which the library's reader would skip. The checksum is optional and proves nothing, but GnuPG
// refuses a wrong one, and what it refuses is not for us to believe.
func dearmor(text, kind string) ([]byte, error) {
	text = strings.ReplaceAll(strings.TrimSpace(text), "\r\n", "\n")
	text, begins := strings.CutPrefix(text, "-----BEGIN "+kind+"-----")
	text, ends := strings.CutSuffix(text, "\n-----END "+kind+"-----")
	if !begins || !ends {
		return nil, fmt.Errorf("it must begin with -----BEGIN %s----- and end with -----END %[1]s-----", kind)
	}
	headers, body, ok := strings.Cut(text, "\n\n")
	if !ok || !armorHeaders(headers) {
		return nil, errors.New("no headers and then an empty line follow the begin of its armor")
	}
	body, sum := cutChecksum(body)
	raw, err := base64.StdEncoding.Strict().DecodeString(body)
	if err != nil {
		return nil, errors.New("its armor is not base64")
	}
	if sum != "" && sum != checksum(raw) {
		return nil, errors.New("the checksum of its armor is wrong")
	}
	return raw, nil
}

// armorHeaders reports whether each line, with its end before it, is a name and a value.
func armorHeaders(text string) bool {
	lines := strings.Split(text, "\n")
	return lines[0] == "" && !slices.ContainsFunc(lines[1:], func(line string) bool { return !strings.Contains(line, ": ") })
}

// cutChecksum takes the last line off if it is a checksum.
func cutChecksum(body string) (rest, sum string) {
	if i := strings.LastIndex(body, "\n="); i >= 0 && len(body)-i == len("\n=abcd") {
		return body[:i], body[i+len("\n="):]
	}
	return body, ""
}

// checksum is the CRC-24 of an armor (RFC 9580, section 6.1.1), in base64.
func checksum(raw []byte) string {
	sum := uint32(0xb704ce)
	for _, b := range raw {
		sum ^= uint32(b) << 16
		for range 8 {
			if sum <<= 1; sum&0x1000000 != 0 {
				sum ^= 0x1864cfb
			}
		}
	}
	return base64.StdEncoding.EncodeToString([]byte{byte(sum >> 16), byte(sum >> 8), byte(sum)})
}
