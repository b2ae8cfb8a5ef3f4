package trust

import (
	"bytes"
	"crypto/sha256"
	"math/rand/v2"
	"testing"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/armor"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
	"github.com/google/go-cmp/cmp"
)

// fixedEntity is an OpenPGP key with a signing subkey. One of ed25519 is the same in every run, so that a
// corpus keeps its meaning.
func fixedEntity(name string, change ...func(*packet.Config)) *openpgp.Entity {
	c := pgpConfig(born, change...)
	c.Rand = rand.NewChaCha8(sha256.Sum256([]byte(name)))
	e := must(openpgp.NewEntity(name, "", name+"@example.org", c))
	if err := e.AddSigningSubkey(c); err != nil {
		panic(err)
	}
	return e
}

func version6(c *packet.Config) { c.Algorithm, c.V6Keys = packet.PubKeyAlgoEd25519, true }

func p256(c *packet.Config) { c.Algorithm, c.Curve = packet.PubKeyAlgoECDSA, packet.CurveNistP256 }

// bothForms gives what a fuzzer made as it is, and as the bytes in an armor, which gets it past base64.
func bothForms(t *testing.T, kind string, data []byte) []string {
	return []string{string(data), armored(t, kind, func(b *bytes.Buffer) error { _, err := b.Write(data); return err })}
}

// FuzzOpenPGPSignature: what is believed, the library's own check believes too; what is read can be
// written and read again; what is signed verifies, and over no other bytes.
func FuzzOpenPGPSignature(f *testing.F) {
	people := openpgp.EntityList{fixedEntity("alice"), fixedEntity("carol", version6)}
	var keys []*Key
	for _, e := range people {
		keys = append(keys, must(parseOpenPGPKey(blockOf(e))))
		sig := signatureOf(e, payload)
		f.Add(sig, payload)
		f.Add(must(dearmor(string(sig), "PGP SIGNATURE")), payload)
	}
	f.Add([]byte(openpgpBegin+"\n\nwsBzBAAB\n=abcd\n-----END PGP SIGNATURE-----"), []byte("x"))
	ring := fuzzRing(keys...)
	f.Fuzz(func(t *testing.T, data, text []byte) {
		for _, armored := range bothForms(t, "PGP SIGNATURE", data) {
			armorRoundTrip(t, "PGP SIGNATURE", armored)
			openpgpRoundTrip(t, armored)
			if _, bad := ring.verify([]byte(armored), text, now); bad == nil {
				if _, err := openpgp.CheckArmoredDetachedSignature(people, bytes.NewReader(text), bytes.NewReader([]byte(armored)), pgpConfig(now)); err != nil {
					t.Errorf("believed by us alone: %v\n%s", err, armored)
				}
			}
		}
		signsOnly(t, ring, commitNamespace, signatureOf(people[len(text)%2], text), text)
	})
}

func blockOf(e *openpgp.Entity) string {
	return armorOf("PGP PUBLIC KEY BLOCK", func(b *bytes.Buffer) error { return e.Serialize(b) })
}

func signatureOf(e *openpgp.Entity, text []byte) []byte {
	return []byte(armorOf("PGP SIGNATURE", func(b *bytes.Buffer) error {
		return openpgp.DetachSign(b, e, bytes.NewReader(text), pgpConfig(now))
	}))
}

// armorRoundTrip demands that an armor that is read holds what the library finds in it.
func armorRoundTrip(t *testing.T, kind, text string) []byte {
	t.Helper()
	raw, err := dearmor(text, kind)
	if err != nil {
		return nil
	}
	again, err := dearmor(armored(t, kind, func(b *bytes.Buffer) error { _, err := b.Write(raw); return err }), kind)
	if err != nil || !bytes.Equal(raw, again) {
		t.Errorf("%x is written, and read as %x: %v", raw, again, err)
	}
	block, err := armor.Decode(bytes.NewReader([]byte(text)))
	if err != nil {
		return raw
	}
	var theirs bytes.Buffer
	if _, err := theirs.ReadFrom(block.Body); err == nil && !bytes.Equal(raw, theirs.Bytes()) {
		t.Errorf("%q holds\n%x for us and\n%x for the library", text, raw, theirs.Bytes())
	}
	return raw
}

// said is what we read of a signature.
type said struct {
	Type, Algorithm, Hash int
	Created               int64
	Lifetime              uint32
	Issuer                []byte
}

func saidBy(s *packet.Signature) said {
	out := said{int(s.SigType), int(s.PubKeyAlgo), int(s.Hash), s.CreationTime.Unix(), 0, s.IssuerFingerprint}
	if s.SigLifetimeSecs != nil {
		out.Lifetime = *s.SigLifetimeSecs
	}
	return out
}

func openpgpRoundTrip(t *testing.T, text string) {
	t.Helper()
	sig, err := parseOpenPGPSignature([]byte(text))
	if err != nil {
		return
	}
	var b bytes.Buffer
	if err := sig.Serialize(&b); err != nil {
		return // some that the library reads it does not write
	}
	again, err := parseOpenPGPSignature([]byte(armored(t, "PGP SIGNATURE", func(w *bytes.Buffer) error { _, err := w.Write(b.Bytes()); return err })))
	if err != nil {
		t.Fatalf("what was read is written and cannot be read: %v\n%s", err, text)
	}
	if d := cmp.Diff(saidBy(sig), saidBy(again)); d != "" {
		t.Errorf("%s\n%s", d, text)
	}
}

// FuzzOpenPGPKey: what is read for a key says who signs with it, and reads the same when it is written again.
func FuzzOpenPGPKey(f *testing.F) {
	const kind = "PGP PUBLIC KEY BLOCK"
	revoked := fixedEntity("dave")
	if err := revoked.RevokeKey(packet.KeySuperseded, "", pgpConfig(now)); err != nil {
		f.Fatal(err)
	}
	for _, e := range []*openpgp.Entity{fixedEntity("alice"), fixedEntity("bob", p256), fixedEntity("carol", version6), revoked} {
		f.Add([]byte(blockOf(e)))
		f.Add(must(dearmor(blockOf(e), kind)))
	}
	foreign := signatureOf(fixedEntity("eve"), payload)
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, text := range bothForms(t, kind, data) {
			raw := armorRoundTrip(t, kind, text)
			k, err := parseOpenPGPKey(text)
			if err != nil {
				continue
			}
			if len(k.material) == 0 || len(k.openpgp.signers) == 0 || k.Fingerprint == "" {
				t.Errorf("a key of nobody: %+v\n%s", k, text)
			}
			again, err := parseOpenPGPKey(armored(t, kind, func(b *bytes.Buffer) error { _, err := b.Write(raw); return err }))
			if err != nil {
				t.Fatalf("what was read is written and cannot be read: %v\n%s", err, text)
			}
			if d := cmp.Diff(signersOf(k), signersOf(again)); d != "" {
				t.Errorf("%s\n%s", d, text)
			}
			strange(t, k, foreign)
		}
	})
}

type signing struct {
	Fingerprint []byte
	Revoked     bool
	Valid       string // "" or the rule that keeps it from signing now
}

func signersOf(k *Key) []signing {
	k.Owner = &Principal{Name: "alice"}
	fuzzRing(k)
	var out []signing
	for _, s := range k.openpgp.signers {
		valid := ""
		if bad := s.validAt(now); bad != nil {
			valid = bad.rule
		}
		out = append(out, signing{s.public.Fingerprint, s.revoked, valid})
	}
	return out
}

// strange demands that nobody else's signature verifies with a key that was read, whatever is wrong
// with the key.
func strange(t *testing.T, k *Key, foreign []byte) {
	t.Helper()
	for _, s := range k.openpgp.signers {
		sig := must(parseOpenPGPSignature(foreign))
		sig.PubKeyAlgo = s.public.PubKeyAlgo
		if err := s.check(sig, payload); err == nil {
			t.Errorf("a signature by another key verifies with %X", s.public.Fingerprint)
		}
	}
}
