package bolt

import (
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"

	"golang.org/x/crypto/chacha20poly1305"

	"github.com/llm-config-manager/lcm/internal/lcm"
)

const (
	sealKeySize = 32
	sealVersion = 1 // first byte of a sealed value; nonce and ciphertext follow
)

// sealer seals the values of one database file with XChaCha20-Poly1305: its nonce is long enough to be
// drawn at random for every write, without counting writes.
type sealer struct {
	aead  cipher.AEAD
	check []byte // tells this key from another without opening anything
}

// newSealer derives the file's own keys, so that one configured key serves many files and purposes.
func newSealer(key, salt []byte) (*sealer, error) {
	if len(key) != sealKeySize {
		return nil, fmt.Errorf("the sealing key has %d bytes; it must have %d", len(key), sealKeySize)
	}
	sealing, err := hkdf.Key(sha256.New, key, salt, "lcm store/bolt seal v1", chacha20poly1305.KeySize)
	if err != nil {
		return nil, err
	}
	check, err := hkdf.Key(sha256.New, key, salt, "lcm store/bolt check v1", 16)
	if err != nil {
		return nil, err
	}
	aead, err := chacha20poly1305.NewX(sealing)
	return &sealer{aead, check}, err
}

// bound is the associated data: a sealed value opens only at its own address and under its own
// digest, so that somebody who can write the file cannot swap values or bring old ones back under
// a newer mark.
func bound(addr lcm.Address, digest string) []byte {
	return []byte("lcm store/bolt v1\x00" + addr.String() + "\x00" + digest)
}

func (s *sealer) seal(addr lcm.Address, digest string, value []byte) []byte {
	head := 1 + chacha20poly1305.NonceSizeX
	out := make([]byte, head, head+len(value)+s.aead.Overhead())
	out[0] = sealVersion
	_, _ = rand.Read(out[1:]) // never fails: crypto/rand ends the program instead
	return s.aead.Seal(out, out[1:head], value, bound(addr, digest))
}

func (s *sealer) open(addr lcm.Address, digest string, sealed []byte) ([]byte, error) {
	head := 1 + chacha20poly1305.NonceSizeX
	if len(sealed) < head || sealed[0] != sealVersion {
		return nil, errors.New("its sealed value has an unknown format")
	}
	value, err := s.aead.Open(nil, sealed[1:head], sealed[head:], bound(addr, digest))
	if err != nil {
		return nil, errors.New("its sealed value does not open: it was changed or moved, or sealed under another key")
	}
	return value, nil
}
