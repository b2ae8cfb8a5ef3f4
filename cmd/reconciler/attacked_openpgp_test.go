package main

import (
	"bytes"
	"crypto"
	"encoding/binary"
	"hash"
	"math/big"
	"slices"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/armor"
	"github.com/ProtonMail/go-crypto/openpgp/eddsa"
	"github.com/ProtonMail/go-crypto/openpgp/packet"

	"github.com/llm-config-manager/lcm/internal/gitrepo"
)

func pgpAt(at time.Time) *packet.Config {
	return &packet.Config{Time: func() time.Time { return at }, Algorithm: packet.PubKeyAlgoEdDSA, DefaultHash: crypto.SHA512}
}

// pgp makes an OpenPGP key that lives so many seconds; 0: without end.
func (a *attacked) pgp(name string, born time.Time, seconds uint32) *openpgp.Entity {
	a.t.Helper()
	c := pgpAt(born)
	c.KeyLifetimeSecs = seconds
	e, err := openpgp.NewEntity(name, "", name+"@example.org", c)
	a.check(err)
	return e
}

// pgpSubkey makes one that signs with a subkey, which lives so many seconds.
func (a *attacked) pgpSubkey(name string, born time.Time, seconds uint32) *openpgp.Entity {
	a.t.Helper()
	e := a.pgp(name, born, 0)
	c := pgpAt(born)
	c.KeyLifetimeSecs = seconds
	a.check(e.AddSigningSubkey(c))
	return e
}

func (a *attacked) pgpBlock(e *openpgp.Entity) string {
	a.t.Helper()
	return a.armored("PGP PUBLIC KEY BLOCK", func(b *bytes.Buffer) error { return e.Serialize(b) })
}

// pgpSigner signs with the newest key that may sign, valid or not, as of a time.
func (a *attacked) pgpSigner(e *openpgp.Entity, at time.Time) gitrepo.Signer {
	return a.pgpPacket(e, func(s *packet.Signature) { s.CreationTime = at })
}

// pgpPacket makes a signature of which every part can be chosen.
func (a *attacked) pgpPacket(e *openpgp.Entity, change func(*packet.Signature)) gitrepo.Signer {
	private := e.PrivateKey
	for _, s := range e.Subkeys {
		if s.Sig.FlagSign {
			private = s.PrivateKey
		}
	}
	return func(payload []byte) ([]byte, error) {
		sig := &packet.Signature{Version: 4, SigType: packet.SigTypeBinary, PubKeyAlgo: private.PubKeyAlgo, Hash: crypto.SHA512,
			CreationTime: time.Now(), IssuerKeyId: &private.KeyId, IssuerKeyVersion: 4, IssuerFingerprint: private.Fingerprint}
		change(sig)
		h, err := sig.PrepareSign(nil)
		if err != nil {
			return nil, err
		}
		h.Write(payload)
		if err := sig.Sign(h, private, nil); err != nil {
			return nil, err
		}
		return []byte(a.armored("PGP SIGNATURE", func(b *bytes.Buffer) error { return sig.Serialize(b) })), nil
	}
}

func (a *attacked) armored(kind string, write func(b *bytes.Buffer) error) string {
	a.t.Helper()
	var raw, out bytes.Buffer
	a.check(write(&raw))
	w, err := armor.Encode(&out, kind, nil)
	a.check(err)
	_, err = w.Write(raw.Bytes())
	a.check(err)
	a.check(w.Close())
	return out.String()
}

// pgpBare signs with ed25519 over any hash, by its number (RFC 9580, section 9.5). Unless whole, it names
// nothing of the key but its id of 64 bits, as GnuPG before 2.1.16 did.
func (a *attacked) pgpBare(e *openpgp.Entity, number byte, h hash.Hash, whole bool) gitrepo.Signer {
	names := append([]byte{9, 16}, binary.BigEndian.AppendUint64(nil, e.PrimaryKey.KeyId)...)
	if whole {
		names = append([]byte{22, 33, 4}, e.PrimaryKey.Fingerprint...)
	}
	hashed := binary.BigEndian.AppendUint32([]byte{5, 2}, uint32(time.Now().Unix()))
	hashed = append(hashed, names...)
	hashed = append(binary.BigEndian.AppendUint16([]byte{4, byte(packet.SigTypeBinary), byte(packet.PubKeyAlgoEdDSA), number}, uint16(len(hashed))), hashed...)
	return func(payload []byte) ([]byte, error) {
		h.Reset()
		h.Write(payload)
		h.Write(hashed)
		h.Write(binary.BigEndian.AppendUint32([]byte{4, 0xff}, uint32(len(hashed))))
		digest := h.Sum(nil)
		r, s, err := eddsa.Sign(e.PrivateKey.PrivateKey.(*eddsa.PrivateKey), digest)
		if err != nil {
			return nil, err
		}
		body := append(slices.Clone(hashed), 0, 0, digest[0], digest[1])
		for _, part := range [][]byte{r, s} {
			n := new(big.Int).SetBytes(part)
			body = append(binary.BigEndian.AppendUint16(body, uint16(n.BitLen())), n.Bytes()...)
		}
		header := binary.BigEndian.AppendUint32([]byte{0xc2, 0xff}, uint32(len(body)))
		return []byte(a.armored("PGP SIGNATURE", func(b *bytes.Buffer) error { b.Write(header); b.Write(body); return nil })), nil
	}
}
