package main

import (
	//lint:ignore SA1019 what must be refused
	"crypto/dsa"
	"crypto/ed25519"
	"crypto/md5"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/binary"
	"encoding/pem"
	"fmt"
	"strings"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
	"golang.org/x/crypto/ssh"

	"github.com/llm-config-manager/lcm/internal/gitrepo"
)

// attacksOnSignatures are about the bytes of a commit and of what signs it.
var attacksOnSignatures = map[string]func(*attacked){
	"13 duplicate tree and parent headers": func(a *attacked) {
		evil := a.treeOf(a.by("mallory", map[string]string{prodLimit: config("0")}))
		good := a.treeOf(a.by("dev", map[string]string{devTone: config("fine")}))
		plain := a.header(good, a.good)
		rest := plain[1:]
		two := func(line string) []string { return append([]string{plain[0], line}, rest...) }
		for _, header := range map[string][]string{
			"a second tree":             two("tree " + evil),
			"another tree first":        append([]string{"tree " + evil}, plain...),
			"no tree":                   rest,
			"a parent after the author": append(plain[:4:4], "parent "+string(a.intro)),
			"one parent twice":          two(rest[0]),
			"a parent before the tree":  append([]string{rest[0]}, plain...),
			"a tree at the end":         append(plain[:4:4], "tree "+evil),
			"short id":                  append([]string{"tree " + good[:39]}, rest...),
			"capitals in an id":         append([]string{"tree " + strings.ToUpper(good)}, rest...),
			"two authors":               append(plain[:3:3], plain[2], plain[3]),
			"two committers":            append(plain[:4:4], plain[3]),
		} {
			head := a.signedRaw("alice", header, last)
			a.refused(head, "trust/malformed-commit", "it was not made by Git")
			a.refused(a.below("alice", head), "trust/malformed-commit")
		}
		a.accepted(a.signedRaw("dev", plain, last))
	},
	"14 headers after the signature, unknown and duplicate headers": func(a *attacked) {
		evil := a.treeOf(a.by("mallory", map[string]string{prodLimit: config("0")}))
		plain := a.header(a.treeOf(a.by("dev", map[string]string{devTone: config("fine")})), a.good)
		after := func(line string) func([]string, string) []string {
			return func(h []string, s string) []string { return append(h, s, line) }
		}
		for _, place := range map[string]func([]string, string) []string{
			"tree": after("tree " + evil), "parent": after("parent " + string(a.intro)), "unknown": after("x-reviewed yes"),
			"encoding": after("encoding UTF-8"), "author": after(plain[2]), "mergetag": after("mergetag object " + string(a.intro)),
			"before the author": func(h []string, s string) []string { return append(append(h[:2:2], s), h[2:]...) },
		} {
			a.refused(a.signedRaw("alice", plain, place), "trust/malformed-commit", "it was not made by Git")
		}
		for _, line := range []string{"x-tree " + evil, "HG:rename a:b", "encoding UTF-8\nencoding UTF-8", "gpgsig-sha256 x", " folded"} {
			a.refused(a.signedRaw("alice", append(plain[:4:4], line), last), "trust/malformed-commit")
		}
		a.refused(a.signedRaw("alice", append(plain[:4:4], ""), last), "trust/unsigned") // the signature is part of the message
	},
	"15 several signatures": func(a *attacked) {
		plain := a.header(a.treeOf(a.by("dev", map[string]string{devTone: config("fine")})), a.good)
		text := []byte(strings.Join(plain, "\n") + "\n\nraw\n")
		other, err := gitrepo.SSHSigner(signerOf("mallory"))(text)
		a.check(err)
		folded := strings.ReplaceAll(strings.TrimRight(string(other), "\n"), "\n", "\n ")
		a.refused(a.signedRaw("dev", plain, func(h []string, s string) []string { return append(h, s, s) }), "trust/malformed-commit")
		a.refused(a.signedRaw("dev", plain, func(h []string, s string) []string { return append(h, s, "gpgsig "+folded) }), "trust/malformed-commit")
		for _, armors := range []func(s string) string{
			func(s string) string { return s + "\n " + folded },
			func(s string) string { return "gpgsig " + folded + "\n " + strings.TrimPrefix(s, "gpgsig ") },
			func(s string) string {
				return s + "\n -----BEGIN PGP SIGNATURE-----\n \n wsBzBAAB\n -----END PGP SIGNATURE-----"
			},
		} {
			a.refused(a.signedRaw("dev", plain, func(h []string, s string) []string { return append(h, armors(s)) }), "trust/several-signatures", "exactly one")
		}
	},
	"16 a signature made for something else": func(a *attacked) {
		plain := a.header(a.treeOf(a.by("dev", map[string]string{devTone: config("fine")})), a.good)
		for _, namespace := range []string{"file", trustApproval, "git ", "Git", "git\x00"} {
			a.refused(a.signedRawAs(gitrepo.SSHSignerFor(namespace, signerOf("alice")), plain, last), "trust/wrong-namespace", "not for \"git\"")
		}
		a.refused(a.signedRawAs(func([]byte) ([]byte, error) { return gitrepo.SSHSigner(signerOf("alice"))([]byte("another commit")) }, plain, last), "trust/bad-signature")
		a.refused(a.signedRawAs(sshsigAs(signerOf("mallory"), signerOf("alice").PublicKey(), ""), plain, last), "trust/bad-signature")
	},
	"16 one key under two names": func(a *attacked) {
		zoe := nextPolicy("rules:", "  zoe: {roles: [global-admin], keys: [{ssh: \"${alice}\"}]}\nrules:")
		a.refused(a.agreed("alice", "carol", map[string]string{".lcm/trust.yaml": zoe}), "trust/policy-unsound", "trust/duplicate-key", "alice")
		tenant := "apiVersion: lcm/v1\nkind: TenantPolicy\nversion: 1\nprincipals:\n  zoe: {roles: [\"operator:acme\"], keys: [{ssh: \"" + publicKey("bob") + "\"}]}\n"
		a.refused(a.agreed("alice", "carol", map[string]string{".lcm/tenants/acme.yaml": tenant}), "trust/policy-unsound", "trust/duplicate-key", "bob")
	},
	"16 a certificate for somebody else": func(a *attacked) {
		corp := nextPolicy(`keys: [{ssh: "${bob}"}]`, `keys: [{certificate: "bob@acme.example", authority: corp}]`, "rules:", "sshAuthorities: {corp: \"${corp}\"}\nrules:")
		a.accepted(a.agreed("alice", "carol", map[string]string{".lcm/trust.yaml": corp}))
		plain := a.header(a.treeOf(a.by("dev", map[string]string{devTone: config("fine")})), a.good)
		by := func(ca string, change func(*ssh.Certificate)) gitrepo.Signer {
			cert := &ssh.Certificate{Key: signerOf("laptop").PublicKey(), CertType: ssh.UserCert, ValidPrincipals: []string{"bob@acme.example"}, ValidBefore: ssh.CertTimeInfinity}
			change(cert)
			a.check(cert.SignCert(rand.Reader, signerOf(ca)))
			signer, err := ssh.NewCertSigner(cert, signerOf("laptop"))
			a.check(err)
			return gitrepo.SSHSigner(signer)
		}
		for rule, sign := range map[string]gitrepo.Signer{
			"trust/unknown-key":     by("corp", func(c *ssh.Certificate) { c.ValidPrincipals = []string{"mallory@acme.example", "bob"} }),
			"trust/certificate":     by("corp", func(c *ssh.Certificate) { c.CertType = ssh.HostCert }),
			"trust/expired-key":     by("corp", func(c *ssh.Certificate) { c.ValidBefore = uint64(time.Now().Add(-time.Hour).Unix()) }),
			"trust/wrong-namespace": gitrepo.SSHSignerFor("file", signerOf("laptop")),
		} {
			a.refused(a.signedRawAs(sign, plain, last), rule)
		}
		a.refused(a.signedRawAs(by("mallory", func(*ssh.Certificate) {}), plain, last), "trust/unknown-key", "authority")
		a.refused(a.signedRawAs(gitrepo.SSHSigner(signerOf("corp")), plain, last), "trust/unknown-key", "belongs to nobody")
		a.accepted(a.signedRawAs(by("corp", func(*ssh.Certificate) {}), plain, last))
	},
	"17 weak keys": func(a *attacked) {
		small, err := rsa.GenerateKey(rand.Reader, 1024)
		a.check(err)
		var d dsa.PrivateKey
		a.check(dsa.GenerateParameters(&d.Parameters, rand.Reader, dsa.L1024N160))
		a.check(dsa.GenerateKey(&d, rand.Reader))
		for _, public := range []any{&small.PublicKey, &d.PublicKey} {
			key, err := ssh.NewPublicKey(public)
			a.check(err)
			line := strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key)))
			a.refused(a.agreed("alice", "carol", map[string]string{".lcm/trust.yaml": nextPolicy("${dev}", line)}), "trust/policy-unsound", "trust/weak-key")
		}
	},
	"17 SHA-1 and MD5": func(a *attacked) {
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		a.check(err)
		signer, err := ssh.NewSignerFromKey(key)
		a.check(err)
		line := strings.TrimSpace(string(ssh.MarshalAuthorizedKey(signer.PublicKey())))
		a.accepted(a.agreed("alice", "carol", map[string]string{".lcm/trust.yaml": nextPolicy("${dev}", line)}))
		plain := a.header(a.treeOf(a.by("bob", map[string]string{devTone: config("fine")})), a.good)
		a.refused(a.signedRawAs(sshsigAs(signer, signer.PublicKey(), ssh.KeyAlgoRSA), plain, last), "trust/weak-signature", "SHA-2")
		for _, hash := range []string{"sha1", "md5", ""} {
			a.refused(a.signedRawAs(sshsigOf(signer, signer.PublicKey(), ssh.KeyAlgoRSASHA512, "git", hash), plain, last), "trust/weak-signature", "sha512")
		}
		a.accepted(a.signedRawAs(sshsigAs(signer, signer.PublicKey(), ssh.KeyAlgoRSASHA256), plain, last))
	},
	"17 a security key that nobody touched": func(a *attacked) {
		key := privateKey("token")
		public, err := ssh.ParsePublicKey(ssh.Marshal(struct {
			Name        string
			Key         []byte
			Application string
		}{ssh.KeyAlgoSKED25519, key.Public().(ed25519.PublicKey), "ssh:"}))
		a.check(err)
		line := strings.TrimSpace(string(ssh.MarshalAuthorizedKey(public)))
		a.accepted(a.agreed("alice", "carol", map[string]string{".lcm/trust.yaml": nextPolicy("${dev}", line)}))
		plain := a.header(a.treeOf(a.by("bob", map[string]string{devTone: config("fine")})), a.good)
		a.refused(a.signedRawAs(tokenSigner(key, public, "ssh:", 0), plain, last), "trust/bad-signature", "was not touched")
		a.refused(a.signedRawAs(tokenSigner(key, public, "https://evil.example", 1), plain, last), "trust/bad-signature")
		a.refused(a.agreed("alice", "carol", map[string]string{".lcm/trust.yaml": policy("version: 1", "version: 3", "${dev}", "no-touch-required "+line)}), "trust/policy-unsound", "options before the key")
		a.accepted(a.signedRawAs(tokenSigner(key, public, "ssh:", 1), plain, last))
	},
	"18 OpenPGP keys that are not valid": func(a *attacked) {
		born := time.Now().Add(-48 * time.Hour)
		hour := uint32(3600)
		for name, c := range map[string]struct {
			make func() (block *openpgp.Entity, signer *openpgp.Entity)
			rule string
		}{
			"expired key": {func() (x, y *openpgp.Entity) { e := a.pgp("bob", born, hour); return e, e }, "trust/expired-key"},
			"revoked key": {func() (x, y *openpgp.Entity) {
				e := a.pgp("bob", born, 0)
				a.check(e.RevokeKey(packet.KeyCompromised, "stolen", pgpAt(born)))
				return e, e
			}, "trust/revoked-key"},
			"revoked subkey": {func() (x, y *openpgp.Entity) {
				e := a.pgpSubkey("bob", born, 0)
				a.check(e.RevokeSubkey(&e.Subkeys[len(e.Subkeys)-1], packet.KeyCompromised, "stolen", pgpAt(born)))
				return e, e
			}, "trust/revoked-key"},
			"expired subkey":                    {func() (x, y *openpgp.Entity) { e := a.pgpSubkey("bob", born, hour); return e, e }, "trust/expired-key"},
			"another's key of the same user id": {func() (x, y *openpgp.Entity) { return a.pgp("bob", born, 0), a.pgp("bob", born, 0) }, "trust/unknown-key"},
		} {
			block, signer := c.make()
			withKey := a.agreed("alice", "carol", map[string]string{".lcm/trust.yaml": nextPolicy(`{ssh: "${dev}"}`, fmt.Sprintf("{openpgp: %q}, {ssh: \"${dev}\"}", a.pgpBlock(block)))})
			plain := a.header(a.treeOf(a.by("bob", map[string]string{devTone: config("fine")}, withKey)), withKey)
			// The policy step passes, the signature on top of it does not.
			head := a.signedRawAs(a.pgpSigner(signer, born.Add(time.Minute)), plain, last)
			b := *a
			b.point(head)
			code, report, text := b.pass()
			if code != exitRefused || report.Refusal.Rule != c.rule || report.Revision != withKey || report.Refusal.Commit != head {
				a.t.Fatalf("%s: exit code %d\n%s", name, code, text)
			}
			fresh := newAttacked(a.t, policy())
			*a = *fresh
		}
	},
	"18 an OpenPGP key by its short id": func(a *attacked) {
		born := time.Now().Add(-48 * time.Hour)
		e := a.pgp("bob", born, 0)
		a.accepted(a.agreed("alice", "carol", map[string]string{".lcm/trust.yaml": nextPolicy(`{ssh: "${dev}"}`, fmt.Sprintf("{openpgp: %q}, {ssh: \"${dev}\"}", a.pgpBlock(e)))}))
		plain := a.header(a.treeOf(a.by("bob", map[string]string{devTone: config("fine")})), a.good)
		sign := func(change func(*packet.Signature)) gitrepo.Signer { return a.pgpPacket(e, change) }
		a.refused(a.signedRawAs(a.pgpBare(e, 10, sha512.New(), false), plain, last), "trust/unknown-key", "short id")
		a.refused(a.signedRawAs(a.pgpBare(e, 2, sha1.New(), true), plain, last), "trust/weak-signature", "SHA-256")
		a.refused(a.signedRawAs(a.pgpBare(e, 1, md5.New(), true), plain, last), "trust/malformed-signature")
		a.refused(a.signedRawAs(sign(func(s *packet.Signature) { s.SigType = packet.SigTypeText }), plain, last), "trust/malformed-signature")
		a.accepted(a.signedRawAs(sign(func(*packet.Signature) {}), plain, last))
	},
	"23 the forge's key signs something of its own": func(a *attacked) {
		forge := a.pgp("forge", time.Now().Add(-48*time.Hour), 0)
		a.accepted(a.agreed("alice", "carol", map[string]string{".lcm/trust.yaml": nextPolicy("rules:", fmt.Sprintf("forges: {github: {key: %q, merges: recomputed, reviews: counted}}\nrules:", a.pgpBlock(forge)))}))
		byForge := a.pgpSigner(forge, time.Now())
		for _, files := range []map[string]string{{devTone: config("fine")}, {prodLimit: config("0")}, nil} {
			a.refused(a.signedRawAs(byForge, a.header(a.treeOf(a.by("bob", files)), a.good), last), "trust/forge-commit", "consents to nothing")
		}
		// A merge that holds more than its parents do, and one that leaves something out.
		side := a.by("dev", map[string]string{devTone: config("side")})
		more := a.treeOf(a.by("bob", map[string]string{devTone: config("side"), baseLimit: config("0")}))
		a.refused(a.signedRawAs(byForge, a.header(more, a.good, side), last), "trust/forge-merge")
		a.refused(a.signedRawAs(byForge, a.header(a.treeOf(a.good), a.good, side), last), "trust/forge-merge")
		// An honest merge consents to nothing: bob's alone is not enough for production.
		bob := a.by("bob", map[string]string{prodLimit: config("700")})
		a.refused(a.signedRawAs(byForge, a.header(a.treeOf(bob), a.good, bob), last), "trust/approvals", "bob's counts")
	},
}

const trustApproval = "lcm-approval"

// sshsigAs signs as one key and names another.
func sshsigAs(signer ssh.Signer, public ssh.PublicKey, algorithm string) gitrepo.Signer {
	return sshsigOf(signer, public, algorithm, "git", "sha512")
}

// sshsigOf makes an SSH signature (OpenSSH, PROTOCOL.sshsig) with every part as one likes.
func sshsigOf(signer ssh.Signer, public ssh.PublicKey, algorithm, namespace, hash string) gitrepo.Signer {
	return func(payload []byte) ([]byte, error) {
		sum := sha512.Sum512(payload)
		message := append([]byte("SSHSIG"), ssh.Marshal(struct{ Namespace, Reserved, Hash, Sum string }{namespace, "", hash, string(sum[:])})...)
		sig, err := signWith(signer, message, algorithm)
		if err != nil {
			return nil, err
		}
		return sshsigArmor(public, namespace, hash, ssh.Marshal(sig)), nil
	}
}

func signWith(signer ssh.Signer, message []byte, algorithm string) (*ssh.Signature, error) {
	if algorithm == "" {
		return signer.Sign(rand.Reader, message)
	}
	return signer.(ssh.AlgorithmSigner).SignWithAlgorithm(rand.Reader, message, algorithm)
}

func sshsigArmor(public ssh.PublicKey, namespace, hash string, signature []byte) []byte {
	blob := append([]byte("SSHSIG"), ssh.Marshal(struct {
		Version                   uint32
		Public                    []byte
		Namespace, Reserved, Hash string
		Signature                 []byte
	}{1, public.Marshal(), namespace, "", hash, signature})...)
	return pem.EncodeToMemory(&pem.Block{Type: "SSH SIGNATURE", Bytes: blob})
}

// tokenSigner signs as a security key does (OpenSSH, PROTOCOL.u2f) with the flags that it reports.
func tokenSigner(key ed25519.PrivateKey, public ssh.PublicKey, application string, flags byte) gitrepo.Signer {
	return func(payload []byte) ([]byte, error) {
		sum := sha512.Sum512(payload)
		signed := append([]byte("SSHSIG"), ssh.Marshal(struct{ Namespace, Reserved, Hash, Sum string }{"git", "", "sha512", string(sum[:])})...)
		app, message := sha256.Sum256([]byte(application)), sha256.Sum256(signed)
		rest := binary.BigEndian.AppendUint32([]byte{flags}, 7)
		blob := ed25519.Sign(key, append(append(app[:], rest...), message[:]...))
		return sshsigArmor(public, "git", "sha512", append(ssh.Marshal(struct {
			Format string
			Blob   []byte
		}{ssh.KeyAlgoSKED25519, blob}), rest...)), nil
	}
}
