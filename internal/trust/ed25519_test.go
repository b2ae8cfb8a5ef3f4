package trust

import (
	"crypto/ed25519"
	"crypto/sha512"
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"testing"

	"filippo.io/edwards25519"

	"github.com/llm-config-manager/lcm/internal/gitrepo"
)

// often is a key that has its table already.
func often(t testing.TB, public []byte) *edKey {
	k := &edKey{public: public, tables: new(atomic.Int32), used: tableFrom - 1}
	if k.use(); k.minusA == nil {
		t.Fatal("a key that is used often has no table")
	}
	return k
}

// agree demands the verdict of crypto/ed25519.
func agree(t *testing.T, k *edKey, message, signature []byte) bool {
	t.Helper()
	want := ed25519.Verify(k.public, message, signature)
	if got := k.verify(message, signature); got != want {
		t.Fatalf("key %x, message %x, signature %x: %t, crypto/ed25519 says %t", k.public, message, signature, got, want)
	}
	if got := together(t, k, message, signature); got != want {
		t.Fatalf("key %x, message %x, signature %x: %t among others, crypto/ed25519 says %t", k.public, message, signature, got, want)
	}
	return want
}

// together is the verdict on a signature that is looked at together with a good and a bad one. What is not in form is
// not proven.
func together(t *testing.T, k *edKey, message, signature []byte) bool {
	t.Helper()
	private := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	other := otherKey(t)
	sound := ed25519.Sign(private, []byte("sound"))
	var all []unproven
	for _, u := range []struct {
		key                *edKey
		message, signature []byte
	}{{other, []byte("sound"), sound}, {k, message, signature}, {other, []byte("unsound"), sound}} {
		all = append(all, unproven{&gitrepo.Commit{}, &Key{}, u.key, u.message, u.signature})
	}
	keys := proven(slices.Clone(all))
	if keys[all[0].commit] == nil || keys[all[2].commit] != nil {
		t.Fatalf("beside key %x, message %x, signature %x others are misjudged", k.public, message, signature)
	}
	return keys[all[1].commit] == all[1].key
}

var otherKey = func() func(testing.TB) *edKey {
	var k *edKey
	return func(t testing.TB) *edKey {
		if k == nil {
			k = often(t, ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize)).Public().(ed25519.PublicKey))
		}
		return k
	}
}()

func TestTableVerifiesAsTheLibrary(t *testing.T) {
	random := rand.New(rand.NewChaCha8([32]byte{1}))
	accepted := 0
	for n := range 40 {
		seed := make([]byte, ed25519.SeedSize)
		binary.LittleEndian.PutUint64(seed, random.Uint64())
		private := ed25519.NewKeyFromSeed(seed)
		k := often(t, private.Public().(ed25519.PublicKey))
		for range 25 {
			message := binary.LittleEndian.AppendUint64(nil, random.Uint64())
			signature := ed25519.Sign(private, message)
			if agree(t, k, message, signature) {
				accepted++
			}
			flipped := append([]byte(nil), signature...)
			flipped[random.IntN(64)] ^= 1 << random.IntN(8)
			agree(t, k, message, flipped)
			agree(t, k, append(message, 0), signature)
		}
		agree(t, k, nil, make([]byte, n))
	}
	if accepted != 1000 {
		t.Fatalf("%d of 1000 signatures were accepted", accepted)
	}
}

// The order of the group, little-endian: s and s+order are the same scalar, of which only the first
// may be written.
var order = []byte{0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 31: 0x10}

func TestTableRefusesAnotherWritingOfTheScalar(t *testing.T) {
	private := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	k := often(t, private.Public().(ed25519.PublicKey))
	message := []byte("m")
	signature := ed25519.Sign(private, message)
	carry := 0
	for i, b := range order {
		carry += int(signature[32+i]) + int(b)
		signature[32+i] = byte(carry)
		carry >>= 8
	}
	if agree(t, k, message, signature) {
		t.Fatal("s+order was accepted")
	}
}

// smallOrder are encodings of points of order 1, 2, 4 and 8, canonical and not.
var smallOrder = [][32]byte{
	{0: 1},
	{0: 0xec, 1: 0xff, 2: 0xff, 3: 0xff, 4: 0xff, 5: 0xff, 6: 0xff, 7: 0xff, 8: 0xff, 9: 0xff, 10: 0xff, 11: 0xff, 12: 0xff, 13: 0xff, 14: 0xff, 15: 0xff,
		16: 0xff, 17: 0xff, 18: 0xff, 19: 0xff, 20: 0xff, 21: 0xff, 22: 0xff, 23: 0xff, 24: 0xff, 25: 0xff, 26: 0xff, 27: 0xff, 28: 0xff, 29: 0xff, 30: 0xff, 31: 0x7f},
	{},
	{31: 0x80},
	{0: 1, 31: 0x80},
	{0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0, 0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05},
	{0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f, 0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a},
	{0: 0xee, 1: 0xff, 2: 0xff, 3: 0xff, 4: 0xff, 5: 0xff, 6: 0xff, 7: 0xff, 8: 0xff, 9: 0xff, 10: 0xff, 11: 0xff, 12: 0xff, 13: 0xff, 14: 0xff, 15: 0xff,
		16: 0xff, 17: 0xff, 18: 0xff, 19: 0xff, 20: 0xff, 21: 0xff, 22: 0xff, 23: 0xff, 24: 0xff, 25: 0xff, 26: 0xff, 27: 0xff, 28: 0xff, 29: 0xff, 30: 0xff, 31: 0x7f},
}

// Where keys and commitments have a part of small order, implementations of ed25519 disagree
// (Chalkias, Garillot, Nikolaenko: Taming the many EdDSAs, 2020). Ours must be the library's.
func TestTableJudgesSmallOrderAsTheLibrary(t *testing.T) {
	accepted, seen := 0, 0
	private := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	secret := sha512.Sum512(private.Seed())
	a, err := edwards25519.NewScalar().SetBytesWithClamping(secret[:32])
	if err != nil {
		t.Fatal(err)
	}
	honest := new(edwards25519.Point).ScalarBaseMult(a)
	for _, torsion := range smallOrder {
		small, err := new(edwards25519.Point).SetBytes(torsion[:])
		if err != nil {
			t.Fatalf("%x is no point", torsion)
		}
		mixed := new(edwards25519.Point).Add(honest, small).Bytes()
		for _, public := range [][]byte{torsion[:], mixed} {
			k := often(t, public)
			for _, r := range smallOrder {
				for n := range 16 {
					seen++
					// R is small, so s = c·a makes the equation hold up to small order.
					message := []byte{byte(n)}
					sum := sha512.Sum512(append(append(append([]byte(nil), r[:]...), public...), message...))
					c, err := edwards25519.NewScalar().SetUniformBytes(sum[:])
					if err != nil {
						t.Fatal(err)
					}
					s := edwards25519.NewScalar().Multiply(c, a)
					if &public[0] == &torsion[0] {
						s = edwards25519.NewScalar()
					}
					if agree(t, k, message, append(append([]byte(nil), r[:]...), s.Bytes()...)) {
						accepted++
					}
				}
			}
		}
	}
	if accepted == 0 || accepted == seen {
		t.Fatalf("%d of %d accepted: the cases do not tell implementations apart", accepted, seen)
	}
}

func BenchmarkEd25519(b *testing.B) {
	private := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	message := make([]byte, 128)
	signature := ed25519.Sign(private, message)
	public := private.Public().(ed25519.PublicKey)
	b.Run("library", func(b *testing.B) {
		for b.Loop() {
			ed25519.Verify(public, message, signature)
		}
	})
	b.Run("table", func(b *testing.B) {
		k := often(b, public)
		for b.Loop() {
			k.verify(message, signature)
		}
	})
	b.Run("make", func(b *testing.B) {
		for b.Loop() {
			newMultiples(edwards25519.NewGeneratorPoint())
		}
	})
}
