package trust

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
	"golang.org/x/crypto/ssh"

	"github.com/llm-config-manager/lcm/internal/gitrepo"
)

// maker signs commits in one way.
type maker struct {
	class     string
	sign      gitrepo.Signer
	backdated bool // also in a commit that claims to be of 2017
}

// added tells the keyring of a key, unless it is one that no policy may name.
func (d *differential) added(k *Key, err error) {
	d.t.Helper()
	if errors.Is(err, errWeak) {
		return
	}
	if err != nil {
		d.t.Fatal(err)
	}
	k.Owner = d.alice
	if d.ring.add(k) != nil {
		d.t.Fatal("a key stands twice")
	}
}

// knowSSH tells both judges of a key.
func (d *differential) knowSSH(line string) {
	d.t.Helper()
	d.added(parseSSHKey(line))
	d.allow(line)
}

// allow tells ssh-keygen of a key, with options as in an allowed signers file before it.
func (d *differential) allow(line string) {
	d.t.Helper()
	f, err := os.OpenFile(d.allowed, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		d.t.Fatal(err)
	}
	defer f.Close()
	if _, err := fmt.Fprintf(f, "%s %s\n", aliceName, line); err != nil {
		d.t.Fatal(err)
	}
}

// knowOpenPGP tells both judges of a key, as far as gpg can read it.
func (d *differential) knowOpenPGP(block string) {
	d.t.Helper()
	d.added(parseOpenPGPKey(block))
	_, _ = d.try(block, "gpg", "--batch", "--import")
}

func over(s ssh.Signer, namespace, hash, algorithm string) gitrepo.Signer {
	return func(text []byte) ([]byte, error) {
		sig, err := signOver(text, s, namespace, hash, algorithm)
		return sig.armor(), err
	}
}

// sshMakers are the ways to sign with the SSH keys of alice.
func (d *differential) sshMakers() (good []maker) {
	keys := map[string]any{"ed25519": must2(ed25519.GenerateKey(rand.Reader))}
	for _, c := range []elliptic.Curve{elliptic.P256(), elliptic.P384(), elliptic.P521()} {
		keys["ecdsa "+c.Params().Name] = must(ecdsa.GenerateKey(c, rand.Reader))
	}
	for _, bits := range []int{2048, 3072, 4096} {
		keys[fmt.Sprint("rsa ", bits)] = must(rsa.GenerateKey(rand.Reader, bits))
	}
	for name, key := range keys {
		s := signerOf(d.t, key)
		d.knowSSH(publicLine(s))
		algorithms := []string{""}
		if strings.HasPrefix(name, "rsa") {
			algorithms = []string{ssh.KeyAlgoRSASHA256, ssh.KeyAlgoRSASHA512}
		}
		for _, algorithm := range algorithms {
			for _, hash := range []string{"sha256", "sha512"} {
				class := strings.Join(strings.Fields("ssh "+name+" "+algorithm+" "+hash), " ")
				good = append(good, maker{class: class, sign: over(s, commitNamespace, hash, algorithm)})
			}
		}
	}
	for name, k := range d.securityKeys() {
		good = append(good, maker{class: "ssh " + name + ", touched", sign: k(1)})
	}
	return good
}

// securityKeys are ways to sign with security keys, given the flags that they report.
func (d *differential) securityKeys() map[string]func(flags byte) gitrepo.Signer {
	ed := must2(ed25519.GenerateKey(rand.Reader))
	ec := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	signing := func(key skKey, public ssh.PublicKey) func(byte) gitrepo.Signer {
		d.knowSSH(strings.TrimSpace(string(ssh.MarshalAuthorizedKey(public))))
		return func(flags byte) gitrepo.Signer {
			return func(text []byte) ([]byte, error) {
				return skSignOver(text, key, public.Marshal(), "ssh:", flags, 7), nil
			}
		}
	}
	return map[string]func(byte) gitrepo.Signer{
		"ed25519-sk": signing(skKey{ssh.KeyAlgoSKED25519, edBlob(ed)}, skPublic(ed, "ssh:")),
		"ecdsa-sk":   signing(skKey{ssh.KeyAlgoSKECDSA256, ecBlob(ec)}, skPublicECDSA(ec, "ssh:")),
	}
}

// sshOthers are the ways in which an SSH signature is wrong, or no longer right.
func (d *differential) sshOthers(good gitrepo.Signer) []maker {
	s, unknown := sshKey("stranger"), sshKey("mallory")
	small := signerOf(d.t, must(rsa.GenerateKey(rand.Reader, 1024)))
	large := signerOf(d.t, must(rsa.GenerateKey(rand.Reader, 2048)))
	old := sshKey("old")
	for _, known := range []ssh.Signer{s, small, large} {
		d.knowSSH(publicLine(known))
	}
	d.added(parseSSHKey(publicLine(old)))
	d.allow(`valid-before="20200101" ` + publicLine(old))
	d.ring.ssh[string(old.PublicKey().Marshal())].NotAfter = time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)
	makers := []maker{
		{class: "ssh unknown key", sign: over(unknown, commitNamespace, "sha512", "")},
		{class: "ssh rsa 1024", sign: over(small, commitNamespace, "sha512", ssh.KeyAlgoRSASHA512)},
		{class: "ssh rsa, sha1", sign: over(large, commitNamespace, "sha512", ssh.KeyAlgoRSA)},
		{class: "ssh key that has ended", sign: over(old, commitNamespace, "sha512", ""), backdated: true},
		{class: "ssh another's name on it", sign: func(text []byte) ([]byte, error) {
			sig, err := signOver(text, unknown, commitNamespace, "sha512", "")
			sig.public = s.PublicKey().Marshal()
			return sig.armor(), err
		}},
	}
	for _, namespace := range []string{"file", "", "Git", "git ", "git\x00", ApprovalNamespace} {
		makers = append(makers, maker{class: fmt.Sprintf("ssh namespace %q", namespace), sign: over(s, namespace, "sha512", "")})
	}
	for name, k := range d.securityKeys() {
		makers = append(makers, maker{class: "ssh " + name + ", not touched", sign: k(0)})
	}
	for name, change := range map[string]func(*sshSig){
		"namespace changed":  func(s *sshSig) { s.namespace = "file" },
		"hash changed":       func(s *sshSig) { s.hash = "sha256" },
		"hash sha1":          func(s *sshSig) { s.hash = "sha1" },
		"version 2":          func(s *sshSig) { s.version = 2 },
		"reserved filled":    func(s *sshSig) { s.reserved = "x" },
		"bytes after it":     func(s *sshSig) { s.trailer = []byte("x") },
		"bytes in it":        func(s *sshSig) { s.signature = append(bytes.Clone(s.signature), 'x') },
		"a flipped bit":      func(s *sshSig) { s.signature = bytes.Clone(s.signature); s.signature[len(s.signature)-3] ^= 4 },
		"a flipped key":      func(s *sshSig) { s.public = bytes.Clone(s.public); s.public[len(s.public)-3] ^= 4 },
		"an empty signature": func(s *sshSig) { s.signature = nil },
	} {
		makers = append(makers, maker{class: "ssh " + name, sign: func(text []byte) ([]byte, error) {
			sig, err := signOver(text, s, commitNamespace, "sha512", "")
			change(&sig)
			return sig.armor(), err
		}})
	}
	return append(makers, armorings("ssh", "SSH SIGNATURE", good)...)
}

// certificates are ways to sign with the certificate of an authority that both judges know.
func (d *differential) certificates() []maker {
	corp, laptop := sshKey("corp"), sshKey("laptop")
	d.allow("cert-authority " + publicLine(corp))
	shown := func(ca ssh.Signer, change func(*ssh.Certificate)) gitrepo.Signer {
		cert := issue(d.t, ca, laptop.PublicKey(), func(c *ssh.Certificate) {
			c.ValidAfter, c.ValidBefore = 0, ssh.CertTimeInfinity
			change(c)
		})
		return func(text []byte) ([]byte, error) {
			sig, err := signOver(text, laptop, commitNamespace, "sha512", "")
			sig.public = cert.Marshal()
			return sig.armor(), err
		}
	}
	makers := []maker{
		{class: "certificate of nobody's authority", sign: shown(sshKey("mallory"), func(*ssh.Certificate) {})},
		{class: "certificate of himself", sign: shown(laptop, func(*ssh.Certificate) {})},
		{class: "certificate: its key without it", sign: over(laptop, commitNamespace, "sha512", "")},
		{class: "certificate that has ended", sign: shown(corp, func(c *ssh.Certificate) { c.ValidBefore = 1577836800 }), backdated: true},
	}
	for name, change := range map[string]func(*ssh.Certificate){
		"certificate":                    func(*ssh.Certificate) {},
		"certificate for another":        func(c *ssh.Certificate) { c.ValidPrincipals = []string{"mallory@acme.example"} },
		"certificate for two":            func(c *ssh.Certificate) { c.ValidPrincipals = []string{"root", aliceName} },
		"certificate for anybody":        func(c *ssh.Certificate) { c.ValidPrincipals = nil },
		"certificate of a host":          func(c *ssh.Certificate) { c.CertType = ssh.HostCert },
		"certificate with a command":     func(c *ssh.Certificate) { c.CriticalOptions = map[string]string{"force-command": "git"} },
		"certificate with what is new":   func(c *ssh.Certificate) { c.CriticalOptions = map[string]string{"x@acme.example": ""} },
		"certificate of no touch":        func(c *ssh.Certificate) { c.Extensions[noTouchRequired] = "" },
		"certificate, reserved filled":   func(c *ssh.Certificate) { c.Reserved = []byte("x") },
		"certificate, unknown extension": func(c *ssh.Certificate) { c.Extensions["x@acme.example"] = "" },
	} {
		makers = append(makers, maker{class: name, sign: shown(corp, change)})
	}
	return makers
}

// openpgpMakers are the ways to sign with the OpenPGP keys of alice.
func (d *differential) openpgpMakers() (good []maker) {
	for name, change := range map[string]func(*packet.Config){
		"ed25519":  func(*packet.Config) {},
		"P-256":    p256,
		"P-384":    func(c *packet.Config) { c.Algorithm, c.Curve = packet.PubKeyAlgoECDSA, packet.CurveNistP384 },
		"P-521":    func(c *packet.Config) { c.Algorithm, c.Curve = packet.PubKeyAlgoECDSA, packet.CurveNistP521 },
		"rsa 2048": func(c *packet.Config) { c.Algorithm, c.RSABits = packet.PubKeyAlgoRSA, 2048 },
	} {
		for _, subkey := range []string{"", ", subkey"} {
			e := entity(d.t, "alice", d.config(change))
			if subkey != "" {
				if err := e.AddSigningSubkey(d.config(change)); err != nil {
					d.t.Fatal(err)
				}
			}
			d.knowOpenPGP(blockOf(e))
			for _, hash := range []crypto.Hash{crypto.SHA256, crypto.SHA512} {
				good = append(good, maker{class: fmt.Sprintf("openpgp %s%s %v", name, subkey, hash), sign: d.signing(e, func(c *packet.Config) { c.DefaultHash = hash })})
			}
		}
	}
	return good
}

// config makes keys as old as a year by the clock that gpg goes by.
func (d *differential) config(change ...func(*packet.Config)) *packet.Config {
	return pgpConfig(time.Now().Add(-365*24*time.Hour), change...)
}

func (d *differential) signing(e *openpgp.Entity, change ...func(*packet.Config)) gitrepo.Signer {
	return func(text []byte) ([]byte, error) {
		c := pgpConfig(time.Now().Add(-time.Hour), change...)
		return []byte(armorOf("PGP SIGNATURE", func(b *bytes.Buffer) error { return openpgp.DetachSign(b, e, bytes.NewReader(text), c) })), nil
	}
}

// openpgpOthers are the ways in which an OpenPGP signature is wrong, or no longer right.
func (d *differential) openpgpOthers(good gitrepo.Signer) []maker {
	day := func(c *packet.Config) { c.KeyLifetimeSecs = 24 * 3600 }
	at := func(ago time.Duration) func(*packet.Config) {
		return func(c *packet.Config) { c.Time = func() time.Time { return time.Now().Add(-ago) } }
	}
	fresh := func(change ...func(*packet.Config)) *openpgp.Entity { return entity(d.t, "alice", d.config(change...)) }
	known := func(e *openpgp.Entity) *openpgp.Entity { d.knowOpenPGP(blockOf(e)); return e }
	revoked := func(e *openpgp.Entity, reason packet.ReasonForRevocation) *openpgp.Entity {
		if err := e.RevokeKey(reason, "", d.config()); err != nil {
			d.t.Fatal(err)
		}
		return e
	}
	withSub := func(change ...func(*packet.Config)) *openpgp.Entity {
		e := fresh()
		if err := e.AddSigningSubkey(d.config(change...)); err != nil {
			d.t.Fatal(err)
		}
		return e
	}
	retired := withSub()
	early := *retired
	early.Subkeys = slices.Clone(retired.Subkeys)
	if err := retired.RevokeSubkey(&retired.Subkeys[len(retired.Subkeys)-1], packet.KeyRetired, "", d.config()); err != nil {
		d.t.Fatal(err)
	}
	known(retired)
	rsa2048 := known(fresh(func(c *packet.Config) { c.Algorithm, c.RSABits = packet.PubKeyAlgoRSA, 2048 }))
	plain := known(fresh())
	makers := []maker{
		{class: "openpgp unknown key", sign: d.signing(fresh())},
		{class: "openpgp rsa 1024", sign: d.signing(known(fresh(func(c *packet.Config) { c.Algorithm, c.RSABits = packet.PubKeyAlgoRSA, 1024 })))},
		{class: "openpgp key that has expired", sign: d.signing(known(fresh(day)), at(365*24*time.Hour-time.Hour))},
		{class: "openpgp subkey that has expired", sign: d.signing(known(withSub(day)), at(365*24*time.Hour-time.Hour))},
		{class: "openpgp subkey retired", sign: d.signing(&early)},
		{class: "openpgp signature that has expired", sign: d.signing(plain, at(48*time.Hour), func(c *packet.Config) { c.SigLifetimeSecs = 3600 })},
		{class: "openpgp from tomorrow's morning", sign: d.signing(plain, at(-12*time.Hour))},
		{class: "openpgp from the day after", sign: d.signing(plain, at(-48*time.Hour))},
		{class: "openpgp short id", sign: shortSigner(d.t, rsa2048)},
		{class: "openpgp version 6", sign: d.signing(known(fresh(version6)))},
		{class: "openpgp ed25519 of RFC 9580", sign: d.signing(known(fresh(func(c *packet.Config) { c.Algorithm = packet.PubKeyAlgoEd25519 })))},
	}
	for reason, name := range map[packet.ReasonForRevocation]string{packet.KeySuperseded: "superseded", packet.KeyCompromised: "compromised", packet.KeyRetired: "retired"} {
		e := fresh()
		sign := d.signing(&openpgp.Entity{PrimaryKey: e.PrimaryKey, PrivateKey: e.PrivateKey, Identities: e.Identities})
		known(revoked(e, reason))
		makers = append(makers, maker{class: "openpgp key " + name, sign: sign})
	}
	return append(makers, armorings("openpgp", "PGP SIGNATURE", unpadded(good))...)
}

// unpadded signs until the base64 ends without "=", which is nearly always: padding tells GnuPG 2.2 that the
// data ends, so that it misses a checksum only without.
func unpadded(sign gitrepo.Signer) gitrepo.Signer {
	return func(text []byte) (armored []byte, err error) {
		for range 100 {
			if armored, err = sign(text); err != nil || !bytes.Contains(armored, []byte("=\n=")) {
				break
			}
		}
		return armored, err
	}
}

// armorings are ways to write an armor that the tools do not write.
func armorings(class, kind string, good gitrepo.Signer) []maker {
	begin, end := "-----BEGIN "+kind+"-----\n", "-----END "+kind+"-----\n"
	edits := map[string]func(string) string{
		"text before":        func(s string) string { return "hello\n" + s },
		"text after":         func(s string) string { return s + "hello\n" },
		"an empty line last": func(s string) string { return s + "\n" },
		"CRLF":               func(s string) string { return strings.ReplaceAll(s, "\n", "\r\n") },
		"no line at begin":   func(s string) string { return strings.Replace(s, begin, strings.TrimSuffix(begin, "\n"), 1) },
		"no line at end":     func(s string) string { return strings.Replace(s, "\n"+end, end, 1) },
		"cut off":            func(s string) string { return s[:len(s)/2] },
		"no end":             func(s string) string { return strings.Replace(s, end, "", 1) },
		"twice":              func(s string) string { return s + s },
		"a space in it":      func(s string) string { return s[:len(s)/2] + " " + s[len(s)/2:] },
		"a strange byte":     func(s string) string { return s[:len(s)/2] + "*" + s[len(s)/2:] },
		"another's begin":    func(s string) string { return strings.Replace(s, "SIGNATURE", "MESSAGE", 1) },
		"padding in it":      func(s string) string { return s[:len(s)/2] + "==" + s[len(s)/2:] },
	}
	if class == "openpgp" {
		edits["no checksum"] = func(s string) string { i := strings.LastIndex(s, "\n="); return s[:i] + s[i+6:] }
		edits["a wrong checksum"] = func(s string) string { i := strings.LastIndex(s, "\n="); return s[:i] + "\n=AAAA" + s[i+6:] }
		edits["no headers"] = func(s string) string { return begin + s[strings.Index(s, "\n\n")+1:] }
		edits["no empty line"] = func(s string) string { return begin + s[strings.Index(s, "\n\n")+2:] }
		edits["an unknown header"] = func(s string) string { return strings.Replace(s, begin, begin+"X-Y: z\n", 1) }
		edits["a header without colon"] = func(s string) string { return strings.Replace(s, begin, begin+"hello\n", 1) }
	}
	var makers []maker
	for name, edit := range edits {
		makers = append(makers, maker{class: class + " armor: " + name, sign: func(text []byte) ([]byte, error) {
			armored, err := good(text)
			return []byte(edit(strings.TrimSpace(string(armored)) + "\n")), err
		}})
	}
	return makers
}

// realMakers sign with ssh-keygen and gpg themselves.
func (d *differential) realMakers() []maker {
	var makers []maker
	for kind, algorithms := range map[string][]string{"ed25519": {"sha512", "sha256"}, "rsa": {"sha256"}, "ecdsa": {"sha512"}} {
		file := filepath.Join(d.home, kind)
		d.run("", "ssh-keygen", "-q", "-t", kind, "-N", "", "-f", file)
		d.knowSSH(strings.TrimSpace(string(must(os.ReadFile(file + ".pub")))))
		for _, hash := range algorithms {
			makers = append(makers, maker{class: "ssh-keygen " + kind, sign: func(text []byte) ([]byte, error) {
				out, err := d.try(string(text), "ssh-keygen", "-q", "-Y", "sign", "-n", "git", "-O", "hashalg="+hash, "-f", file)
				return []byte(out), err
			}})
		}
	}
	gpg := func(class, algorithm, hash string, options ...string) {
		id := strings.ReplaceAll(class, " ", ".") + "@example.org"
		all := append([]string{"--batch", "--passphrase", "", "--pinentry-mode", "loopback"}, options...)
		d.run("", "gpg", append(all, "--quick-gen-key", id, algorithm, "sign", "1y")...)
		d.knowOpenPGP(d.run("", "gpg", "--armor", "--export", id))
		makers = append(makers, maker{class: class, sign: func(text []byte) ([]byte, error) {
			out, err := d.try(string(text), "gpg", append(all, "--armor", "--detach-sign", "--local-user", id, "--digest-algo", hash)...)
			return []byte(out), err
		}})
	}
	gpg("gpg ed25519", "ed25519", "SHA512")
	gpg("gpg rsa", "rsa2048", "SHA256")
	gpg("gpg nistp256", "nistp256", "SHA384")
	gpg("gpg sha1", "rsa2048", "SHA1")
	gpg("gpg sha224", "rsa2048", "SHA224")
	gpg("gpg self-signature of sha1", "rsa2048", "SHA512", "--cert-digest-algo", "SHA1")
	gpg("gpg dsa", "dsa2048", "SHA256")
	return makers
}
