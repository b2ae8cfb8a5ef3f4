package trust

import (
	"bytes"
	"crypto"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/armor"
	"github.com/ProtonMail/go-crypto/openpgp/packet"

	"github.com/llm-config-manager/lcm/internal/gitrepo"
)

var born = now.Add(-365 * 24 * time.Hour)

func pgpConfig(at time.Time, change ...func(*packet.Config)) *packet.Config {
	c := &packet.Config{Time: func() time.Time { return at }, Algorithm: packet.PubKeyAlgoEdDSA, DefaultHash: crypto.SHA512}
	for _, f := range change {
		f(c)
	}
	return c
}

func entity(t *testing.T, name string, c *packet.Config) *openpgp.Entity {
	t.Helper()
	e, err := openpgp.NewEntity(name, "", name+"@example.org", c)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func armored(t *testing.T, kind string, write func(b *bytes.Buffer) error) string {
	t.Helper()
	return armorOf(kind, write)
}

func armorOf(kind string, write func(b *bytes.Buffer) error) string {
	var raw, out bytes.Buffer
	if err := write(&raw); err != nil {
		panic(err)
	}
	w := must(armor.Encode(&out, kind, map[string]string{"Comment": "test"}))
	must(w.Write(raw.Bytes()))
	if err := w.Close(); err != nil {
		panic(err)
	}
	return out.String()
}

func publicBlock(t *testing.T, e *openpgp.Entity) string {
	t.Helper()
	return armored(t, "PGP PUBLIC KEY BLOCK", func(b *bytes.Buffer) error { return e.Serialize(b) })
}

func pgpEntry(block string) string { return fmt.Sprintf("{openpgp: %q}", block) }

func pgpSign(t *testing.T, e *openpgp.Entity, payload []byte, c *packet.Config) []byte {
	t.Helper()
	return []byte(armored(t, "PGP SIGNATURE", func(b *bytes.Buffer) error { return openpgp.DetachSign(b, e, bytes.NewReader(payload), c) }))
}

// signPacket makes a signature of which every part can be chosen.
func signPacket(t *testing.T, e *openpgp.Entity, change func(*packet.Signature)) []byte {
	t.Helper()
	sig := &packet.Signature{Version: 4, SigType: packet.SigTypeBinary, PubKeyAlgo: e.PrimaryKey.PubKeyAlgo, Hash: crypto.SHA512,
		CreationTime: now, IssuerKeyId: &e.PrimaryKey.KeyId, IssuerKeyVersion: 4, IssuerFingerprint: e.PrimaryKey.Fingerprint}
	change(sig)
	h := must(sig.PrepareSign(nil))
	h.Write(payload)
	if err := sig.Sign(h, e.PrivateKey, nil); err != nil {
		t.Fatal(err)
	}
	return []byte(armored(t, "PGP SIGNATURE", func(b *bytes.Buffer) error { return sig.Serialize(b) }))
}

// sha1Signature says that its hash is SHA-1, by its number.
func sha1Signature(t *testing.T, e *openpgp.Entity) []byte {
	t.Helper()
	raw := must(dearmor(string(signPacket(t, e, func(*packet.Signature) {})), "PGP SIGNATURE"))
	i := bytes.Index(raw, []byte{4, byte(packet.SigTypeBinary), byte(e.PrimaryKey.PubKeyAlgo), 10})
	raw[i+3] = 2
	return []byte(armored(t, "PGP SIGNATURE", func(b *bytes.Buffer) error { _, err := b.Write(raw); return err }))
}

func TestOpenPGPSignatures(t *testing.T) {
	for name, c := range map[string]*packet.Config{
		"ed25519, version 4": pgpConfig(born),
		"ed25519, new":       pgpConfig(born, func(c *packet.Config) { c.Algorithm = packet.PubKeyAlgoEd25519 }),
		"version 6":          pgpConfig(born, func(c *packet.Config) { c.Algorithm = packet.PubKeyAlgoEd25519; c.V6Keys = true }),
		"P-256":              pgpConfig(born, func(c *packet.Config) { c.Algorithm = packet.PubKeyAlgoECDSA; c.Curve = packet.CurveNistP256 }),
		"RSA 2048":           pgpConfig(born, func(c *packet.Config) { c.Algorithm = packet.PubKeyAlgoRSA; c.RSABits = 2048 }),
	} {
		for _, subkey := range []bool{false, true} {
			e := entity(t, "alice", c)
			if subkey {
				if err := e.AddSigningSubkey(c); err != nil {
					t.Fatal(err)
				}
			}
			ring := ringOf(t, pgpEntry(publicBlock(t, e)))
			sig := pgpSign(t, e, payload, pgpConfig(now))
			if k, err := ring.verify(sig, payload, now); err != nil || k.Owner.Name != "alice" {
				t.Errorf("%s: %v", name, err)
			}
			if _, err := ring.verify(sig, append([]byte("x"), payload...), now); err == nil || err.rule != "trust/bad-signature" {
				t.Errorf("%s, payload altered: %v", name, err)
			}
		}
	}
}

// 15, 17 and 18.
func TestOpenPGPSignaturesRefused(t *testing.T) {
	alice := entity(t, "alice", pgpConfig(born))
	mallory := entity(t, "alice", pgpConfig(born)) // the same user id
	ring := ringOf(t, pgpEntry(publicBlock(t, alice)))
	good := pgpSign(t, alice, payload, pgpConfig(now))
	var two bytes.Buffer
	for range 2 {
		if err := openpgp.DetachSign(&two, alice, bytes.NewReader(payload), pgpConfig(now)); err != nil {
			t.Fatal(err)
		}
	}
	text := string(good)
	lifetime := uint32(60)
	for name, c := range map[string]struct {
		armored []byte
		rule    string
	}{
		"another's key with her user id": {pgpSign(t, mallory, payload, pgpConfig(now)), "trust/unknown-key"},
		"another's signature, her fingerprint": {signPacket(t, mallory, func(s *packet.Signature) { s.IssuerFingerprint = alice.PrimaryKey.Fingerprint }),
			"trust/unknown-key"}, // the library writes the true fingerprint whatever we ask
		"SHA-1":              {sha1Signature(t, alice), "trust/weak-signature"},
		"of a text":          {signPacket(t, alice, func(s *packet.Signature) { s.SigType = packet.SigTypeText }), "trust/malformed-signature"},
		"of a key":           {signPacket(t, alice, func(s *packet.Signature) { s.SigType = packet.SigTypeDirectSignature }), "trust/malformed-signature"},
		"expired signature":  {signPacket(t, alice, func(s *packet.Signature) { s.CreationTime, s.SigLifetimeSecs = now.Add(-time.Hour), &lifetime }), "trust/expired-key"},
		"from the future":    {signPacket(t, alice, func(s *packet.Signature) { s.CreationTime = now.Add(48 * time.Hour) }), "trust/expired-key"},
		"older than its key": {signPacket(t, alice, func(s *packet.Signature) { s.CreationTime = born.Add(-time.Hour) }), "trust/expired-key"},
		"critical notation": {signPacket(t, alice, func(s *packet.Signature) {
			s.Notations = []*packet.Notation{{Name: "x@example.org", Value: []byte("y"), IsCritical: true, IsHumanReadable: true}}
		}), "trust/malformed-signature"},
		"two in one block":      {[]byte(armored(t, "PGP SIGNATURE", func(b *bytes.Buffer) error { _, err := two.WriteTo(b); return err })), "trust/malformed-signature"},
		"two blocks":            {[]byte(text + text), "trust/several-signatures"},
		"a key in place of it":  {[]byte(armored(t, "PGP SIGNATURE", func(b *bytes.Buffer) error { return alice.Serialize(b) })), "trust/malformed-signature"},
		"data after the sum":    {[]byte(strings.Replace(text, "\n-----END", "\nAAAA\n-----END", 1)), "trust/malformed-signature"},
		"text after":            {[]byte(text + "\nhello"), "trust/malformed-signature"},
		"cut off":               {[]byte(text[:len(text)/2]), "trust/malformed-signature"},
		"nothing in it":         {[]byte(openpgpBegin + "\n\n-----END PGP SIGNATURE-----"), "trust/malformed-signature"},
		"begin and end in one":  {[]byte("-----BEGIN PGP SIGNATURE-----END PGP SIGNATURE-----"), "trust/malformed-signature"},
		"a message, clear text": {[]byte("-----BEGIN PGP SIGNED MESSAGE-----\nx\n" + text), "trust/several-signatures"},
	} {
		if k, err := ring.verify(c.armored, payload, now); err == nil || err.rule != c.rule || k != nil {
			t.Errorf("%s: want %s, got %v", name, c.rule, err)
		}
	}
}

// A short id finds a forge's key only: two persons' keys may share one.
func TestOpenPGPShortKeyID(t *testing.T) {
	e := must(webFlow())
	short := must(shortSigner(t, e)(payload))
	for rule, owner := range map[string]*Principal{"trust/unknown-key": {Name: "alice"}, "": {Name: "the forge", forge: &Forge{}}} {
		k := must(parseOpenPGPKey(publicBlock(t, e)))
		k.Owner = owner
		ring := newKeyring()
		ring.add(k)
		if _, bad := ring.verify(short, payload, now); (bad == nil) != (rule == "") || bad != nil && bad.rule != rule {
			t.Errorf("%s: %v", owner.Name, bad)
		}
	}
}

// Expiry is judged when the commit was first seen; a revocation ends a key for good.
func TestOpenPGPValidity(t *testing.T) {
	year := uint32(365 * 24 * 3600)
	lasting := entity(t, "alice", pgpConfig(born, func(c *packet.Config) { c.KeyLifetimeSecs = year }))
	sig := pgpSign(t, lasting, payload, pgpConfig(now.Add(-time.Hour)))
	ring := ringOf(t, pgpEntry(publicBlock(t, lasting)))
	if _, err := ring.verify(sig, payload, now.Add(-time.Minute)); err != nil {
		t.Error(err)
	}
	if _, err := ring.verify(sig, payload, now.Add(time.Minute)); err == nil || err.rule != "trust/expired-key" {
		t.Errorf("expired: %v", err)
	}

	// A subkey does not outlive its primary key.
	if err := lasting.AddSigningSubkey(pgpConfig(born)); err != nil {
		t.Fatal(err)
	}
	sig = pgpSign(t, lasting, payload, pgpConfig(now.Add(-time.Hour)))
	ring = ringOf(t, pgpEntry(publicBlock(t, lasting)))
	if _, err := ring.verify(sig, payload, now.Add(-time.Minute)); err != nil {
		t.Error(err)
	}
	if _, err := ring.verify(sig, payload, now.Add(time.Minute)); err == nil || err.rule != "trust/expired-key" {
		t.Errorf("primary key expired: %v", err)
	}

	sub := entity(t, "alice", pgpConfig(born))
	if err := sub.AddSigningSubkey(pgpConfig(born, func(c *packet.Config) { c.KeyLifetimeSecs = year })); err != nil {
		t.Fatal(err)
	}
	sig = pgpSign(t, sub, payload, pgpConfig(now.Add(-time.Hour)))
	ring = ringOf(t, pgpEntry(publicBlock(t, sub)))
	if _, err := ring.verify(sig, payload, now.Add(-time.Minute)); err != nil {
		t.Error(err)
	}
	if _, err := ring.verify(sig, payload, now.Add(time.Minute)); err == nil || err.rule != "trust/expired-key" {
		t.Errorf("expired subkey: %v", err)
	}

	if err := sub.RevokeSubkey(&sub.Subkeys[len(sub.Subkeys)-1], packet.KeyRetired, "", pgpConfig(now)); err != nil {
		t.Fatal(err)
	}
	ring = ringOf(t, pgpEntry(publicBlock(t, sub)))
	if _, err := ring.verify(sig, payload, now.Add(-time.Minute)); err == nil || err.rule != "trust/revoked-key" {
		t.Errorf("revoked subkey: %v", err)
	}

	sig = pgpSign(t, lasting, payload, pgpConfig(now.Add(-time.Hour)))
	if err := lasting.RevokeKey(packet.KeySuperseded, "", pgpConfig(now)); err != nil {
		t.Fatal(err)
	}
	block := publicBlock(t, lasting)
	k, err := parseOpenPGPKey(block)
	if err != nil {
		t.Fatal(err)
	}
	k.Owner = &Principal{Name: "alice"}
	revoked := newKeyring()
	revoked.add(k)
	if _, err := revoked.verify(sig, payload, now.Add(-time.Minute)); err == nil || err.rule != "trust/revoked-key" {
		t.Errorf("revoked key: %v", err)
	}
}

func TestOpenPGPKeysRefused(t *testing.T) {
	good := entity(t, "x", pgpConfig(born))
	small := entity(t, "x", pgpConfig(born, func(c *packet.Config) { c.Algorithm = packet.PubKeyAlgoRSA; c.RSABits = 1024 }))
	other := entity(t, "y", pgpConfig(born))
	private := armored(t, "PGP PUBLIC KEY BLOCK", func(b *bytes.Buffer) error { return good.SerializePrivateWithoutSigning(b, nil) })
	two := armored(t, "PGP PUBLIC KEY BLOCK", func(b *bytes.Buffer) error { return errors.Join(good.Serialize(b), other.Serialize(b)) })
	for name, c := range map[string]struct{ block, rule string }{
		"RSA 1024":    {publicBlock(t, small), "trust/weak-key"},
		"private":     {private, "trust/key"},
		"two in one":  {two, "trust/key"},
		"two blocks":  {publicBlock(t, good) + publicBlock(t, other), "trust/key"},
		"text around": {"my key:\n" + publicBlock(t, good), "trust/key"},
		"a signature": {string(pgpSign(t, good, payload, pgpConfig(now))), "trust/key"},
		"no key":      {"hello", "trust/key"},
	} {
		p := design().with("x", person("global-admin", pgpEntry(c.block)))
		if got, findings := parse(t, p.String()); got != nil || len(findings) != 1 || findings[0].Rule != c.rule {
			t.Errorf("%s: want one %s, got %v", name, c.rule, findings)
		}
	}
	if _, err := openpgpMaterial(&packet.PublicKey{PubKeyAlgo: packet.PubKeyAlgoDSA}); !errors.Is(err, errWeak) {
		t.Errorf("DSA: %v", err)
	}
	// Newer libraries do not make such self-signatures any more, but read them.
	sha1 := entity(t, "x", pgpConfig(born))
	for _, id := range sha1.Identities {
		id.SelfSignature.Hash = crypto.SHA1
	}
	if _, err := signers(sha1); !errors.Is(err, errWeak) {
		t.Errorf("SHA-1 inside: %v", err)
	}
	// 59: the same key as SSH and as OpenPGP is one key.
	e := entity(t, "x", pgpConfig(born, func(c *packet.Config) { c.Algorithm = packet.PubKeyAlgoRSA; c.RSABits = 2048 }))
	s := signerOf(t, e.PrivateKey.PrivateKey)
	p := design().with("x", person("global-admin", pgpEntry(publicBlock(t, e)))).with("y", person("global-admin", fmt.Sprintf("{ssh: %q}", publicLine(s))))
	if _, findings := parse(t, p.String()); len(findings) != 1 || findings[0].Rule != "trust/duplicate-key" {
		t.Errorf("one key in two forms: %v", findings)
	}
}

func TestOpenPGPCommits(t *testing.T) {
	w := newWorld(t)
	e := entity(t, "bob", pgpConfig(born))
	signer := gitrepo.Signer(func(p []byte) ([]byte, error) { return pgpSign(t, e, p, pgpConfig(now)), nil })
	root := w.introduce(design().with("bob", person(`"operator:acme-corp"`, pgpEntry(publicBlock(t, e)), sshEntry("bob"))), nil)
	side := w.commitBy(signer, files{prod: config("1")}, root)
	w.accepts(root, w.commit("alice", files{prod: config("1")}, root, side))
	w.refuses(root, w.commit("bob", files{prod: config("1")}, root, side), "trust/approvals") // one person, two keys
}

// realTools runs programs in a folder of their own, whose home it is.
func realTools(t *testing.T, tools ...string) (dir string, run func(name string, args ...string) string) {
	t.Helper()
	for _, tool := range tools {
		if _, err := exec.LookPath(tool); err != nil {
			if os.Getenv("CI") != "" {
				t.Fatalf("%s is not installed", tool)
			}
			t.Skipf("%s is not installed", tool)
		}
	}
	dir = t.TempDir()
	return dir, func(name string, args ...string) string {
		t.Helper()
		cmd := exec.Command(name, args...)
		cmd.Dir = dir
		cmd.Env = append(cmd.Environ(), "GNUPGHOME="+filepath.Join(dir, "g"), "HOME="+dir, "GIT_CONFIG_NOSYSTEM=1",
			"GIT_AUTHOR_NAME=A", "GIT_AUTHOR_EMAIL=a@example.org", "GIT_COMMITTER_NAME=A", "GIT_COMMITTER_EMAIL=a@example.org")
		out, err := cmd.Output()
		if err != nil {
			var exit *exec.ExitError
			if errors.As(err, &exit) {
				t.Logf("%s", exit.Stderr)
			}
			t.Fatalf("%s %v: %v", name, args, err)
		}
		return string(out)
	}
}

// What git, ssh-keygen and gpg themselves make is believed.
func TestRealTools(t *testing.T) {
	dir, run := realTools(t, "git", "ssh-keygen", "gpg")
	home := filepath.Join(dir, "g")
	run("mkdir", "-m", "700", home)
	t.Cleanup(func() {
		kill := exec.Command("gpgconf", "--kill", "gpg-agent") // the agent of this home only
		kill.Env = append(kill.Environ(), "GNUPGHOME="+home)
		_ = kill.Run()
	})
	run("gpg", "--batch", "--passphrase", "", "--quick-gen-key", "a@example.org", "ed25519", "sign", "1y")
	run("git", "init", "-q", "-b", "main", "r")
	blocks := map[string]string{"openpgp": run("gpg", "--armor", "--export", "a@example.org")}
	for _, kind := range []string{"ed25519", "ecdsa", "rsa"} {
		run("ssh-keygen", "-q", "-t", kind, "-N", "", "-C", "a comment", "-f", filepath.Join(dir, kind))
		blocks[kind] = run("cat", kind+".pub")
	}
	repo := must(gitrepo.Open(filepath.Join(dir, "r"), gitrepo.Limits{}))
	defer repo.Close()
	for kind, public := range blocks {
		entry := fmt.Sprintf("{ssh: %q}", strings.TrimSpace(public))
		args := []string{"-C", "r", "-c", "gpg.format=ssh", "-c", "user.signingkey=" + filepath.Join(dir, kind)}
		if kind == "openpgp" {
			entry = pgpEntry(public)
			args = []string{"-C", "r", "-c", "user.signingkey=a@example.org"}
		}
		run("git", append(args, "commit", "-q", "--allow-empty", "-S", "-m", "signed with "+kind+"\n\nä body")...)
		c := must(repo.Commit(must(repo.Head("main"))))
		if k, err := ringOf(t, entry).verify(c.Signature, c.Payload, time.Now()); err != nil || k.Owner.Name != "alice" {
			t.Errorf("%s: %v", kind, err)
		}
	}
}
