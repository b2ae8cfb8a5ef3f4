package trust

import (
	//lint:ignore SA1019 what must be refused
	"crypto/dsa"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/binary"
	"encoding/pem"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/llm-config-manager/lcm/internal/gitrepo"
)

var payload = []byte("tree 4b825dc642cb6eb9a060e54bf8d69288fbee4904\nauthor A <a@example.org> 1780000000 +0000\n\nmessage\n")

// sshSig is an SSH signature of which every part can be chosen.
type sshSig struct {
	public                    []byte
	namespace, reserved, hash string
	version                   uint32
	signature, trailer        []byte
}

func (s sshSig) armor() []byte {
	b := binary.BigEndian.AppendUint32([]byte(sshMagic), s.version)
	for _, f := range [][]byte{s.public, []byte(s.namespace), []byte(s.reserved), []byte(s.hash), s.signature} {
		b = append(binary.BigEndian.AppendUint32(b, uint32(len(f))), f...)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "SSH SIGNATURE", Bytes: append(b, s.trailer...)})
}

// sshMessage is what is signed.
func sshMessage(namespace, hash string, payload []byte) []byte {
	var sum []byte
	if hash == "sha256" {
		s := sha256.Sum256(payload)
		sum = s[:]
	} else {
		s := sha512.Sum512(payload)
		sum = s[:]
	}
	return append([]byte(sshMagic), ssh.Marshal(struct{ Namespace, Reserved, Hash, Sum string }{namespace, "", hash, string(sum)})...)
}

func sign(t *testing.T, s ssh.Signer, namespace, hash, algorithm string) sshSig {
	t.Helper()
	return must(signOver(payload, s, namespace, hash, algorithm))
}

func signOver(text []byte, s ssh.Signer, namespace, hash, algorithm string) (sshSig, error) {
	var sig *ssh.Signature
	var err error
	message := sshMessage(namespace, hash, text)
	if as, ok := s.(ssh.AlgorithmSigner); ok && algorithm != "" {
		sig, err = as.SignWithAlgorithm(rand.Reader, message, algorithm)
	} else {
		sig, err = s.Sign(rand.Reader, message)
	}
	if err != nil {
		return sshSig{}, err
	}
	return sshSig{s.PublicKey().Marshal(), namespace, "", hash, 1, ssh.Marshal(sig), nil}, nil
}

// ringOf is the keyring of a policy in which one person has one key.
func ringOf(t *testing.T, entry string) keyring {
	t.Helper()
	p := design()
	p.people["alice"] = person("global-admin", entry)
	got, findings := parse(t, p.String())
	if got == nil {
		t.Fatal(findings)
	}
	return got.keys
}

func signerOf(t *testing.T, key any) ssh.Signer {
	t.Helper()
	s, err := ssh.NewSignerFromKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func TestSSHSignatures(t *testing.T) {
	keys := map[string]any{"ed25519": must2(ed25519.GenerateKey(rand.Reader)), "rsa": must(rsa.GenerateKey(rand.Reader, 2048))}
	for _, c := range []elliptic.Curve{elliptic.P256(), elliptic.P384(), elliptic.P521()} {
		keys["ecdsa "+c.Params().Name] = must(ecdsa.GenerateKey(c, rand.Reader))
	}
	for name, key := range keys {
		s := signerOf(t, key)
		ring := ringOf(t, fmt.Sprintf("{ssh: %q}", publicLine(s)))
		algorithms := []string{""}
		if name == "rsa" {
			algorithms = []string{ssh.KeyAlgoRSASHA256, ssh.KeyAlgoRSASHA512}
		}
		for _, algorithm := range algorithms {
			for _, hash := range []string{"sha256", "sha512"} {
				sig := sign(t, s, "git", hash, algorithm).armor()
				if k, err := ring.verify(sig, payload, now); err != nil || k.Owner.Name != "alice" {
					t.Errorf("%s %s %s: %v", name, algorithm, hash, err)
				}
				if _, err := ring.verify(sig, append([]byte("x"), payload...), now); err == nil || err.rule != "trust/bad-signature" {
					t.Errorf("%s, payload altered: %v", name, err)
				}
			}
		}
	}
	sig := must(gitrepo.SSHSigner(sshKey("alice"))(payload))
	if _, err := ringOf(t, sshEntry("alice")).verify(sig, payload, now); err != nil {
		t.Errorf("gitrepo's own signer: %v", err)
	}
}

func must2(_ ed25519.PublicKey, k ed25519.PrivateKey, err error) ed25519.PrivateKey {
	return must(k, err)
}

// 16 and 17, and the ways to write a signature that nobody writes.
func TestSSHSignaturesRefused(t *testing.T) {
	alice := sshKey("alice")
	ring := ringOf(t, sshEntry("alice"))
	good := sign(t, alice, "git", "sha512", "")
	change := func(f func(*sshSig)) []byte {
		s := good
		f(&s)
		return s.armor()
	}
	var inner ssh.Signature
	if err := ssh.Unmarshal(good.signature, &inner); err != nil {
		t.Fatal(err)
	}
	text := string(good.armor())
	for name, c := range map[string]struct {
		armored []byte
		rule    string
	}{
		"none":                    {nil, "trust/unsigned"},
		"blank":                   {[]byte(" \n"), "trust/unsigned"},
		"namespace file":          {sign(t, alice, "file", "sha512", "").armor(), "trust/wrong-namespace"},
		"namespace changed after": {change(func(s *sshSig) { *s = sign(t, alice, "file", "sha512", ""); s.namespace = "git" }), "trust/bad-signature"},
		"namespace of approvals":  {sign(t, alice, "lcm-approval", "sha512", "").armor(), "trust/wrong-namespace"},
		"empty namespace":         {sign(t, alice, "", "sha512", "").armor(), "trust/wrong-namespace"},
		"unknown key":             {sign(t, sshKey("mallory"), "git", "sha512", "").armor(), "trust/unknown-key"},
		"another's name on it": {change(func(s *sshSig) {
			*s = sign(t, sshKey("mallory"), "git", "sha512", "")
			s.public = alice.PublicKey().Marshal()
		}), "trust/bad-signature"},
		"hash sha1":             {change(func(s *sshSig) { s.hash = "sha1" }), "trust/weak-signature"},
		"hash md5":              {change(func(s *sshSig) { s.hash = "md5" }), "trust/weak-signature"},
		"hash changed":          {change(func(s *sshSig) { s.hash = "sha256" }), "trust/bad-signature"},
		"version 2":             {change(func(s *sshSig) { s.version = 2 }), "trust/malformed-signature"},
		"reserved filled":       {change(func(s *sshSig) { s.reserved = "x" }), "trust/malformed-signature"},
		"bytes after the blob":  {change(func(s *sshSig) { s.trailer = []byte("x") }), "trust/malformed-signature"},
		"bytes after the inner": {change(func(s *sshSig) { s.signature = append(append([]byte(nil), s.signature...), 'x') }), "trust/malformed-signature"},
		"another format":        {change(func(s *sshSig) { s.signature = ssh.Marshal(ssh.Signature{Format: "ssh-rsa", Blob: inner.Blob}) }), "trust/weak-signature"},
		"a certificate's format": {change(func(s *sshSig) {
			s.signature = ssh.Marshal(ssh.Signature{Format: ssh.CertAlgoED25519v01, Blob: inner.Blob})
		}), "trust/weak-signature"},
		"text before":              {[]byte("hello\n" + text), "trust/malformed-signature"},
		"text after":               {[]byte(text + "hello\n"), "trust/malformed-signature"},
		"two armors":               {[]byte(text + text), "trust/several-signatures"},
		"an OpenPGP one after":     {[]byte(text + "-----BEGIN PGP SIGNATURE-----\n"), "trust/several-signatures"},
		"a header in the armor":    {[]byte(strings.Replace(text, "-----\n", "-----\nX: y\n\n", 1)), "trust/malformed-signature"},
		"cut off":                  {[]byte(text[:len(text)/2]), "trust/malformed-signature"},
		"empty armor":              {[]byte(sshBegin + "\n" + sshEnd), "trust/malformed-signature"},
		"begin alone":              {[]byte(sshBegin), "trust/malformed-signature"},
		"X.509":                    {[]byte("-----BEGIN SIGNED MESSAGE-----\nAAAA\n-----END SIGNED MESSAGE-----\n"), "trust/malformed-signature"},
		"huge":                     {[]byte(sshBegin + strings.Repeat("A", maxSignature) + sshEnd), "trust/malformed-signature"},
		"length beyond the end":    {pem.EncodeToMemory(&pem.Block{Type: "SSH SIGNATURE", Bytes: append([]byte(sshMagic), 0, 0, 0, 1, 255, 255, 255, 255)}), "trust/malformed-signature"},
		"begin and end overlapped": {[]byte("-----BEGIN SSH SIGNATURE-----END SSH SIGNATURE-----"), "trust/malformed-signature"},
	} {
		if k, err := ring.verify(c.armored, payload, now); err == nil || err.rule != c.rule || k != nil {
			t.Errorf("%s: want %s, got %v", name, c.rule, err)
		}
	}
}

func TestRSAWithSHA1(t *testing.T) {
	s := signerOf(t, must(rsa.GenerateKey(rand.Reader, 2048)))
	ring := ringOf(t, fmt.Sprintf("{ssh: %q}", publicLine(s)))
	if _, err := ring.verify(sign(t, s, "git", "sha512", ssh.KeyAlgoRSA).armor(), payload, now); err == nil || err.rule != "trust/weak-signature" {
		t.Errorf("%v", err)
	}
}

// skKey is a security key: the format of its signatures, and how it signs.
type skKey struct {
	format string
	sign   func(message []byte) (blob []byte)
}

func edBlob(key ed25519.PrivateKey) func([]byte) []byte {
	return func(message []byte) []byte { return ed25519.Sign(key, message) }
}

func ecBlob(key *ecdsa.PrivateKey) func([]byte) []byte {
	return func(message []byte) []byte {
		sum := sha256.Sum256(message)
		r, s, err := ecdsa.Sign(rand.Reader, key, sum[:])
		if err != nil {
			panic(err)
		}
		return ssh.Marshal(struct{ R, S *big.Int }{r, s})
	}
}

// skSign signs as a security key does for an application (OpenSSH, PROTOCOL.u2f), with the flags and
// counter that it reports.
func skSign(key skKey, public []byte, application string, flags byte, counter uint32) []byte {
	return skSignOver(payload, key, public, application, flags, counter)
}

func skSignOver(text []byte, key skKey, public []byte, application string, flags byte, counter uint32) []byte {
	app := sha256.Sum256([]byte(application))
	message := sha256.Sum256(sshMessage("git", "sha512", text))
	rest := binary.BigEndian.AppendUint32([]byte{flags}, counter)
	blob := key.sign(slices.Concat(app[:], rest, message[:]))
	return sshSig{public, "git", "", "sha512", 1, append(ssh.Marshal(struct {
		Format string
		Blob   []byte
	}{key.format, blob}), rest...), nil}.armor()
}

func skPublic(key ed25519.PrivateKey, application string) ssh.PublicKey {
	return must(ssh.ParsePublicKey(ssh.Marshal(struct {
		Name        string
		Key         []byte
		Application string
	}{ssh.KeyAlgoSKED25519, key.Public().(ed25519.PublicKey), application})))
}

func skPublicECDSA(key *ecdsa.PrivateKey, application string) ssh.PublicKey {
	return must(ssh.ParsePublicKey(ssh.Marshal(struct {
		Name, Curve string
		Point       []byte
		Application string
	}{ssh.KeyAlgoSKECDSA256, "nistp256", must(key.PublicKey.Bytes()), application})))
}

func TestSecurityKeyNeedsPresence(t *testing.T) {
	ed := must2(ed25519.GenerateKey(rand.Reader))
	ec := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	for name, k := range map[string]struct {
		skKey
		public ssh.PublicKey
	}{
		"ed25519-sk": {skKey{ssh.KeyAlgoSKED25519, edBlob(ed)}, skPublic(ed, "ssh:")},
		"ecdsa-sk":   {skKey{ssh.KeyAlgoSKECDSA256, ecBlob(ec)}, skPublicECDSA(ec, "ssh:")},
	} {
		wire := k.public.Marshal()
		ring := ringOf(t, fmt.Sprintf("{ssh: %q}", strings.TrimSpace(string(ssh.MarshalAuthorizedKey(k.public)))))
		touched := skSign(k.skKey, wire, "ssh:", 1, 7)
		reported := func(change func(rest []byte) []byte) []byte { // other than what was signed
			b, _ := pem.Decode(touched)
			return pem.EncodeToMemory(&pem.Block{Type: b.Type, Bytes: resize(b.Bytes, change)})
		}
		for label, armored := range map[string][]byte{
			"touched": touched, "touched and verified": skSign(k.skKey, wire, "ssh:", 5, 0), "counter at its end": skSign(k.skKey, wire, "ssh:", 1, 1<<32-1),
		} {
			if key, bad := ring.verify(armored, payload, now); bad != nil || key.Owner.Name != "alice" {
				t.Errorf("%s, %s: %+v", name, label, bad)
			}
		}
		for label, armored := range map[string][]byte{
			"not touched":           skSign(k.skKey, wire, "ssh:", 0, 7),
			"verified, not touched": skSign(k.skKey, wire, "ssh:", 4, 7),
			"another application":   skSign(k.skKey, wire, "ssh:other", 1, 7),
			"a web page":            skSign(k.skKey, wire, "https://acme.example", 1, 7),
			"flags changed after":   reported(func(rest []byte) []byte { rest[0] = 5; return rest }),
			"counter changed after": reported(func(rest []byte) []byte { rest[4]++; return rest }),
			"no flags":              reported(func([]byte) []byte { return nil }),
			"more than flags":       reported(func(rest []byte) []byte { return append(rest, 0) }),
		} {
			if key, bad := ring.verify(armored, payload, now); bad == nil || bad.rule != "trust/bad-signature" || key != nil {
				t.Errorf("%s, %s: %+v", name, label, bad)
			}
		}
	}
}

// resize changes the flags and counter at the end of an SSHSIG blob by a security key, and the length of the
// signature that they end.
func resize(blob []byte, change func(rest []byte) []byte) []byte {
	fields := must(wireStrings(blob[len(sshMagic)+4:], 5))
	signature := slices.Clone(fields[4])
	end := len(signature) - 5
	signature = append(signature[:end:end], change(signature[end:])...)
	head := blob[:len(blob)-len(fields[4])-4]
	return append(binary.BigEndian.AppendUint32(slices.Clone(head), uint32(len(signature))), signature...)
}

func TestWeakKeysAreRefused(t *testing.T) {
	small := must(rsa.GenerateKey(rand.Reader, 1024))
	var d dsa.PrivateKey
	if err := dsa.GenerateParameters(&d.Parameters, rand.Reader, dsa.L1024N160); err != nil {
		t.Fatal(err)
	}
	if err := dsa.GenerateKey(&d, rand.Reader); err != nil {
		t.Fatal(err)
	}
	for name, public := range map[string]ssh.PublicKey{"RSA 1024": must(ssh.NewPublicKey(&small.PublicKey)), "DSA": must(ssh.NewPublicKey(&d.PublicKey))} {
		line := strings.TrimSpace(string(ssh.MarshalAuthorizedKey(public)))
		p := design().with("x", person("global-admin", fmt.Sprintf("{ssh: %q}", line)))
		if got, findings := parse(t, p.String()); got != nil || len(findings) != 1 || findings[0].Rule != "trust/weak-key" {
			t.Errorf("%s: %v", name, findings)
		}
	}
}

func TestNotAfter(t *testing.T) {
	end := now.Add(time.Hour)
	ring := ringOf(t, fmt.Sprintf("{ssh: %q, notAfter: %s}", publicLine(sshKey("alice")), end.Format(time.RFC3339)))
	sig := sign(t, sshKey("alice"), "git", "sha512", "").armor()
	if _, err := ring.verify(sig, payload, end); err != nil {
		t.Error(err)
	}
	if _, err := ring.verify(sig, payload, end.Add(time.Second)); err == nil || err.rule != "trust/expired-key" {
		t.Errorf("%v", err)
	}
}

func BenchmarkVerifyEd25519(b *testing.B) {
	ring := newKeyring()
	k := must(parseSSHKey(publicLine(sshKey("alice"))))
	k.Owner = &Principal{Name: "alice"}
	ring.add(k)
	sig := must(gitrepo.SSHSigner(sshKey("alice"))(payload))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ring.verify(sig, payload, now); err != nil {
			b.Fatal(err)
		}
	}
}
