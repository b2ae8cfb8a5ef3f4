package trust

import (
	"bytes"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"
)

const (
	sshBegin = "-----BEGIN SSH SIGNATURE-----"
	sshEnd   = "-----END SSH SIGNATURE-----"
	sshMagic = "SSHSIG"

	commitNamespace = "git"
)

// parseSSHKey reads a line of a .pub file. Options, which authorized_keys allows, are refused:
// no-touch-required would take away the proof that a person was there.
func parseSSHKey(line string) (*Key, error) {
	line = strings.TrimSpace(line)
	if strings.ContainsAny(line, "\r\n") {
		return nil, errors.New("an ssh key is one line, as in a .pub file")
	}
	public, _, options, _, err := ssh.ParseAuthorizedKey([]byte(line))
	if err != nil {
		return nil, errors.New(`this is no SSH public key; it looks like "ssh-ed25519 AAAA…", as in a .pub file`)
	}
	if len(options) > 0 {
		return nil, errors.New("options before the key are not allowed: begin with the key's type")
	}
	m, err := sshMaterial(public)
	if err != nil {
		return nil, err
	}
	return &Key{Fingerprint: ssh.FingerprintSHA256(public), ssh: public, material: []string{m}}, nil
}

// sshMaterial is material for SSH keys of the types that are accepted.
func sshMaterial(public ssh.PublicKey) (string, error) {
	if _, ok := public.(*ssh.Certificate); ok {
		return "", errors.New("a certificate is no key, and ends with its renewal: name its authority in sshAuthorities, and write {certificate: name, authority: name}")
	}
	//lint:ignore SA1019 it is named to be refused
	if public.Type() == ssh.InsecureKeyAlgoDSA {
		return "", fmt.Errorf("a DSA key is %w: use ed25519", errWeak)
	}
	crypto, ok := public.(ssh.CryptoPublicKey)
	if !ok || sshSignatureFormats(public.Type()) == nil {
		return "", fmt.Errorf("keys of type %s are not accepted: use ed25519", public.Type())
	}
	return material(crypto.CryptoPublicKey())
}

// sshSignatureFormats are the signature formats that count for a type of key. SHA-1 (ssh-rsa) and
// WebAuthn are not among them.
func sshSignatureFormats(keyType string) []string {
	switch keyType {
	case ssh.KeyAlgoED25519, ssh.KeyAlgoECDSA256, ssh.KeyAlgoECDSA384, ssh.KeyAlgoECDSA521, ssh.KeyAlgoSKED25519, ssh.KeyAlgoSKECDSA256:
		return []string{keyType}
	case ssh.KeyAlgoRSA:
		return []string{ssh.KeyAlgoRSASHA256, ssh.KeyAlgoRSASHA512}
	}
	return nil
}

// sshsig is the blob of an SSH signature (OpenSSH, PROTOCOL.sshsig), version 1.
type sshsig struct {
	publicKey, namespace, hash []byte
	signature                  ssh.Signature
}

func (r keyring) verifySSH(namespace string, armored, payload []byte, at time.Time) (*Key, *signatureError) {
	sig, bad := readSSHSig(namespace, armored)
	if bad != nil {
		return nil, bad
	}
	signer, bad := r.sshSigner(sig.publicKey, at)
	if bad != nil {
		return nil, bad
	}
	message, bad := sig.signed(signer.public, payload)
	if bad != nil {
		return nil, bad
	}
	key := signer.key
	if err := signer.public.Verify(message, &sig.signature); err != nil || signer.verify && !sig.userVerified() {
		return nil, refuseSignature("trust/bad-signature", "the signature by the key %s of %s does not verify: the commit was altered, or a security key was not touched, or did not verify its user as a certificate demands", key.Fingerprint, key.Owner.Name)
	}
	if bad := key.validAt(at); bad != nil {
		return nil, bad
	}
	return key, nil
}

// readSSHSig reads a signature that was made for a namespace.
func readSSHSig(namespace string, armored []byte) (*sshsig, *signatureError) {
	sig, err := parseSSHSig(armored)
	if err != nil {
		return nil, refuseSignature("trust/malformed-signature", "the SSH signature is malformed: %v", err)
	}
	if string(sig.namespace) != namespace {
		return nil, refuseSignature("trust/wrong-namespace", "the SSH signature was made for %q, not for %q", sig.namespace, namespace)
	}
	return sig, nil
}

// signed is what a key signed if the signature is by it, which must be of a kind that counts.
func (s *sshsig) signed(public ssh.PublicKey, payload []byte) ([]byte, *signatureError) {
	if bad := s.acceptable(public); bad != nil {
		return nil, bad
	}
	return s.message(payload)
}

// acceptable refuses weak formats, and bytes after the signature that no algorithm asks for.
func (s *sshsig) acceptable(public ssh.PublicKey) *signatureError {
	for _, f := range sshSignatureFormats(public.Type()) {
		if s.signature.Format != f {
			continue
		}
		if sk := strings.HasPrefix(f, "sk-"); !sk && len(s.signature.Rest) > 0 {
			return refuseSignature("trust/malformed-signature", "the SSH signature is malformed: bytes follow it")
		}
		return nil
	}
	return refuseSignature("trust/weak-signature", "a signature of format %q by a key of type %s is not accepted: sign with SHA-2", s.signature.Format, public.Type())
}

// message is what the key signs: the hash of the payload, bound to the namespace.
func (s *sshsig) message(payload []byte) ([]byte, *signatureError) {
	var digest []byte
	switch string(s.hash) {
	case "sha512":
		sum := sha512.Sum512(payload)
		digest = sum[:]
	case "sha256":
		sum := sha256.Sum256(payload)
		digest = sum[:]
	default:
		return nil, refuseSignature("trust/weak-signature", "the hash %q is not accepted in an SSH signature: use sha512", s.hash)
	}
	m := make([]byte, 0, 128)
	m = append(m, sshMagic...)
	for _, field := range [...][]byte{s.namespace, nil, s.hash, digest} {
		m = binary.BigEndian.AppendUint32(m, uint32(len(field)))
		m = append(m, field...)
	}
	return m, nil
}

// parseSSHSig reads the armor and the blob in it, to the last byte. Begin and end have lines of their own,
// which end as ssh-keygen wants them to: it refuses others, and what it refuses is not for us to believe.
func parseSSHSig(armored []byte) (*sshsig, error) {
	body, ok := bytes.CutSuffix(bytes.TrimRight(armored, "\r\n \t"), []byte("\n"+sshEnd))
	if body, ok = cutPrefix(body, sshBegin+"\n", ok); !ok || bytes.IndexByte(body, '\r') >= 0 {
		return nil, errors.New("its armor has no begin and end on lines of their own")
	}
	blob := make([]byte, base64.StdEncoding.DecodedLen(len(body)))
	n, err := base64.StdEncoding.Strict().Decode(blob, body)
	if err != nil {
		return nil, errors.New("its armor is not base64")
	}
	blob, ok = cutPrefix(blob[:n], sshMagic, true)
	if !ok || len(blob) < 4 || binary.BigEndian.Uint32(blob) != 1 {
		return nil, errors.New("it is not SSHSIG of version 1")
	}
	fields, err := wireStrings(blob[4:], 5)
	if err != nil {
		return nil, err
	}
	s := &sshsig{publicKey: fields[0], namespace: fields[1], hash: fields[3]}
	if len(fields[2]) > 0 {
		return nil, errors.New("its reserved field is not empty")
	}
	format, rest, ok := wireString(fields[4])
	value, rest, whole := wireString(rest)
	if !ok || !whole {
		return nil, errors.New("the signature in it cannot be read")
	}
	s.signature = ssh.Signature{Format: string(format), Blob: value, Rest: rest}
	return s, nil
}

func cutPrefix(b []byte, prefix string, ok bool) ([]byte, bool) {
	if !ok || !bytes.HasPrefix(b, []byte(prefix)) {
		return nil, false
	}
	return b[len(prefix):], true
}

// wireStrings reads exactly n strings of the SSH wire format (RFC 4251, section 5).
func wireStrings(b []byte, n int) ([][]byte, error) {
	out, ok := make([][]byte, n), false
	for i := range out {
		if out[i], b, ok = wireString(b); !ok {
			return nil, errors.New("it is cut off")
		}
	}
	if len(b) > 0 {
		return nil, errors.New("bytes follow its end")
	}
	return out, nil
}

func wireString(b []byte) (s, rest []byte, ok bool) {
	if len(b) < 4 || uint64(len(b)-4) < uint64(binary.BigEndian.Uint32(b)) {
		return nil, nil, false
	}
	end := 4 + int(binary.BigEndian.Uint32(b))
	return b[4:end], b[end:], true
}

func fingerprintOf(wire []byte) string {
	public, err := ssh.ParsePublicKey(wire)
	if err != nil {
		return "(not a readable key)"
	}
	return ssh.FingerprintSHA256(public)
}
