package trust

import (
	"crypto/ed25519"
	"testing"

	"filippo.io/edwards25519"
)

// FuzzEd25519: with a table, a key gives the verdict of crypto/ed25519, whatever the key and whatever the
// signature.
func FuzzEd25519(f *testing.F) {
	private := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	f.Add([]byte(private.Public().(ed25519.PublicKey)), []byte("m"), ed25519.Sign(private, []byte("m")))
	for _, point := range smallOrder {
		f.Add(point[:], []byte("m"), append(point[:], make([]byte, 32)...))
	}
	f.Fuzz(func(t *testing.T, public, message, signature []byte) {
		if _, err := new(edwards25519.Point).SetBytes(public); err == nil && len(public) == ed25519.PublicKeySize {
			agree(t, often(t, public), message, signature)
		}
	})
}
