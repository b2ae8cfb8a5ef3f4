package trust

import (
	"sync"

	"filippo.io/edwards25519"
	"filippo.io/edwards25519/field"
)

var generator = sync.OnceValue(func() *multiples { return newMultiples(edwards25519.NewGeneratorPoint()) })

// Scalars are written in signed digits to the base 2^window: 37 of them make the 259 bits that a scalar
// below 2^253 and a carry need. Wider windows want fewer additions, of tables that no cache holds.
const (
	window  = 7
	digits  = 37
	largest = 1 << (window - 1)
)

// multiples are those of a point P that make up every other: i, j → (j+1)·2^(window·i)·P. They take
// 284 KB. With them a multiplication is 37 additions and no doubling.
type multiples [digits][largest]affine

// affine is a point (x, y) as additions want it.
type affine struct{ plus, minus, xy2d field.Element } // y+x, y-x, 2dxy

// extended is a point (X/Z, Y/Z) with T = XY/Z.
type extended struct{ x, y, z, t field.Element }

func newMultiples(p *edwards25519.Point) *multiples {
	points := make([]edwards25519.Point, 0, digits*largest)
	unit := new(edwards25519.Point).Set(p)
	for range digits {
		of := len(points)
		points = append(points, *unit)
		for j := 1; j < largest; j++ {
			points = append(points, *new(edwards25519.Point).Add(&points[of+j-1], unit))
		}
		unit.Add(&points[of+largest-1], &points[of+largest-1]) // twice 2^(window-1)
	}
	m := new(multiples)
	for i, a := range normalized(points) {
		m[i/largest][i%largest] = a
	}
	return m
}

// normalized divides points by their Z.
func normalized(points []edwards25519.Point) []affine {
	z := make([]field.Element, len(points))
	for i := range points {
		_, _, of, _ := points[i].ExtendedCoordinates()
		z[i].Set(of)
	}
	out := make([]affine, len(points))
	for i, inverse := range inverses(z) {
		x, y, _, _ := points[i].ExtendedCoordinates()
		out[i].set(x.Multiply(x, &inverse), y.Multiply(y, &inverse))
	}
	return out
}

// inverses inverts numbers, none of which is 0, with one inversion for all (Montgomery's trick): the product of all
// that are before one is inverted by what is left of the inverse of the whole.
func inverses(of []field.Element) []field.Element {
	out := make([]field.Element, len(of))
	product := new(field.Element).One()
	for i := range of {
		out[i].Set(product)
		product.Multiply(product, &of[i])
	}
	rest := product.Invert(product)
	for i := len(of) - 1; i >= 0; i-- {
		out[i].Multiply(&out[i], rest)
		rest.Multiply(rest, &of[i])
	}
	return out
}

func (a *affine) set(x, y *field.Element) {
	a.plus.Add(y, x)
	a.minus.Subtract(y, x)
	a.xy2d.Multiply(x, y)
	a.xy2d.Multiply(&a.xy2d, twiceD())
}

// twiceD is 2d of the curve -x² + y² = 1 + dx²y², where d = -121665/121666 (RFC 8032, section 5.1).
var twiceD = sync.OnceValue(func() *field.Element {
	one := new(field.Element).One()
	denominator := new(field.Element).Invert(new(field.Element).Mult32(one, 121666))
	d := new(field.Element).Mult32(denominator, 121665)
	d.Negate(d)
	return d.Add(d, d)
})

// sum returns s times the point of one table and t times that of another. The multiples are fetched before the
// first is added: tables are larger than the nearest caches, and additions wait for each other, fetches don't.
func sum(a *multiples, s *edwards25519.Scalar, b *multiples, t *edwards25519.Scalar) *extended {
	var terms [2 * digits]affine
	var negative [2 * digits]bool
	n := 0
	for _, x := range [...]struct {
		of     *multiples
		digits [digits]int8
	}{{a, signedDigits(s)}, {b, signedDigits(t)}} {
		for i, d := range x.digits {
			if d != 0 {
				negative[n] = d < 0
				terms[n] = x.of[i][max(d, -d)-1]
				n++
			}
		}
	}
	r := new(extended)
	r.y.One()
	r.z.One()
	for i := range n {
		r.add(&terms[i], negative[i])
	}
	return r
}

// add adds an affine point or, if it is to be negated, subtracts it: madd-2008-hwcd-3 of the Explicit-Formulas
// Database, which is complete on this curve. The negative of a point has y+x and y-x for each other, and -2dxy.
func (r *extended) add(q *affine, negated bool) {
	plus, minus := &q.plus, &q.minus
	if negated {
		plus, minus = minus, plus
	}
	var a, b, c, d, e, f, g, h field.Element
	a.Multiply(a.Subtract(&r.y, &r.x), minus)
	b.Multiply(b.Add(&r.y, &r.x), plus)
	c.Multiply(&r.t, &q.xy2d)
	d.Add(&r.z, &r.z)
	e.Subtract(&b, &a)
	h.Add(&b, &a)
	f.Subtract(&d, &c)
	g.Add(&d, &c)
	if negated {
		f, g = g, f
	}
	r.x.Multiply(&e, &f)
	r.y.Multiply(&g, &h)
	r.z.Multiply(&f, &g)
	r.t.Multiply(&e, &h)
}

// bytes encodes a point (RFC 8032, section 5.1.2), given the inverse of its z.
func (r *extended) bytes(inverse *field.Element) (out [32]byte) {
	var x, y field.Element
	x.Multiply(&r.x, inverse)
	y.Multiply(&r.y, inverse)
	copy(out[:], y.Bytes())
	out[31] |= byte(x.IsNegative() << 7)
	return out
}

// signedDigits writes a scalar as the sum of d[i]·2^(window·i), each d[i] from -63 to 64.
func signedDigits(s *edwards25519.Scalar) (d [digits]int8) {
	b := s.Bytes()
	carry := 0
	for i := range d {
		bit := i * window
		v := 0
		if bit/8 < len(b) {
			v = int(b[bit/8]) >> (bit % 8)
		}
		if bit/8+1 < len(b) {
			v |= int(b[bit/8+1]) << (8 - bit%8)
		}
		v = v&(1<<window-1) + carry
		if carry = 0; v > largest {
			v, carry = v-1<<window, 1
		}
		d[i] = int8(v)
	}
	return d
}
