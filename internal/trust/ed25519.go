package trust

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha512"
	"errors"
	"sync"
	"sync/atomic"

	"filippo.io/edwards25519"
	"filippo.io/edwards25519/field"
	"golang.org/x/crypto/ssh"
)

// edKey verifies the ed25519 signatures of one key. A key that signs much is worth a table of its
// multiples, with which a signature takes a quarter of the time. The check is that of crypto/ed25519 to
// the bit (RFC 8032, section 5.1.7, without the cofactor): the same equation of the same scalars, with
// multiples looked up that it computes. All is public here, so that time may depend on it.
type edKey struct {
	ssh.PublicKey
	public ed25519.PublicKey
	tables *atomic.Int32 // how many keys have one

	mu     sync.Mutex
	used   int
	minusA *multiples // of the key, negated; nil until it is used often
}

// tableFrom is how many signatures a key verifies before it gets a table, which takes the time of thirty.
// maxTables bounds their memory to 14 MB.
const (
	tableFrom = 32
	maxTables = 48
)

// Verify is that of the SSH key.
func (k *edKey) Verify(message []byte, s *ssh.Signature) error {
	if s.Format != ssh.KeyAlgoED25519 || !k.verify(message, s.Blob) {
		return errors.New("trust: the signature did not verify")
	}
	return nil
}

// verify is ed25519.Verify.
func (k *edKey) verify(message, signature []byte) bool {
	k.use()
	r, ok := k.commitment(message, signature)
	if !ok {
		return ed25519.Verify(k.public, message, signature)
	}
	encoded := r.bytes(new(field.Element).Invert(&r.z))
	return bytes.Equal(signature[:32], encoded[:])
}

// commitment is R = [s]B - [c]A, with whose encoding a signature must begin: crypto/ed25519 compares that, too. It is
// false where there is no table, or the signature is not in form.
func (k *edKey) commitment(message, signature []byte) (*extended, bool) {
	k.mu.Lock()
	minusA := k.minusA
	k.mu.Unlock()
	if minusA == nil || len(signature) != ed25519.SignatureSize {
		return nil, false
	}
	s, err := new(edwards25519.Scalar).SetCanonicalBytes(signature[32:])
	if err != nil {
		return nil, false
	}
	h := sha512.New()
	h.Write(signature[:32])
	h.Write(k.public)
	h.Write(message)
	var digest [sha512.Size]byte
	c, err := new(edwards25519.Scalar).SetUniformBytes(h.Sum(digest[:0]))
	if err != nil {
		return nil, false
	}
	r := sum(generator(), s, minusA, c)
	// No point has a z of 0. One that had would spoil the inverses of all that are looked at together.
	return r, r.z.Equal(new(field.Element)) == 0
}

// use makes the key's table when it has been used often.
func (k *edKey) use() {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.used++; k.used != tableFrom || k.tables.Add(1) > maxTables {
		return
	}
	if a, err := new(edwards25519.Point).SetBytes(k.public); err == nil {
		k.minusA = newMultiples(a.Negate(a))
	}
}

// edKeys are the keys that policies share, however often one changes that names them.
type edKeys struct {
	keys   map[string]*edKey
	tables *atomic.Int32
}

// share puts what verifies faster in place of the ed25519 keys of a new policy. When there are as many
// tables as there may be, all begin anew: some may belong to keys that were replaced long ago.
func (e *edKeys) share(p *Policy) {
	if e.keys == nil || e.tables.Load() >= maxTables || len(e.keys) > maxPrincipals {
		e.keys, e.tables = map[string]*edKey{}, new(atomic.Int32)
	}
	for wire, k := range p.keys.ssh {
		if shared := e.keys[wire]; shared != nil {
			k.ssh = shared
		} else if public, ok := edPublic(k.ssh); ok {
			shared = &edKey{PublicKey: k.ssh, public: public, tables: e.tables}
			k.ssh, e.keys[wire] = shared, shared
		}
	}
}

// edPublic returns the key that an SSH key of type ssh-ed25519 is.
func edPublic(k ssh.PublicKey) (ed25519.PublicKey, bool) {
	c, ok := k.(ssh.CryptoPublicKey)
	if !ok || k.Type() != ssh.KeyAlgoED25519 {
		return nil, false
	}
	public, ok := c.CryptoPublicKey().(ed25519.PublicKey)
	return public, ok && len(public) == ed25519.PublicKeySize
}
