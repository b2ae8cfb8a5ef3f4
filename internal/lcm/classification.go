package lcm

import "slices"

// Classification says who may see a value; the order is from the freest to the strictest.
type Classification string

// The classifications, in ascending strictness.
const (
	Public       Classification = "public"
	Internal     Classification = "internal"
	Confidential Classification = "confidential"
	Restricted   Classification = "restricted"
)

var classifications = [...]Classification{Public, Internal, Confidential, Restricted}

// Valid reports whether c is one of the four.
func (c Classification) Valid() bool { return slices.Contains(classifications[:], c) }

func (c Classification) rank() int { return slices.Index(classifications[:], c) }

// StricterThan reports whether c is stricter than d. An unknown word is the strictest of all, so
// that a comparison with it fails closed.
func (c Classification) StricterThan(d Classification) bool {
	if !c.Valid() {
		return d.Valid()
	}
	return d.Valid() && c.rank() > d.rank()
}

// Strictest returns the stricter of the two.
func Strictest(a, b Classification) Classification {
	if b.StricterThan(a) {
		return b
	}
	return a
}
