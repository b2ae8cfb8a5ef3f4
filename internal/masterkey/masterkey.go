// Package masterkey is the daemon's one key of 32 bytes. Everything that it seals, authenticates or
// fingerprints uses a key of its own, derived from this one by HKDF (RFC 5869), so that no use can be
// played against another.
package masterkey

import (
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// Size is the length of the key in bytes.
const Size = 32

// Purpose names what a derived key is for.
type Purpose string

// The purposes. They are part of the format of what was written with them: never rename one.
const (
	State       Purpose = "lcm/v1 state authentication"
	Fingerprint Purpose = "lcm/v1 fingerprint"
	SealBolt    Purpose = "lcm/v1 seal bolt"
	Receipt     Purpose = "lcm/v1 receipt"
	Verdicts    Purpose = "lcm/v1 verdicts" // authenticates what is kept of judgements
)

// Key shows itself nowhere.
type Key struct{ bytes [Size]byte }

func (Key) String() string               { return "[redacted]" }
func (Key) GoString() string             { return "[redacted]" }
func (Key) Format(f fmt.State, _ rune)   { _, _ = f.Write([]byte("[redacted]")) }
func (Key) MarshalText() ([]byte, error) { return []byte("[redacted]"), nil }

// Derive returns the 32-byte key for one purpose.
func (k Key) Derive(p Purpose) []byte {
	out, err := hkdf.Key(sha256.New, k.bytes[:], nil, string(p), Size)
	if err != nil {
		panic("masterkey: " + err.Error()) // only for lengths that Size is not
	}
	return out
}

// Random returns a fresh key that is written nowhere.
func Random() Key {
	var k Key
	_, _ = rand.Read(k.bytes[:]) // never fails (crypto/rand)
	return k
}

// Generate writes a fresh key to a new file that only its owner may read. It never overwrites one.
func Generate(file string) (Key, error) {
	k := Random()
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return Key{}, fmt.Errorf("making the folder of the key: %w", err)
	}
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return Key{}, fmt.Errorf("making the key: %w", err)
	}
	_, err = fmt.Fprintln(f, base64.StdEncoding.EncodeToString(k.bytes[:]))
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return Key{}, fmt.Errorf("writing the key: %w", err)
	}
	return k, nil
}

// Load reads a key that Generate wrote: 32 bytes in base64, one line.
func Load(file string) (Key, error) {
	info, err := os.Stat(file)
	if err != nil {
		return Key{}, fmt.Errorf("reading the key: %w", err)
	}
	if exposed(info.Mode(), ours(info)) {
		return Key{}, fmt.Errorf("the key %s may be read by others: chmod 600 %s", file, file)
	}
	if info.Size() > 1024 {
		return Key{}, fmt.Errorf("the key %s is too large to be one", file)
	}
	raw, err := os.ReadFile(file)
	if err != nil {
		return Key{}, fmt.Errorf("reading the key: %w", err)
	}
	b, err := base64.StdEncoding.DecodeString(strings.TrimSpace(string(raw)))
	if err != nil || len(b) != Size {
		return Key{}, fmt.Errorf("the key %s does not hold %d bytes in base64: make one with reconciler keygen", file, Size)
	}
	var k Key
	copy(k.bytes[:], b)
	return k, nil
}

// exposed reports whether others than we may read a file. One that another user owns, as root does what systemd and
// Kubernetes hand us, we may have to read as its group.
func exposed(mode fs.FileMode, ours bool) bool {
	if !ours {
		return mode.Perm()&0o037 != 0
	}
	return mode.Perm()&0o077 != 0
}

func ours(info fs.FileInfo) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	return !ok || stat.Uid == uint32(os.Geteuid())
}

// Missing reports whether err says that there is no key file.
func Missing(err error) bool { return errors.Is(err, fs.ErrNotExist) }
