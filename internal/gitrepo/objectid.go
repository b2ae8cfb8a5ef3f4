package gitrepo

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/hash"
)

// hexID is the length of an object id in hexadecimal.
const hexID = 40

// isHexID reports whether s is a whole object id, in lower case as Git writes it.
func isHexID(s string) bool {
	_, ok := hexHash(s)
	return ok
}

func parseID(s string) (plumbing.Hash, error) {
	id, ok := hexHash(s)
	if !ok {
		return plumbing.Hash{}, fmt.Errorf("%q is not an object id of %d hexadecimal digits", s[:min(len(s), 64)], hexID)
	}
	return id, nil
}

func hexHash(s string) (id plumbing.Hash, ok bool) {
	if len(s) != hexID {
		return plumbing.Hash{}, false
	}
	for i := range id {
		high, low := hexDigits[s[2*i]], hexDigits[s[2*i+1]]
		if high|low > 15 {
			return plumbing.Hash{}, false
		}
		id[i] = high<<4 | low
	}
	return id, true
}

// hexDigits are the values of digits; above 15 for what is none.
var hexDigits = func() (values [256]byte) {
	for c := range values {
		values[c] = 255
	}
	for v, c := range "0123456789abcdef" {
		values[c] = byte(v)
	}
	return values
}()

// objectHasher computes ids of objects; not for two users at once.
type objectHasher struct{ hash.Hash }

func newObjectHasher() *objectHasher { return &objectHasher{hash.New(hash.CryptoType)} }

// matches reports whether an object has the id. Bytes that show the marks of a SHA-1 collision attack
// match nothing.
func (h *objectHasher) matches(id plumbing.Hash, t plumbing.ObjectType, data []byte) bool {
	got, ok := h.sum(t, data)
	return ok && got == id
}

var errCollision = errors.New("an object shows the marks of a SHA-1 collision attack")

func (h *objectHasher) sum(t plumbing.ObjectType, data []byte) (id plumbing.Hash, ok bool) {
	h.start(t, int64(len(data)))
	h.Write(data)
	return h.end()
}

// quickHasher computes ids of objects that objectHasher has seen before: only damage is looked for.
type quickHasher struct {
	hash.Hash
	head, got []byte // for reuse
}

func (h *quickHasher) matches(id plumbing.Hash, t plumbing.ObjectType, data []byte) bool {
	h.Reset()
	h.head = appendHead(h.head[:0], t, int64(len(data)))
	h.Write(h.head)
	h.Write(data)
	h.got = h.Sum(h.got[:0])
	return plumbing.Hash(h.got) == id
}

// start begins an object, whose bytes are then to be written to h.
func (h *objectHasher) start(t plumbing.ObjectType, size int64) {
	h.Reset()
	h.Write(objectHead(t, size))
}

func objectHead(t plumbing.ObjectType, size int64) []byte {
	return appendHead(make([]byte, 0, 32), t, size)
}

// appendHead adds "blob 12\x00".
func appendHead(head []byte, t plumbing.ObjectType, size int64) []byte {
	head = append(head, t.String()...)
	head = append(head, ' ')
	head = strconv.AppendInt(head, size, 10)
	return append(head, 0)
}

// end gives the id of the object; false if a collision attack shows.
func (h *objectHasher) end() (id plumbing.Hash, ok bool) {
	detector, ok := h.Hash.(interface {
		CollisionResistantSum([]byte) ([]byte, bool)
	})
	if !ok {
		return id, false
	}
	_, collision := detector.CollisionResistantSum(id[:0])
	return id, !collision
}
