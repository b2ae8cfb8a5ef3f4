package sopsfile

import (
	"bytes"
	"container/list"
	"crypto/sha256"
	"errors"
	"io"
	"strings"
	"sync"

	"filippo.io/age"
	"filippo.io/age/armor"
)

const (
	dataKeyBytes = 32
	// maxCached data keys are kept, about 5 MB.
	maxCached = 16384
)

// wrappedKey is a data key as the file holds it, for one recipient.
type wrappedKey struct{ recipient, enc string }

// keyring unwraps data keys, and remembers them by their wrapped bytes: most files are opened again
// with the key that they already had. Only what an identity did unwrap gets in.
type keyring struct {
	file       string // where the identities come from, for errors
	identities []age.Identity
	own        map[string]bool // recipients that belong to the identities
	unwrap     func(enc string, identities []age.Identity) ([]byte, error)

	mu     sync.Mutex // guards what follows
	cached map[[sha256.Size]byte]*list.Element
	recent *list.List // of cachedKey, the last used first
}

type cachedKey struct {
	id  [sha256.Size]byte
	key []byte
}

func newKeyring(file string) *keyring {
	return &keyring{
		file: file, own: map[string]bool{}, unwrap: unwrap,
		cached: map[[sha256.Size]byte]*list.Element{}, recent: list.New(),
	}
}

func (k *keyring) add(id *age.X25519Identity) {
	k.identities = append(k.identities, id)
	k.own[id.Recipient().String()] = true
}

// dataKey returns the data key of a file. The caller must not change it.
func (k *keyring) dataKey(file string, wrapped []wrappedKey) ([]byte, error) {
	for _, w := range wrapped {
		if key := k.get(sha256.Sum256([]byte(w.enc))); key != nil {
			return key, nil
		}
	}
	failure := refuse(file, "sops/no-key", "it is sealed to %s, and %s holds no identity of these: add a recipient in .sops.yaml and run sops updatekeys", recipients(wrapped), k.file)
	for _, w := range wrapped {
		if !k.own[w.recipient] {
			continue
		}
		key, err := k.unwrap(w.enc, k.identities)
		if err == nil {
			k.put(sha256.Sum256([]byte(w.enc)), key)
			return key, nil
		}
		failure = refuse(file, "sops/no-key", "the data key for %s does not unwrap (%v): seal the file anew", w.recipient, err)
	}
	return nil, failure
}

func recipients(wrapped []wrappedKey) string {
	var names []string
	for _, w := range wrapped {
		names = append(names, w.recipient)
	}
	if len(names) > 3 {
		names = append(names[:3], "others")
	}
	return strings.Join(names, ", ")
}

func (k *keyring) get(id [sha256.Size]byte) []byte {
	k.mu.Lock()
	defer k.mu.Unlock()
	e := k.cached[id]
	if e == nil {
		return nil
	}
	k.recent.MoveToFront(e)
	return e.Value.(cachedKey).key
}

func (k *keyring) put(id [sha256.Size]byte, key []byte) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.cached[id] != nil {
		return
	}
	k.cached[id] = k.recent.PushFront(cachedKey{id, key})
	if k.recent.Len() > maxCached {
		last := k.recent.Remove(k.recent.Back()).(cachedKey)
		delete(k.cached, last.id)
	}
}

// unwrap opens an age file that holds a data key. Its errors are fixed sentences: age's quote input.
func unwrap(enc string, identities []age.Identity) ([]byte, error) {
	raw, err := io.ReadAll(armor.NewReader(strings.NewReader(enc)))
	if err != nil {
		return nil, errors.New("it is not an armored age file")
	}
	if !singleRecipient(raw) {
		return nil, errors.New("it must be wrapped for exactly the one recipient that stands beside it")
	}
	r, err := age.Decrypt(bytes.NewReader(raw), identities...)
	if err != nil {
		return nil, errors.New("no identity fits")
	}
	key, err := io.ReadAll(io.LimitReader(r, dataKeyBytes+1))
	if err != nil || len(key) != dataKeyBytes {
		return nil, errors.New("it does not hold 32 bytes")
	}
	return key, nil
}

// singleRecipient reports whether the header of an age file has one stanza, and that of X25519. A
// second one would be a recipient whom no list of recipients shows.
func singleRecipient(raw []byte) bool {
	header, _, ok := bytes.Cut(raw, []byte("\n---"))
	return ok && bytes.Count(header, []byte("\n->")) == 1 && bytes.Contains(header, []byte("\n-> X25519 "))
}
